//! The twin keeps the contract, and every answer agrees with the log whatever happens to the outcomes of appends.

use std::time::Duration;

use domain::Context;
use event_store::{
    EventStore, Headers, LogError, OWNERSHIP_TOPIC, OwnershipRecord, PartitionStatus, Recorded,
    Refusal, Request, follow,
    log::{Appender, AppenderId, CommitterId, Lane, Log, OutgoingRecord, WriterId},
    memory::{Fault, MemoryLog},
    owner_of, partition_for,
};
use proptest::{collection::vec, prelude::*, test_runner::Config};
use tokio::time::Instant;
use uuid::Uuid;

use crate::{
    contract,
    counter::{Added, COUNTER_EVENTS, Counters, LIMIT},
    desk::{DESK_EVENTS, TICKET_EVENTS},
    restart::{eager, serving},
    suite::{self, PATIENCE, Subject, all_events, request, start_as, stop, store, until, wait_for},
};

pub(crate) struct Memory(MemoryLog);

impl Subject for Memory {
    type Log = MemoryLog;

    fn log(&self) -> &MemoryLog {
        &self.0
    }

    async fn create_anew(&self, topic: &str) {
        self.0.create_anew(topic);
    }
}

async fn fresh() -> Memory {
    let topics = [COUNTER_EVENTS, DESK_EVENTS, TICKET_EVENTS];
    Memory(MemoryLog::new(&topics, 2))
}

contract!(fresh());

/// The broker's data was restored from an older copy: what the store knows beyond that never was.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_store_that_is_ahead_of_the_log_is_thrown_away() {
    let memory = fresh().await;
    let folder = tempfile::tempdir().expect("a folder");
    let (counter, partition) = (Uuid::now_v7(), |counter: Uuid| {
        partition_for(counter.to_string().as_bytes(), 2)
    });
    let store = serving::<Counters, _>(&memory.0, eager(folder.path())).await;
    let kept = store.execute(request(counter, 2)).await.expect("accepted");
    let lost = request(counter, 3);
    store.execute(lost.clone()).await.expect("accepted");
    stop(store).await;

    let end = kept.positions[0].offset + 2;
    memory.0.truncate(COUNTER_EVENTS, partition(counter), end);
    let store = serving::<Counters, _>(&memory.0, eager(folder.path())).await;
    let again = store.execute(lost).await.expect("it never was");
    assert_eq!((again.stream_version, again.replayed), (5, false));
    stop(store).await;

    // Now the log is longer again, and its last record another one.
    let store = serving::<Counters, _>(&memory.0, eager(folder.path())).await;
    store.execute(request(counter, 1)).await.expect("accepted");
    stop(store).await;
    memory.0.truncate(COUNTER_EVENTS, partition(counter), end);
    let elsewhere = suite::store::<Counters, _>(&memory.0).await;
    for amount in [1, 1, 1, 1] {
        let added = elsewhere.execute(request(counter, amount)).await;
        added.expect("accepted");
    }
    stop(elsewhere).await;
    let store = serving::<Counters, _>(&memory.0, eager(folder.path())).await;
    let no_op = store.execute(request(counter, 0)).await.expect("a no-op");
    assert_eq!((no_op.stream_version, no_op.status), (6, 6));
    stop(store).await;
}

/// A claim that a killed predecessor left behind is no proof that another process has our name now.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_process_that_its_group_takes_for_another_comes_back() {
    let memory = fresh().await;
    leave_behind(&memory);
    memory.0.turn_away(1);
    let store: EventStore<Counters> = start_as(&memory.0, Some("ada")).await;
    wait_for(&store, PartitionStatus::Ready).await;
    stop(store).await;
}

/// Nor is one that an open transaction hid while we joined.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_could_not_be_seen_at_joining_is_no_news_afterwards() {
    let memory = fresh().await;
    leave_behind(&memory);
    memory.0.hide(OWNERSHIP_TOPIC);
    memory.0.turn_away(1);
    let store: EventStore<Counters> = start_as(&memory.0, Some("ada")).await;
    // By then it has looked, and will look again in some seconds.
    until("it is turned away", || memory.0.to_be_turned_away() == 0).await;
    memory.0.let_on(OWNERSHIP_TOPIC);
    wait_for(&store, PartitionStatus::Ready).await;
    stop(store).await;
}

/// A claim of somebody with the name of ada.
fn leave_behind(memory: &Memory) {
    let left_behind = OwnershipRecord {
        service: Counters::SERVICE.to_owned(),
        partition: 1,
        generation: 7,
        instance: Uuid::now_v7(),
        member: Some("ada".to_owned()),
        committer: CommitterId::new(),
        address: String::new(),
        released: false,
        unmended: false,
    };
    let somebody = AppenderId::Committer(left_behind.committer, Lane::A);
    let mut appender = memory.0.appender(&somebody).expect("an appender");
    appender.append(&[left_behind.record()]).expect("appended");
}

