//! Everything that a client can get wrong: a problem with a code and a pointer, and nothing appended.

use axum::{
    body::Body,
    http::{Request, StatusCode},
};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::api::{Answer, Api, example_order, order_for, post};

const MOST: i64 = (1 << 53) - 1;

/// The example order with one member replaced, or added.
fn order_with(pointer: &str, value: Value) -> Value {
    let mut order = example_order();
    let (parent, name) = pointer.rsplit_once('/').expect("a pointer");
    let parent = order.pointer_mut(parent).expect("a member");
    match parent {
        Value::Array(items) => items[name.parse::<usize>().expect("an index")] = value,
        parent => parent[name] = value,
    }
    order
}

fn price(amount: impl Into<Value>, currency: &str) -> Value {
    json!({"amount": amount.into(), "currency": currency})
}

fn raw(path: &str, content_type: &str, body: impl Into<Body>) -> Request<Body> {
    let request = Request::post(path).header("content-type", content_type);
    request.body(body.into()).expect("a request")
}

async fn refuses(api: &Api, order: &Value) -> Answer {
    let answer = api.post("/v1/orders", None, order).await;
    assert!(answer.status.is_client_error(), "{order} gave {answer:?}");
    assert_eq!(api.events(), []);
    answer
}

#[tokio::test]
async fn invalid_members_are_named() {
    let api = Api::start().await;
    let long = |length: usize| json!("x".repeat(length));
    let cases = [
        ("/customer_id", json!(""), "invalid-text"),
        ("/customer_id", long(129), "invalid-text"),
        ("/customer_id", json!("a\nb"), "invalid-text"),
        ("/customer_id", json!(7), "invalid-value"),
        ("/lines", json!([]), "out-of-range"),
        (
            "/lines",
            json!(vec![example_order()["lines"][0].clone(); 101]),
            "out-of-range",
        ),
        ("/lines", json!({}), "invalid-value"),
        ("/lines/0/sku", json!("no spaces"), "invalid-sku"),
        ("/lines/0/sku", long(65), "invalid-sku"),
        ("/lines/0/quantity", json!(0), "out-of-range"),
        ("/lines/0/quantity", json!(-1), "out-of-range"),
        ("/lines/1/quantity", json!(100_001), "out-of-range"),
        ("/lines/1/quantity", json!(i64::MAX), "out-of-range"),
        ("/lines/1/quantity", json!(u64::MAX), "invalid-value"),
        ("/lines/1/quantity", json!(1.5), "invalid-value"),
        ("/lines/1/quantity", json!("2"), "invalid-value"),
        ("/lines/0/unit_price/amount", json!(-1), "out-of-range"),
        (
            "/lines/0/unit_price/amount",
            json!(MOST + 1),
            "out-of-range",
        ),
        ("/lines/0/unit_price/amount", json!(19.99), "invalid-value"),
        (
            "/lines/0/unit_price/currency",
            json!("eur"),
            "invalid-currency",
        ),
        (
            "/lines/0/unit_price/currency",
            json!("EURO"),
            "invalid-currency",
        ),
        ("/shipping_address/name", json!(" "), "invalid-text"),
        ("/shipping_address/line1", long(201), "invalid-text"),
        ("/shipping_address/line2", json!(""), "invalid-text"),
        ("/shipping_address/postal_code", long(21), "invalid-text"),
        ("/shipping_address/city", json!(""), "invalid-text"),
        ("/shipping_address/country", json!("GBR"), "invalid-country"),
        ("/shipping_address/country", json!("gb"), "invalid-country"),
        ("/contact/email", json!("nobody"), "invalid-email"),
        ("/colour", json!("red"), "unknown-field"),
        ("/lines/1/colour", json!("red"), "unknown-field"),
        ("/lines/0/unit_price/cents", json!(1), "unknown-field"),
        ("/shipping_address/door", json!(7), "unknown-field"),
        ("/contact/phone", json!("1"), "unknown-field"),
    ];
    for (pointer, value, code) in cases {
        let answer = refuses(&api, &order_with(pointer, value)).await;
        assert_eq!(answer.problem(), (422, "validation-failed"));
        assert_eq!(answer.errors(), [(pointer, code)]);
    }
}

