//! What whoever subscribes to a log is handed.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use event_store::{BatchLimits, EventStore, StartAt, log::Log};
use uuid::Uuid;

use crate::{
    counter::{Added, COUNTER_EVENTS, Counters, LIMIT},
    suite::{PATIENCE, Subject, all_events, from_zero, request, stop, store},
};

/// Batches keep to their limits, and together they are the log.
pub(crate) async fn batches_keep_their_limits<S: Subject>(subject: S) {
    let store = store(subject.log()).await;
    for _ in 0..8 {
        store
            .execute(request(Uuid::now_v7(), LIMIT))
            .await
            .expect("accepted");
    }
    stop(store).await;
    let all = all_events(&subject).await;
    let limits = BatchLimits {
        max_events: 3,
        ..BatchLimits::default()
    };
    let end = subject
        .log()
        .end_offset(COUNTER_EVENTS, 0)
        .expect("the log answers");
    let mut subscription = subject.subscribe(&from_zero(COUNTER_EVENTS, 0), limits);
    let (mut next, mut seen) = (0, Vec::new());
    while next < end {
        let batch = subscription.next_batch().await.expect("the log reads");
        assert!(batch.events.len() <= 3);
        seen.extend(batch.events);
        next = batch
            .progress
            .first()
            .map_or(next, |progress| progress.next_offset);
    }
    let expected: Vec<_> = all
        .into_iter()
        .filter(|event| event.position.partition == 0)
        .collect();
    assert_eq!(seen, expected);
}

/// For so long what follows a batch is gathered: time enough for a machine to append two events, even where it is busy.
const GATHERED_FOR: Duration = Duration::from_secs(3);

/// What comes soon after a batch is handed out with what follows, in one.
pub(crate) async fn what_comes_one_by_one_is_gathered<S: Subject>(subject: S) {
    let store = store(subject.log()).await;
    let deadline = Instant::now() + PATIENCE;
    // Where something else kept the machine busy for longer than that, nothing is shown, and it is asked anew.
    let handed_out = loop {
        if let Some(handed_out) = followed_soon(&subject, &store).await {
            break handed_out;
        }
        assert!(Instant::now() < deadline, "nothing is appended in time");
    };
    stop(store).await;
    assert_eq!(handed_out, [1, 2]);
}

/// How many events are in each batch, where one event is followed by two more; none where those did not come soon.
async fn followed_soon<S: Subject>(
    subject: &S,
    store: &EventStore<Counters>,
) -> Option<Vec<usize>> {
    let counter = Uuid::now_v7();
    let first = store.execute(request(counter, 1)).await.expect("accepted");
    let [position] = &*first.positions else {
        panic!("one topic: {:?}", first.positions);
    };
    let from = StartAt {
        topic: Arc::clone(&position.topic),
        partition: position.partition,
        next_offset: position.offset,
    };
    let limits = BatchLimits {
        every_ms: u64::try_from(GATHERED_FOR.as_millis()).expect("few"),
        ..BatchLimits::default()
    };
    // Nothing is handed out any sooner.
    let begun = Instant::now();
    let mut subscription = subject.subscribe::<Added>(&[from], limits);
    let (mut handed_out, mut is_soon) = (Vec::new(), false);
    while handed_out.iter().sum::<usize>() < 3 {
        let batch = tokio::time::timeout(PATIENCE, subscription.next_batch());
        let batch = batch.await.expect("it comes in time");
        handed_out.push(batch.expect("the log reads").events.len());
        if handed_out == [1] {
            for _ in 0..2 {
                store.execute(request(counter, 1)).await.expect("accepted");
            }
            is_soon = begun.elapsed() < GATHERED_FOR / 2;
        }
    }
    is_soon.then_some(handed_out)
}
