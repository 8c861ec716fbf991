//! Two processes for one service: they share its partitions, whichever is asked finds the owner, and nobody is told what is
//! not true.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use dev::deployment::Server;
use domain::order::OrderEvent;
use event_store::{Owners, log::WriterId};
use serde_json::json;
use system_tests::{
    Answer, Client, Journal, Stock, World,
    client::{order, payment},
    shop,
};
use tokio::task::JoinSet;
use uuid::Uuid;

use crate::{PATIENCE, blocking, services, wait_for_status, world};

/// Whichever of two is asked, an order is placed once; when one stops, the other serves everything.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_processes_share_a_service() {
    let world = Arc::new(world().await);
    let shop = open_shop(&world).await;
    let first = order_service(&world).await;
    let second = order_service(&world).await;
    let clients = [Client::new(&first.url), Client::new(&second.url)];
    wait_until_shared(&world).await;

    let mut placed = Vec::new();
    for index in 0..32 {
        let (one, other) = (&clients[index % 2], &clients[1 - index % 2]);
        let key = Uuid::now_v7().to_string();
        let (answer, retries) = place(one, &key).await;
        // Of what was tried before, the outcome may not have been known.
        if retries == 0 {
            assert_eq!(answer.header("idempotency-replayed"), "", "{answer:?}");
        }
        let (again, _) = place(other, &key).await;
        assert_eq!(again.header("idempotency-replayed"), "true", "{again:?}");
        assert_eq!(
            (again.id(), again.header("x-position")),
            (answer.id(), answer.header("x-position"))
        );
        placed.push(answer.id().to_owned());
    }
    blocking(move || first.service.stop())
        .await
        .expect("stopped");
    wait_for_status(&clients[1], "/health/ready", 200).await;
    for id in &placed {
        let path = format!("/v1/orders/{id}/cancel");
        let (answer, _) = clients[1].persist(&path, id, &json!({})).await;
        assert_eq!(answer.status, 200, "{answer:?}");
    }
    let mut in_log = Journal::read(&world.log()).await.placed();
    in_log.sort();
    placed.sort();
    assert_eq!(in_log, placed);
    Stock::at_rest(&world.log()).await;
    blocking(move || drop((second, shop))).await;
}

/// A partition may be on its way from one process to the other. Says how often it was tried again, too.
async fn place(client: &Client, key: &str) -> (Answer, usize) {
    let (answer, retries) = client.persist("/v1/orders", key, &order("ada")).await;
    assert_eq!(answer.status, 201, "{answer:?}");
    (answer, retries)
}

/// Waits until the partitions of the order service have different owners.
async fn wait_until_shared(world: &World) {
    let owners = Owners::follow(world.log()).expect("the owners are followed");
    let begun = Instant::now();
    let address = |partition| {
        owners.address(&WriterId {
            service: "order",
            partition,
        })
    };
    loop {
        let (one, other) = (address(0), address(1));
        if one.is_some() && other.is_some() && one != other {
            return;
        }
        assert!(begun.elapsed() < PATIENCE, "{one:?} and {other:?}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// An owner that slept while another took over. Its clients' requests, sent while it slept, must get no answer from the
/// state that it went to sleep with, neither a success nor a rejection: 503, or what the owner of today says.
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

    // Ready when the group has missed the sleeper.
    let successor = order_service(&world).await;
    let new = Client::new(&successor.url);
    let mut unknown_to_sleeper = Vec::new();
    for id in &cancelled {
        let answer = post(&new, &format!("/v1/orders/{id}/cancel")).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        unknown_to_sleeper.push(new.placed("ada").await);
    }
    // By the state that it knows, it would accept all of the first two kinds, and refuse the third as unknown.
    let mut asked = JoinSet::new();
    let kinds = [
        (&payable, 200),
        (&cancelled, 409),
        (&unknown_to_sleeper, 200),
    ];
    for (ids, status) in kinds {
        for id in ids {
            let (client, id) = (old.clone(), id.clone());
            asked.spawn(async move {
                let answer = post(&client, &format!("/v1/orders/{id}/pay")).await;
                (id, status, answer)
            });
        }
    }
    // They have to be on their way before the sleeper wakes; none can be answered meanwhile.
    let none = tokio::time::timeout(Duration::from_secs(1), asked.join_next()).await;
    assert!(none.is_err(), "a paused process answered: {none:?}");
    sleeper.service.process().resume().expect("resumed");
    let answers = asked.join_all().await;
    let journal = Journal::read(&world.log()).await;
    for (id, status, answer) in answers {
        let is_paid = journal.events_of(&id).into_iter().any(|event| {
            matches!(
                event.event,
                OrderEvent::PaymentPending(_) | OrderEvent::PaymentKept(_)
            )
        });
        if answer.status == 503 {
            assert_unavailable(&answer);
            let perhaps = answer.code() == "outcome-unknown";
            assert!(
                perhaps || !is_paid,
                "not applied, and in the log: {answer:?}"
            );
        } else {
            assert_eq!(answer.status, status, "{answer:?}");
            assert_eq!(is_paid, status == 200, "{answer:?}");
        }
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
        json!({})
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
