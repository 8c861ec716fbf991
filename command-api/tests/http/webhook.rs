//! What the gateway tells by itself: it counts once, and only where the gateway has signed it.

use axum::http::{HeaderName, Request, StatusCode};
use chrono::{DateTime, TimeDelta, Utc};
use command_api::development_secret;
use domain::{
    money::Money,
    payment::{PaymentCommand, PaymentRequested, StartPayment},
    topics::PAYMENT_EVENTS,
};
use runtime::signature::{Secret, TOLERANCE};
use serde_json::json;
use uuid::Uuid;

use crate::{
    api::{Answer, Api},
    steps::carry_out,
};

const PAYMENT: Uuid = Uuid::from_u128(1);
const ORDER: Uuid = Uuid::from_u128(2);
/// Names what the gateway was asked.
const REQUEST: Uuid = Uuid::from_u128(3);

/// The gateway was asked to set the money aside.
async fn start_payment(api: &Api) {
    let amount = Money::new(5_497, "EUR".parse().expect("a currency"));
    let now = Utc::now();
    let start = StartPayment {
        requested: PaymentRequested {
            payment_id: PAYMENT.into(),
            order_id: ORDER.into(),
            attempt: 1,
            amount: amount.expect("an amount"),
            method: "v1.x".parse().expect("visible"),
            requested_at: now,
        },
        request_id: REQUEST,
        give_up_at: now + TimeDelta::hours(1),
        started_at: now,
    };
    carry_out(&api.payments, PaymentCommand::Start(start)).await;
}

/// That so much is set aside.
fn authorised(amount: i64) -> String {
    let event = json!({
        "id": "evt_1",
        "type": "authorisation.authorised",
        "data": {
            "request_id": REQUEST,
            "payment_id": PAYMENT,
            "order_id": ORDER,
            "operation": "authorise",
            "status": "authorised",
            "reference": "auth-1",
            "amount": {"amount": amount, "currency": "EUR"},
        },
    });
    event.to_string()
}

fn signed(secret: &Secret, at: DateTime<Utc>, body: &str) -> Vec<(HeaderName, String)> {
    secret.headers("evt_1", at, body.as_bytes()).into()
}

async fn deliver(api: &Api, signature: &[(HeaderName, String)], body: &str) -> Answer {
    let mut request =
        Request::post("/v1/payments/webhook").header("content-type", "application/json");
    for (name, value) in signature {
        request = request.header(name, value);
    }
    let request = request.body(body.to_owned().into());
    api.send(request.expect("a request")).await
}

#[tokio::test]
async fn what_the_gateway_has_not_signed_is_refused() {
    let api = Api::start().await;
    start_payment(&api).await;
    let (ours, now, body) = (development_secret(), Utc::now(), authorised(5_497));
    let others = "a secret of somebody else".parse().expect("a secret");
    let long_ago = now - TOLERANCE - TimeDelta::seconds(1);
    for (signature, why) in [
        (vec![], "it is not signed"),
        (signed(&others, now, &body), "somebody else has signed it"),
        (signed(&ours, now, &authorised(1)), "it was changed since"),
        (signed(&ours, long_ago, &body), "it is sent again"),
    ] {
        let refused = deliver(&api, &signature, &body).await;
        assert_eq!(refused.problem(), (401, "invalid-signature"), "{why}");
    }
    assert_eq!(api.event_names_in(PAYMENT_EVENTS), ["PaymentStarted"]);
}

#[tokio::test]
async fn what_the_gateway_has_signed_is_carried_out_once() {
    let api = Api::start().await;
    let body = authorised(5_497);
    let signature = signed(&development_secret(), Utc::now(), &body);
    let early = deliver(&api, &signature, &body).await;
    assert_eq!(early.problem(), (404, "payment-not-found"));

    start_payment(&api).await;
    let first = deliver(&api, &signature, &body).await;
    assert_eq!(first.status, StatusCode::OK, "{first:?}");
    let expected = json!({"id": PAYMENT, "version": 2, "status": "authorised"});
    assert_eq!(first.body, expected);
    let again = deliver(&api, &signature, &body).await;
    assert!(!first.is_replayed() && again.is_replayed(), "{again:?}");
    assert_eq!(again.body, expected);
    let names = ["PaymentStarted", "PaymentAuthorised"];
    assert_eq!(api.event_names_in(PAYMENT_EVENTS), names);
}
