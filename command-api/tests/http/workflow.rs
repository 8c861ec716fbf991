//! The services with their policies: what happens when nobody asks.

use std::{sync::Arc, time::Duration};

use axum::http::StatusCode;
use command_api::{Collecting, PaymentKey};
use domain::{
    order::OrderPolicy,
    payment::PaymentPolicy,
    product::policy::InventoryPolicy,
    shipping::ShippingPolicy,
    topics::{INVENTORY_EVENTS, ORDER_EVENTS},
};
use event_store::{Checkpoint, EventStore, Reactor, log::Log, memory::Fault, run_policy};
use futures::StreamExt;
use serde_json::json;
use tokio::{sync::watch, time::Instant};

use crate::{
    api::{Api, PARTITIONS, PATIENCE},
    gateway::MemoryGateway,
};

/// Runs all policies, and a gateway in memory, until the sender is dropped.
fn react(api: &Api) -> watch::Sender<bool> {
    let (stop, stopped) = watch::channel(false);
    run(InventoryPolicy, api, &api.products, &stopped);
    run(OrderPolicy::default(), api, &api.orders, &stopped);
    run(PaymentPolicy::default(), api, &api.payments, &stopped);
    let collecting = Collecting {
        gateway: Arc::new(MemoryGateway::default()),
        key: PaymentKey::DEVELOPMENT,
    };
    run(collecting, api, &api.payments, &stopped);
    run(ShippingPolicy, api, &api.shipments, &stopped);
    stop
}

fn run<R: Reactor>(
    reactor: R,
    api: &Api,
    store: &EventStore<R::Context>,
    stopped: &watch::Receiver<bool>,
) {
    let (log, store) = (api.log.clone(), store.clone());
    tokio::spawn(run_policy(Arc::new(reactor), log, store, stopped.clone()));
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

/// Whichever step of the workflow fails, and whether or not it had been carried out: one order ends confirmed and paid, the
/// other rejected, and the mug that was kept for it is given back.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whichever_step_fails_once_the_end_is_the_same() {
    /// More than there are: the last cases fail nothing.
    const APPENDS: usize = 24;
    const AT_ONCE: usize = 8;
    let cases = (0..=APPENDS)
        .flat_map(|n| [(n, Fault::UnknownCommitted), (n, Fault::UnknownAborted)])
        .map(|(appends, fault)| end_after(appends, fault));
    futures::stream::iter(cases)
        .map(tokio::spawn)
        .buffer_unordered(AT_ONCE)
        .for_each(async |ended| ended.expect("no case panics"))
        .await;
}

async fn end_after(appends: usize, fault: Fault) {
    let api = Api::start().await;
    for (sku, quantity) in [("MUG-BLUE", 10), ("TEA-EARL-GREY", 3)] {
        let path = format!("/v1/stock/{sku}/receive");
        let received = api.post(&path, None, &json!({"quantity": quantity})).await;
        assert_eq!(received.status, StatusCode::OK, "{received:?}");
    }
    let first = api.place().await;
    api.log.inject_after(appends, fault);
    let _reacting = react(&api);
    until_read(&api).await;
    let paid = api.pay(&first, None).await;
    assert_eq!(paid.status, StatusCode::OK, "after {appends}: {paid:?}");
    until_read(&api).await;
    api.place().await;
    until_read(&api).await;

    let mut orders = api.event_names_in(ORDER_EVENTS);
    orders.sort_unstable();
    let expected = [
        "InventoryRequested",
        "InventoryRequested",
        "OrderConfirmed",
        "OrderPaid",
        "OrderPaymentPending",
        "OrderPlaced",
        "OrderPlaced",
        "OrderRejected",
    ];
    assert_eq!(orders, expected, "after {appends}, {fault:?}");
    let inventory = api.event_names_in(INVENTORY_EVENTS);
    let count = |wanted: &str| inventory.iter().filter(|name| *name == wanted).count();
    assert_eq!(
        (count("StockReserved"), count("StockReleased")),
        (3, 1),
        "after {appends}, {fault:?}: {inventory:?}"
    );
}

