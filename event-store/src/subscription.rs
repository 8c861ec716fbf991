//! Reading committed events as batches with positions.

use std::sync::Arc;

use async_trait::async_trait;

use crate::{envelope::Recorded, log::LogError};

/// From where to read one partition of one topic.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StartAt {
    /// Topic.
    pub topic: Arc<str>,
    /// Partition, from 0.
    pub partition: i32,
    /// The first offset to read.
    pub next_offset: i64,
}

/// How far a batch has come in one partition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Progress {
    /// Topic.
    pub topic: Arc<str>,
    /// Partition, from 0.
    pub partition: i32,
    /// Where to go on; past control records too, so that it meets `end_offset` when all is read.
    pub next_offset: i64,
    /// The end of the partition when last heard of; `next_offset` where it is not known yet.
    pub end_offset: i64,
}

/// Events in the order of their partitions, and how far they lead.
#[derive(Debug, Clone)]
pub struct Batch<E> {
    /// The events; may be empty when only control records were passed.
    pub events: Vec<Recorded<E>>,
    /// One entry for each partition that moved since the last batch.
    pub progress: Vec<Progress>,
}

/// How large a batch may grow and how long it may wait.
#[derive(Debug, Clone, Copy)]
pub struct BatchLimits {
    /// At most so many events.
    pub max_events: usize,
    /// At most so many bytes of payload, as long as there is one event.
    pub max_bytes: usize,
    /// A batch is handed out, full or not, so long after its first event; what is there is never waited on for more.
    pub max_wait_ms: u64,
}

impl Default for BatchLimits {
    fn default() -> Self {
        Self {
            max_events: 5_000,
            max_bytes: 8 << 20,
            max_wait_ms: 100,
        }
    }
}

/// A `read_committed` reader of some partitions.
#[async_trait]
pub trait Subscription<E>: Send {
    /// The next batch; waits until there is one. Safe to drop and call again: nothing is lost.
    ///
    /// # Errors
    /// When the log is out of reach, does not hold the asked offset any more, or an event cannot be decoded.
    async fn next_batch(&mut self) -> Result<Batch<E>, LogError>;
}
