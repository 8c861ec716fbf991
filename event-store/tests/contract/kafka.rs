//! Real Kafka keeps the contract; what only Kafka can show stands below.

use std::{
    sync::OnceLock,
    time::{Duration, Instant},
};

use dev::stack::{Stack, StackOptions};
use event_store::{
    BatchLimits, EventStore, LogError, PartitionStatus, StartAt,
    kafka::{Durability, KafkaConfig, KafkaLog, TopicSpec},
    log::Log,
    murmur2, partition_for,
};
use rdkafka::{
    ClientConfig,
    admin::{AdminClient, AdminOptions},
    producer::{BaseProducer, BaseRecord, Producer},
};
use uuid::Uuid;

use crate::{
    contract,
    counter::{Added, COUNTER_EVENTS, Counters},
    desk::{DESK_EVENTS, TICKET_EVENTS},
    suite::{PATIENCE, Subject, all_events, request, start, stop, store, until, wait_for},
};

const PARTITIONS: i32 = 2;

/// One cluster for all tests of this binary; it ends with the process.
fn brokers() -> &'static str {
    static STACK: OnceLock<(Stack, String)> = OnceLock::new();
    let (_, brokers) = STACK.get_or_init(|| {
        let stack = Stack::start(StackOptions::fresh()).expect("the stack starts");
        let brokers = stack.brokers();
        (stack, brokers)
    });
    brokers
}

pub(crate) struct Kafka {
    log: KafkaLog,
    config: KafkaConfig,
}

impl Subject for Kafka {
    type Log = KafkaLog;
    const INTERLEAVING_STEP: usize = 7;

    fn log(&self) -> &KafkaLog {
        &self.log
    }

    async fn create_anew(&self, topic: &str) {
        let admin: AdminClient<_> = ClientConfig::new()
            .set("bootstrap.servers", &self.config.brokers)
            .create()
            .expect("the admin client is configured");
        let physical = format!("{}{topic}", self.config.namespace);
        let options = AdminOptions::new().operation_timeout(Some(PATIENCE));
        let deleted = admin.delete_topics(&[&physical], &options).await;
        let deleted = deleted.expect("answered");
        assert!(deleted.iter().all(Result::is_ok), "{deleted:?}");
        let deadline = Instant::now() + PATIENCE;
        let is_there = || {
            let metadata = admin.inner().fetch_metadata(None, PATIENCE);
            let metadata = metadata.expect("a broker answers");
            metadata.topics().iter().any(|t| t.name() == physical)
        };
        while is_there() {
            assert!(Instant::now() < deadline, "{physical} is still there");
        }
        let made = self.log.ensure_topics(&specs(PARTITIONS)).await;
        made.expect("the topic is made");
    }
}

fn specs(partitions: i32) -> Vec<TopicSpec> {
    let events = |topic| TopicSpec::events(topic, partitions, Durability::DEVELOPMENT);
    vec![
        events(COUNTER_EVENTS),
        events(DESK_EVENTS),
        events(TICKET_EVENTS),
        TopicSpec::ownership(partitions, Durability::DEVELOPMENT),
    ]
}

/// Topics of its own for each test, so that they run beside each other and again.
async fn fresh() -> Kafka {
    let brokers = tokio::task::spawn_blocking(brokers)
        .await
        .expect("no panic");
    let mut config = KafkaConfig::new(brokers);
    config.namespace = format!("contract-{}.", Uuid::now_v7());
    let log = KafkaLog::connect(&config).expect("the client is configured");
    log.ensure_topics(&specs(PARTITIONS))
        .await
        .expect("the topics are made");
    Kafka { log, config }
}

contract!(fresh());

