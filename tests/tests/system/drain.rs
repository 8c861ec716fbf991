//! A process that is told to stop in the middle of its work.

use std::{
    collections::HashSet,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use system_tests::{Answer, Client, Journal, client::order, shop};
use tokio::task::JoinSet;
use uuid::Uuid;

use crate::{PATIENCE, blocking, services, world};

const CUSTOMERS: usize = 16;
/// So many orders are placed before.
const WARM: usize = 100;
/// Whoever runs a process gives it so long.
const STOPS_WITHIN: Duration = Duration::from_secs(10);

/// A request, and what came of it.
struct Asked {
    at: Instant,
    outcome: reqwest::Result<Answer>,
}

/// Places orders until nobody is there any more.
async fn customer(client: Client, answered: Arc<AtomicUsize>) -> Vec<Asked> {
    let mut asked = Vec::new();
    loop {
        let at = Instant::now();
        let key = Uuid::now_v7().to_string();
        let outcome = client.post("/v1/orders", &key, &order("ada")).await;
        answered.fetch_add(1, Ordering::AcqRel);
        let is_gone = outcome.is_err();
        asked.push(Asked { at, outcome });
        if is_gone {
            return asked;
        }
    }
}

/// What was asked before is answered, on connections that stay open meanwhile; what was answered is in the log, once.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_process_told_to_stop_answers_what_it_was_asked() {
    let world = Arc::new(world().await);
    let server = services(&world, &["product", "order"]).await;
    shop::fill(&Client::new(&server.url)).await;
    let answered = Arc::new(AtomicUsize::new(0));
    let mut customers = JoinSet::new();
    for _ in 0..CUSTOMERS {
        customers.spawn(customer(Client::new(&server.url), Arc::clone(&answered)));
    }
    let deadline = Instant::now() + PATIENCE;
    while answered.load(Ordering::Acquire) < WARM {
        assert!(Instant::now() < deadline, "no load");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }

    let told_at = Instant::now();
    let ended = blocking(move || server.service.process().stop(STOPS_WITHIN)).await;
    let took = told_at.elapsed();
    let status = ended.expect("it ends");
    assert!(status.success(), "{status} after {took:?}");
    println!("stopped within {took:?}");

    let mut accepted = HashSet::new();
    for Asked { at, outcome } in customers.join_all().await.into_iter().flatten() {
        match outcome {
            Ok(answer) if answer.status == 201 => {
                assert!(accepted.insert(answer.id().to_owned()), "{answer:?}");
            }
            Ok(answer) => {
                assert_eq!(answer.status, 503, "{answer:?}");
                assert!(!answer.header("retry-after").is_empty(), "{answer:?}");
            }
            Err(error) => {
                // One that is sent while its connection is being closed finds nobody: as if it had come later.
                assert!(at >= told_at, "asked before, and not answered: {error:?}");
            }
        }
    }
    let placed = Journal::read(&world.log()).await.placed();
    let once: HashSet<_> = placed.iter().cloned().collect();
    assert_eq!(once.len(), placed.len(), "an order was placed twice");
    let lost: Vec<_> = accepted.difference(&once).collect();
    assert!(lost.is_empty(), "answered, and not in the log: {lost:?}");
}
