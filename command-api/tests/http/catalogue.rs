//! Where prices come from, and when they are known.

use axum::http::{Method, StatusCode};
use domain::topics::PRODUCT_EVENTS;
use event_store::memory::MemoryLog;
use serde_json::json;

use crate::api::{Answer, Api, TOPICS, example_order, order_for, post};

#[tokio::test]
async fn an_order_costs_what_the_catalogue_says() {
    let api = Api::start().await;
    let order = order_for(&[("TEA-EARL-GREY", 2), ("MUG-BLUE", 1), ("TEA-EARL-GREY", 1)]);
    let placed = api.post("/v1/orders", None, &order).await;
    assert_eq!(placed.status, StatusCode::CREATED, "{placed:?}");
    let lines = &api.events()[0].payload["lines"];
    let amounts: Vec<_> = (0..3)
        .map(|index| lines[index]["unit_price"]["amount"].as_i64())
        .collect();
    assert_eq!(amounts, [Some(1_999), Some(1_499), Some(1_999)]);
}

#[tokio::test]
async fn lines_that_cannot_be_sold_are_named() {
    let api = Api::start().await;
    let unknown = order_for(&[("NOTHING", 1), ("MUG-BLUE", 1), ("NEITHER", 1)]);
    let answer = api.post("/v1/orders", None, &unknown).await;
    assert_eq!(answer.problem(), (422, "product-not-found"));
    let not_found = "product-not-found";
    assert_eq!(
        answer.errors(),
        [("/lines/0/sku", not_found), ("/lines/2/sku", not_found)]
    );

    let mut changed = example_order();
    changed["lines"][1]["unit_price"]["amount"] = json!(1_498);
    let answer = api.post("/v1/orders", None, &changed).await;
    assert_eq!(answer.problem(), (409, "price-changed"));
    assert_eq!(answer.errors(), [("/lines/1/unit_price", "price-changed")]);
    assert_eq!(
        answer.body["errors"][0]["detail"],
        "costs 1499 EUR now, not 1498 EUR"
    );

    let path = "/v1/products/TEA-EARL-GREY/discontinue";
    api.change(path, &json!({})).await;
    let answer = api.post("/v1/orders", None, &example_order()).await;
    assert_eq!(answer.problem(), (409, "product-discontinued"));
    assert_eq!(answer.errors(), [("/lines/0/sku", "product-discontinued")]);
    assert_eq!(api.events(), []);
}

#[tokio::test]
async fn a_repetition_gets_the_first_answer_whatever_has_become_of_prices() {
    let api = Api::start().await;
    let order = example_order();
    let first = api.post("/v1/orders", Some("k"), &order).await;
    let reprice = json!({"price": {"amount": 1, "currency": "EUR"}});
    api.change("/v1/products/TEA-EARL-GREY/reprice", &reprice)
        .await;
    let again = api.post("/v1/orders", Some("k"), &order).await;
    assert!(again.is_replayed(), "{again:?}");
    assert_eq!((again.status, &again.body), (first.status, &first.body));
    assert_eq!(again.header("location"), first.header("location"));

    let mut other = order.clone();
    other["lines"][0]["quantity"] = json!(3);
    let reused = api.post("/v1/orders", Some("k"), &other).await;
    assert_eq!(reused.problem(), (422, "idempotency-key-reused"));
    for key in [None, Some("l")] {
        let new = api.post("/v1/orders", key, &order).await;
        assert_eq!(new.problem(), (409, "price-changed"));
    }
    assert_eq!(api.event_names(), ["OrderPlaced"]);
}

#[tokio::test]
async fn what_was_just_created_can_be_bought_by_who_waits_for_it() {
    let api = Api::start().await;
    let created = api.create("NEW", 5, "EUR").await;
    let request = post("/v1/orders", None, &order_for(&[("NEW", 1)]));
    let placed = api.send_after(created.header("x-position"), request).await;
    assert_eq!(placed.status, StatusCode::CREATED, "{placed:?}");
}

