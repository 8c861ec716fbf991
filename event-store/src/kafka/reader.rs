//! A `read_committed` consumer with a fixed assignment as a reader.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use rdkafka::{
    Offset, TopicPartitionList,
    consumer::{BaseConsumer, Consumer},
    error::{KafkaError, RDKafkaErrorCode},
    message::{BorrowedHeaders, BorrowedMessage, Headers, Message},
};
use tracing::debug;

use super::{KafkaConfig, is_out_of_bounds, unavailable};
use crate::{
    log::{HeaderSource, LogError, RawRecord, Reader},
    subscription::StartAt,
};

/// How soon a look at positions follows another: markers come right behind what they commit,
const LOOK_SOON: Duration = Duration::from_millis(10);
/// and where nothing was read for a while only those of transactions that were aborted.
const LOOK_NOW_AND_THEN: Duration = Duration::from_millis(500);
const MARKERS_WITHIN: Duration = Duration::from_secs(1);

/// Reads committed records of some partitions.
pub struct KafkaReader {
    consumer: BaseConsumer,
    places: Vec<Place>,
    looked: Looked,
    /// The place of the last record: the next one is usually from there too.
    last: usize,
}

struct Place {
    physical: String,
    topic: Arc<str>,
    partition: i32,
    next_offset: i64,
}

impl KafkaReader {
    pub(super) fn open(config: &KafkaConfig, from: &[StartAt]) -> Result<Self, LogError> {
        let consumer: BaseConsumer = config
            .client()
            // Needed by librdkafka to consume at all; we neither join the group nor commit to it.
            .set(
                "group.id",
                format!("{}offset-zero-reader", config.namespace),
            )
            .set("enable.auto.commit", "false")
            .set("enable.auto.offset.store", "false")
            .set("isolation.level", "read_committed")
            // A lost offset is told, never jumped over.
            .set("auto.offset.reset", "error")
            .set("fetch.wait.max.ms", "500")
            // The default of a second stalls a reader that was once faster than its consumer.
            .set("fetch.queue.backoff.ms", "5")
            .set("fetch.error.backoff.ms", "100")
            .set("queued.max.messages.kbytes", "8192")
            // Compressed: in memory it is several times as much.
            .set("fetch.message.max.bytes", "262144")
            .create()
            .map_err(|error| unavailable("configuring the consumer", &error))?;
        let places: Vec<Place> = from
            .iter()
            .map(|start| Place {
                physical: config.physical(&start.topic),
                topic: Arc::clone(&start.topic),
                partition: start.partition,
                next_offset: start.next_offset,
            })
            .collect();
        let mut assignment = TopicPartitionList::with_capacity(places.len());
        for place in &places {
            let from = Offset::Offset(place.next_offset);
            assignment
                .add_partition_offset(&place.physical, place.partition, from)
                .map_err(|error| unavailable("assigning partitions", &error))?;
        }
        consumer
            .assign(&assignment)
            .map_err(|error| unavailable("assigning partitions", &error))?;
        Ok(Self {
            consumer,
            places,
            looked: Looked::default(),
            last: 0,
        })
    }

    /// Takes over what librdkafka knows of control records, which it does not show.
    fn catch_up_positions(&mut self) {
        if !self.looked.is_due() {
            return;
        }
        let Ok(positions) = self.consumer.position() else {
            return;
        };
        for place in &mut self.places {
            let known = positions.find_partition(&place.physical, place.partition);
            if let Some(Offset::Offset(offset)) = known.map(|known| known.offset()) {
                place.next_offset = place.next_offset.max(offset);
            }
        }
    }
}

impl Reader for KafkaReader {
    fn poll<T>(
        &mut self,
        timeout: Duration,
        visit: impl FnOnce(&RawRecord<'_>) -> T,
    ) -> Result<Option<T>, LogError> {
        let message = match self.consumer.poll(timeout) {
            Some(Ok(message)) => message,
            Some(Err(error)) => return explain(&self.places, &error).map_or(Ok(None), Err),
            None => {
                self.catch_up_positions();
                return Ok(None);
            }
        };
        let place = find(&mut self.places, &mut self.last, &message);
        let Some(place) = place else {
            return Ok(None);
        };
        place.next_offset = message.offset() + 1;
        self.looked.found_something();
        let headers = MessageHeaders(message.headers());
        Ok(Some(visit(&RawRecord {
            topic: &place.topic,
            partition: place.partition,
            offset: message.offset(),
            key: message.key().unwrap_or_default(),
            payload: message.payload().unwrap_or_default(),
            headers: &headers,
        })))
    }

    fn position(&self, topic: &str, partition: i32) -> i64 {
        self.places
            .iter()
            .find(|place| place.partition == partition && &*place.topic == topic)
            .map_or(0, |place| place.next_offset)
    }
}

/// When positions were looked at: each look is an errand to librdkafka's own thread.
#[derive(Default)]
struct Looked {
    last: Option<Instant>,
    /// Until when markers are expected behind what was read; none where that counts from the next look on.
    expecting_until: Option<Instant>,
}

impl Looked {
    fn found_something(&mut self) {
        self.expecting_until = None;
    }

    fn is_due(&mut self) -> bool {
        let now = Instant::now();
        let until = *self
            .expecting_until
            .get_or_insert_with(|| now + MARKERS_WITHIN);
        let pause = match now < until {
            true => LOOK_SOON,
            false => LOOK_NOW_AND_THEN,
        };
        let is_due = self.last.is_none_or(|last| now >= last + pause);
        if is_due {
            self.last = Some(now);
        }
        is_due
    }
}

fn find<'a>(
    places: &'a mut [Place],
    last: &mut usize,
    message: &BorrowedMessage<'_>,
) -> Option<&'a mut Place> {
    let is_of =
        |place: &Place| place.partition == message.partition() && place.physical == message.topic();
    if !places.get(*last).is_some_and(is_of) {
        *last = places.iter().position(is_of)?;
    }
    places.get_mut(*last)
}

/// What an error of the consumer means; none where librdkafka goes on trying by itself.
fn explain(places: &[Place], error: &KafkaError) -> Option<LogError> {
    match error.rdkafka_error_code() {
        Some(RDKafkaErrorCode::AutoOffsetReset | RDKafkaErrorCode::OffsetOutOfRange) => {
            // The error does not name its partition; with several, the first is as good a place to start looking.
            let place = places.first()?;
            Some(LogError::OffsetLost {
                topic: place.physical.clone(),
                partition: place.partition,
                offset: place.next_offset,
            })
        }
        Some(code) if is_out_of_bounds(code) => Some(LogError::Topic {
            topic: places.first()?.physical.clone(),
            reason: error.to_string(),
        }),
        _ => {
            debug!(%error, "consumer");
            None
        }
    }
}

struct MessageHeaders<'a>(Option<&'a BorrowedHeaders>);

impl HeaderSource for MessageHeaders<'_> {
    fn header(&self, index: usize) -> Option<(&str, &[u8])> {
        let header = self.0?.try_get(index)?;
        Some((header.key, header.value.unwrap_or_default()))
    }
}
