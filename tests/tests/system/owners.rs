//! Two processes for one partition: one serves, the other says so, and nobody is told what is not true.

use std::{sync::Arc, time::Duration};

use dev::deployment::Server;
use domain::order::OrderEvent;
use system_tests::{
    Answer, Client, Journal, Stock, World,
    client::{order, payment},
    shop,
};
use tokio::task::JoinSet;
use uuid::Uuid;

use crate::{blocking, services, wait_for_status, world};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_second_process_takes_over_and_the_first_answers_503() {
    let world = Arc::new(world().await);
    let shop = open_shop(&world).await;
    let first = order_service(&world).await;
    let second = order_service(&world).await;
    let (old, new) = (Client::new(&first.url), Client::new(&second.url));

    let mut refused = Vec::new();
    for _ in 0..16 {
        let key = Uuid::now_v7().to_string();
        let answer = old
            .post("/v1/orders", &key, &order("ada"))
            .await
            .expect("an answer");
        assert_unavailable(&answer);
        refused.push(key);
    }
    wait_for_status(&old, "/health/ready", 503).await;
    for key in &refused {
        let answer = new
            .post("/v1/orders", key, &order("ada"))
            .await
            .expect("an answer");
        assert_eq!(answer.status, 201, "{answer:?}");
        assert_eq!(
            answer.header("idempotency-replayed"),
            "",
            "it was never applied: {answer:?}"
        );
    }

    // The new owner lets go; the old one, still there, serves again without a restart.
    blocking(move || second.service.stop())
        .await
        .expect("stopped");
    let first = blocking(move || {
        first.wait_ready().expect("ready again");
        first
    })
    .await;
    let journal = Journal::read(&world.log()).await;
    assert_eq!(journal.placed().len(), refused.len());
    Stock::at_rest(&world.log()).await;
    blocking(move || drop((first, shop))).await;
}

/// An owner that slept while another took over. Its clients' requests, sent while it slept, must get no answer from the
/// state that it went to sleep with: neither a success nor a rejection.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_paused_owner_answers_nothing_from_stale_state() {
    let world = Arc::new(world().await);
    let shop = open_shop(&world).await;
    let sleeper = order_service(&world).await;
    let old = Client::new(&sleeper.url);
    let (mut payable, mut cancelled) = (Vec::new(), Vec::new());
    for _ in 0..8 {
        payable.push(old.placed("ada").await);
        cancelled.push(old.placed("ada").await);
    }
    sleeper.service.process().pause().expect("paused");

    let successor = order_service(&world).await;
    let new = Client::new(&successor.url);
    let mut unknown_to_sleeper = Vec::new();
    for id in &cancelled {
        let answer = post(&new, &format!("/v1/orders/{id}/cancel")).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        unknown_to_sleeper.push(new.placed("ada").await);
    }
    // Would be accepted (payable, and stale: cancelled by now), and would be refused (stale: unknown).
    let mut asked = JoinSet::new();
    for id in payable.iter().chain(&cancelled).chain(&unknown_to_sleeper) {
        let (client, path) = (old.clone(), format!("/v1/orders/{id}/pay"));
        asked.spawn(async move { post(&client, &path).await });
    }
    // They have to be on their way before the sleeper wakes; none can be answered meanwhile.
    let none = tokio::time::timeout(Duration::from_secs(1), asked.join_next()).await;
    assert!(none.is_err(), "a paused process answered: {none:?}");
    sleeper.service.process().resume().expect("resumed");
    for answer in asked.join_all().await {
        assert_unavailable(&answer);
    }
    let journal = Journal::read(&world.log()).await;
    for id in &payable {
        let mut events = journal.events_of(id).into_iter();
        let payment = events.find(|event| {
            matches!(
                event.event,
                OrderEvent::PaymentPending(_) | OrderEvent::PaymentKept(_)
            )
        });
        assert!(
            payment.is_none(),
            "the sleeper's payment of {id} must not be in the log: {payment:?}"
        );
    }
    Stock::at_rest(&world.log()).await;
    blocking(move || drop((sleeper, successor, shop))).await;
}

/// The product service, in a process that nothing happens to, with everything in stock.
async fn open_shop(world: &Arc<World>) -> Server {
    let shop = services(world, &["product"]).await;
    shop::fill(&Client::new(&shop.url)).await;
    shop
}

async fn order_service(world: &Arc<World>) -> Server {
    services(world, &["order"]).await
}

async fn post(client: &Client, path: &str) -> Answer {
    let key = Uuid::now_v7().to_string();
    let body = if path.ends_with("/pay") {
        payment()
    } else {
        serde_json::json!({})
    };
    client.post(path, &key, &body).await.expect("an answer")
}

fn assert_unavailable(answer: &Answer) {
    assert_eq!(answer.status, 503, "{answer:?}");
    assert!(
        matches!(answer.code(), "unavailable" | "outcome-unknown"),
        "{answer:?}"
    );
    assert!(!answer.header("retry-after").is_empty(), "{answer:?}");
}