#[tokio::test]
async fn what_was_just_created_can_be_bought_at_once() {
    let api = Api::start().await;
    let cart = api.open_cart().await;
    let (first, second) = (format!("{cart}/items/NEW"), format!("{cart}/items/NEWER"));
    let (one, order) = (
        json!({"quantity": 1}),
        order_for(&[("NEW", 1), ("NEWER", 2)]),
    );
    // What is read of the catalogue lags behind what is answered.
    api.log.hold_back(PRODUCT_EVENTS);
    for sku in ["NEW", "NEWER"] {
        let created = api.create(sku, 5, "EUR").await;
        assert_eq!(created.status, StatusCode::CREATED, "{created:?}");
    }
    let known = api.put(&format!("{cart}/items/MUG-BLUE"), None, &one).await;
    assert_eq!(known.status, StatusCode::OK, "{known:?}");

    let (first, second, placed, ()) = tokio::join!(
        api.put(&first, None, &one),
        api.put(&second, None, &one),
        api.post("/v1/orders", None, &order),
        async {
            api.log.let_on(PRODUCT_EVENTS);
        },
    );
    assert_eq!(first.status, StatusCode::OK, "{first:?}");
    assert_eq!(second.status, StatusCode::OK, "{second:?}");
    assert_eq!(placed.status, StatusCode::CREATED, "{placed:?}");
}

#[tokio::test]
async fn where_the_log_cannot_be_asked_nobody_is_told_that_there_is_no_such_product() {
    let api = Api::start().await;
    let item = format!("{}/items/NOTHING", api.open_cart().await);
    api.log.set_reachable(false);
    let set = api.put(&item, None, &json!({"quantity": 1})).await;
    assert_eq!(set.problem(), (503, "unavailable"));
    let order = order_for(&[("NOTHING", 1)]);
    let placed = api.post("/v1/orders", None, &order).await;
    assert_eq!(placed.problem(), (503, "unavailable"));

    api.log.set_reachable(true);
    let set = api.put(&item, None, &json!({"quantity": 1})).await;
    assert_eq!(set.problem(), (404, "product-not-found"));
    let placed = api.post("/v1/orders", None, &order).await;
    assert_eq!(placed.problem(), (422, "product-not-found"));
}

/// Sends a request that waits for no time at all, for a position that does not come.
async fn hurried(api: &Api, method: Method, path: &str, body: &serde_json::Value) -> Answer {
    let mut request = post(path, None, body);
    *request.method_mut() = method;
    let headers = request.headers_mut();
    let position = "CartEvents/0@0, ProductEvents/0@999";
    headers.insert("x-min-position", position.parse().expect("a value"));
    headers.insert("prefer", "wait=0".parse().expect("a value"));
    api.send(request).await
}

#[tokio::test]
async fn a_position_that_does_not_come_is_not_yet_visible() {
    let api = Api::start().await;
    let cart = api.open_cart().await;
    let item = format!("{cart}/items/MUG-BLUE");
    let set = hurried(&api, Method::PUT, &item, &json!({"quantity": 1})).await;
    assert_eq!(set.problem(), (503, "not-yet-visible"));
    let placed = hurried(&api, Method::POST, "/v1/orders", &example_order()).await;
    assert_eq!(placed.problem(), (503, "not-yet-visible"));

    // Nothing is priced here, so nothing is waited for.
    let removed = hurried(&api, Method::PUT, &item, &json!({"quantity": 0})).await;
    assert_eq!(removed.status, StatusCode::OK);
    let opened = hurried(&api, Method::POST, "/v1/carts", &json!({})).await;
    assert_eq!(opened.status, StatusCode::CREATED);
}

#[tokio::test]
async fn nothing_is_priced_before_the_catalogue_is_read() {
    let api = Api::open(MemoryLog::new(&TOPICS, 4)).await;
    let created = api.create("MUG-BLUE", 1_499, "EUR").await;
    assert_eq!(created.status, StatusCode::CREATED);
    let cart = api.open_cart().await;
    let item = format!("{cart}/items/MUG-BLUE");
    let set = api.put(&item, None, &json!({"quantity": 1})).await;
    assert_eq!(set.problem(), (503, "unavailable"));
    let order = order_for(&[("MUG-BLUE", 1)]);
    let placed = api.post("/v1/orders", Some("k"), &order).await;
    assert_eq!(placed.problem(), (503, "unavailable"));

    api.follow().await;
    let set = api.put(&item, None, &json!({"quantity": 1})).await;
    assert_eq!(set.status, StatusCode::OK, "{set:?}");
    let placed = api.post("/v1/orders", Some("k"), &order).await;
    assert_eq!(placed.status, StatusCode::CREATED, "{placed:?}");
}
