//! The services with their policies: what happens when nobody asks.

use std::sync::Arc;

use axum::http::StatusCode;
use domain::{order::OrderPolicy, product::policy::InventoryPolicy, topics::ORDER_EVENTS};
use event_store::run_policy;
use serde_json::json;
use tokio::{sync::watch, time::Instant};

use crate::api::{Api, PATIENCE};

/// Runs both policies until the sender is dropped.
fn react(api: &Api) -> watch::Sender<bool> {
    let (stop, stopped) = watch::channel(false);
    tokio::spawn(run_policy(
        Arc::new(InventoryPolicy),
        api.log.clone(),
        api.products.clone(),
        stopped.clone(),
    ));
    tokio::spawn(run_policy(
        Arc::new(OrderPolicy::default()),
        api.log.clone(),
        api.orders.clone(),
        stopped,
    ));
    stop
}

/// The events of the only order, once the last of them is there.
async fn events_until(api: &Api, last: &str) -> Vec<String> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let names = api.event_names_in(ORDER_EVENTS);
        if names.iter().any(|name| name == last) {
            return names;
        }
        assert!(Instant::now() < deadline, "no {last} after {names:?}");
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn an_order_whose_stock_is_there_is_confirmed_and_paid() {
    let api = Api::start().await;
    for sku in ["TEA-EARL-GREY", "MUG-BLUE"] {
        let path = format!("/v1/stock/{sku}/receive");
        let received = api.post(&path, None, &json!({"quantity": 10})).await;
        assert_eq!(received.status, StatusCode::OK, "{received:?}");
    }
    let _reacting = react(&api);
    let id = api.place().await;
    let paid = api.pay(&id, None).await;
    assert_eq!(paid.status, StatusCode::OK, "{paid:?}");
    let names = events_until(&api, "OrderPaid").await;
    assert!(names.contains(&"OrderConfirmed".to_owned()), "{names:?}");
}

#[tokio::test]
async fn an_order_whose_stock_is_not_there_is_rejected() {
    let api = Api::start().await;
    let _reacting = react(&api);
    let id = api.place().await;
    let names = events_until(&api, "OrderRejected").await;
    assert_eq!(
        names,
        ["OrderPlaced", "InventoryRequested", "OrderRejected"]
    );
    let paid = api.pay(&id, None).await;
    assert_eq!(paid.problem(), (409, "order-not-payable"));
}
