//! The one request that can hurt after its time: a commit that was delayed, and arrives when its producer has begun the
//! next transaction. The broker takes it for that one's, since the protocol that librdkafka speaks gives a transaction no
//! number of its own.

use std::{
    collections::BTreeSet,
    sync::Arc,
    time::{Duration, Instant},
};

use domain::Context as _;
use event_store::{
    Accepted, EventStore, Owned, PartitionStatus, StartAt, StoreConfig, audit,
    kafka::KafkaLog,
    log::{Log as _, Reader as _},
};
use rdkafka::{
    ClientConfig,
    producer::{BaseProducer, BaseRecord, Producer},
};
use system_tests::proxy::{Action, Api, Fault, Gate, When};
use uuid::Uuid;

use crate::{
    cluster::Cluster,
    history::{self, Attempt},
    run::{self, connect, make_topics, request, wait_until},
    seats::{NOTICE_EVENTS, SEAT_EVENTS, SeatCommand, Seats},
};

const NO_ERROR: i16 = 0;
const INVALID_PRODUCER_EPOCH: i16 = 47;
const PRODUCER_FENCED: i16 = 90;
const TIMEOUT: Duration = Duration::from_secs(30);

/// A namespace with topics, and a client of the proxy.
struct Place {
    cluster: Arc<Cluster>,
    namespace: String,
    client_id: String,
    direct: KafkaLog,
}

impl Place {
    async fn new() -> Self {
        let cluster = Cluster::shared().await;
        let namespace = format!("stray-{}.", Uuid::now_v7().simple());
        let direct = connect(&cluster.brokers(), &namespace, "direct").expect("configured");
        make_topics(&direct).await.expect("the topics are made");
        Self {
            cluster,
            client_id: format!("{namespace}client"),
            namespace,
            direct,
        }
    }

    fn aim(&self, api: Api, nth: u32, action: Action) {
        let fault = Fault { api, nth, action };
        self.cluster.proxy.aim(&self.client_id, vec![fault]);
    }

    async fn wait_for_strikes(&self, strikes: usize) {
        let proxy = &self.cluster.proxy;
        wait_until("the fault strikes", || {
            proxy.strikes(&self.client_id).len() >= strikes
        })
        .await
        .expect("in time");
    }

    /// What the broker answered to the first fault's request, which came by itself.
    async fn answer_to_the_stray(&self) -> Option<i16> {
        let answer = || {
            self.cluster.proxy.strikes(&self.client_id)[0]
                .answer
                .clone()
        };
        wait_until("the stray is answered", || answer().is_some())
            .await
            .expect("in time");
        answer().and_then(|answer| answer.end_txn_error())
    }

    /// How much is in both topics, committed or not.
    fn written(&self) -> i64 {
        let end = |topic| self.direct.end_offset(topic, 0).expect("the log answers");
        end(SEAT_EVENTS) + end(NOTICE_EVENTS)
    }

    async fn store(&self) -> EventStore<Seats> {
        let proxy = self.cluster.proxy.address();
        let log = connect(&proxy, &self.namespace, &self.client_id).expect("configured");
        let start = move || EventStore::start(&log, &StoreConfig::default());
        let started = tokio::task::spawn_blocking(start).await.expect("no panic");
        let store = started.expect("the store starts");
        wait_until("it serves", || store.status() == [PartitionStatus::Ready])
            .await
            .expect("in time");
        store
    }

