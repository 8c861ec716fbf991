//! What the event store asks of a log. Kafka answers it, and so does the in-memory twin; one contract suite holds both to it.

use std::{fmt, time::Duration};

use chrono::{DateTime, Utc};
use domain::ReadEvent;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::{
    checkpoint::Checkpoint,
    codec::Headers,
    subscription::{BatchLimits, StartAt, Subscription, subscribe},
};

/// A partitioned log with transactions and fencing. Cheap to clone. Calls block: async callers use a blocking thread.
pub trait Log: Clone + Send + Sync + 'static {
    /// The append side of one owner.
    type Appender: Appender;
    /// A `read_committed` reader.
    type Reader: Reader;
    /// A process's part in sharing out partitions.
    type Membership: Membership;

    /// Names this very log, so that a checkpoint can prove that it belongs to it.
    ///
    /// # Errors
    /// When the log cannot be reached.
    fn cluster_id(&self) -> Result<String, LogError>;

    /// How many partitions a topic has.
    ///
    /// # Errors
    /// When the log cannot be reached or has no such topic.
    fn partitions(&self, topic: &str) -> Result<i32, LogError>;

    /// One past the last record of a partition, open transactions included (the high watermark).
    ///
    /// # Errors
    /// When the log cannot be reached or has no such partition.
    fn end_offset(&self, topic: &str, partition: i32) -> Result<i64, LogError>;

    /// As [`end_offset`](Self::end_offset), of several partitions at once: one for each, in the same order.
    ///
    /// # Errors
    /// When the log cannot be reached or lacks one of them.
    fn end_offsets(&self, places: &[(&str, i32)]) -> Result<Vec<i64>, LogError> {
        let end = |(topic, partition): &(&str, i32)| self.end_offset(topic, *partition);
        places.iter().map(end).collect()
    }

    /// The first offset of a partition whose record was appended at that time, to the millisecond, or later; where there is none, the
    /// end.
    ///
    /// # Errors
    /// When the log cannot be reached or has no such partition.
    fn offset_at(&self, topic: &str, partition: i32, time: DateTime<Utc>) -> Result<i64, LogError>;

    /// An appender under that id. When this returns, no earlier appender of the same id can commit any more, and what it
    /// had open is aborted; those of other ids go on.
    ///
    /// # Errors
    /// When the log cannot be reached, or a newer appender came in between.
    fn appender(&self, id: &AppenderId) -> Result<Self::Appender, AppendError>;

    /// A reader of committed records of some partitions, each from its offset.
    ///
    /// # Errors
    /// When the log cannot be reached.
    fn reader(&self, from: &[StartAt]) -> Result<Self::Reader, LogError>;

    /// Committed events of some partitions from their offsets, as batches that a thread reads ahead.
    ///
    /// # Errors
    /// When the log cannot be reached.
    fn subscribe<E: ReadEvent>(
        &self,
        from: &[StartAt],
        limits: BatchLimits,
    ) -> Result<Box<dyn Subscription<E>>, LogError> {
        subscribe(self, from, limits)
    }

    /// Joins the processes that share a service's partitions out among each other; `handover` hears of every change.
    ///
    /// # Errors
    /// When what is asked for is not accepted; that the log is out of reach is not found out here.
    fn join(
        &self,
        service: &'static str,
        member: &Member,
        handover: impl Fn(Handover) + Send + Sync + 'static,
    ) -> Result<Self::Membership, LogError>;

    /// How far a group has come in a partition; none where it has noted nothing.
    ///
    /// # Errors
    /// When the log cannot be reached.
    fn committed(
        &self,
        group: &str,
        topic: &str,
        partition: i32,
    ) -> Result<Option<Checkpoint>, LogError>;

    /// Notes how far a group has come. What it was told before about these partitions no longer counts.
    ///
    /// # Errors
    /// When the log cannot be reached; it may have been noted all the same.
    fn commit(&self, group: &str, places: &[Checkpoint]) -> Result<(), LogError>;
}