/// Who has to be fenced is not known, so nobody takes the partition over; the others are served.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_claim_that_cannot_be_read_is_not_taken_for_none() {
    let memory = fresh().await;
    let writer = WriterId {
        service: Counters::SERVICE,
        partition: 0,
    };
    let say = |payload: &[u8]| {
        let somebody = AppenderId::Committer(CommitterId::new(), Lane::A);
        let mut appender = memory.0.appender(&somebody).expect("an appender");
        let record = OutgoingRecord {
            topic: OWNERSHIP_TOPIC,
            partition: writer.partition,
            key: writer.to_string(),
            headers: Headers::default(),
            payload: payload.to_vec(),
        };
        appender.append(&[record]).expect("appended");
    };
    say(b"{\"generation\": 8}");
    let store: EventStore<Counters> = start_as(&memory.0, Some("ada")).await;
    until("one is served", || {
        store.status() == [PartitionStatus::Corrupt, PartitionStatus::Ready]
    })
    .await;
    let told = owner_of(&memory.0, writer.service, writer.partition);
    assert!(
        matches!(told, Err(LogError::Undecodable { .. })),
        "{told:?}"
    );

    say(b"");
    wait_for(&store, PartitionStatus::Ready).await;
    stop(store).await;
}

/// Somebody's transaction hides what is in the log already, or the log is out of reach.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_replica_that_cannot_read_on_says_so_in_time() {
    let memory = fresh().await;
    let store = store::<Counters, _>(&memory.0).await;
    memory.0.hold_back(COUNTER_EVENTS);
    let added = store.execute(request(Uuid::now_v7(), 2)).await;
    let positions = added.expect("accepted").positions;
    let ignore = |_: Recorded<Added>| {};
    let replica = follow(memory.0.clone(), &[COUNTER_EVENTS], ignore).expect("it starts");

    let soon = || Instant::now() + Duration::from_millis(50);
    assert!(!replica.read_on(|| false, soon()).await);
    let patiently = || Instant::now() + PATIENCE;
    assert!(replica.read_on(|| true, patiently()).await);
    memory.0.let_on(COUNTER_EVENTS);
    assert!(replica.read_on(|| false, patiently()).await);
    assert!(replica.wait_for(&positions, Instant::now()).await);

    memory.0.set_reachable(false);
    assert!(!replica.read_on(|| true, patiently()).await);
    memory.0.set_reachable(true);
    stop(store).await;
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .expect("a runtime")
}

proptest! {
    #![proptest_config(Config::with_cases(64))]

    /// Outcomes that are not told, in any order: what was answered `Ok` is in the log once, what was rejected is not,
    /// and a client never has to learn of it.
    #[test]
    fn unknown_outcomes_are_resolved_from_the_log(
        amounts in vec(0..4_u32, 1..12),
        faults in vec(prop_oneof![Just(Fault::UnknownCommitted), Just(Fault::UnknownAborted)], 0..4),
    ) {
        runtime().block_on(async {
            let memory = fresh().await;
            let store = store(&memory.0).await;
            let counter = Uuid::now_v7();
            memory.0.inject(faults);
            let mut expected = 0;
            for amount in amounts {
                match store.execute(request(counter, amount)).await {
                    Ok(accepted) => {
                        expected += amount;
                        assert!(!accepted.replayed);
                        assert_eq!(accepted.status, expected);
                    }
                    Err(Refusal::Rejected(_)) => assert!(expected + amount > LIMIT),
                    // A takeover itself may have met a fault.
                    Err(Refusal::Unavailable { .. }) => {}
                    Err(Refusal::OutcomeUnknown { .. }) => {
                        expected = u32::try_from(all_events(&memory).await.len()).expect("small");
                    }
                    Err(Refusal::KeyReused) => panic!("every command has an id of its own"),
                    Err(Refusal::VersionMismatch { .. }) => panic!("no command expects a version"),
                }
            }
            stop(store).await;
            assert_eq!(all_events(&memory).await.len(), expected as usize);
        });
    }
}

proptest! {
    // Each opens its folders again and again.
    #![proptest_config(Config::with_cases(24))]

    /// However little is in memory, and however often it starts anew: the answers are those of a store that has it all.
    #[test]
    fn what_is_on_disk_answers_like_what_is_in_memory(
        steps in vec((0..6_usize, 0..4_u32, 0..12_usize, 0..8_u32), 1..40),
    ) {
        runtime().block_on(async {
            let (on_disk, in_memory) = (fresh().await, fresh().await);
            let folder = tempfile::tempdir().expect("a folder");
            let counters: Vec<Uuid> = (0..6).map(|_| Uuid::now_v7()).collect();
            let mut asked = Vec::new();
            let mut kept = serving::<Counters, _>(&on_disk.0, eager(folder.path())).await;
            let whole = store(&in_memory.0).await;
            for (counter, amount, earlier, restart) in steps {
                // One in a few is one that came before, perhaps with another body.
                let again: Option<&Request<Counters>> = asked.get(earlier);
                let mut command = request(counters[counter], amount);
                if let Some(again) = again {
                    command.metadata.command_id = again.metadata.command_id;
                    command.command.counter = again.command.counter;
                }
                asked.push(command.clone());
                let answer = kept.execute(command.clone()).await;
                assert_eq!(answer, whole.execute(command).await);
                if restart == 0 {
                    stop(kept).await;
                    kept = serving::<Counters, _>(&on_disk.0, eager(folder.path())).await;
                }
            }
            stop(kept).await;
            stop(whole).await;
        });
    }
}
