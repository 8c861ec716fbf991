//! The log on Apache Kafka, by librdkafka. The settings here are promises: each comment names what breaks without it.

mod appender;
mod args;
mod complaints;
mod groups;
mod membership;
mod reader;
mod topics;
mod weakness;

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use chrono::{DateTime, Utc};
use rdkafka::{
    ClientConfig, Offset, TopicPartitionList,
    config::RDKafkaLogLevel,
    consumer::{BaseConsumer, Consumer},
    error::{KafkaError, KafkaResult, RDKafkaErrorCode},
    metadata::Metadata,
    topic_partition_list::TopicPartitionListElem,
};
use tracing::debug;

pub use self::{
    appender::KafkaAppender,
    args::{InvalidProperty, KafkaArgs, KafkaProperty},
    membership::KafkaMembership,
    reader::KafkaReader,
    topics::{Durability, TopicSpec},
};
use self::{
    complaints::{Complaints, hear},
    groups::Groups,
};
use crate::{
    checkpoint::Checkpoint,
    log::{AppendError, AppenderId, Handover, Log, LogError, Member},
    subscription::StartAt,
};

/// How long a question about metadata or offsets may take.
const METADATA_TIMEOUT: Duration = Duration::from_secs(3);
/// Until a broker that was forgotten is known again.
const ASK_AGAIN_AFTER: Duration = Duration::from_millis(100);

/// Which Kafka, and which part of it.
#[derive(Debug, Clone)]
pub struct KafkaConfig {
    /// `host:port`, several separated by commas.
    pub brokers: String,
    /// Put before every topic, group and transactional id, so that several deployments can share a cluster. Usually empty.
    pub namespace: String,
    /// Further librdkafka properties, such as those for TLS and SASL.
    pub properties: Vec<(String, String)>,
}

impl KafkaConfig {
    /// A cluster without namespace or further properties.
    #[must_use]
    pub fn new(brokers: impl Into<String>) -> Self {
        Self {
            brokers: brokers.into(),
            namespace: String::new(),
            properties: Vec::new(),
        }
    }

    fn client(&self) -> ClientConfig {
        let mut config = ClientConfig::new();
        config
            .set("bootstrap.servers", &self.brokers)
            .set("client.id", "offset-zero")
            // A broker that restarts is found again soon, not after ten seconds.
            .set("reconnect.backoff.ms", "50")
            .set("reconnect.backoff.max.ms", "1000")
            // A request goes out at once, even while a long fetch is under way.
            .set("socket.nagle.disable", "true")
            .set("log.connection.close", "false");
        for (name, value) in &self.properties {
            config.set(name, value);
        }
        config
    }

    fn physical(&self, topic: &str) -> String {
        format!("{}{topic}", self.namespace)
    }
}

/// A Kafka cluster as a log. Cheap to clone.
#[derive(Clone)]
pub struct KafkaLog {
    shared: Arc<Shared>,
}

struct Shared {
    config: KafkaConfig,
    /// For metadata and watermarks only. `read_uncommitted`: a `read_committed` client's watermark stops short of
    /// transactions that are still open, our own committed ones behind a foreign open one included.
    questions: BaseConsumer<Complaints>,
    groups: Groups,
}

impl Shared {
    /// Asks, and hears what the client has said meanwhile, also where it has an answer: one broker of three may be away for days.
    fn ask<T>(&self, question: impl FnOnce(&BaseConsumer<Complaints>) -> T) -> T {
        let answer = question(&self.questions);
        hear(&self.questions);
        answer
    }

    /// What there is, of all topics. Blocks.
    fn all_metadata(&self) -> Result<Metadata, LogError> {
        self.ask(|questions| questions.fetch_metadata(None, METADATA_TIMEOUT))
            .map_err(|error| self.unanswered("reading metadata", &error))
    }

    /// That a question was not answered, and why, as far as the client knows.
    fn unanswered(&self, attempted: &'static str, error: &KafkaError) -> LogError {
        let answered = told(error);
        LogError::Unavailable {
            attempted,
            reason: match is_out_of_reach(error) {
                true => self.questions.context().explain(&answered),
                false => answered,
            },
        }
    }
}

