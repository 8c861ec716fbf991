//! The catalogue's and the stock's routes.

use axum::http::{Request, StatusCode};
use domain::topics::{INVENTORY_EVENTS, PRODUCT_EVENTS};
use serde_json::{Value, json};

use crate::api::Api;

fn price(amount: i64, currency: &str) -> Value {
    json!({"price": {"amount": amount, "currency": currency}})
}

fn product(sku: &str) -> Value {
    json!({"sku": sku, "name": "Tea", "price": {"amount": 1_999, "currency": "EUR"}})
}

#[tokio::test]
async fn a_product_is_created_with_an_empty_stock() {
    let api = Api::start().await;
    let created = api.post("/v1/products", None, &product("TEA")).await;
    assert_eq!(created.status, StatusCode::CREATED);
    assert_eq!(
        created.body,
        json!({"id": "TEA", "version": 1, "status": "active"})
    );
    assert_eq!(created.header("location"), "/v1/products/TEA");

    let is_tea = |event: &crate::api::Event| event.payload["sku"] == "TEA";
    let products = api.events_in(PRODUCT_EVENTS);
    let event = products.iter().find(|event| is_tea(event)).expect("one");
    let stocks = api.events_in(INVENTORY_EVENTS);
    let opened = stocks.iter().find(|event| is_tea(event)).expect("one");
    assert_eq!(
        created.header("x-position"),
        format!("{},{}", event.position, opened.position)
    );
    assert_eq!(event.header("ce_type"), "ProductCreated");
    assert_eq!(event.header("ce_source"), "/product");
    assert_eq!(event.header("ce_subject"), "product-TEA");
    assert_eq!(
        event.header("ce_correlationid"),
        event.header("ce_commandid")
    );
    assert_eq!(event.header("ce_actor"), "anonymous");
    assert_eq!(event.payload["name"], "Tea");
    assert_eq!(opened.header("ce_type"), "StockOpened");
}

#[tokio::test]
async fn goods_are_received_at_once_after_the_product_was_created() {
    let api = Api::start().await;
    api.post("/v1/products", None, &product("TEA")).await;
    let path = "/v1/stock/TEA/receive";
    let received = api.post(path, Some("k"), &json!({"quantity": 100})).await;
    assert_eq!(received.status, StatusCode::OK);
    assert_eq!(
        received.body,
        json!({"id": "TEA", "version": 2, "status": "in_stock"})
    );
    let again = api.post(path, Some("k"), &json!({"quantity": 100})).await;
    assert!(again.is_replayed());
    assert_eq!(again.body, received.body);
    let reused = api.post(path, Some("k"), &json!({"quantity": 1})).await;
    assert_eq!(reused.problem(), (422, "idempotency-key-reused"));
    let names = api.event_names_in(INVENTORY_EVENTS);
    let received = names.iter().filter(|name| *name == "StockReceived");
    assert_eq!(received.count(), 1);
}

#[tokio::test]
async fn a_product_is_repriced_and_discontinued() {
    let api = Api::start().await;
    let path = "/v1/products/MUG-BLUE/reprice";
    let repriced = api.post(path, None, &price(1_299, "EUR")).await;
    assert_eq!(repriced.status, StatusCode::OK);
    let expected = json!({"id": "MUG-BLUE", "version": 2, "status": "active"});
    assert_eq!(repriced.body, expected);
    let same = api.post(path, None, &price(1_299, "EUR")).await;
    assert_eq!(same.body, expected, "it costs that already");
    assert_eq!(same.header("x-position"), repriced.header("x-position"));

    let path = "/v1/products/MUG-BLUE/discontinue";
    let bare = Request::post(path).body(String::new().into());
    let discontinued = api.send(bare.expect("a request")).await;
    assert_eq!(
        discontinued.body,
        json!({"id": "MUG-BLUE", "version": 3, "status": "discontinued"})
    );
    let again = api.post(path, None, &json!({})).await;
    assert_eq!(again.status, StatusCode::OK);
    assert_eq!(again.body, discontinued.body);
}

#[tokio::test]
async fn rejections_have_codes() {
    let api = Api::start().await;
    let twice = api.post("/v1/products", None, &product("MUG-BLUE")).await;
    assert_eq!(twice.problem(), (409, "product-exists"));
    for (path, body) in [
        ("/v1/products/NOTHING/reprice", price(1, "EUR")),
        ("/v1/products/NOTHING/discontinue", json!({})),
        ("/v1/stock/NOTHING/receive", json!({"quantity": 1})),
    ] {
        let answer = api.post(path, None, &body).await;
        assert_eq!(answer.problem(), (404, "product-not-found"), "{path}");
    }
}

#[tokio::test]
async fn a_repetition_gets_the_first_answer() {
    let api = Api::start().await;
    let first = api.post("/v1/products", Some("k"), &product("TEA")).await;
    let again = api.post("/v1/products", Some("k"), &product("TEA")).await;
    assert_eq!(again.status, StatusCode::CREATED);
    assert!(again.is_replayed() && !first.is_replayed());
    assert_eq!(again.body, first.body);
    assert_eq!(again.header("x-position"), first.header("x-position"));
    let mut other = product("TEA");
    other["name"] = json!("Coffee");
    let reused = api.post("/v1/products", Some("k"), &other).await;
    assert_eq!(reused.problem(), (422, "idempotency-key-reused"));
}

#[tokio::test]
async fn invalid_members_and_paths_are_named() {
    let api = Api::start().await;
    let with = |member: &str, value: Value| {
        let mut body = product("TEA");
        body[member] = value;
        body
    };
    let stock = "/v1/stock/MUG-BLUE/receive";
    for (path, body, pointer, code) in [
        (
            "/v1/products",
            with("sku", json!("a b")),
            "/sku",
            "invalid-sku",
        ),
        (
            "/v1/products",
            with("sku", json!("..")),
            "/sku",
            "invalid-sku",
        ),
        (
            "/v1/products",
            with("name", json!("")),
            "/name",
            "invalid-text",
        ),
        (
            "/v1/products",
            with("price", json!({"amount": -1, "currency": "EUR"})),
            "/price/amount",
            "out-of-range",
        ),
        (
            "/v1/products",
            with("colour", json!("red")),
            "/colour",
            "unknown-field",
        ),
        (
            "/v1/products",
            json!({"sku": "TEA", "name": "Tea"}),
            "/price",
            "missing-field",
        ),
        (
            "/v1/products/MUG-BLUE/reprice",
            price(1, "euro"),
            "/price/currency",
            "invalid-currency",
        ),
        (
            "/v1/products/MUG-BLUE/discontinue",
            json!({"why": "because"}),
            "/why",
            "unknown-field",
        ),
        (stock, json!({"quantity": 0}), "/quantity", "out-of-range"),
        (
            stock,
            json!({"quantity": 1_000_000_001}),
            "/quantity",
            "out-of-range",
        ),
    ] {
        let answer = api.post(path, None, &body).await;
        assert_eq!(answer.problem(), (422, "validation-failed"), "{body}");
        assert_eq!(answer.errors(), [(pointer, code)], "{body}");
    }
    for path in [
        "/v1/products/a%20b/reprice",
        "/v1/products/a%20b/discontinue",
        "/v1/stock/a%20b/receive",
    ] {
        let answer = api.post(path, None, &json!({})).await;
        assert_eq!(answer.problem(), (400, "invalid-id"), "{path}");
    }
    assert_eq!(api.events_in(PRODUCT_EVENTS).len(), 2);
}