/// Another producer's open transaction in the same partition hides committed records behind it. A new owner has to wait
/// for them: nothing that was answered is missing in what it decides on.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_takeover_waits_out_a_foreign_open_transaction() {
    let subject = fresh().await;
    let first = store(&subject.log).await;
    let counter = Uuid::now_v7();
    let partition = partition_for(counter.to_string().as_bytes(), PARTITIONS);
    let foreign = open_transaction(&subject.config, partition);
    let answered = request(counter, 4);
    let accepted = first.execute(answered.clone()).await.expect("accepted");
    stop(first).await;

    let second: EventStore<Counters> = start(&subject.log).await;
    let is_ready = |partition: i32| {
        let number = usize::try_from(partition).expect("from 0");
        second.status()[number] == PartitionStatus::Ready
    };
    until("the other partition is served", || is_ready(1 - partition)).await;
    let begun = Instant::now();
    while begun.elapsed() < Duration::from_secs(1) {
        assert!(!is_ready(partition), "it waits for the foreign transaction");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    foreign.abort_transaction(PATIENCE).expect("aborted");
    wait_for(&second, PartitionStatus::Ready).await;
    let replayed = second
        .execute(answered)
        .await
        .expect("the first answer again");
    assert!(replayed.replayed);
    assert_eq!(replayed.positions, accepted.positions);
    let next = second.execute(request(counter, 1)).await.expect("accepted");
    assert_eq!(next.stream_version, 5);
    stop(second).await;
    assert_eq!(all_events(&subject).await.len(), 5);
}

/// Leaves a transaction open that has a record in the partition, for longer than the test takes.
fn open_transaction(config: &KafkaConfig, partition: i32) -> BaseProducer {
    let producer: BaseProducer = ClientConfig::new()
        .set("bootstrap.servers", &config.brokers)
        .set("transactional.id", format!("{}foreign", config.namespace))
        .set("transaction.timeout.ms", "300000")
        .create()
        .expect("the foreign producer is configured");
    producer.init_transactions(PATIENCE).expect("initialised");
    producer.begin_transaction().expect("begun");
    let topic = format!("{}{COUNTER_EVENTS}", config.namespace);
    let record = BaseRecord::<(), [u8]>::to(&topic)
        .partition(partition)
        .payload(b"never committed");
    producer
        .send(record)
        .map_err(|(error, _)| error)
        .expect("sent");
    producer.flush(PATIENCE).expect("delivered");
    producer
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn topics_that_differ_are_refused() {
    let subject = fresh().await;
    let refused = subject.log.ensure_topics(&specs(PARTITIONS + 1)).await;
    let Err(LogError::Topic { reason, .. }) = refused else {
        panic!("{refused:?}");
    };
    assert!(
        reason.contains("has 2 partitions where 3 are configured"),
        "{reason}"
    );
    let durable = TopicSpec::events(COUNTER_EVENTS, PARTITIONS, Durability { replication: 3 });
    let refused = subject.log.verify_topics(&[durable]).await;
    let Err(LogError::Topic { topic, reason }) = refused else {
        panic!("{refused:?}");
    };
    // So the brokers were asked before, and are as they have to be.
    assert!(topic.ends_with(COUNTER_EVENTS), "{topic}: {reason}");
    assert!(reason.contains("fewer than 3 replicas"), "{reason}");
    assert!(subject.log.partitions("Unheard").is_err());
}

/// An offset that the log does not hold is told loudly, never jumped over.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_offset_beyond_the_end_is_lost() {
    let subject = fresh().await;
    let beyond = StartAt {
        topic: COUNTER_EVENTS.into(),
        partition: 0,
        next_offset: 1_000,
    };
    let mut subscription = subject.subscribe::<Added>(&[beyond], BatchLimits::default());
    let read = tokio::time::timeout(Duration::from_secs(30), subscription.next_batch()).await;
    assert!(
        matches!(read, Ok(Err(LogError::OffsetLost { .. }))),
        "{read:?}"
    );
}

/// Keys hashed by Kafka's own Java client; the file says how it was made.
#[test]
fn partitions_are_those_of_the_java_client() {
    let vectors = include_str!("../vectors/murmur2.txt");
    let mut checked = 0;
    for line in vectors
        .lines()
        .filter(|line| !line.starts_with('#') && !line.trim().is_empty())
    {
        let fields: Vec<&str> = line.split(' ').collect();
        let [key, hash, of_4, of_16, of_7] = fields[..] else {
            panic!("{line}");
        };
        let key = bytes(key);
        assert_eq!(murmur2(&key).to_string(), hash, "{line}");
        for (partitions, expected) in [(4, of_4), (16, of_16), (7, of_7)] {
            assert_eq!(
                partition_for(&key, partitions).to_string(),
                expected,
                "{line}"
            );
        }
        checked += 1;
    }
    assert!(checked > 100, "{checked} vectors");
}

fn bytes(hex: &str) -> Vec<u8> {
    if hex == "-" {
        return Vec::new();
    }
    let byte = |at| u8::from_str_radix(&hex[at..at + 2], 16).expect("hexadecimal");
    (0..hex.len()).step_by(2).map(byte).collect()
}