/// Appends under one id.
pub trait Appender: Send + 'static {
    /// Appends all records in one transaction, or none; answers their offsets, in order.
    ///
    /// # Errors
    /// After any error this appender is of no use any more: drop it and take over anew.
    fn append(&mut self, records: &[OutgoingRecord]) -> Result<Vec<i64>, AppendError>;
}

/// Reads committed records.
pub trait Reader: Send + 'static {
    /// Shows the next record to `visit`, waiting so long at most; none where none came.
    ///
    /// # Errors
    /// [`LogError::OffsetLost`] when the log does not hold the asked offset.
    fn poll<T>(
        &mut self,
        timeout: Duration,
        visit: impl FnOnce(&RawRecord<'_>) -> T,
    ) -> Result<Option<T>, LogError>;

    /// The next offset of a partition; goes past control and aborted records.
    fn position(&self, topic: &str, partition: i32) -> i64;
}

/// A process among those that share a service's partitions.
///
/// Who has which partition is only where work is done; that it is done by one owner is what fencing is for.
pub trait Membership: Send + Sync + 'static {
    /// Takes part for so long, and gives word of changes from within.
    ///
    /// # Errors
    /// When this membership has ended without having been told to.
    fn tend(&self, duration: Duration) -> Result<(), Expelled>;

    /// Asks the group whether it still counts on us for the partition.
    ///
    /// # Errors
    /// When it does not, or cannot be asked.
    fn confirm(&self, partition: i32) -> Result<(), LogError>;

    /// Gives everything back, so that others need not wait until we are missed.
    fn leave(&self);
}

/// Who joins.
#[derive(Debug, Clone)]
pub struct Member {
    /// A name of its own. A process that comes back under its name is given what it had, at once; one without a name is
    /// another one each time.
    pub name: Option<String>,
    /// A process that was not heard of for so long is taken for dead.
    pub session_timeout: Duration,
}

/// Why a group counts a member among its own no more.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Expelled {
    /// Another process has joined under our name, and is given what we had.
    #[error("another process has joined under our name")]
    Replaced,
    /// The client can take part no longer.
    #[error("it cannot go on: {0}")]
    Broken(String),
}

/// Partitions that change hands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Handover {
    /// Ours from now on; may be none, where everything is with others.
    Granted(Vec<i32>),
    /// To be given up. Others get them when the handler returns.
    Revoked(Vec<i32>),
    /// No longer ours, perhaps for some time.
    Lost(Vec<i32>),
}

/// A writer's place: there is one for each service and partition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WriterId {
    /// The service.
    pub service: &'static str,
    /// The partition.
    pub partition: i32,
}

impl fmt::Display for WriterId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.service, self.partition)
    }
}

/// A committer appends on two lanes in turn, so that a transaction need not wait until the log has tidied up after the last.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lane {
    /// The one that is fenced first.
    A,
    /// The other.
    B,
}

impl Lane {
    /// Both, in the order in which they are fenced.
    pub const BOTH: [Self; 2] = [Self::A, Self::B];
}

/// What commits for some of a process's writers, from one failure to the next. The default is nobody.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct CommitterId(Uuid);

impl CommitterId {
    /// One that nobody has had before.
    #[must_use]
    pub fn new() -> Self {
        Self(Uuid::now_v7())
    }
}

impl fmt::Display for CommitterId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "committer-{}", self.0)
    }
}

/// Whose appends fence each other.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AppenderId {
    /// Of a partition's writer, to claim it.
    Writer(WriterId),
    /// Of a process's committer, on one of its lanes.
    Committer(CommitterId, Lane),
}

impl fmt::Display for AppenderId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Writer(writer) => write!(f, "{writer}"),
            Self::Committer(committer, Lane::A) => write!(f, "{committer}-a"),
            Self::Committer(committer, Lane::B) => write!(f, "{committer}-b"),
        }
    }
}