impl KafkaLog {
    /// Connects in the background; nothing is asked of the cluster yet.
    ///
    /// # Errors
    /// When the configuration is not accepted.
    pub fn connect(config: &KafkaConfig) -> Result<Self, LogError> {
        let questions = config
            .client()
            .set("isolation.level", "read_uncommitted")
            // For its complaints, which are not logged.
            .set("log.connection.close", "true")
            .set_log_level(RDKafkaLogLevel::Info)
            .create_with_context(Complaints::default())
            .map_err(|error| unavailable("configuring the Kafka client", &error))?;
        Ok(Self {
            shared: Arc::new(Shared {
                config: config.clone(),
                questions,
                groups: Groups::default(),
            }),
        })
    }

    /// Creates the topics that are missing and verifies those that exist.
    ///
    /// # Errors
    /// [`LogError::Topic`] names the first topic that is not as it has to be, and what to do.
    pub async fn ensure_topics(&self, specs: &[TopicSpec]) -> Result<(), LogError> {
        topics::ensure(&self.shared, specs).await
    }

    /// Verifies topics without creating any.
    ///
    /// # Errors
    /// [`LogError::Topic`] names the first topic that is not as it has to be, and what to do.
    pub async fn verify_topics(&self, specs: &[TopicSpec]) -> Result<(), LogError> {
        topics::verify(&self.shared, specs).await
    }

    /// Up to where a partition can be read: an open transaction holds it back (the last stable offset). Blocks.
    ///
    /// # Errors
    /// When the log cannot be reached or has no such partition.
    pub fn stable_offset(&self, topic: &str, partition: i32) -> Result<i64, LogError> {
        let name = self.shared.config.physical(topic);
        // The watermark of a client is that of its isolation level, so it takes another one than for all other questions.
        let reading: BaseConsumer = self
            .shared
            .config
            .client()
            .set("isolation.level", "read_committed")
            .create()
            .map_err(|error| unavailable("configuring the Kafka client", &error))?;
        reading
            .fetch_watermarks(&name, partition, METADATA_TIMEOUT)
            .map(|(_, stable)| stable)
            .map_err(|error| unavailable("reading the last stable offset", &error))
    }

    /// The offset of each place, in one request to each broker; asking for watermarks would take two for each partition. An
    /// offset to ask for is a time in milliseconds, or the end.
    fn list_offsets(
        &self,
        attempted: &'static str,
        asked: &[(&str, i32, Offset)],
    ) -> Result<Vec<Offset>, LogError> {
        if asked.is_empty() {
            return Ok(Vec::new());
        }
        let failed = |error: &KafkaError| self.shared.unanswered(attempted, error);
        let mut places = TopicPartitionList::with_capacity(asked.len());
        for (topic, partition, offset) in asked {
            let name = self.shared.config.physical(topic);
            places
                .add_partition_offset(&name, *partition, *offset)
                .map_err(|error| failed(&error))?;
        }
        let begun = Instant::now();
        loop {
            // A rebuild of many minutes is not to end since a busy cluster has forgotten a broker for a moment, which the client then
            // lets go of, or since a partition has a new leader.
            let left = METADATA_TIMEOUT.saturating_sub(begun.elapsed());
            match self.ask_for_offsets(&places, left) {
                Err(error) if left > ASK_AGAIN_AFTER && !is_final(&error) => {
                    debug!(%error, attempted, "asking again");
                    std::thread::sleep(ASK_AGAIN_AFTER);
                }
                answered => return answered.map_err(|error| failed(&error)),
            }
        }
    }

    /// The offset of each place, in the same order.
    fn ask_for_offsets(
        &self,
        places: &TopicPartitionList,
        timeout: Duration,
    ) -> KafkaResult<Vec<Offset>> {
        let answered = self
            .shared
            .ask(|questions| questions.offsets_for_times(places.clone(), timeout))?;
        let answer = |asked: TopicPartitionListElem<'_>| {
            let place = answered
                .find_partition(asked.topic(), asked.partition())
                .ok_or(KafkaError::OffsetFetch(RDKafkaErrorCode::NoOffset))?;
            place.error()?;
            Ok(place.offset())
        };
        places.elements().into_iter().map(answer).collect()
    }
}

impl Log for KafkaLog {
    type Appender = KafkaAppender;
    type Reader = KafkaReader;
    type Membership = KafkaMembership;

    fn cluster_id(&self) -> Result<String, LogError> {
        let asked = |questions: &BaseConsumer<Complaints>| {
            questions.client().fetch_cluster_id(METADATA_TIMEOUT)
        };
        self.shared.ask(asked).ok_or_else(|| LogError::Unavailable {
            attempted: "reading the cluster id",
            reason: self
                .shared
                .questions
                .context()
                .explain("no broker answered"),
        })
    }

