//! What a store does when its writer is slower than its clients: it says so, at once or in time.

use std::{
    sync::atomic::{AtomicBool, AtomicUsize, Ordering},
    time::Duration,
};

use chrono::{DateTime, Utc};
use event_store::{EventStore, PartitionStatus, Refusal, StoreConfig, memory::MemoryLog};
use tokio::time::Instant;
use uuid::Uuid;

use crate::{
    counter::{COUNTER_EVENTS, Counters},
    suite::{PATIENCE, futures_poll_once, request, stop, wait_for},
};

const QUEUE: usize = 2;
const DEADLINE: Duration = Duration::from_secs(2);
/// Whether the writer is held up where it asks for the time, having taken what was queued.
static HELD: AtomicBool = AtomicBool::new(false);
static WAITING: AtomicUsize = AtomicUsize::new(0);

fn held_clock() -> DateTime<Utc> {
    WAITING.fetch_add(1, Ordering::AcqRel);
    while HELD.load(Ordering::Acquire) {
        std::thread::yield_now();
    }
    WAITING.fetch_sub(1, Ordering::AcqRel);
    Utc::now()
}

/// A full queue refuses at once. A command that is still queued at its deadline is withdrawn and never applied; one that was
/// taken by then may have been, and its client is told so.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_store_that_cannot_keep_up_says_so() {
    let log = MemoryLog::new(&[COUNTER_EVENTS], 1);
    let config = StoreConfig {
        queue: QUEUE,
        deadline: DEADLINE,
        clock: held_clock,
        ..StoreConfig::default()
    };
    let store = EventStore::<Counters>::start(&log, &config).expect("the store starts");
    wait_for(&store, PartitionStatus::Ready).await;
    let counter = Uuid::now_v7();

    HELD.store(true, Ordering::Release);
    let mut taken = Box::pin(store.execute(request(counter, 1)));
    assert!(!futures_poll_once(&mut taken).await);
    let until = Instant::now() + PATIENCE;
    while WAITING.load(Ordering::Acquire) == 0 {
        assert!(Instant::now() < until, "the writer has taken nothing");
        tokio::task::yield_now().await;
    }
    let mut queued = Vec::new();
    for _ in 0..QUEUE {
        let mut call = Box::pin(store.execute(request(counter, 1)));
        assert!(!futures_poll_once(&mut call).await);
        queued.push(call);
    }
    let refused = store.execute(request(counter, 1));
    // Looked at once, whatever time it is.
    let refused = tokio::time::timeout(Duration::ZERO, refused).await;
    assert_unavailable(&refused.expect("it is at once"), "the queue is full");

    for call in queued {
        assert_unavailable(&call.await, "the command was not decided in time");
    }
    let taken = taken.await;
    assert!(
        matches!(taken, Err(Refusal::OutcomeUnknown { .. })),
        "{taken:?}"
    );
    HELD.store(false, Ordering::Release);
    // What was withdrawn is in the queue until the writer comes by.
    let until = Instant::now() + PATIENCE;
    let after = loop {
        match store.execute(request(counter, 1)).await {
            Ok(after) => break after,
            Err(refusal) => assert!(Instant::now() < until, "{refusal:?}"),
        }
    };
    assert_eq!(
        after.stream_version, 2,
        "what was withdrawn was not applied"
    );
    stop(store).await;
}

fn assert_unavailable<S: std::fmt::Debug, R: std::fmt::Debug>(
    answer: &Result<S, Refusal<R>>,
    why: &str,
) {
    let Err(Refusal::Unavailable {
        retry_after,
        reason,
    }) = answer
    else {
        panic!("{answer:?}");
    };
    assert_eq!(*reason, why);
    assert!(*retry_after >= Duration::from_secs(1));
}
