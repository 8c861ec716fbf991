//! How long a key is remembered: what README.md promises under "Repetitions".

use axum::http::StatusCode;
use domain::{
    product::{
        ProductCommand,
        stock::{ReserveStock, StockCommand},
    },
    topics::INVENTORY_EVENTS,
};
use futures::future::join_all;
use serde_json::json;
use uuid::Uuid;

use crate::{
    api::{Answer, Api},
    shipments,
    steps::carry_out,
};

/// So many of its last commands a cart remembers, and a product, and a shipment.
const REMEMBERED: i64 = 256;
/// More commands than a stock remembers.
const RESERVATIONS: u128 = 1_025;

/// Makes so many changes, each by its number, and then the first one again.
async fn assert_all_remembered(change: impl AsyncFn(i64) -> Answer) {
    let first = change(1).await;
    for number in 2..=REMEMBERED {
        let changed = change(number).await;
        let told = (changed.status, changed.is_replayed());
        assert_eq!(told, (StatusCode::OK, false), "{changed:?}");
    }
    assert_replayed(&first, &change(1).await);
}

#[track_caller]
fn assert_replayed(first: &Answer, again: &Answer) {
    let told = (first.is_replayed(), again.is_replayed());
    assert_eq!(told, (false, true), "{again:?}");
    assert_eq!((again.status, &again.body), (first.status, &first.body));
}

#[tokio::test]
async fn a_cart_remembers_that_it_was_opened_and_256_changes() {
    let api = Api::start().await;
    let open = async || {
        let customer = json!({"customer_id": "ada"});
        api.post("/v1/carts", Some("k"), &customer).await
    };
    let opened = open().await;
    let path = format!("/v1/carts/{}/items/MUG-BLUE", opened.id());
    assert_all_remembered(async |number: i64| {
        let key = format!("k-{number}");
        api.put(&path, Some(&key), &json!({"quantity": number}))
            .await
    })
    .await;
    assert_replayed(&opened, &open().await);
}

#[tokio::test]
async fn a_product_remembers_that_it_was_created_and_256_changes() {
    let api = Api::start().await;
    let price = |amount: i64| json!({"amount": amount, "currency": "EUR"});
    let create = async || {
        let product = json!({"sku": "OOLONG", "name": "Oolong", "price": price(1_999)});
        api.post("/v1/products", Some("k"), &product).await
    };
    let created = create().await;
    assert_all_remembered(async |number: i64| {
        let body = json!({"price": price(number)});
        let key = format!("k-{number}");
        api.post("/v1/products/OOLONG/reprice", Some(&key), &body)
            .await
    })
    .await;
    assert_replayed(&created, &create().await);
}

/// What does not arrive leaves once more, without end.
#[tokio::test]
async fn a_shipment_remembers_256_steps() {
    let api = Api::start().await;
    let id = shipments::create(&api).await;
    let asked = shipments::post(&api, id, "dispatch", None).await;
    assert_eq!(asked.status, StatusCode::OK, "{asked:?}");
    shipments::leave(&api, id).await;
    assert_all_remembered(async |number: i64| {
        let action = if number % 2 == 1 { "fail" } else { "dispatch" };
        let key = format!("k-{number}");
        shipments::post(&api, id, action, Some(&key)).await
    })
    .await;
}

/// Orders take pieces without end; whoever has brought some may not know for a while whether that was noted.
#[tokio::test]
async fn a_stock_remembers_a_delivery_whatever_orders_have_taken_since() {
    let api = Api::start().await;
    let deliver = async || {
        let delivery = json!({"quantity": 2_000});
        api.post("/v1/stock/MUG-BLUE/receive", Some("k"), &delivery)
            .await
    };
    let delivered = deliver().await;
    let reserve = |order| {
        ProductCommand::Stock(StockCommand::Reserve(ReserveStock {
            sku: "MUG-BLUE".parse().expect("a SKU"),
            order_id: Uuid::from_u128(order).into(),
            quantity: 1.try_into().expect("a piece"),
        }))
    };
    let reservations = 0..RESERVATIONS;
    join_all(reservations.map(|order| carry_out(&api.products, reserve(order)))).await;

    assert_replayed(&delivered, &deliver().await);
    let names = api.event_names_in(INVENTORY_EVENTS);
    let count = |wanted: &str| names.iter().filter(|name| *name == wanted).count();
    assert_eq!((count("StockReceived"), count("StockReserved")), (1, 1_025));
}