    fn partitions(&self, topic: &str) -> Result<i32, LogError> {
        let name = self.shared.config.physical(topic);
        let metadata = self
            .shared
            .ask(|questions| questions.fetch_metadata(Some(&name), METADATA_TIMEOUT))
            .map_err(|error| self.shared.unanswered("reading metadata", &error))?;
        let count = metadata
            .topics()
            .first()
            .map_or(0, |topic| topic.partitions().len());
        if count == 0 {
            return Err(LogError::Topic {
                topic: name,
                reason: "does not exist; the command API creates it when it starts".to_owned(),
            });
        }
        Ok(i32::try_from(count).expect("Kafka counts partitions in 31 bits"))
    }

    fn end_offset(&self, topic: &str, partition: i32) -> Result<i64, LogError> {
        let ends = self.end_offsets(&[(topic, partition)])?;
        Ok(ends.first().copied().expect("one for each place"))
    }

    fn end_offsets(&self, places: &[(&str, i32)]) -> Result<Vec<i64>, LogError> {
        let attempted = "reading high watermarks";
        let asked: Vec<_> = places
            .iter()
            .map(|&(topic, partition)| (topic, partition, Offset::End))
            .collect();
        let end = |offset| match offset {
            Offset::Offset(offset) => Ok(offset),
            _ => Err(unavailable(
                attempted,
                &KafkaError::OffsetFetch(RDKafkaErrorCode::NoOffset),
            )),
        };
        let offsets = self.list_offsets(attempted, &asked)?;
        offsets.into_iter().map(end).collect()
    }

    fn offset_at(&self, topic: &str, partition: i32, time: DateTime<Utc>) -> Result<i64, LogError> {
        let asked = [(topic, partition, Offset::Offset(time.timestamp_millis()))];
        let offsets = self.list_offsets("looking for an offset by its time", &asked)?;
        match offsets.first() {
            Some(Offset::Offset(offset)) => Ok(*offset),
            // Nothing there is as young.
            Some(_) | None => self.end_offset(topic, partition),
        }
    }

    fn appender(&self, id: &AppenderId) -> Result<KafkaAppender, AppendError> {
        KafkaAppender::open(&self.shared.config, id)
    }

    fn reader(&self, from: &[StartAt]) -> Result<KafkaReader, LogError> {
        KafkaReader::open(&self.shared.config, from)
    }

    fn join(
        &self,
        service: &'static str,
        member: &Member,
        handover: impl Fn(Handover) + Send + Sync + 'static,
    ) -> Result<KafkaMembership, LogError> {
        KafkaMembership::join(&self.shared.config, service, member, Box::new(handover))
    }

    fn committed(
        &self,
        group: &str,
        topic: &str,
        partition: i32,
    ) -> Result<Option<Checkpoint>, LogError> {
        let Shared { config, groups, .. } = &*self.shared;
        groups.committed(config, group, topic, partition)
    }

    fn commit(&self, group: &str, places: &[Checkpoint]) -> Result<(), LogError> {
        let Shared { config, groups, .. } = &*self.shared;
        groups.commit(config, group, places)
    }
}

/// Whether asking again is of no use.
fn is_final(error: &KafkaError) -> bool {
    let code = error.rdkafka_error_code();
    code.is_some_and(|code| code == RDKafkaErrorCode::UnknownTopic || is_out_of_bounds(code))
}

/// It may be for want of a connection, of which the client says more.
fn is_out_of_reach(error: &KafkaError) -> bool {
    matches!(
        error.rdkafka_error_code(),
        Some(
            RDKafkaErrorCode::BrokerTransportFailure
                | RDKafkaErrorCode::AllBrokersDown
                | RDKafkaErrorCode::OperationTimedOut
        )
    )
}

/// There is no such partition, or it is not for us.
fn is_out_of_bounds(code: RDKafkaErrorCode) -> bool {
    matches!(
        code,
        RDKafkaErrorCode::UnknownTopicOrPartition
            | RDKafkaErrorCode::UnknownPartition
            | RDKafkaErrorCode::TopicAuthorizationFailed
    )
}

fn unavailable(attempted: &'static str, error: &KafkaError) -> LogError {
    LogError::Unavailable {
        attempted,
        reason: told(error),
    }
}

/// Without the value of a property that is not accepted: it may be a secret whose name was mistyped.
fn told(error: &KafkaError) -> String {
    match error {
        KafkaError::ClientConfig(_, reason, _, _) => reason.clone(),
        error => error.to_string(),
    }
}