/// Appends whose outcome is not told, on every step, and then policies that have lost their place: each order is decided
/// once, holds what it claims, and a second delivery of everything adds nothing.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn neither_unknown_outcomes_nor_a_second_delivery_change_what_happens() {
    const ORDERS: usize = 8;
    let api = Api::start().await;
    // Enough mugs for all, and tea for three: the others give their mug back.
    for (sku, quantity) in [("MUG-BLUE", 10), ("TEA-EARL-GREY", 7)] {
        let path = format!("/v1/stock/{sku}/receive");
        let received = api.post(&path, None, &json!({"quantity": quantity})).await;
        assert_eq!(received.status, StatusCode::OK, "{received:?}");
    }
    for _ in 0..ORDERS {
        api.place().await;
    }
    let faults = [
        Fault::UnknownCommitted,
        Fault::UnknownAborted,
        Fault::UnknownAborted,
    ];
    api.log.inject(faults.into_iter().cycle().take(24));

    let reacting = react(&api);
    until_read(&api).await;
    drop(reacting);
    let orders = api.event_names_in(ORDER_EVENTS);
    let count = |wanted: &str| orders.iter().filter(|name| *name == wanted).count();
    assert_eq!((count("OrderConfirmed"), count("OrderRejected")), (3, 5));
    let inventory = api.event_names_in(INVENTORY_EVENTS);
    let count = |wanted: &str| inventory.iter().filter(|name| *name == wanted).count();
    assert_eq!(count("StockReserved"), ORDERS + 3);
    assert_eq!(count("StockReleased"), 5);
    assert_eq!(count("StockAllocated"), 6);

    for (group, topic, partition) in places() {
        let zero = Checkpoint::zero(topic, partition);
        api.log.commit(group, &[zero]).expect("the log is there");
    }
    let reacting = react(&api);
    until_read(&api).await;
    drop(reacting);
    // A reservation that gave up says again that it does not need what it is told of again; that moves nothing.
    let moving = |mut names: Vec<String>| {
        names.retain(|name| name != "ReservationLineReturned");
        names
    };
    let again = api.event_names_in(INVENTORY_EVENTS);
    assert_eq!(moving(again), moving(inventory));
    assert_eq!(api.event_names_in(ORDER_EVENTS), orders);
}

/// What the policies read, and as whom.
fn places() -> impl Iterator<Item = (&'static str, &'static str, i32)> {
    fn of<R: Reactor>() -> (&'static str, &'static [&'static str]) {
        (R::NAME, R::TOPICS)
    }
    let groups = [
        of::<InventoryPolicy>(),
        of::<OrderPolicy>(),
        of::<PaymentPolicy>(),
        of::<Collecting>(),
        of::<ShippingPolicy>(),
    ];
    groups.into_iter().flat_map(move |(group, topics)| {
        let partitions = move |topic: &'static str| (0..PARTITIONS).map(move |p| (group, topic, p));
        topics.iter().copied().flat_map(partitions)
    })
}

/// Waits until the policies have carried out what follows from everything, their own doings included: all of them have come to
/// ends that are still the ends afterwards.
async fn until_read(api: &Api) {
    let deadline = Instant::now() + PATIENCE;
    let ends = || {
        let ends = places().map(|(_, topic, p)| api.log.end_offset(topic, p));
        ends.collect::<Result<Vec<_>, _>>()
            .expect("the log is there")
    };
    let is_read = |((group, topic, partition), end): ((&str, &str, i32), &i64)| {
        let read = api
            .log
            .committed(group, topic, partition)
            .expect("the log is there");
        *end == 0 || read.is_some_and(|read| read.next_offset == *end)
    };
    loop {
        let before = ends();
        if places().zip(&before).all(is_read) && ends() == before {
            return;
        }
        assert!(
            Instant::now() < deadline,
            "the policies do not come to the end"
        );
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}
