//! Place, pay, status, cancel: the main job, through every process.

use std::sync::Arc;

use serde_json::{Value, json};
use system_tests::{
    Client, Stock,
    client::{order, payment},
    shop,
};
use uuid::Uuid;

use crate::{PATIENCE, blocking, everything, wait_for, world};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_order_is_placed_paid_cancelled_and_seen() {
    let world = Arc::new(world().await);
    let (command_api, read_side) = everything(&world).await;
    let commands = Client::new(&command_api.url);
    let queries = Client::new(&read_side.1.url);

    shop::fill(&commands).await;
    let key = Uuid::now_v7().to_string();
    let placed = commands
        .post("/v1/orders", &key, &order("ada"))
        .await
        .expect("an answer");
    assert_eq!(
        (placed.status, placed.body["version"].as_u64()),
        (201, Some(1)),
        "{placed:?}"
    );
    assert_eq!(placed.body["status"], "placed");
    let again = commands
        .post("/v1/orders", &key, &order("ada"))
        .await
        .expect("an answer");
    assert_eq!(
        (again.status, &again.body),
        (201, &placed.body),
        "{again:?}"
    );
    assert_eq!(again.header("idempotency-replayed"), "true");
    assert_eq!(again.header("x-position"), placed.header("x-position"));

    let path = format!("/v1/orders/{}", placed.id());
    let seen = queries
        .get_at(&path, placed.header("x-position"))
        .await
        .expect("an answer");
    assert_eq!(seen.status, 200, "{seen:?}");
    assert_eq!(
        seen.body["totals"]["total"],
        json!({"amount": 2_499, "currency": "EUR"})
    );

    wait_for(&queries, &path, |order| {
        order["status"] == "awaiting_payment"
    })
    .await;
    let paid = commands
        .post(&format!("{path}/pay"), "pay-1", &payment())
        .await
        .expect("an answer");
    assert_eq!(
        (paid.status, &paid.body["status"]),
        (200, &json!("payment_pending")),
        "{paid:?}"
    );
    let seen = queries
        .get_at(&path, paid.header("x-position"))
        .await
        .expect("an answer");
    assert!(
        seen.body["version"].as_i64() >= paid.body["version"].as_i64(),
        "{seen:?}"
    );
    let seen = wait_for(&queries, &path, |order| order["status"] == "paid").await;
    assert_eq!(
        seen["payment"]["amount"],
        json!({"amount": 2_499, "currency": "EUR"})
    );

    let reason = json!({"reason": "changed my mind"});
    let cancelled = commands
        .post(&format!("{path}/cancel"), "cancel-1", &reason)
        .await
        .expect("an answer");
    assert_eq!(
        (cancelled.status, &cancelled.body["status"]),
        (200, &json!("cancelled")),
        "{cancelled:?}"
    );
    let seen = queries
        .get_at(&path, cancelled.header("x-position"))
        .await
        .expect("an answer");
    assert_eq!(seen.body["status"], "cancelled", "{seen:?}");
    // Nothing had been taken yet: what was set aside is let go of.
    wait_for(&queries, &path, |order| {
        order["payment"]["status"] == "voided"
    })
    .await;

    see_in_list(&queries, &path).await;
    see_history(&queries, &path).await;
    let unknown = queries
        .get(&format!("/v1/orders/{}", Uuid::now_v7()))
        .await
        .expect("an answer");
    assert_eq!((unknown.status, unknown.code()), (404, "order-not-found"));
    Stock::at_rest(&world.log()).await;
    blocking(move || drop((command_api, read_side))).await;
}

/// A customer's list says the same of the only order as its own page, once its shipment is called off as well.
async fn see_in_list(queries: &Client, path: &str) {
    let begun = std::time::Instant::now();
    loop {
        let list = queries.get("/v1/orders?customer_id=ada").await;
        let list = list.expect("an answer");
        let seen = queries.get(path).await.expect("an answer");
        if list.body["items"] == json!([seen.body]) {
            return;
        }
        assert!(begun.elapsed() < PATIENCE, "{list:?}, but {seen:?}");
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
}

/// The whole journey, across services, each event with what caused it.
async fn see_history(queries: &Client, path: &str) {
    const STEPS: [&str; 12] = [
        "OrderPlaced",
        "InventoryCheck",
        "ReservationOpened",
        "StockReserved",
        "InventoryConfirmed",
        "OrderConfirmed",
        "OrderPaymentPending",
        "PaymentAuthorised",
        "OrderPaid",
        "OrderCancelled",
        "PaymentVoided",
        "ReservationCancelled",
    ];
    let path = format!("{path}/history");
    // Each partition is read by itself: what happened last may be there first.
    let history = wait_for(queries, &path, |history| {
        let types = types(history);
        STEPS.iter().all(|step| types.contains(step))
    })
    .await;
    let items = history["items"].as_array().expect("a list");
    let check = items.iter().find(|item| item["type"] == "InventoryCheck");
    let opened = items
        .iter()
        .find(|item| item["type"] == "ReservationOpened");
    let (check, opened) = (check.expect("there"), opened.expect("there"));
    assert_eq!(opened["causation_id"], check["id"], "{history}");
}

fn types(history: &Value) -> Vec<&str> {
    let items = history["items"].as_array().into_iter().flatten();
    items.filter_map(|item| item["type"].as_str()).collect()
}

/// No gateway takes a request about no money.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_costs_nothing_is_paid_and_cancelled_all_the_same() {
    let world = Arc::new(world().await);
    let (command_api, read_side) = everything(&world).await;
    let commands = Client::new(&command_api.url);
    let queries = Client::new(&read_side.1.url);
    shop::create(&commands, "SAMPLE", 0, 10).await;
    let mut free = order("ada");
    free["lines"] = json!([
        {"sku": "SAMPLE", "quantity": 1, "unit_price": {"amount": 0, "currency": "EUR"}}
    ]);
    let mut placed = commands.post("/v1/orders", "free", &free).await;
    let begun = std::time::Instant::now();
    // Until the order service knows of the product.
    while !placed.as_ref().is_ok_and(|placed| placed.status == 201) {
        assert!(begun.elapsed() < PATIENCE, "{placed:?}");
        placed = commands.post("/v1/orders", "free", &free).await;
    }
    let path = format!("/v1/orders/{}", placed.expect("it is placed").id());
    wait_for(&queries, &path, |order| {
        order["status"] == "awaiting_payment"
    })
    .await;
    let paid = commands
        .post(&format!("{path}/pay"), "pay-free", &payment())
        .await;
    assert_eq!(paid.expect("an answer").status, 200);
    wait_for(&queries, &path, |order| order["status"] == "paid").await;
    let reason = json!({"reason": "changed my mind"});
    let cancelled = commands
        .post(&format!("{path}/cancel"), "cancel-free", &reason)
        .await;
    assert_eq!(cancelled.expect("an answer").status, 200);
    wait_for(&queries, &path, |order| {
        order["payment"]["status"] == "voided"
    })
    .await;
    blocking(move || drop((command_api, read_side))).await;
}
