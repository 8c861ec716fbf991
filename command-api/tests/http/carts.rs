//! The carts' routes.

use axum::http::{Request, StatusCode};
use domain::{
    ids::OrderId,
    topics::{CART_EVENTS, ORDER_EVENTS},
};
use futures::future::join_all;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::api::{Answer, Api, example_order};

/// What checkout needs to be told of a customer's cart.
fn delivery() -> Value {
    json!({"shipping_address": example_order()["shipping_address"]})
}

async fn set(api: &Api, cart: &str, sku: &str, quantity: i64) -> Answer {
    let path = format!("{cart}/items/{sku}");
    api.put(&path, None, &json!({"quantity": quantity})).await
}

async fn check_out(api: &Api, cart: &str, key: Option<&str>) -> Answer {
    api.post(&format!("{cart}/checkout"), key, &delivery())
        .await
}

#[tokio::test]
async fn a_cart_is_filled_and_becomes_an_order() {
    let api = Api::start().await;
    let cart = api.open_cart().await;
    let id = cart.rsplit('/').next().expect("an id").to_owned();
    let set_tea = set(&api, &cart, "TEA-EARL-GREY", 2).await;
    assert_eq!(set_tea.status, StatusCode::OK);
    assert_eq!(
        set_tea.body,
        json!({"id": id, "version": 2, "status": "open"})
    );
    set(&api, &cart, "MUG-BLUE", 3).await;
    set(&api, &cart, "MUG-BLUE", 1).await;

    let bought = check_out(&api, &cart, None).await;
    assert_eq!(bought.status, StatusCode::CREATED, "{bought:?}");
    let order_id = OrderId::of_cart(id.parse().expect("a cart's id")).to_string();
    assert_eq!(
        bought.body,
        json!({"id": id, "version": 5, "status": "checked_out", "order_id": order_id})
    );
    assert_eq!(bought.header("location"), format!("/v1/orders/{order_id}"));

    let events = api.events_in(CART_EVENTS);
    let names = [
        "CartOpened",
        "CartItemSet",
        "CartItemSet",
        "CartItemSet",
        "CartCheckedOut",
    ];
    assert_eq!(api.event_names_in(CART_EVENTS), names);
    assert_eq!(events[1].payload["unit_price"]["amount"], 1_999);
    // From here on it is the order's journey.
    assert_eq!(events[4].header("ce_correlationid"), order_id);
    let orders = api.events_in(ORDER_EVENTS);
    assert_eq!(orders[0].header("ce_source"), "/cart");
    assert_eq!(orders[0].header("ce_subject"), format!("order-{order_id}"));
    assert_eq!(orders[0].header("ce_correlationid"), order_id);
    assert_eq!(orders[0].payload["customer_id"], "ada");
    assert_eq!(orders[0].payload["totals"]["total"]["amount"], 5_497);
    assert_eq!(
        bought.header("x-position"),
        format!("{},{}", events[4].position, orders[0].position)
    );
    // The order service has never been told of it, and finds it.
    let paid = api.pay(&order_id, None).await;
    assert_eq!(paid.status, StatusCode::OK, "{paid:?}");
}

#[tokio::test]
async fn what_is_said_twice_changes_nothing() {
    let api = Api::start().await;
    let cart = api.open_cart().await;
    let first = set(&api, &cart, "MUG-BLUE", 1).await;
    let same = set(&api, &cart, "MUG-BLUE", 1).await;
    assert_eq!(same.body, first.body);
    assert_eq!(same.header("x-position"), first.header("x-position"));
    let removed = set(&api, &cart, "MUG-BLUE", 0).await;
    assert_eq!(removed.body["version"], 3);
    let again = set(&api, &cart, "MUG-BLUE", 0).await;
    assert_eq!(again.body["version"], 3);
    let names = ["CartOpened", "CartItemSet", "CartItemRemoved"];
    assert_eq!(api.event_names_in(CART_EVENTS), names);
}

