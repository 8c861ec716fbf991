//! What is really in the log, and the invariants that hold for any log.

use std::{
    collections::{HashMap, HashSet},
    time::Duration,
};

use domain::{ReadEvent, order::OrderEvent, topics::ORDER_EVENTS};
use event_store::{BatchLimits, Recorded, StartAt, kafka::KafkaLog, log::Log};
use uuid::Uuid;

/// An open transaction of a killed process hides what follows for ten seconds, and the broker looks every two.
const PATIENCE: Duration = Duration::from_secs(60);

/// Every committed event of OrderEvents.
#[derive(Debug)]
pub struct Journal {
    /// In the order of each partition.
    pub events: Vec<Recorded<OrderEvent>>,
}

impl Journal {
    /// Reads the topic from offset zero to its end, and checks what holds for any log.
    pub async fn read(log: &KafkaLog) -> Self {
        let journal = Self {
            events: read_topic(log, ORDER_EVENTS).await,
        };
        journal.check();
        journal
    }

    /// No event twice, no command twice, and every stream counts on from one.
    fn check(&self) {
        let mut ids = HashSet::new();
        let mut versions: HashMap<&str, u32> = HashMap::new();
        let mut decisions: HashMap<Uuid, u64> = HashMap::new();
        for Recorded {
            position, metadata, ..
        } in &self.events
        {
            assert!(ids.insert(metadata.event_id), "{position} repeats an event");
            let version = versions.entry(&metadata.stream).or_default();
            *version += 1;
            assert_eq!(
                metadata.stream_version, *version,
                "{position} of {}",
                metadata.stream
            );
            let number = metadata.decision.number;
            let decided = *decisions.entry(metadata.command_id).or_insert(number);
            assert_eq!(
                decided, number,
                "{position} decides a command a second time"
            );
        }
    }

    /// The orders that were placed, once for each time.
    #[must_use]
    pub fn placed(&self) -> Vec<String> {
        let placed = self
            .events
            .iter()
            .filter(|recorded| matches!(recorded.event, OrderEvent::Placed(_)));
        placed
            .map(|recorded| recorded.event.order_id().to_string())
            .collect()
    }

    /// How many events an order has.
    #[must_use]
    pub fn events_of(&self, order_id: &str) -> Vec<&Recorded<OrderEvent>> {
        let stream = format!("order-{order_id}");
        self.events
            .iter()
            .filter(|event| event.metadata.stream == stream)
            .collect()
    }
}

/// Every committed event of a topic, in the order of each partition.
pub async fn read_topic<E: ReadEvent>(log: &KafkaLog, topic: &str) -> Vec<Recorded<E>> {
    let partitions = log.partitions(topic).expect("the topic is there");
    let mut events = Vec::new();
    for partition in 0..partitions {
        events.extend(read_partition(log, topic, partition).await);
    }
    events
}

async fn read_partition<E: ReadEvent>(
    log: &KafkaLog,
    topic: &str,
    partition: i32,
) -> Vec<Recorded<E>> {
    let end = log.end_offset(topic, partition).expect("the log answers");
    let from = StartAt {
        topic: topic.into(),
        partition,
        next_offset: 0,
    };
    let mut subscription = log
        .subscribe(&[from], BatchLimits::default())
        .expect("subscribed");
    let (mut events, mut next) = (Vec::new(), 0);
    while next < end {
        let batch = tokio::time::timeout(PATIENCE, subscription.next_batch()).await;
        let batch = batch
            .expect("the end comes in time")
            .expect("the log reads");
        assert_eq!(batch.undecodable, [], "every record is an event");
        events.extend(batch.events);
        next = batch
            .progress
            .first()
            .map_or(next, |progress| progress.next_offset);
    }
    events
}
