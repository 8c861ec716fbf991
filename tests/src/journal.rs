//! What is really in the log, and the invariants that hold for any log.

use std::{
    collections::{HashMap, HashSet},
    time::Duration,
};

use domain::{order::OrderEvent, topics::ORDER_EVENTS};
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
        let partitions = log.partitions(ORDER_EVENTS).expect("the topic is there");
        let mut events = Vec::new();
        for partition in 0..partitions {
            events.extend(read_partition(log, partition).await);
        }
        let journal = Self { events };
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

async fn read_partition(log: &KafkaLog, partition: i32) -> Vec<Recorded<OrderEvent>> {
    let end = log
        .end_offset(ORDER_EVENTS, partition)
        .expect("the log answers");
    let from = StartAt {
        topic: ORDER_EVENTS.into(),
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
        events.extend(batch.events);
        next = batch
            .progress
            .first()
            .map_or(next, |progress| progress.next_offset);
    }
    events
}
