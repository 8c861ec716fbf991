//! What whoever subscribes to a log is handed.

use std::sync::Arc;

use event_store::{BatchLimits, StartAt, log::Log};
use uuid::Uuid;

use crate::{
    counter::{Added, COUNTER_EVENTS, LIMIT},
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

/// What comes soon after a batch is handed out with what follows, in one.
pub(crate) async fn what_comes_one_by_one_is_gathered<S: Subject>(subject: S) {
    let store = store(subject.log()).await;
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
        // Long enough for a busy machine to append two events.
        every_ms: 3_000,
        ..BatchLimits::default()
    };
    let mut subscription = subject.subscribe::<Added>(&[from], limits);
    let mut handed_out = Vec::new();
    while handed_out.iter().sum::<usize>() < 3 {
        let batch = tokio::time::timeout(PATIENCE, subscription.next_batch());
        let batch = batch.await.expect("it comes in time");
        handed_out.push(batch.expect("the log reads").events.len());
        if handed_out == [1] {
            for _ in 0..2 {
                store.execute(request(counter, 1)).await.expect("accepted");
            }
        }
    }
    stop(store).await;
    assert_eq!(handed_out, [1, 2]);
}
