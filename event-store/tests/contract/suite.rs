//! What every event store promises. Each function is one promise, shown on whatever log it is given.

use std::{
    collections::{HashMap, HashSet},
    sync::{Arc, Mutex},
    time::Duration,
};

use async_trait::async_trait;
use chrono::DateTime;
use domain::{Context, ReadEvent};
use event_store::{
    Accepted, BatchLimits, CommandMetadata, EventStore, Owners, OwnershipRecord, PartitionStatus,
    Peers, Recorded, Refusal, Request, StartAt, StoreConfig, Subscription, Transport,
    TransportError,
    log::{AppendError, Appender, AppenderId, Lane, Log, Member, WriterId},
};
use tokio::time::Instant;
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
    ) -> Box<dyn Subscription<E>>;
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

fn from_zero(topic: &str, partition: i32) -> Vec<StartAt> {
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

/// Of two appenders with one id, the older one's next append is fenced; that of the other lane is not.
pub(crate) async fn a_later_appender_fences<S: Subject>(subject: S) {
    let log = subject.log().clone();
    let (fenced, other_lane) = tokio::task::spawn_blocking(move || {
        let open = |lane| {
            log.appender(&lane_of("fencing", lane))
                .expect("an appender")
        };
        let mut older = open(Lane::A);
        let mut other_lane = open(Lane::B);
        let _newer = open(Lane::A);
        let record = claim("fencing").record();
        (
            older.append(std::slice::from_ref(&record)),
            other_lane.append(&[record]),
        )
    })
    .await
    .expect("no panic");
    assert!(matches!(fenced, Err(AppendError::Fenced)), "{fenced:?}");
    assert!(other_lane.is_ok(), "{other_lane:?}");
}

fn lane_of(service: &'static str, lane: Lane) -> AppenderId {
    let writer = WriterId {
        service,
        partition: 0,
    };
    AppenderId { writer, lane }
}

fn claim(service: &str) -> OwnershipRecord {
    OwnershipRecord {
        service: service.to_owned(),
        partition: 0,
        generation: 1,
        instance: Uuid::nil(),
        member: None,
        address: String::new(),
        released: false,
    }
}

/// However the takeovers of two owners fall into each other, at most one of them can append afterwards, on either lane.
pub(crate) async fn of_interleaved_takeovers_one_owns<S: Subject>(subject: S) {
    let log = subject.log().clone();
    let order_of = |chosen: u32| (0..8).map(move |step| usize::from(chosen >> step & 1 == 1));
    let tried = tokio::task::spawn_blocking(move || {
        // Each of two owners takes four steps: every way to choose which four of the eight are the second's.
        let interleavings = (0..256_u32).filter(|chosen| chosen.count_ones() == 4);
        let tried = interleavings.step_by(S::INTERLEAVING_STEP);
        tried
            .map(|chosen| interleave(&log, order_of(chosen)))
            .count()
    });
    let tried = tried.await.expect("at most one owner each time");
    assert_eq!(tried, 70_usize.div_ceil(S::INTERLEAVING_STEP));
}

/// Takes the owners' steps in this order: open lane A, open lane B, claim through A, claim through B.
fn interleave<L: Log>(log: &L, order: impl Iterator<Item = usize> + Clone) {
    let record = claim("interleaved").record();
    let mut owners: [Vec<L::Appender>; 2] = [Vec::new(), Vec::new()];
    let (mut steps, mut fenced) = ([0_usize; 2], [false; 2]);
    for who in order.clone() {
        let step = steps[who];
        steps[who] += 1;
        if step < 2 {
            let id = lane_of("interleaved", Lane::BOTH[step]);
            owners[who].push(log.appender(&id).expect("the last to open is not fenced"));
        } else if !fenced[who] {
            let claimed = owners[who][step - 2].append(std::slice::from_ref(&record));
            fenced[who] = claimed.is_err();
        }
    }
    let order: Vec<_> = order.collect();
    // One that was fenced has dropped everything; of the others, only one may be able to append, on whichever lane.
    let mut able = 0;
    for (lanes, _) in owners.iter_mut().zip(fenced).filter(|(_, fenced)| !fenced) {
        let appended = lanes
            .iter_mut()
            .filter_map(|lane| lane.append(std::slice::from_ref(&record)).ok());
        able += usize::from(appended.count() > 0);
    }
    assert!(able <= 1, "both own the partition: {order:?}");
}

/// Processes share the partitions of a service: each is served by one of them, by another when that one stops, and nobody
/// answers what is not its own.
pub(crate) async fn partitions_are_shared<S: Subject>(subject: S) {
    let first = store(subject.log()).await;
    let counter = Uuid::now_v7();
    let original = request(counter, 2);
    let accepted = first.execute(original.clone()).await.expect("accepted");
    let second: EventStore<Counters> = start(subject.log()).await;
    let served = |store: &EventStore<Counters>| {
        let status = store.status();
        status
            .iter()
            .filter(|status| **status == PartitionStatus::Ready)
            .count()
    };
    until("each serves one", || {
        served(&first) == 1 && served(&second) == 1
    })
    .await;
    let (mut accepted_by, mut refused_by) = (0, 0);
    for store in [&first, &second] {
        match store.execute(original.clone()).await {
            Ok(again) => {
                assert!(again.replayed);
                assert_eq!(again.positions, accepted.positions);
                accepted_by += 1;
            }
            Err(Refusal::Unavailable { .. }) => refused_by += 1,
            Err(other) => panic!("{other:?}"),
        }
    }
    assert_eq!((accepted_by, refused_by), (1, 1));
    stop(first).await;
    wait_for(&second, PartitionStatus::Ready).await;
    let again = second.execute(original).await.expect("the first answer");
    assert!(again.replayed);
    stop(second).await;
    assert_eq!(events_of(&subject, counter).await.len(), 2);
}

pub(crate) async fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    let deadline = tokio::time::Instant::now() + PATIENCE;
    while !is_so() {
        assert!(tokio::time::Instant::now() < deadline, "in vain: {what}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// Commands handed on within this process, as if it were several.
#[derive(Default)]
struct InProcess(Mutex<HashMap<String, EventStore<Counters>>>);

#[async_trait]
impl Transport for InProcess {
    async fn send(
        &self,
        address: &str,
        service: &'static str,
        command: Vec<u8>,
        _: Instant,
    ) -> Result<Vec<u8>, TransportError> {
        assert_eq!(service, Counters::SERVICE);
        let store = self.0.lock().expect("no panic").get(address).cloned();
        match store {
            Some(store) => Ok(store.receive(&command).await.expect("a command")),
            None => Err(TransportError::NotTaken("nobody is there".to_owned())),
        }
    }
}

/// Whichever process is asked, the one that owns the partition decides, and what it says comes back.
pub(crate) async fn a_command_finds_the_owner<S: Subject>(subject: S) {
    let transport = Arc::new(InProcess::default());
    let owners = Owners::follow(subject.log().clone()).expect("it follows");
    let mut stores = Vec::new();
    for address in ["north", "south"] {
        let peers = Peers {
            owners: owners.clone(),
            transport: Arc::<InProcess>::clone(&transport),
        };
        let config = StoreConfig {
            address: address.to_owned(),
            peers: Some(peers),
            ..StoreConfig::default()
        };
        let store = start_with(subject.log(), config).await;
        let mut known = transport.0.lock().expect("no panic");
        known.insert(address.to_owned(), store.clone());
        drop(known);
        stores.push(store);
    }
    let ready = |store: &EventStore<Counters>| {
        let ready = |status: &&PartitionStatus| **status == PartitionStatus::Ready;
        store.status().iter().filter(ready).count()
    };
    until("each serves one", || {
        stores
            .iter()
            .all(|store| ready(store) == 1 && store.standing().is_ok())
    })
    .await;
    for _ in 0..8 {
        let counter = Uuid::now_v7();
        let first = request(counter, LIMIT);
        let accepted = stores[0].execute(first.clone()).await.expect("accepted");
        let again = stores[1].execute(first.clone()).await.expect("known");
        assert!(again.replayed && !accepted.replayed);
        assert_eq!(again.positions, accepted.positions);
        for store in &stores {
            let over = store.execute(request(counter, 1)).await;
            assert!(matches!(over, Err(Refusal::Rejected(_))), "{over:?}");
            let mut other = first.clone();
            other.metadata.command_hash = Uuid::nil();
            assert_eq!(store.execute(other).await, Err(Refusal::KeyReused));
        }
        let events = events_of(&subject, counter).await;
        assert_eq!(events.len(), LIMIT as usize);
        assert_eq!(events[0].metadata.traceparent, first.metadata.traceparent);
    }
    // A process that has gone without a word takes no command, and none is lost.
    transport.0.lock().expect("no panic").clear();
    let mut refused = 0;
    for _ in 0..64 {
        match stores[0].execute(request(Uuid::now_v7(), 1)).await {
            Ok(_) => {}
            Err(Refusal::Unavailable { .. }) => refused += 1,
            Err(other) => panic!("{other:?}"),
        }
    }
    assert!(refused > 0, "half of the counters are with the other");
    for store in stores {
        stop(store).await;
    }
}

/// A process that comes back under its name gets what it had, though its predecessor was never missed; that one answers no
/// success and no rejection any more.
pub(crate) async fn a_process_of_the_same_name_takes_over<S: Subject>(subject: S) {
    let counter = Uuid::now_v7();
    let first = start_as(subject.log(), Some("ada")).await;
    wait_for(&first, PartitionStatus::Ready).await;
    first
        .execute(request(counter, LIMIT - 1))
        .await
        .expect("accepted");
    let second = start_as(subject.log(), Some("ada")).await;
    wait_for(&second, PartitionStatus::Ready).await;
    for amount in [1, LIMIT] {
        let answer = first.execute(request(counter, amount)).await;
        assert!(
            matches!(
                answer,
                Err(Refusal::OutcomeUnknown { .. } | Refusal::Unavailable { .. })
            ),
            "{answer:?}"
        );
    }
    let accepted = second
        .execute(request(counter, 1))
        .await
        .expect("the new owner serves");
    assert_eq!(accepted.stream_version, LIMIT);
    wait_for(&first, PartitionStatus::Elsewhere).await;
    stop(second).await;
    stop(first).await;
    assert_eq!(events_of(&subject, counter).await.len(), LIMIT as usize);
}

/// An owner whose lane somebody has fenced learns of it before it answers, and takes over anew.
pub(crate) async fn a_fenced_owner_takes_over_anew<S: Subject>(subject: S) {
    let store: EventStore<Counters> = store(subject.log()).await;
    let counter = Uuid::now_v7();
    let mut expected = 0;
    for lane in Lane::BOTH {
        let log = subject.log().clone();
        let fence = move || {
            for partition in 0..2 {
                let writer = WriterId {
                    service: "counter",
                    partition,
                };
                log.appender(&AppenderId { writer, lane }).expect("fenced");
            }
        };
        tokio::task::spawn_blocking(fence).await.expect("no panic");
        for _ in 0..3 {
            match store.execute(request(counter, 1)).await {
                Ok(accepted) => {
                    expected += 1;
                    assert_eq!(accepted.stream_version, expected);
                }
                Err(Refusal::OutcomeUnknown { .. } | Refusal::Unavailable { .. }) => {
                    expected =
                        u32::try_from(events_of(&subject, counter).await.len()).expect("few");
                }
                Err(other) => panic!("{other:?}"),
            }
        }
        wait_for(&store, PartitionStatus::Ready).await;
    }
    stop(store).await;
    assert_eq!(events_of(&subject, counter).await.len(), expected as usize);
}

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
