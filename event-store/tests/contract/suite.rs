//! What every event store promises. Each function is one promise, shown on whatever log it is given.

use std::{collections::HashSet, sync::Arc, time::Duration};

use chrono::{DateTime, TimeDelta, Utc};
use domain::{Context, ReadEvent};
use event_store::{
    Accepted, BatchLimits, CommandMetadata, EventStore, OWNERSHIP_TOPIC, PartitionStatus, Recorded,
    Refusal, Request, StartAt, StoreConfig, Subscription,
    log::{Log, Member},
    owner_of,
};
use uuid::Uuid;

use crate::counter::{Add, Added, COUNTER_EVENTS, Counters, LIMIT};

/// Long enough for a takeover on a busy machine.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// A log to test, and how its events are subscribed to.
pub(crate) trait Subject {
    type Log: Log;
    /// Of the interleavings of two takeovers, each of so many is tried: some take long.
    const INTERLEAVING_STEP: usize = 1;
    fn log(&self) -> &Self::Log;
    fn subscribe<E: ReadEvent>(
        &self,
        from: &[StartAt],
        limits: BatchLimits,
    ) -> Box<dyn Subscription<E>> {
        let subscribed = self.log().subscribe(from, limits);
        subscribed.expect("the log subscribes")
    }
    /// Deletes a topic and creates it anew, empty.
    async fn create_anew(&self, topic: &str);
}

pub(crate) fn request(counter: Uuid, amount: u32) -> Request<Counters> {
    let id = Uuid::now_v7();
    Request {
        command: Add { counter, amount },
        metadata: CommandMetadata {
            command_id: id,
            command_hash: Uuid::new_v5(&Uuid::NAMESPACE_OID, &amount.to_be_bytes()),
            correlation_id: counter,
            causation_id: id,
            actor: Arc::from("tester"),
            time: DateTime::from_timestamp(1_760_000_000, 123_456_000).expect("a valid time"),
            traceparent: Some("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01".into()),
            expected_version: None,
        },
    }
}

pub(crate) async fn store<C: Context, L: Log>(log: &L) -> EventStore<C> {
    let store = start(log).await;
    wait_for(&store, PartitionStatus::Ready).await;
    store
}

pub(crate) async fn start<C: Context, L: Log>(log: &L) -> EventStore<C> {
    start_as(log, None).await
}

/// A store in a process of that name.
pub(crate) async fn start_as<C: Context, L: Log>(log: &L, name: Option<&str>) -> EventStore<C> {
    let config = StoreConfig {
        member: Member {
            name: name.map(ToOwned::to_owned),
            ..StoreConfig::default().member
        },
        ..StoreConfig::default()
    };
    start_with(log, config).await
}

pub(crate) async fn start_with<C: Context, L: Log>(log: &L, config: StoreConfig) -> EventStore<C> {
    let log = log.clone();
    let start = move || EventStore::start(&log, &config);
    let started = tokio::task::spawn_blocking(start).await;
    started
        .expect("starting does not panic")
        .expect("the store starts")
}