#[tokio::test]
async fn a_guest_says_who_buys() {
    let api = Api::start().await;
    let bare = Request::post("/v1/carts").body(String::new().into());
    let opened = api.send(bare.expect("a request")).await;
    assert_eq!(opened.status, StatusCode::CREATED, "{opened:?}");
    let cart = format!("/v1/carts/{}", opened.id());
    assert_eq!(opened.header("location"), cart);
    set(&api, &cart, "MUG-BLUE", 1).await;

    let nobody = check_out(&api, &cart, None).await;
    assert_eq!(nobody.problem(), (422, "validation-failed"));
    assert_eq!(nobody.errors(), [("/customer_id", "missing-field")]);
    let mut body = delivery();
    body["customer_id"] = json!("eve");
    let path = format!("{cart}/checkout");
    let bought = api.post(&path, None, &body).await;
    assert_eq!(bought.status, StatusCode::CREATED, "{bought:?}");
    assert_eq!(api.events()[0].payload["customer_id"], "eve");
}

#[tokio::test]
async fn rejections_have_codes() {
    let api = Api::start().await;
    api.sell("MUG-AMERICAN", 1, "USD").await;
    api.sell("GOLD", (1 << 53) - 1, "EUR").await;
    let nowhere = format!("/v1/carts/{}", Uuid::nil());
    let not_found = (404, "cart-not-found");
    assert_eq!(
        set(&api, &nowhere, "MUG-BLUE", 1).await.problem(),
        not_found
    );
    assert_eq!(
        set(&api, &nowhere, "MUG-BLUE", 0).await.problem(),
        not_found
    );
    assert_eq!(check_out(&api, &nowhere, None).await.problem(), not_found);

    let cart = api.open_cart().await;
    let empty = check_out(&api, &cart, None).await;
    assert_eq!(empty.problem(), (409, "cart-empty"));
    set(&api, &cart, "MUG-BLUE", 1).await;
    for (sku, status, code) in [
        ("MUG-AMERICAN", 422, "currency-mismatch"),
        ("GOLD", 422, "amount-overflow"),
        ("NOTHING", 404, "product-not-found"),
    ] {
        let answer = set(&api, &cart, sku, 1).await;
        assert_eq!(answer.problem(), (status, code));
    }
    let mut body = delivery();
    body["customer_id"] = json!("eve");
    let path = format!("{cart}/checkout");
    let other = api.post(&path, None, &body).await;
    assert_eq!(other.problem(), (409, "customer-mismatch"));
    assert_eq!(other.errors(), [("/customer_id", "customer-mismatch")]);

    check_out(&api, &cart, None).await;
    let ended = (409, "cart-checked-out");
    assert_eq!(set(&api, &cart, "MUG-BLUE", 2).await.problem(), ended);
    assert_eq!(set(&api, &cart, "MUG-BLUE", 0).await.problem(), ended);
    assert_eq!(check_out(&api, &cart, None).await.problem(), ended);
    assert_eq!(api.events().len(), 1);
}

#[tokio::test]
async fn a_cart_has_room_for_as_much_as_an_order() {
    let api = Api::start().await;
    let skus: Vec<_> = (0..101).map(|number| format!("THING-{number}")).collect();
    let created = join_all(skus.iter().map(|sku| api.create(sku, 1, "EUR"))).await;
    assert!(created.iter().all(|answer| answer.status.is_success()));
    let (last, others) = skus.split_last().expect("some");
    let other = Api::restart(api.log.clone()).await;
    let cart = other.open_cart().await;
    let sets = join_all(others.iter().map(|sku| set(&other, &cart, sku, 1))).await;
    assert!(sets.iter().all(|answer| answer.status.is_success()));
    let full = set(&other, &cart, last, 1).await;
    assert_eq!(full.problem(), (409, "too-many-items"));
}

