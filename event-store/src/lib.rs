//! Kafka as an event store: conditional append by one fenced writer per service and partition.

pub mod envelope;
pub mod log;
pub mod subscription;

pub use envelope::{DecisionMark, InvalidPosition, Metadata, Position, Recorded};
pub use log::LogError;
pub use subscription::{Batch, BatchLimits, Progress, StartAt, Subscription};
