//! Killed with -9 between accept and answer: what was answered is in the log once, and a retry finds it.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use system_tests::{Client, Journal, Stock, client::order, shop};
use tokio::task::JoinSet;
use uuid::Uuid;

use crate::{blocking, world};

const KILLS: u32 = 50;
const CLIENTS: usize = 8;

/// What a client sent, and what it heard, if anything.
#[derive(Debug, Clone)]
struct Sent {
    customer_id: String,
    key: String,
    answered: Option<String>,
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_answered_order_survives_kill_9_at_random_points() {
    let world = Arc::new(world().await);
    let port = dev::ports::free().expect("a free port");
    // The shop stays open: only the process that takes orders is killed.
    let shop = {
        let world = Arc::clone(&world);
        blocking(move || world.services(&["product"], None)).await
    };
    shop::fill(&Client::new(&shop.url)).await;
    let mut sent: Vec<Sent> = Vec::new();
    let mut cut_off = 0;
    for round in 0..KILLS {
        let server = {
            let world = Arc::clone(&world);
            blocking(move || world.services(&["order"], Some(port))).await
        };
        // Spread over the time in which clients wait for their first to some hundredth answers; printed to repeat it.
        let delay = Duration::from_millis(u64::from(Uuid::now_v7().as_bytes()[15]));
        let stopping = Arc::new(AtomicBool::new(false));
        let clients = start_clients(&server.url, &stopping);
        tokio::time::sleep(delay).await;
        blocking(move || server.service.kill())
            .await
            .expect("killed");
        stopping.store(true, Ordering::Release);
        let heard = clients.join_all().await.concat();
        let unanswered = heard.iter().filter(|sent| sent.answered.is_none()).count();
        println!(
            "round {round}: killed after {delay:?}, {} sent, {unanswered} unanswered",
            heard.len()
        );
        cut_off += unanswered;
        sent.extend(heard);
    }
    assert!(
        cut_off > 0,
        "some kills must fall between accept and answer"
    );

    let server = {
        let world = Arc::clone(&world);
        blocking(move || world.services(&["order"], Some(port))).await
    };
    let ids = retry_all(&server.url, &sent).await;
    let journal = Journal::read(&world.log()).await;
    for sent in &sent {
        let id = &ids[&sent.key];
        assert!(
            sent.answered.as_ref().is_none_or(|answered| answered == id),
            "{sent:?} became {id}"
        );
    }
    let mut placed = journal.placed();
    let mut expected: Vec<String> = ids.into_values().collect();
    placed.sort();
    expected.sort();
    assert_eq!(
        placed, expected,
        "each is in the log once, and nothing else is"
    );
    Stock::at_rest(&world.log()).await;
    blocking(move || drop((server, shop))).await;
}

fn start_clients(url: &str, stopping: &Arc<AtomicBool>) -> JoinSet<Vec<Sent>> {
    let mut clients = JoinSet::new();
    for _ in 0..CLIENTS {
        clients.spawn(place_until(Client::new(url), Arc::clone(stopping)));
    }
    clients
}

/// Places orders until the connection breaks.
async fn place_until(client: Client, stopping: Arc<AtomicBool>) -> Vec<Sent> {
    let mut all = Vec::new();
    while !stopping.load(Ordering::Acquire) {
        let customer_id = format!("customer-{}", Uuid::now_v7());
        let key = Uuid::now_v7().to_string();
        let answer = client.post("/v1/orders", &key, &order(&customer_id)).await;
        let answered = match &answer {
            Ok(answer) => {
                assert_eq!(answer.status, 201, "{answer:?}");
                Some(answer.id().to_owned())
            }
            Err(_) => None,
        };
        let broken = answered.is_none();
        all.push(Sent {
            customer_id,
            key,
            answered,
        });
        if broken {
            break;
        }
    }
    all
}

/// Sends everything again, with its key, and answers each key's order.
async fn retry_all(url: &str, sent: &[Sent]) -> HashMap<String, String> {
    let ids = Arc::new(Mutex::new(HashMap::new()));
    let mut tasks = JoinSet::new();
    for part in sent.chunks(sent.len().div_ceil(CLIENTS)) {
        let (client, part, ids) = (Client::new(url), part.to_vec(), Arc::clone(&ids));
        tasks.spawn(async move {
            for sent in part {
                let answer = client
                    .post("/v1/orders", &sent.key, &order(&sent.customer_id))
                    .await;
                let answer = answer.expect("an answer");
                assert_eq!(answer.status, 201, "{answer:?}");
                if sent.answered.is_some() {
                    assert_eq!(answer.header("idempotency-replayed"), "true", "{sent:?}");
                }
                let id = answer.id().to_owned();
                ids.lock().expect("no panic").insert(sent.key, id);
            }
        });
    }
    tasks.join_all().await;
    Arc::into_inner(ids)
        .expect("all have ended")
        .into_inner()
        .expect("no panic")
}
