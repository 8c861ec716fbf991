//! Where events come from: Kafka, or its in-memory twin in tests.

use domain::ReadEvent;
use event_store::{
    BatchLimits, LogError, StartAt, Subscription, kafka::KafkaLog, log::Log, memory::MemoryLog,
};

/// A log that can be subscribed to.
pub trait Source: Log {
    /// Committed events of some partitions from their offsets, as batches.
    ///
    /// # Errors
    /// When the log cannot be reached.
    fn subscribe<E: ReadEvent>(
        &self,
        from: &[StartAt],
        limits: BatchLimits,
    ) -> Result<Box<dyn Subscription<E>>, LogError>;
}

impl Source for KafkaLog {
    fn subscribe<E: ReadEvent>(
        &self,
        from: &[StartAt],
        limits: BatchLimits,
    ) -> Result<Box<dyn Subscription<E>>, LogError> {
        Self::subscribe(self, from, limits)
    }
}

impl Source for MemoryLog {
    fn subscribe<E: ReadEvent>(
        &self,
        from: &[StartAt],
        limits: BatchLimits,
    ) -> Result<Box<dyn Subscription<E>>, LogError> {
        Self::subscribe(self, from, limits)
    }
}

/// Asks the log something on a thread that may block.
pub(crate) async fn ask<L: Log, T: Send + 'static>(
    log: &L,
    question: impl FnOnce(&L) -> Result<T, LogError> + Send + 'static,
) -> Result<T, crate::ProjectorError> {
    let log = log.clone();
    Ok(tokio::task::spawn_blocking(move || question(&log)).await??)
}
