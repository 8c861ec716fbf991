//! What the gateway tells by itself, where that cannot be understood.

use axum::http::Method;
use command_api::{OpeningStore, Services};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::api::{app, send, signed};

const PATH: &str = "/v1/payments/webhook";

/// Why a signed body is refused.
async fn refusal(body: &str) -> String {
    let services = Services {
        payments: Some(OpeningStore::default()),
        ..Services::development()
    };
    let answer = send(&app(services), signed(&Method::POST, PATH, body)).await;
    assert_eq!(answer.problem(), (400, "malformed-json"), "{body}");
    answer.body["detail"].as_str().expect("a detail").to_owned()
}

/// An event whose amount is this.
fn capture_of(amount: &Value) -> Value {
    json!({
        "request_id": Uuid::nil(),
        "payment_id": Uuid::nil(),
        "order_id": Uuid::nil(),
        "operation": "capture",
        "status": "captured",
        "amount": amount,
    })
}

#[tokio::test]
async fn a_body_is_refused_in_words_of_json() {
    let no_object = "invalid type: array, expected an object";
    for (body, detail) in [
        ("[]", no_object),
        ("7", "invalid type: integer `7`, expected an object"),
        ("null", "invalid type: null, expected an object"),
        (r#"[{"status": "captured"}]"#, no_object),
        ("{}", "missing field `data`"),
        (
            r#"{"data": "#,
            "EOF while parsing a value at line 1 column 9",
        ),
    ] {
        assert_eq!(refusal(body).await, detail, "{body}");
    }
}

#[tokio::test]
async fn an_event_is_refused_in_words_of_json() {
    let no_object = "invalid type: array, expected an object";
    let operation =
        "unknown value `steal`, expected one of `authorise`, `capture`, `void`, `refund`";
    let cases = [
        (json!([]), no_object),
        (json!({"operation": "steal"}), operation),
        (json!({"operation": "void"}), "missing field `request_id`"),
        (capture_of(&json!([1, "EUR"])), no_object),
        (
            capture_of(&json!(7)),
            "invalid type: integer `7`, expected an object",
        ),
        (
            capture_of(&json!({"amount": "1", "currency": "EUR"})),
            r#"invalid type: string "1", expected an integer"#,
        ),
        (capture_of(&Value::Null), "no outcome is `captured`"),
    ];
    for (event, detail) in cases {
        let body = json!({"data": event}).to_string();
        assert_eq!(refusal(&body).await, detail, "{body}");
    }
}