#[tokio::test]
async fn what_is_sold_no_longer_can_only_be_taken_out() {
    let api = Api::start().await;
    let cart = api.open_cart().await;
    set(&api, &cart, "TEA-EARL-GREY", 1).await;
    let path = "/v1/products/TEA-EARL-GREY/discontinue";
    api.change(path, &json!({})).await;
    let more = set(&api, &cart, "TEA-EARL-GREY", 2).await;
    assert_eq!(more.problem(), (409, "product-discontinued"));
    let none = set(&api, &cart, "TEA-EARL-GREY", 0).await;
    assert_eq!(none.status, StatusCode::OK);
}

#[tokio::test]
async fn a_repetition_gets_the_first_answer() {
    let api = Api::start().await;
    let ada = json!({"customer_id": "ada"});
    let opened = api.post("/v1/carts", Some("k"), &ada).await;
    let id: Uuid = opened.id().parse().expect("a UUID");
    assert_eq!(id.get_version_num(), 5, "the id follows from the key");
    let again = api.post("/v1/carts", Some("k"), &ada).await;
    assert!(again.is_replayed());
    assert_eq!((again.status, &again.body), (opened.status, &opened.body));
    let guest = api.post("/v1/carts", Some("k"), &json!({})).await;
    assert_ne!(guest.id(), opened.id(), "a key is a customer's");
    // Whatever a customer is called, that is no guest.
    for name in ["guest", "anonymous"] {
        let body = json!({"customer_id": name});
        let named = api.post("/v1/carts", Some("k"), &body).await;
        assert_eq!(named.status, StatusCode::CREATED, "{named:?}");
        assert_ne!(named.id(), guest.id(), "{name}");
    }
    let again = api.post("/v1/carts", Some("k"), &json!({})).await;
    assert!(again.is_replayed(), "all guests are one customer");
    assert_eq!(again.body, guest.body);

    let item = format!("/v1/carts/{id}/items/MUG-BLUE");
    let two = json!({"quantity": 2});
    let set = api.put(&item, Some("k"), &two).await;
    api.put(&item, None, &json!({"quantity": 3})).await;
    let again = api.put(&item, Some("k"), &two).await;
    assert!(again.is_replayed() && !set.is_replayed());
    assert_eq!(again.body, set.body);
    let reused = api.put(&item, Some("k"), &json!({"quantity": 9})).await;
    assert_eq!(reused.problem(), (422, "idempotency-key-reused"));

    let cart = format!("/v1/carts/{id}");
    let bought = check_out(&api, &cart, Some("k")).await;
    let again = check_out(&api, &cart, Some("k")).await;
    assert!(again.is_replayed() && !bought.is_replayed());
    assert_eq!((again.status, &again.body), (bought.status, &bought.body));
    assert_eq!(again.header("location"), bought.header("location"));
    assert_eq!(api.events().len(), 1);
}

#[tokio::test]
async fn that_it_was_opened_is_remembered_however_often_it_is_filled() {
    let api = Api::start().await;
    let ada = json!({"customer_id": "ada"});
    let opened = api.post("/v1/carts", Some("k"), &ada).await;
    let cart = format!("/v1/carts/{}", opened.id());
    let sets = (1..=300).map(|quantity| set(&api, &cart, "MUG-BLUE", quantity));
    let sets = join_all(sets).await;
    assert!(sets.iter().all(|answer| answer.status.is_success()));

    let again = api.post("/v1/carts", Some("k"), &ada).await;
    let other = Api::restart(api.log.clone()).await;
    let elsewhere = other.post("/v1/carts", Some("k"), &ada).await;
    for again in [again, elsewhere] {
        assert!(again.is_replayed(), "{again:?}");
        assert_eq!((again.status, &again.body), (opened.status, &opened.body));
        assert_eq!(again.header("x-position"), opened.header("x-position"));
    }
}