#[tokio::test]
async fn what_is_to_be_an_object_is_no_array_of_its_members() {
    let api = Api::start().await;
    let price = json!([1, "EUR"]);
    let address = json!([
        "Ada Lovelace",
        "12 St James's Square",
        null,
        "SW1Y 4JH",
        "London",
        "GB"
    ]);
    let line = json!(["TEA-EARL-GREY", 2, null]);
    let email = json!(["ada@example.com"]);
    let nobody = Uuid::nil();
    let pay = format!("/v1/orders/{nobody}/pay");
    let cancel = format!("/v1/orders/{nobody}/cancel");
    let check_out = format!("/v1/carts/{nobody}/checkout");
    let cases = [
        ("/v1/products", json!(["A", "n", price]), ""),
        (
            "/v1/products",
            json!({"sku": "A", "name": "n", "price": price}),
            "/price",
        ),
        (
            "/v1/products/MUG-BLUE/reprice",
            json!({"price": price}),
            "/price",
        ),
        ("/v1/products/MUG-BLUE/discontinue", json!([]), ""),
        ("/v1/carts", json!(["ada"]), ""),
        (
            &*check_out,
            json!({"shipping_address": address}),
            "/shipping_address",
        ),
        (
            &*check_out,
            json!({"shipping_address": example_order()["shipping_address"], "contact": email}),
            "/contact",
        ),
        ("/v1/orders", order_with("/lines/1", line), "/lines/1"),
        (
            "/v1/orders",
            order_with("/lines/0/unit_price", price.clone()),
            "/lines/0/unit_price",
        ),
        (
            "/v1/orders",
            order_with("/shipping_address", address),
            "/shipping_address",
        ),
        ("/v1/orders", order_with("/contact", email), "/contact"),
        (
            &*pay,
            json!({"payment_method": "tok_visa", "amount": price}),
            "/amount",
        ),
        (&*cancel, json!(["changed my mind"]), ""),
    ];
    for (path, body, pointer) in cases {
        let answer = api.post(path, None, &body).await;
        assert_eq!(answer.problem(), (422, "validation-failed"), "{body}");
        assert_eq!(answer.errors(), [(pointer, "invalid-value")], "{body}");
        assert_eq!(
            answer.body["errors"][0]["detail"],
            "invalid type: array, expected an object"
        );
    }
}

#[tokio::test]
async fn missing_members_are_named() {
    let api = Api::start().await;
    for pointer in [
        "/customer_id",
        "/lines",
        "/lines/0/sku",
        "/lines/1/quantity",
        "/lines/1/unit_price/currency",
        "/shipping_address",
        "/shipping_address/country",
        "/contact/email",
    ] {
        let mut order = example_order();
        let (parent, name) = pointer.rsplit_once('/').expect("a pointer");
        let parent = order.pointer_mut(parent).expect("a member");
        parent.as_object_mut().expect("an object").remove(name);
        let answer = refuses(&api, &order).await;
        assert_eq!(answer.problem(), (422, "validation-failed"));
        assert_eq!(answer.errors(), [(pointer, "missing-field")]);
    }
}

#[tokio::test]
async fn everything_that_is_wrong_is_told_at_once() {
    let api = Api::start().await;
    let mut order = order_with("/customer_id", json!(""));
    order["lines"][0]["quantity"] = json!(0);
    order["lines"][1]["sku"] = json!("no spaces");
    order["shipping_address"]["country"] = json!("Britain");
    order["contact"]["email"] = json!("nobody");
    let answer = refuses(&api, &order).await;
    assert_eq!(
        answer.errors(),
        [
            ("/customer_id", "invalid-text"),
            ("/lines/0/quantity", "out-of-range"),
            ("/lines/1/sku", "invalid-sku"),
            ("/shipping_address/country", "invalid-country"),
            ("/contact/email", "invalid-email"),
        ]
    );
}

#[tokio::test]
async fn amounts_are_in_one_currency_and_can_be_counted() {
    let api = Api::start().await;
    api.sell("MUG-AMERICAN", 1, "USD").await;
    api.sell("GOLD", MOST, "EUR").await;
    api.sell("AIR", 0, "EUR").await;

    let mixed = order_for(&[("MUG-BLUE", 1), ("MUG-AMERICAN", 1)]);
    let answer = refuses(&api, &mixed).await;
    assert_eq!(answer.problem(), (422, "currency-mismatch"));
    let pointer = "/lines/1/unit_price/currency";
    assert_eq!(answer.errors(), [(pointer, "currency-mismatch")]);

    let answer = refuses(&api, &order_for(&[("GOLD", 2)])).await;
    assert_eq!(answer.problem(), (422, "amount-overflow"));
    assert_eq!(answer.errors(), [("/lines/0", "amount-overflow")]);

    let total = order_for(&[("GOLD", 1), ("MUG-BLUE", 1)]);
    let answer = refuses(&api, &total).await;
    assert_eq!(answer.errors(), [("/lines/1", "amount-overflow")]);

    let most = order_for(&[("GOLD", 1), ("AIR", 100_000)]);
    let most = api.post("/v1/orders", None, &most).await;
    assert_eq!(most.status, StatusCode::CREATED, "{most:?}");
}