pub(crate) async fn wait_for<C: Context>(store: &EventStore<C>, wanted: PartitionStatus) {
    let deadline = tokio::time::Instant::now() + PATIENCE;
    while store.status().iter().any(|status| *status != wanted) {
        let now = tokio::time::Instant::now();
        assert!(
            now < deadline,
            "still {:?} where {wanted:?} is awaited",
            store.status()
        );
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

pub(crate) async fn stop<C: Context>(store: EventStore<C>) {
    assert!(store.stop(PATIENCE).await, "every writer ends in time");
}

/// Every committed event, partition by partition.
pub(crate) async fn all_events<S: Subject>(subject: &S) -> Vec<Recorded<Added>> {
    events_in(subject, COUNTER_EVENTS).await
}

/// Every committed event of a topic.
pub(crate) async fn events_in<S: Subject, E: ReadEvent>(
    subject: &S,
    topic: &str,
) -> Vec<Recorded<E>> {
    let partitions = subject.log().partitions(topic).expect("the topic is there");
    let mut events = Vec::new();
    for partition in 0..partitions {
        let end = subject
            .log()
            .end_offset(topic, partition)
            .expect("the log answers");
        let mut next = 0;
        let mut subscription =
            subject.subscribe(&from_zero(topic, partition), BatchLimits::default());
        while next < end {
            let batch = tokio::time::timeout(PATIENCE, subscription.next_batch());
            let batch = batch
                .await
                .expect("the end comes in time")
                .expect("the log reads");
            assert_eq!(batch.undecodable, []);
            events.extend(batch.events);
            next = batch
                .progress
                .first()
                .map_or(next, |progress| progress.next_offset);
        }
    }
    events
}

pub(crate) fn from_zero(topic: &str, partition: i32) -> Vec<StartAt> {
    vec![StartAt {
        topic: topic.into(),
        partition,
        next_offset: 0,
    }]
}

pub(crate) async fn events_of<S: Subject>(subject: &S, counter: Uuid) -> Vec<Recorded<Added>> {
    let mut events = all_events(subject).await;
    events.retain(|recorded| recorded.event.counter == counter);
    events
}

/// What is accepted is in the log: in order, with its metadata, where the answer says.
pub(crate) async fn accepted_is_in_the_log<S: Subject>(subject: S) {
    let store = store(subject.log()).await;
    let counter = Uuid::now_v7();
    let request = request(counter, 3);
    let command = request.metadata.clone();
    let answer = store.execute(request).await.expect("accepted");
    stop(store).await;

    let events = events_of(&subject, counter).await;
    assert_eq!(answer.stream_version, 3);
    assert_eq!(answer.status, 3);
    assert!(!answer.replayed);
    assert_eq!(*answer.positions, [events[2].position.clone()]);
    for (version, recorded) in (1..).zip(&events) {
        let metadata = &recorded.metadata;
        assert_eq!(metadata.stream_version, version);
        assert_eq!(metadata.stream, format!("counter-{counter}"));
        assert_eq!(&*metadata.source, "/counter");
        assert_eq!(
            (metadata.decision.index, metadata.decision.of),
            (u16::try_from(version).expect("small"), 3)
        );
        assert_eq!(metadata.command_id, command.command_id);
        assert_eq!(metadata.command_hash, command.command_hash);
        assert_eq!(metadata.correlation_id, command.correlation_id);
        assert_eq!(metadata.causation_id, command.causation_id);
        assert_eq!(metadata.actor, command.actor);
        assert_eq!(metadata.time, command.time);
        assert_eq!(metadata.traceparent, command.traceparent);
    }
    let ids: HashSet<Uuid> = events
        .iter()
        .map(|recorded| recorded.metadata.event_id)
        .collect();
    assert_eq!(ids.len(), 3, "every event has an id of its own");
}

/// The same command again gets the first answer, another under its id a conflict; also from the next owner.
pub(crate) async fn a_command_is_applied_once<S: Subject>(subject: S) {
    let first_owner = store(subject.log()).await;
    let counter = Uuid::now_v7();
    let original = request(counter, 2);
    let first = first_owner
        .execute(original.clone())
        .await
        .expect("accepted");
    first_owner
        .execute(request(counter, 1))
        .await
        .expect("accepted");
    let mut other = request(counter, 5);
    other.metadata.command_id = original.metadata.command_id;

    let again = Accepted {
        replayed: true,
        ..first
    };
    assert_eq!(
        first_owner.execute(original.clone()).await,
        Ok(again.clone())
    );
    assert_eq!(
        first_owner.execute(other.clone()).await,
        Err(Refusal::KeyReused)
    );
    stop(first_owner).await;

    let second_owner = store(subject.log()).await;
    assert_eq!(second_owner.execute(original).await, Ok(again));
    assert_eq!(second_owner.execute(other).await, Err(Refusal::KeyReused));
    stop(second_owner).await;
    assert_eq!(events_of(&subject, counter).await.len(), 3);
}

/// A rejection and a no-op append no event, and are answered.
pub(crate) async fn rejections_append_nothing<S: Subject>(subject: S) {
    let store = store(subject.log()).await;
    let counter = Uuid::now_v7();
    let before_anything = store
        .execute(request(counter, 0))
        .await
        .expect("a no-op is accepted");
    assert_eq!(
        (
            before_anything.stream_version,
            before_anything.positions.len()
        ),
        (0, 0)
    );
    let first = store.execute(request(counter, 4)).await.expect("accepted");
    let rejected = store.execute(request(counter, LIMIT)).await;
    assert!(
        matches!(rejected, Err(Refusal::Rejected(_))),
        "{rejected:?}"
    );
    let no_op = store
        .execute(request(counter, 0))
        .await
        .expect("a no-op is accepted");
    assert_eq!(no_op, first, "a no-op answers where the stream stands");
    stop(store).await;
    assert_eq!(events_of(&subject, counter).await.len(), 4);
}

/// Commands that race for the last units are decided one after the other, and duplicates wait for the first.
pub(crate) async fn races_have_one_order<S: Subject>(subject: S) {
    let store = store(subject.log()).await;
    let counter = Uuid::now_v7();
    let twice: Vec<_> = (0..40)
        .map(|_| request(counter, 1))
        .flat_map(|request| [request.clone(), request])
        .collect();
    let running: Vec<_> = twice
        .into_iter()
        .map(|request| {
            let store = store.clone();
            tokio::spawn(async move { store.execute(request).await })
        })
        .collect();
    let (mut first, mut repeated, mut rejected) = (0, 0, 0);
    for answer in running {
        match answer.await.expect("no panic") {
            Ok(accepted) if accepted.replayed => repeated += 1,
            Ok(_) => first += 1,
            Err(Refusal::Rejected(_)) => rejected += 1,
            Err(other) => panic!("{other:?}"),
        }
    }
    assert_eq!((first, repeated, rejected), (LIMIT, LIMIT, 80 - 2 * LIMIT));
    stop(store).await;
    assert_eq!(events_of(&subject, counter).await.len(), LIMIT as usize);
}

/// A client that goes away cancels nothing.
pub(crate) async fn a_dropped_call_is_carried_out<S: Subject>(subject: S) {
    let store = store(subject.log()).await;
    let counter = Uuid::now_v7();
    let mut calls = 0;
    loop {
        let mut call = Box::pin(store.execute(request(counter, 1)));
        calls += 1;
        // One poll hands the command over. A fast writer on a busy machine may have answered by then: that one was not
        // dropped, and the next is tried.
        if !futures_poll_once(&mut call).await {
            break;
        }
        assert!(calls < LIMIT as usize, "every answer is there at once");
    }
    stop(store).await;
    assert_eq!(events_of(&subject, counter).await.len(), calls);
}

pub(crate) async fn futures_poll_once<F: Future + Unpin>(future: &mut F) -> bool {
    std::future::poll_fn(|context| {
        std::task::Poll::Ready(std::pin::Pin::new(&mut *future).poll(context).is_ready())
    })
    .await
}

pub(crate) async fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    let deadline = tokio::time::Instant::now() + PATIENCE;
    while !is_so() {
        assert!(tokio::time::Instant::now() < deadline, "in vain: {what}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// Whoever reads from there reads what was appended since, and little before it.
pub(crate) async fn a_time_has_an_offset<S: Subject>(subject: S) {
    let store = store(subject.log()).await;
    let counter = Uuid::now_v7();
    store.execute(request(counter, 1)).await.expect("accepted");
    let time = Utc::now() + TimeDelta::milliseconds(20);
    let deadline = tokio::time::Instant::now() + PATIENCE;
    // A no-op does not get into the topic.
    while Utc::now() <= time {
        assert!(tokio::time::Instant::now() < deadline, "time stands still");
        store.execute(request(counter, 0)).await.expect("accepted");
    }
    let answer = store.execute(request(counter, 1)).await.expect("accepted");
    stop(store).await;

    let [later] = &*answer.positions else {
        panic!("one topic: {:?}", answer.positions);
    };
    let (log, partition) = (subject.log(), later.partition);
    let at = |time| {
        let found = log.offset_at(COUNTER_EVENTS, partition, time);
        found.expect("the log answers")
    };
    let events = events_of(&subject, counter).await;
    let first = events[0].position.offset;
    assert_eq!(at(time - TimeDelta::days(1)), first);
    assert!((first + 1..=later.offset).contains(&at(time)));
    let end = log.end_offset(COUNTER_EVENTS, partition);
    assert_eq!(
        at(Utc::now() + TimeDelta::days(1)),
        end.expect("the log answers")
    );
}

/// In the order in which they were asked for, each as it is by itself.
pub(crate) async fn many_ends_are_asked_for_at_once<S: Subject>(subject: S) {
    let store = store(subject.log()).await;
    for _ in 0..20 {
        let counter = Uuid::now_v7();
        store.execute(request(counter, 1)).await.expect("accepted");
    }
    stop(store).await;
    let log = subject.log();
    let partitions = log.partitions(COUNTER_EVENTS).expect("the topic is there");
    let mut places: Vec<_> = (0..partitions)
        .flat_map(|partition| [(COUNTER_EVENTS, partition), (OWNERSHIP_TOPIC, partition)])
        .collect();
    places.reverse();
    // A commit is answered before its markers are written: once all reads as committed, no end moves any more.
    let events = all_events(&subject).await;
    for partition in 0..partitions {
        let owner = owner_of(log, Counters::SERVICE, partition).expect("the log answers");
        assert!(owner.is_some(), "{partition}");
    }
    let ends = log.end_offsets(&places).expect("the log answers");
    for (&(topic, partition), end) in places.iter().zip(&ends) {
        let alone = log.end_offset(topic, partition).expect("the log answers");
        assert_eq!(*end, alone, "{topic}/{partition}");
        let last = events
            .iter()
            .rev()
            .find(|event| (&*event.position.topic, event.position.partition) == (topic, partition));
        assert!(last.is_none_or(|last| last.position.offset < *end));
    }
    assert!(ends.iter().any(|end| *end > 0), "{ends:?}");
    assert_eq!(log.end_offsets(&[]).expect("nothing was asked"), [0; 0]);
}
