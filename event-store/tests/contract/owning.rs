//! What is promised about who owns a partition: one at a time, whoever comes, goes or was taken for gone; and commands find it.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
};

use async_trait::async_trait;
use domain::Context;
use event_store::{
    EventStore, OWNERSHIP_TOPIC, Owners, OwnershipRecord, PartitionStatus, Peers, Refusal,
    StoreConfig, Transport, TransportError,
    log::{AppendError, Appender, AppenderId, CommitterId, Lane, Log, WriterId},
    owner_of,
};
use tokio::time::Instant;
use uuid::Uuid;

use crate::{
    counter::{Counters, LIMIT},
    suite::{
        Subject, events_of, request, start, start_as, start_with, stop, store, until, wait_for,
    },
};

/// Of two appenders with one id, the older one's next append is fenced; those of other ids are not.
pub(crate) async fn a_later_appender_fences<S: Subject>(subject: S) {
    let log = subject.log().clone();
    let (fenced, other) = tokio::task::spawn_blocking(move || {
        let open = |id| log.appender(&id).expect("an appender");
        let committer = CommitterId::new();
        let mut older = open(AppenderId::Committer(committer, Lane::A));
        let mut other = open(AppenderId::Committer(committer, Lane::B));
        let _newer = open(AppenderId::Committer(committer, Lane::A));
        let record = claim("fencing", committer).record();
        (
            older.append(std::slice::from_ref(&record)),
            other.append(&[record]),
        )
    })
    .await
    .expect("no panic");
    assert!(matches!(fenced, Err(AppendError::Fenced)), "{fenced:?}");
    assert!(other.is_ok(), "{other:?}");
}

fn claim(service: &str, committer: CommitterId) -> OwnershipRecord {
    OwnershipRecord {
        service: service.to_owned(),
        partition: 0,
        generation: 1,
        instance: Uuid::nil(),
        member: None,
        committer,
        address: String::new(),
        released: false,
        unmended: false,
    }
}

/// However the takeovers of two owners fall into each other, and whoever owned the partition before, at most one of the three
/// can append afterwards, on either lane; and nobody appends to it behind the watermark of one who has taken over after him.
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

const INTERLEAVED: &str = "interleaved";

/// Somebody on the way to owning a partition, without any of the product's own order: the steps are what is tested.
struct Claimant<A> {
    id: CommitterId,
    lanes: [A; 2],
    writer: Option<A>,
    fenced: bool,
    /// Where the topic ended when he had claimed it.
    watermark: Option<i64>,
}

impl<A: Appender> Claimant<A> {
    fn new<L: Log<Appender = A>>(log: &L) -> Self {
        let id = CommitterId::new();
        let open = |lane| log.appender(&AppenderId::Committer(id, lane)).expect("new");
        Self {
            id,
            lanes: Lane::BOTH.map(open),
            writer: None,
            fenced: false,
            watermark: None,
        }
    }

    /// Open the partition's appender, fence whoever has claimed it last, claim it, take the watermark.
    fn take_step<L: Log<Appender = A>>(&mut self, log: &L, step: usize) {
        let record = claim(INTERLEAVED, self.id).record();
        match step {
            0 => {
                let id = AppenderId::Writer(WriterId {
                    service: INTERLEAVED,
                    partition: 0,
                });
                self.writer = Some(log.appender(&id).expect("the last to open is not fenced"));
            }
            1 => {
                let last = owner_of(log, INTERLEAVED, 0).expect("the log answers");
                for lane in Lane::BOTH {
                    let last = last.as_ref().expect("there was an owner").committer;
                    let id = AppenderId::Committer(last, lane);
                    drop(log.appender(&id).expect("fenced"));
                }
            }
            2 => {
                let writer = self.writer.as_mut().expect("opened");
                self.fenced = writer.append(&[record]).is_err();
            }
            _ if self.fenced => {}
            _ => self.watermark = Some(log.end_offset(OWNERSHIP_TOPIC, 0).expect("it answers")),
        }
    }

    /// Where he could still append.
    fn appended(&mut self) -> Vec<i64> {
        let record = claim(INTERLEAVED, self.id).record();
        let lanes = self.lanes.iter_mut();
        let appended = lanes.filter_map(|lane| lane.append(std::slice::from_ref(&record)).ok());
        appended.flatten().collect()
    }
}

fn interleave<L: Log>(log: &L, order: impl Iterator<Item = usize> + Clone) {
    // The owner before, who does not know that anything is going on, and appends after each step.
    let mut former = Claimant::new(log);
    for step in [0, 2] {
        former.take_step(log, step);
    }
    let mut owners = [Claimant::new(log), Claimant::new(log)];
    let mut steps = [0_usize; 2];
    for who in order.clone() {
        owners[who].take_step(log, steps[who]);
        steps[who] += 1;
        let behind = former.appended();
        for owner in &owners {
            let watermark = owner.watermark.unwrap_or(i64::MAX);
            assert!(
                behind.iter().all(|offset| *offset < watermark),
                "{behind:?}"
            );
        }
    }
    let order: Vec<_> = order.collect();
    // One that was fenced has dropped everything; of the others, only one may be able to append, on whichever lane.
    let [first, second] = &mut owners;
    let able = [first, second]
        .into_iter()
        .filter(|owner| !owner.fenced)
        .filter_map(|owner| (!owner.appended().is_empty()).then_some(owner.id));
    let able: Vec<_> = able.collect();
    assert!(able.len() <= 1, "both own the partition: {order:?}");
    let last = owner_of(log, INTERLEAVED, 0).expect("the log answers");
    let last = last.map(|last| last.committer);
    assert!(
        able.first().is_none_or(|able| Some(*able) == last),
        "{order:?}"
    );
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

/// An owner whose committer somebody has fenced learns of it before it answers, and takes over anew.
pub(crate) async fn a_fenced_owner_takes_over_anew<S: Subject>(subject: S) {
    let store: EventStore<Counters> = store(subject.log()).await;
    let counter = Uuid::now_v7();
    let mut expected = 0;
    for lane in Lane::BOTH {
        let log = subject.log().clone();
        let fence = move || {
            let owner = owner_of(&log, Counters::SERVICE, 0).expect("the log answers");
            let id = owner.expect("it has an owner").committer;
            log.appender(&AppenderId::Committer(id, lane))
                .expect("fenced");
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