#[tokio::test]
async fn bodies_that_are_no_json_are_refused() {
    let api = Api::start().await;
    let json = "application/json";
    for body in [
        "",
        "{",
        "nonsense",
        "{\"customer_id\": \"ada\",}",
        "{\"colour\": }",
        "{\"lines\": 7,",
        "\u{fe}",
    ] {
        let answer = api.send(raw("/v1/orders", json, body)).await;
        assert_eq!(answer.problem(), (400, "malformed-json"), "{body}");
    }
    for content_type in ["text/plain", "application/x-www-form-urlencoded", ""] {
        let body = example_order().to_string();
        let answer = api.send(raw("/v1/orders", content_type, body)).await;
        assert_eq!(answer.problem(), (415, "unsupported-media-type"));
    }
    let large = order_with("/customer_id", json!("x".repeat(256 << 10)));
    let answer = api.post("/v1/orders", None, &large).await;
    assert_eq!(answer.problem(), (413, "body-too-large"));
    assert_eq!(api.events(), []);
}

#[tokio::test]
async fn payments_and_cancellations_are_checked() {
    let api = Api::start().await;
    let id = api.place().await;
    let pay = format!("/v1/orders/{id}/pay");
    let cancel = format!("/v1/orders/{id}/cancel");
    let token = "tok_visa";
    let cases = [
        (&pay, json!({}), "/payment_method", "missing-field"),
        (
            &pay,
            json!({"payment_method": ""}),
            "/payment_method",
            "invalid-text",
        ),
        (
            &pay,
            json!({"payment_method": "x".repeat(256)}),
            "/payment_method",
            "invalid-text",
        ),
        (
            &pay,
            json!({"payment_method": token, "amount": price(-1, "EUR")}),
            "/amount/amount",
            "out-of-range",
        ),
        (
            &pay,
            json!({"payment_method": token, "amount": price(1, "€")}),
            "/amount/currency",
            "invalid-currency",
        ),
        (
            &pay,
            json!({"payment_method": token, "amount": 1}),
            "/amount",
            "invalid-value",
        ),
        (
            &pay,
            json!({"payment_method": token, "tip": 1}),
            "/tip",
            "unknown-field",
        ),
        (&cancel, json!({"reason": ""}), "/reason", "invalid-text"),
        (
            &cancel,
            json!({"reason": "x".repeat(501)}),
            "/reason",
            "invalid-text",
        ),
        (&cancel, json!({"why": "because"}), "/why", "unknown-field"),
    ];
    for (path, body, pointer, code) in cases {
        let answer = api.post(path, None, &body).await;
        assert_eq!(answer.problem(), (422, "validation-failed"), "{body}");
        assert_eq!(answer.errors(), [(pointer, code)], "{body}");
    }
    let plain = api.send(raw(&cancel, "text/plain", "because")).await;
    assert_eq!(plain.problem(), (415, "unsupported-media-type"));
    assert_eq!(api.event_names(), ["OrderPlaced"]);
}

#[tokio::test]
async fn headers_and_paths_are_checked() {
    let api = Api::start().await;
    for action in ["pay", "cancel", "resume"] {
        let path = format!("/v1/orders/order-1/{action}");
        let answer = api.post(&path, None, &json!({})).await;
        assert_eq!(answer.problem(), (400, "invalid-id"));
    }
    let longest = "k".repeat(255);
    for key in ["", "two words", &format!("{longest}k")] {
        let answer = api.post("/v1/orders", Some(key), &example_order()).await;
        assert_eq!(answer.problem(), (400, "invalid-idempotency-key"));
    }
    for (position, expected) in [
        ("OrderEvents", StatusCode::BAD_REQUEST),
        ("OrderEvents/0@1,", StatusCode::BAD_REQUEST),
        ("InventoryEvents/0@999, CartEvents/1@5", StatusCode::CREATED),
    ] {
        let mut request = post("/v1/orders", Some(&longest), &example_order());
        let value = position.parse().expect("a header's value");
        request.headers_mut().insert("x-min-position", value);
        assert_eq!(api.send(request).await.status, expected, "{position}");
    }
    assert_eq!(api.events().len(), 1);
}
