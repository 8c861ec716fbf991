//! An order followed as it happens, and looked back on.

use std::time::Duration;

use serde_json::{Value, json};
use system_tests::client::{Following, order};

use crate::{blocking, delivery::Shop, wait_for};

/// Whoever runs a process gives it so long.
const STOPS_WITHIN: Duration = Duration::from_secs(10);

/// Every version up to one of that status.
async fn told_until(mut following: Following, status: &str) -> Vec<(i64, Value)> {
    let mut told = Vec::new();
    loop {
        let (version, order) = following.next().await.expect("it goes on");
        let is_last = order["status"] == status;
        told.push((version, order));
        if is_last {
            return told;
        }
    }
}

/// What the order's own events say of it: payments and shipments may come a moment later.
fn own(order: &Value) -> Value {
    let mut own = order.clone();
    for others in ["payment", "shipments", "updated_at"] {
        own[others] = Value::Null;
    }
    own
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_follows_an_order_to_its_delivery() {
    let mut shop = Shop::open().await;
    let placed = shop.commands.post("/v1/orders", "one", &order("ada")).await;
    let placed = placed.expect("an answer");
    let (id, path) = (placed.id(), format!("/v1/orders/{}", placed.id()));
    let events = format!("{path}/events");
    let from_there = [
        ("x-min-position", placed.header("x-position")),
        ("prefer", "wait=30"),
    ];
    let following = shop.queries.follow(&events, &from_there).await;
    let following = tokio::spawn(told_until(following, "completed"));

    shop.until(id, "awaiting_payment").await;
    shop.pay(id, "tok_visa").await;
    shop.until(id, "paid").await;
    shop.dispatch(id).await;
    shop.until(id, "shipped").await;
    let deliver = format!("/v1/shipments/{id}/deliver");
    assert_eq!(shop.post(&deliver, &json!({})).await.0, 200);
    let now = wait_for(&shop.queries, &path, |order| {
        let others = [
            &order["payment"]["status"],
            &order["shipments"][0]["status"],
        ];
        order["status"] == "completed" && others == ["captured", "delivered"]
    })
    .await;

    let told = following.await.expect("no panic");
    let (first, last) = (told[0].0, told[told.len() - 1].0);
    let versions: Vec<i64> = told.iter().map(|(version, _)| *version).collect();
    assert_eq!(versions, (first..=last).collect::<Vec<_>>());
    assert_eq!(now["version"], last);
    for (version, order) in &told {
        let then = format!("{path}?at_version={version}");
        let then = shop.queries.get(&then).await.expect("an answer");
        assert_eq!(own(order), own(&then.body), "version {version}");
    }
    let at_rest = format!("{path}?at_version={last}");
    wait_for(&shop.queries, &at_rest, |then| *then == now).await;
    let first_of_all = wait_for(&shop.queries, &format!("{path}?at_version=1"), |_| true).await;
    assert_eq!(
        (&first_of_all["status"], &first_of_all["payment"]),
        (&json!("placed"), &Value::Null)
    );

    let resumed = shop
        .queries
        .follow(&events, &[("last-event-id", "2")])
        .await;
    let resumed = told_until(resumed, "completed").await;
    let resumed: Vec<i64> = resumed.iter().map(|(version, _)| *version).collect();
    assert_eq!(resumed, (3..=last).collect::<Vec<_>>());

    let mut open = shop.queries.follow(&events, &[]).await;
    assert_eq!(open.next().await.map(|(version, _)| version), Some(last));
    let query_api = shop.servers.pop().expect("the last that was started");
    let (ended, query_api) = blocking(move || {
        let ended = query_api.service.process().stop(STOPS_WITHIN);
        (ended, query_api)
    })
    .await;
    assert!(ended.expect("it ends").success());
    // It does not wait for clients that only listen until it gives them up.
    let said = query_api.service.process();
    assert!(
        !said.has_said("gave up on requests"),
        "{}",
        said.log_tail(40)
    );
    assert_eq!(open.next().await, None);
    shop.close().await;
}