    /// The log, as soon as it agrees with what was answered.
    async fn mended(&self, attempts: &[Attempt]) -> history::Log {
        let deadline = Instant::now() + TIMEOUT;
        loop {
            let log = self.log().await;
            match history::check(attempts, &log) {
                Ok(_) => return log,
                Err(torn) => assert!(Instant::now() < deadline, "{torn}"),
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    async fn log(&self) -> history::Log {
        history::Log {
            seats: run::read(&self.direct, SEAT_EVENTS).await.expect("read"),
            notices: run::read(&self.direct, NOTICE_EVENTS).await.expect("read"),
        }
    }
}

/// Without our rules: a program commits, is told that all is well, and half of what it does next is committed for it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stray_commit_hurts_who_trusts_its_retry() {
    let place = Place::new().await;
    let stray = Gate::closed();
    let producer = place.producer().await;
    place.aim(Api::EndTxn, 1, Action::Stray(When::Opened(stray.clone())));
    let producer = blocking(move || {
        producer.begin_transaction().expect("begun");
        place_record(&producer, &place.namespace, "first");
        let committed = producer.commit_transaction(TIMEOUT);
        committed
            .expect("the connection was lost, librdkafka has tried again, and says nothing of it");
        producer.begin_transaction().expect("begun");
        place_record(&producer, &place.namespace, "half of the second");
        (producer, place)
    });
    let (producer, place) = producer.await;
    stray.open();
    assert_eq!(place.answer_to_the_stray().await, Some(NO_ERROR));
    blocking(move || {
        drop(producer.abort_transaction(TIMEOUT));
        let committed = committed_payloads(&place.direct);
        assert_eq!(committed, ["first", "half of the second"]);
    })
    .await;
}

/// With them: a commit whose connection was lost counts as unknown, so the producer is given up, its successor has the
/// next epoch, and the stray is refused, whatever it meets.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stray_commit_meets_the_fence() {
    let place = Place::new().await;
    let store = place.store().await;
    let show = Uuid::now_v7();
    let stray = Gate::closed();
    place.aim(Api::EndTxn, 1, Action::Stray(When::Opened(stray.clone())));
    let mut attempts = vec![attempt(&store, show, 1).await];
    assert!(
        matches!(
            &attempts[0].answer,
            Ok(Accepted {
                stream_version: 1,
                ..
            })
        ),
        "{attempts:?}"
    );

    let (half, second) = sell_half(&place, &store, show).await;
    stray.open();
    let answer = place.answer_to_the_stray().await;
    assert!(
        matches!(answer, Some(INVALID_PRODUCER_EPOCH | PRODUCER_FENCED)),
        "{answer:?}"
    );
    half.open();
    attempts.push(second.await.expect("no panic"));
    assert!(
        matches!(
            &attempts[1].answer,
            Ok(Accepted {
                stream_version: 3,
                ..
            })
        ),
        "{attempts:?}"
    );
    assert!(store.stop(TIMEOUT).await);
    let log = place.log().await;
    history::check(&attempts, &log).expect("the log agrees");
    assert_eq!((log.seats.len(), log.notices.len()), (3, 2));
}

/// What is left: a *copy* of a commit, which its sender cannot know of, still tears. TCP makes none, and so nothing of ours
/// does; it is here to show that half a decision is mended where a message is missing, and found where it is all there is. When it fails,
/// librdkafka has learned the protocol in which every transaction has an epoch of its own (KIP-890), and the rules about strays can go.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_copied_commit_tears_and_is_mended() {
    let place = Place::new().await;
    let store = place.store().await;
    let show = Uuid::now_v7();
    let copy = Gate::closed();
    place.aim(Api::EndTxn, 1, Action::Repeated(When::Opened(copy.clone())));
    let mut attempts = vec![
        attempt(&store, show, 1).await,
        // An owner has two producers, used in turn: the one of the first commit is the third's again.
        attempt(&store, show, 1).await,
    ];
    let (half, third) = sell_half(&place, &store, show).await;
    copy.open();
    assert_eq!(place.answer_to_the_stray().await, Some(NO_ERROR));
    let torn = place.log().await;
    let found = history::check(&attempts, &torn).expect_err("half of the third decision");
    assert!(found.to_string().starts_with("torn"), "{found}");
    let direct = place.direct.clone();
    let audited = blocking(move || audit(&direct, &OWNED, |_, _| {})).await;
    let findings = audited.expect("the log reads").findings;
    assert!(!findings.is_empty(), "as `doctor` finds it");

