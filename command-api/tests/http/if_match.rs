//! `ETag` and `If-Match`: commands that are carried out only where nothing has changed since.

use axum::http::StatusCode;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::api::{Answer, Api, Key, example_order, post};

/// Sends a command that expects a version.
async fn expecting(api: &Api, path: &str, key: Key<'_>, body: &Value, version: &str) -> Answer {
    let mut request = post(path, key, body);
    let value = version.parse().expect("a header's value");
    request.headers_mut().insert("if-match", value);
    api.send(request).await
}

#[tokio::test]
async fn every_answer_says_its_version() {
    let api = Api::start().await;
    let placed = api.post("/v1/orders", Some("k"), &example_order()).await;
    let id = placed.id().to_owned();
    let again = api.post("/v1/orders", Some("k"), &example_order()).await;
    let received = api
        .post("/v1/stock/MUG-BLUE/receive", None, &json!({"quantity": 10}))
        .await;
    let cart = api.open_cart().await;
    let set = api
        .put(
            &format!("{cart}/items/MUG-BLUE"),
            None,
            &json!({"quantity": 1}),
        )
        .await;
    for answer in [placed, again, api.cancel(&id, None).await, received, set] {
        assert!(answer.status.is_success(), "{answer:?}");
        let version = format!("\"{}\"", answer.body["version"]);
        assert_eq!(answer.header("etag"), version);
    }
}

#[tokio::test]
async fn what_has_changed_since_is_left_alone() {
    let api = Api::start().await;
    let reprice = "/v1/products/MUG-BLUE/reprice";
    let price = |amount: i64| json!({"price": {"amount": amount, "currency": "EUR"}});
    let first = expecting(&api, reprice, None, &price(1_000), "\"1\"").await;
    assert_eq!(first.header("etag"), "\"2\"");

    let late = expecting(&api, reprice, None, &price(2_000), "\"1\"").await;
    assert_eq!(late.problem(), (412, "version-mismatch"));
    assert_eq!(late.body["detail"], "it is at version 2 now");
    assert_eq!(late.header("etag"), "\"2\"");
    // A no-op is one that has met what was expected.
    let same = expecting(&api, reprice, None, &price(1_000), "\"1\"").await;
    assert_eq!(same.problem(), (412, "version-mismatch"));
    for version in [late.header("etag"), "*"] {
        let same = expecting(&api, reprice, None, &price(1_000), version).await;
        assert_eq!(
            (same.status, same.header("etag")),
            (StatusCode::OK, "\"2\"")
        );
    }
    // As the query API names it: how many are in stock is no concern of the price.
    let again = expecting(&api, reprice, None, &price(2_000), "\"2.17\"").await;
    assert_eq!(again.header("etag"), "\"3\"");
}

#[tokio::test]
async fn a_precondition_comes_before_the_rules_and_after_what_is_not_there() {
    let api = Api::start().await;
    let id = api.place().await;
    let cancel = format!("/v1/orders/{id}/cancel");
    assert_eq!(api.cancel(&id, None).await.status, StatusCode::OK);
    let late = expecting(&api, &cancel, None, &json!({}), "\"1\"").await;
    assert_eq!(late.problem(), (412, "version-mismatch"));
    let refused = expecting(&api, &cancel, None, &json!({}), "\"2\"").await;
    assert_eq!(refused.problem(), (409, "order-cancelled"));

    let nobodys = format!("/v1/orders/{}/cancel", Uuid::nil());
    for version in ["\"1\"", "*"] {
        let missing = expecting(&api, &nobodys, None, &json!({}), version).await;
        assert_eq!(missing.problem(), (404, "order-not-found"));
    }
}

#[tokio::test]
async fn a_repetition_gets_the_first_answer_whatever_it_expects() {
    let api = Api::start().await;
    let id = api.place().await;
    let pay = format!("/v1/orders/{id}/pay");
    let body = json!({"payment_method": "tok_visa"});
    let paid = expecting(&api, &pay, Some("k"), &body, "\"1\"").await;
    assert_eq!((paid.status, paid.is_replayed()), (StatusCode::OK, false));
    for version in ["\"1\"", "\"2\"", "\"9\"", "*"] {
        let again = expecting(&api, &pay, Some("k"), &body, version).await;
        assert!(again.is_replayed(), "{version}: {again:?}");
        assert_eq!(again.body, paid.body);
    }
    assert!(api.pay(&id, Some("k")).await.is_replayed());
}

#[tokio::test]
async fn what_is_to_be_created_is_not_there_yet() {
    let api = Api::start().await;
    for version in ["*", "\"1\""] {
        let order = expecting(&api, "/v1/orders", Some("k"), &example_order(), version).await;
        assert_eq!(order.problem(), (412, "version-mismatch"));
        assert_eq!(order.header("etag"), "\"0\"");
    }
    let order = expecting(&api, "/v1/orders", Some("k"), &example_order(), "\"0\"").await;
    assert_eq!(order.status, StatusCode::CREATED);
}

#[tokio::test]
async fn what_is_no_tag_is_told() {
    let api = Api::start().await;
    let id = api.place().await;
    let cancel = format!("/v1/orders/{id}/cancel");
    for version in ["1", "W/\"1\"", "\"one\"", "\"1\", \"2\"", "\"\""] {
        let refused = expecting(&api, &cancel, None, &json!({}), version).await;
        assert_eq!(refused.problem(), (400, "invalid-if-match"), "{version}");
    }
    assert_eq!(api.event_names(), ["OrderPlaced"]);
}
