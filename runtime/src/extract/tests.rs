use axum::{Router, body::Body, http::Method, response::Response, routing::any};
use serde::Deserialize;
use serde_json::{Value, json};
use tower::ServiceExt;
use uuid::Uuid;

use super::*;
use crate::object;

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Order {
    #[expect(dead_code, reason = "only parsed")]
    customer: String,
    #[expect(dead_code, reason = "only parsed")]
    #[serde(deserialize_with = "object::array")]
    lines: Vec<Line>,
    #[expect(dead_code, reason = "only parsed")]
    #[serde(default, deserialize_with = "object::optional")]
    gift: Option<Gift>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Gift {
    #[expect(dead_code, reason = "only parsed")]
    #[serde(deserialize_with = "object::one")]
    card: Card,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Card {
    #[expect(dead_code, reason = "only parsed")]
    text: String,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Line {
    #[expect(dead_code, reason = "only parsed")]
    #[serde(rename = "quan/tity")]
    quantity: u32,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Filter {
    #[expect(dead_code, reason = "only parsed")]
    limit: Option<u32>,
}

fn router() -> Router {
    Router::new()
        .route("/json", any(async |_: ApiJson<Order>| "read"))
        .route("/optional", any(async |_: OptionalJson<Order>| "read"))
        .route("/bytes", any(async |body: ApiBytes| body.0))
        .route("/query", any(async |_: ApiQuery<Filter>| "read"))
        .route("/ids/{id}", any(async |_: ApiPath<Uuid>| "read"))
}

async fn send(uri: &str, content_type: &str, body: impl Into<Body>) -> Response {
    let mut request = Request::builder().method(Method::POST).uri(uri);
    if !content_type.is_empty() {
        request = request.header(header::CONTENT_TYPE, content_type);
    }
    let request = request.body(body.into()).expect("request");
    router().oneshot(request).await.expect("infallible")
}

async fn problem(
    uri: &str,
    content_type: &str,
    body: &(impl AsRef<[u8]> + ?Sized),
) -> (u16, Value) {
    let response = send(uri, content_type, body.as_ref().to_vec()).await;
    let status = response.status().as_u16();
    let body = to_bytes(response.into_body(), usize::MAX).await;
    let problem: Value = serde_json::from_slice(&body.expect("body")).expect("a problem");
    assert_eq!(problem["status"], status);
    (status, problem)
}

const JSON: &str = "application/json";
const VALID: &str = r#"{"customer": "c", "lines": [{"quan/tity": 1}]}"#;

#[tokio::test]
async fn reads_json_of_any_json_type() {
    for content_type in [
        JSON,
        "Application/JSON; charset=utf-8",
        "application/vnd.order+json",
    ] {
        assert_eq!(send("/json", content_type, VALID).await.status(), 200);
    }
    for content_type in ["", "text/plain", "application/jsonp", "json"] {
        let (status, problem) = problem("/json", content_type, VALID).await;
        assert_eq!(
            (status, &problem["code"]),
            (415, &json!("unsupported-media-type"))
        );
    }
}

#[tokio::test]
async fn says_where_json_is_malformed() {
    for (body, detail) in [
        ("", "EOF while parsing a value at line 1 column 0"),
        (
            "{\n  \"customer\": nonsense}",
            "expected ident at line 2 column 16",
        ),
        (
            r#"{"customer": "c""#,
            "EOF while parsing an object at line 1 column 16",
        ),
    ] {
        let (status, problem) = problem("/json", JSON, body).await;
        assert_eq!((status, &problem["code"]), (400, &json!("malformed-json")));
        assert_eq!(problem["detail"], detail);
    }
    // Also where a member before that is invalid, or unknown.
    let more = format!("{VALID} more");
    for body in [&*more, r#"{"customer": 7,"#, r#"{"x"}"#, r#"{"x": }"#] {
        let (status, problem) = problem("/json", JSON, body).await;
        assert_eq!(
            (status, &problem["code"]),
            (400, &json!("malformed-json")),
            "{body}"
        );
    }
}

#[tokio::test]
async fn takes_nothing_for_json_that_is_not_utf_8() {
    for body in [
        b"\"\xff\"".as_slice(),
        b"{\"x\": \"\xff\"}",
        b"{\"customer\": 7, \"x\": [\"\xff\"]}",
        b"{\"customer\": \"\xff\", \"lines\": []}",
    ] {
        let (status, problem) = problem("/json", JSON, body).await;
        let told = (status, &problem["code"]);
        assert_eq!(told, (400, &json!("malformed-json")), "{body:?}");
        let detail = problem["detail"].as_str().expect("a detail");
        assert!(detail.starts_with("invalid utf-8 sequence"), "{detail}");
    }
}

#[tokio::test]
async fn points_at_the_invalid_member() {
    for (body, pointer, code) in [
        (
            r#"{"customer": "c", "lines": [{"quan/tity": -1}]}"#,
            "/lines/0/quan~1tity",
            "invalid-value",
        ),
        (
            r#"{"customer": "c", "lines": [{"quan/tity": 1, "x": 2}]}"#,
            "/lines/0/x",
            "unknown-field",
        ),
        (
            r#"{"customer": "c", "lines": [{}]}"#,
            "/lines/0/quan~1tity",
            "missing-field",
        ),
        (r#"{"lines": []}"#, "/customer", "missing-field"),
        ("[]", "", "invalid-value"),
        ("7", "", "invalid-value"),
    ] {
        let (status, problem) = problem("/json", JSON, body).await;
        assert_eq!(
            (status, &problem["code"]),
            (422, &json!("validation-failed")),
            "{body}"
        );
        let error = &problem["errors"][0];
        assert_eq!(
            (&error["pointer"], &error["code"]),
            (&json!(pointer), &json!(code)),
            "{body}"
        );
        let detail = error["detail"].as_str().expect("a detail");
        assert!(!detail.contains(" at line "), "{detail}");
    }
}

#[tokio::test]
async fn reads_objects_from_objects_alone() {
    for gift in ["null", r#"{"card": {"text": "t"}}"#] {
        let body = format!(r#"{{"customer": "c", "lines": [], "gift": {gift}}}"#);
        assert_eq!(send("/json", JSON, body).await.status(), 200, "{gift}");
    }
    for (body, pointer) in [
        (r#"["c", []]"#, ""),
        (r#"{"customer": "c", "lines": [[1]]}"#, "/lines/0"),
        (
            r#"{"customer": "c", "lines": [], "gift": [["t"]]}"#,
            "/gift",
        ),
        (
            r#"{"customer": "c", "lines": [], "gift": {"card": ["t"]}}"#,
            "/gift/card",
        ),
    ] {
        let (status, problem) = problem("/json", JSON, body).await;
        let expected = json!([{
            "pointer": pointer,
            "code": "invalid-value",
            "detail": "invalid type: array, expected an object",
        }]);
        assert_eq!((status, &problem["errors"]), (422, &expected), "{body}");
    }
    // One that is absent is missed as any other member.
    let (_, problem) = problem("/json", JSON, r#"{"customer": "c"}"#).await;
    assert_eq!(problem["errors"][0]["pointer"], "/lines");
    assert_eq!(problem["errors"][0]["code"], "missing-field");
}

#[tokio::test]
async fn speaks_of_json_rather_than_of_rust() {
    for (line, detail) in [
        (
            r#"{"quan/tity": "2"}"#,
            r#"invalid type: string "2", expected an integer"#,
        ),
        (
            r#"{"quan/tity": ", expected u32"}"#,
            r#"invalid type: string ", expected u32", expected an integer"#,
        ),
        (
            r#"{"quan/tity": 1.5}"#,
            "invalid type: number `1.5`, expected an integer",
        ),
        (
            r#"{"quan/tity": -1}"#,
            "invalid value: integer `-1`, expected an integer in range",
        ),
        (
            r#"{"quan/tity": {}}"#,
            "invalid type: object, expected an integer",
        ),
        ("null", "invalid type: null, expected an object"),
        (r#"{"x": 1}"#, "unknown field `x`, expected `quan/tity`"),
    ] {
        let body = format!(r#"{{"customer": "c", "lines": [{line}]}}"#);
        let (_, problem) = problem("/json", JSON, &body).await;
        assert_eq!(problem["errors"][0]["detail"], detail);
    }
    let (_, problem) = problem("/json", JSON, r#"{"customer": "c", "lines": 7}"#).await;
    assert_eq!(
        problem["errors"][0]["detail"],
        "invalid type: integer `7`, expected an array"
    );
}

#[tokio::test]
async fn an_optional_body_may_be_absent_but_not_wrong() {
    assert_eq!(send("/optional", "", "").await.status(), 200);
    assert_eq!(send("/optional", JSON, "").await.status(), 200);
    assert_eq!(send("/optional", JSON, VALID).await.status(), 200);
    assert_eq!(send("/optional", "", VALID).await.status(), 415);
    assert_eq!(send("/optional", JSON, "{").await.status(), 400);
    assert_eq!(send("/optional", JSON, r#"{"x": 1}"#).await.status(), 422);
}

#[tokio::test]
async fn reads_no_more_than_the_limit() {
    let fits = "x".repeat(MAX_BODY_BYTES);
    assert_eq!(send("/bytes", "", fits.clone()).await.status(), 200);
    for uri in ["/bytes", "/json", "/optional"] {
        let (status, problem) = problem(uri, JSON, &format!("{fits}x")).await;
        assert_eq!((status, &problem["code"]), (413, &json!("body-too-large")));
    }
}

#[tokio::test]
async fn refuses_queries_and_ids_that_cannot_be_read() {
    assert_eq!(send("/query?limit=5", "", "").await.status(), 200);
    for query in ["limit=many", "limit=-1", "limits=5", "limit=1&limit=2"] {
        let (status, problem) = problem(&format!("/query?{query}"), "", "").await;
        assert_eq!(
            (status, &problem["code"]),
            (400, &json!("invalid-query")),
            "{query}"
        );
    }
    let id = Uuid::now_v7();
    assert_eq!(send(&format!("/ids/{id}"), "", "").await.status(), 200);
    for id in ["42", "%ff", "not-an-id"] {
        let (status, problem) = problem(&format!("/ids/{id}"), "", "").await;
        assert_eq!(
            (status, &problem["code"]),
            (400, &json!("invalid-id")),
            "{id}"
        );
    }
}
