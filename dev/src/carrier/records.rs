//! The topic of shipments, read on a thread of its own since librdkafka's consumer blocks.

use std::collections::HashMap;
use std::sync::mpsc as blocking;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer};
use rdkafka::error::{KafkaError, KafkaResult};
use rdkafka::message::{BorrowedMessage, Headers, Message};
use rdkafka::metadata::MetadataPartition;
use rdkafka::{ClientConfig, Offset, TopicPartitionList};
use serde::Deserialize;
use tokio::sync::mpsc;
use uuid::Uuid;

use super::CarrierOptions;
use crate::error::{Error, Result};

const TOPIC: &str = "ShippingEvents";
/// Records that were read and are not begun; more wait in the topic.
const MAX_READ_AHEAD: usize = 64;
/// Also how soon an end is noticed.
const POLL_TIMEOUT: Duration = Duration::from_millis(100);
const METADATA_TIMEOUT: Duration = Duration::from_secs(2);
/// Between two looks for a topic that is not there yet.
const TOPIC_POLL_INTERVAL: Duration = Duration::from_millis(200);

/// Where a record stands in the topic.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) partition: i32,
    pub(super) offset: i64,
}

/// What happened to a shipment, as far as a carrier cares.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ShipmentEvent {
    pub(super) event_id: String,
    pub(super) shipment_id: Uuid,
    pub(super) step: Step,
}

/// What the carrier does next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Step {
    /// Takes it along.
    Dispatch,
    /// Hands it over.
    Deliver,
}

/// The members of an event's payload that the carrier reads.
#[derive(Deserialize)]
struct Payload {
    shipment_id: Uuid,
}

type Read = (Place, Option<ShipmentEvent>);

/// The records of the topic, in each partition's order.
pub(super) struct Records {
    read: mpsc::Receiver<Read>,
    commits: blocking::Sender<Place>,
    thread: JoinHandle<KafkaResult<()>>,
}

impl Records {
    /// Begins to read where the last carrier has come to, or at the beginning.
    pub(super) fn read(options: &CarrierOptions) -> Result<Self> {
        let client = |source| Error::KafkaClient {
            brokers: options.brokers.clone(),
            source,
        };
        let consumer = consumer(options).map_err(client)?;
        let topic = format!("{}{TOPIC}", options.namespace);
        let (records, read) = mpsc::channel(MAX_READ_AHEAD);
        let (commits, to_commit) = blocking::channel();
        let reader = Reader {
            consumer,
            topic,
            records,
            to_commit,
        };
        let thread = thread::Builder::new().name("carrier-reader".to_owned());
        let thread = thread.spawn(move || reader.run());
        Ok(Self {
            read,
            commits,
            thread: thread.map_err(|source| Error::Spawn {
                program: "the carrier's reader".to_owned(),
                source,
            })?,
        })
    }

    /// The next record, with the event where it is one for a carrier; `None` when the reader has ended.
    pub(super) async fn next(&mut self) -> Option<Read> {
        self.read.recv().await
    }

    /// Lets the next carrier begin there.
    pub(super) fn commit(&self, next: Place) {
        // A reader that has ended is noticed by `next`.
        let _ = self.commits.send(next);
    }

    /// Ends the reader, after what is to be committed has been; says why, if it has ended before.
    pub(super) async fn close(self) -> Result<()> {
        let Self {
            read,
            commits,
            thread,
        } = self;
        drop((read, commits));
        let joined = tokio::task::spawn_blocking(move || thread.join()).await;
        let ended = joined.expect("joining a thread does not panic");
        let ended = ended.expect("the carrier's reader does not panic");
        ended.map_err(|source| Error::Shipments { source })
    }
}

fn consumer(options: &CarrierOptions) -> KafkaResult<BaseConsumer> {
    let mut client = ClientConfig::new();
    client
        .set("bootstrap.servers", &options.brokers)
        .set("client.id", "carrier")
        // For offsets alone: partitions are assigned by hand, so that a start need not wait for a group.
        .set("group.id", format!("{}carrier", options.namespace))
        .set("enable.auto.commit", "false")
        .set("isolation.level", "read_committed")
        .set("auto.offset.reset", "earliest")
        .set("fetch.wait.max.ms", "100")
        // The default of a second stalls a reader that was once faster than what it reads for.
        .set("fetch.queue.backoff.ms", "5")
        .set("fetch.error.backoff.ms", "100")
        .set("queued.max.messages.kbytes", "4096")
        .set("reconnect.backoff.ms", "50")
        .set("reconnect.backoff.max.ms", "1000")
        .set("log.connection.close", "false");
    for (name, value) in &options.properties {
        client.set(name, value);
    }
    client.create()
}

/// The thread's own.
struct Reader {
    consumer: BaseConsumer,
    topic: String,
    records: mpsc::Sender<Read>,
    to_commit: blocking::Receiver<Place>,
}