#[tokio::test]
async fn a_repetition_gets_the_first_answer_whatever_has_become_of_the_product() {
    let api = Api::start().await;
    let cart = api.open_cart().await;
    let item = format!("{cart}/items/TEA-EARL-GREY");
    let two = json!({"quantity": 2});
    let first = api.put(&item, Some("k"), &two).await;
    let discontinue = "/v1/products/TEA-EARL-GREY/discontinue";
    api.change(discontinue, &json!({})).await;
    let again = api.put(&item, Some("k"), &two).await;
    assert!(again.is_replayed() && !first.is_replayed(), "{again:?}");
    assert_eq!((again.status, &again.body), (first.status, &first.body));
    assert_eq!(again.header("x-position"), first.header("x-position"));

    let reused = api.put(&item, Some("k"), &json!({"quantity": 3})).await;
    assert_eq!(reused.problem(), (422, "idempotency-key-reused"));
    for key in [None, Some("l")] {
        let new = api.put(&item, key, &two).await;
        assert_eq!(new.problem(), (409, "product-discontinued"));
    }
    // Of no cart, nothing is repeated.
    let nowhere = format!("/v1/carts/{}/items/TEA-EARL-GREY", Uuid::nil());
    let new = api.put(&nowhere, Some("k"), &two).await;
    assert_eq!(new.problem(), (409, "product-discontinued"));

    // Nor does it take a catalogue.
    let other = Api::open(api.log.clone()).await;
    let again = other.put(&item, Some("k"), &two).await;
    assert!(again.is_replayed(), "{again:?}");
    assert_eq!(again.body, first.body);
    let new = other.put(&item, Some("l"), &two).await;
    assert_eq!(new.problem(), (503, "unavailable"));
    let names = ["CartOpened", "CartItemSet"];
    assert_eq!(other.event_names_in(CART_EVENTS), names);
}

#[tokio::test]
async fn invalid_members_and_paths_are_named() {
    let api = Api::start().await;
    let cart = api.open_cart().await;
    let item = format!("{cart}/items/MUG-BLUE");
    for (body, code) in [
        (json!({"quantity": -1}), "out-of-range"),
        (json!({"quantity": 100_001}), "out-of-range"),
        (json!({"quantity": "2"}), "invalid-value"),
        (json!({}), "missing-field"),
    ] {
        let answer = api.put(&item, None, &body).await;
        assert_eq!(answer.problem(), (422, "validation-failed"), "{body}");
        assert_eq!(answer.errors(), [("/quantity", code)], "{body}");
    }
    let long = json!({"customer_id": "x".repeat(129)});
    let opened = api.post("/v1/carts", None, &long).await;
    assert_eq!(opened.errors(), [("/customer_id", "invalid-text")]);

    let mut body = delivery();
    body["customer_id"] = json!("");
    body["contact"] = json!({"email": "nobody"});
    body["shipping_address"]["country"] = json!("Britain");
    let bought = api.post(&format!("{cart}/checkout"), None, &body).await;
    let wrong = [
        ("/customer_id", "invalid-text"),
        ("/shipping_address/country", "invalid-country"),
        ("/contact/email", "invalid-email"),
    ];
    assert_eq!(bought.errors(), wrong);
    let bare = api
        .post(&format!("{cart}/checkout"), None, &json!({}))
        .await;
    assert_eq!(bare.errors(), [("/shipping_address", "missing-field")]);

    for path in ["/v1/carts/1/items/TEA", &format!("{cart}/items/a%20b")] {
        let answer = api.put(path, None, &json!({"quantity": 1})).await;
        assert_eq!(answer.problem(), (400, "invalid-id"), "{path}");
    }
    let answer = api.post("/v1/carts/1/checkout", None, &delivery()).await;
    assert_eq!(answer.problem(), (400, "invalid-id"));
    assert_eq!(api.event_names_in(CART_EVENTS), ["CartOpened"]);
}