/// A record to append.
#[derive(Debug, Clone)]
pub struct OutgoingRecord {
    /// Topic.
    pub topic: &'static str,
    /// Partition, from 0.
    pub partition: i32,
    /// Record key.
    pub key: String,
    /// CloudEvents attributes.
    pub headers: Headers,
    /// JSON.
    pub payload: Vec<u8>,
}

/// A record as it lies in the log, borrowed from the client library.
pub struct RawRecord<'a> {
    /// Topic, as clients know it.
    pub topic: &'a str,
    /// Partition, from 0.
    pub partition: i32,
    /// Offset.
    pub offset: i64,
    /// Record key.
    pub key: &'a [u8],
    /// Value.
    pub payload: &'a [u8],
    pub(crate) headers: &'a dyn HeaderSource,
}

impl<'a> RawRecord<'a> {
    /// Name and value of each header.
    pub fn headers(&self) -> impl Iterator<Item = (&'a str, &'a [u8])> {
        let source = self.headers;
        (0..).map_while(move |index| source.header(index))
    }

    /// The value of one header, without reading the others' values.
    pub(crate) fn header(&self, wanted: &str) -> Option<&'a [u8]> {
        let mut headers = self.headers();
        headers.find_map(|(name, value)| (name == wanted).then_some(value))
    }

    /// That it is no event of ours, or cannot be applied.
    pub(crate) fn undecodable(&self, reason: String) -> LogError {
        LogError::undecodable(self.topic, self.partition, self.offset, reason)
    }
}

/// Where a record's headers lie.
pub(crate) trait HeaderSource {
    fn header(&self, index: usize) -> Option<(&str, &[u8])>;
}

/// Why an append did not come to a definite success.
#[derive(Debug, Clone, thiserror::Error)]
pub enum AppendError {
    /// Another owner has taken over: this one must drop all state.
    #[error("fenced: another process has taken over")]
    Fenced,
    /// Perhaps appended, perhaps not: take over anew and read what the log says.
    #[error("the outcome of {attempted} is unknown: {reason}")]
    Indefinite {
        /// What was attempted.
        attempted: &'static str,
        /// What the client library said.
        reason: String,
    },
}

/// Why a log could not do what was asked.
#[derive(Debug, Clone, thiserror::Error)]
pub enum LogError {
    /// Not reachable, or not ready; trying again may help.
    #[error("the log is unavailable while {attempted}: {reason}")]
    Unavailable {
        /// What was attempted.
        attempted: &'static str,
        /// What the client library said.
        reason: String,
    },
    /// The asked offset is not in the log: it was truncated, or is another log.
    #[error(
        "{topic}/{partition} holds no offset {offset}: the log is not the one that was read before"
    )]
    OffsetLost {
        /// Topic.
        topic: String,
        /// Partition.
        partition: i32,
        /// The offset that was asked for.
        offset: i64,
    },
    /// The log is another one than a checkpoint was noted in.
    #[error("{topic}/{partition} is not the log that was read before: {reason}")]
    Diverged {
        /// Topic.
        topic: String,
        /// Partition.
        partition: i32,
        /// How that shows.
        reason: String,
    },
    /// A record that is no event of ours, or does not follow from those before it.
    #[error("{topic}/{partition}@{offset} cannot be applied: {reason}")]
    Undecodable {
        /// Topic.
        topic: String,
        /// Partition.
        partition: i32,
        /// Offset.
        offset: i64,
        /// What is wrong with it.
        reason: String,
    },
    /// The topics are not as they have to be.
    #[error("topic {topic}: {reason}")]
    Topic {
        /// Topic.
        topic: String,
        /// What is wrong with it and what to do.
        reason: String,
    },
}

impl LogError {
    pub(crate) fn undecodable(topic: &str, partition: i32, offset: i64, reason: String) -> Self {
        Self::Undecodable {
            topic: topic.to_owned(),
            partition,
            offset,
            reason,
        }
    }
}