    half.open();
    attempts.push(third.await.expect("no panic"));
    // Which of its two requests a producer sends first is its own affair.
    let has_facts = torn.seats.len() == 4;
    let log = match has_facts {
        true => place.mended(&attempts).await,
        false => place.log().await,
    };
    let notices: BTreeSet<_> = log
        .notices
        .iter()
        .map(|notice| notice.metadata.event_id)
        .collect();
    assert_eq!((log.seats.len(), notices.len()), (4, 3));
    // From a message one cannot tell what was decided, so it was decided anew, and the message has come twice.
    assert_eq!(log.notices.len(), if has_facts { 3 } else { 4 });
    assert!(store.stop(TIMEOUT).await);
}

/// Whose the topics are, for an audit.
const OWNED: [Owned; 2] = [
    Owned {
        service: Seats::SERVICE,
        topics: Seats::TOPICS,
    },
    Owned {
        service: "notices",
        topics: &[NOTICE_EVENTS],
    },
];

/// Two more seats, whose transaction is held when it has written to one of its two topics.
async fn sell_half(
    place: &Place,
    store: &EventStore<Seats>,
    show: Uuid,
) -> (Gate, tokio::task::JoinHandle<Attempt>) {
    // A commit is answered before its markers are written: once all reads as committed, none of them is to come, and what
    // is written next is the half.
    place.log().await;
    let (half, before) = (Gate::closed(), place.written());
    place.aim(Api::Produce, 2, Action::Late(When::Opened(half.clone())));
    let store = store.clone();
    let second = tokio::spawn(async move { attempt(&store, show, 2).await });
    place.wait_for_strikes(2).await;
    // The one went ahead of the other on the same connection, and need not have arrived yet.
    wait_until("half of it is written", || place.written() > before)
        .await
        .expect("in time");
    (half, second)
}

async fn attempt(store: &EventStore<Seats>, show: Uuid, seats: u32) -> Attempt {
    let request = request(Uuid::now_v7(), SeatCommand::Sell { show, seats });
    Attempt::of(store, &request, 0).await
}

impl Place {
    /// As a careful program would have it, but for what this test is about.
    async fn producer(&self) -> BaseProducer {
        let producer: BaseProducer = ClientConfig::new()
            .set("bootstrap.servers", self.cluster.proxy.address())
            .set("client.id", &self.client_id)
            .set("transactional.id", format!("{}careless", self.namespace))
            .create()
            .expect("configured");
        blocking(move || {
            producer.init_transactions(TIMEOUT).expect("initialised");
            producer
        })
        .await
    }
}

fn place_record(producer: &BaseProducer, namespace: &str, payload: &str) {
    let topic = format!("{namespace}{SEAT_EVENTS}");
    let record = BaseRecord::<(), str>::to(&topic)
        .partition(0)
        .payload(payload);
    producer
        .send(record)
        .map_err(|(error, _)| error)
        .expect("sent");
    producer.flush(TIMEOUT).expect("delivered");
}

fn committed_payloads(log: &KafkaLog) -> Vec<String> {
    let from = StartAt {
        topic: SEAT_EVENTS.into(),
        partition: 0,
        next_offset: 0,
    };
    let end = log.end_offset(SEAT_EVENTS, 0).expect("the log answers");
    let mut reader = log.reader(&[from]).expect("the log reads");
    let mut payloads = Vec::new();
    while reader.position(SEAT_EVENTS, 0) < end {
        let read = reader.poll(Duration::from_millis(100), |record| {
            String::from_utf8_lossy(record.payload).into_owned()
        });
        payloads.extend(read.expect("the log reads"));
    }
    payloads
}

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    tokio::task::spawn_blocking(work).await.expect("no panic")
}