impl Reader {
    fn run(self) -> KafkaResult<()> {
        self.assign()?;
        let mut reached = HashMap::new();
        while !self.records.is_closed() {
            if self.catch_up(&mut reached) {
                self.commit(&reached, CommitMode::Async);
            }
            match self.consumer.poll(POLL_TIMEOUT) {
                None => {}
                Some(Ok(message)) => {
                    // Nobody is left to read to when this fails, and the loop ends.
                    let _ = self.records.blocking_send(read(&message));
                }
                Some(Err(error)) => tracing::warn!(%error, "reading shipments"),
            }
        }
        self.catch_up(&mut reached);
        // Once more: what is not answered yet would be lost with the consumer.
        self.commit(&reached, CommitMode::Sync);
        Ok(())
    }

    /// Waits for the topic; without one, its service has never been started.
    fn assign(&self) -> KafkaResult<()> {
        while !self.records.is_closed() {
            let partitions = self.partitions().unwrap_or_else(|error| {
                tracing::debug!(%error, topic = self.topic, "looking for the topic");
                Vec::new()
            });
            if partitions.is_empty() {
                thread::sleep(TOPIC_POLL_INTERVAL);
                continue;
            }
            let mut assignment = TopicPartitionList::with_capacity(partitions.len());
            for partition in partitions {
                assignment.add_partition_offset(&self.topic, partition, Offset::Stored)?;
            }
            return self.consumer.assign(&assignment);
        }
        Ok(())
    }

    fn partitions(&self) -> KafkaResult<Vec<i32>> {
        let metadata = self
            .consumer
            .fetch_metadata(Some(&self.topic), METADATA_TIMEOUT)?;
        let topics = metadata.topics().iter();
        let mut found = Vec::new();
        for topic in topics.filter(|topic| topic.name() == self.topic) {
            if let Some(error) = topic.error() {
                return Err(KafkaError::MetadataFetch(error.into()));
            }
            found.extend(topic.partitions().iter().map(MetadataPartition::id));
        }
        Ok(found)
    }

    /// Takes over what may be committed by now; of each partition the last place counts. Says whether there was any.
    fn catch_up(&self, reached: &mut HashMap<i32, i64>) -> bool {
        let places: Vec<Place> = self.to_commit.try_iter().collect();
        reached.extend(places.iter().map(|place| (place.partition, place.offset)));
        !places.is_empty()
    }

    fn commit(&self, reached: &HashMap<i32, i64>, mode: CommitMode) {
        if reached.is_empty() {
            return;
        }
        let mut offsets = TopicPartitionList::with_capacity(reached.len());
        let added = reached.iter().try_for_each(|(partition, offset)| {
            offsets.add_partition_offset(&self.topic, *partition, Offset::Offset(*offset))
        });
        let committed = added.and_then(|()| self.consumer.commit(&offsets, mode));
        if let Err(error) = committed {
            // The next commit says more, and after a restart what was done is done again.
            tracing::debug!(%error, "committing the carrier's offsets");
        }
    }
}

fn read(message: &BorrowedMessage<'_>) -> Read {
    let place = Place {
        partition: message.partition(),
        offset: message.offset(),
    };
    let header = |name: &str| {
        let found = message.headers()?.iter().find(|header| header.key == name);
        let value = found.and_then(|header| header.value)?;
        std::str::from_utf8(value).ok()
    };
    let payload = message.payload().unwrap_or_default();
    let event = header("ce_type")
        .zip(header("ce_id"))
        .and_then(|(kind, id)| shipment_event(kind, id, payload));
    (place, event)
}

fn shipment_event(kind: &str, event_id: &str, payload: &[u8]) -> Option<ShipmentEvent> {
    let step = match kind {
        "ShipmentCreated" => Step::Dispatch,
        "ShipmentDispatched" => Step::Deliver,
        _ => return None,
    };
    match serde_json::from_slice::<Payload>(payload) {
        Ok(Payload { shipment_id }) => Some(ShipmentEvent {
            event_id: event_id.to_owned(),
            shipment_id,
            step,
        }),
        Err(error) => {
            tracing::warn!(event_id, kind, %error, "a shipment's event cannot be read");
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_created_and_dispatched_shipments_are_work() {
        let payload = br#"{"shipment_id": "018f2c5e-0000-7000-8000-000000000001", "more": 1}"#;
        let step = |kind| shipment_event(kind, "e", payload).map(|event| event.step);
        assert_eq!(step("ShipmentCreated"), Some(Step::Dispatch));
        assert_eq!(step("ShipmentDispatched"), Some(Step::Deliver));
        assert_eq!(step("ShipmentDelivered"), None);
        assert_eq!(step("ShipmentFailed"), None);
        assert_eq!(shipment_event("ShipmentCreated", "e", b"{}"), None);
    }
}
