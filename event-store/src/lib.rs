//! Kafka as an event store: conditional append by one fenced writer per service and partition.
//!
//! In reading order: a [`Request`] goes through the [`EventStore`] to the writer of its partition, which decides it on the
//! streams that it has rehydrated, and appends the events through a [`log::Log`]; messages that a torn decision lacks, `mending` sends again.
//! A [`Subscription`] reads them back, [`run_policy`] has a [`Reactor`] react to them, and a [`Replica`] keeps a copy of what they say.

mod audit;
mod checkpoint;
pub mod clock;
mod codec;
mod command;
mod committer;
mod deadlines;
mod envelope;
mod forward;
mod inbox;
pub mod kafka;
mod lanes;
pub mod log;
pub mod memory;
mod mending;
mod owners;
mod ownership;
mod partitioner;
mod policies;
mod rehydrate;
mod replica;
mod share;
mod state;
mod store;
mod stream;
mod streams;
mod subscription;
mod tail;
mod takeover;
mod telemetry;
mod threads;
mod turn;
mod writer;

pub use audit::{Audit, Finding, Owned, audit};
pub use checkpoint::{Checkpoint, LastEvent, Passed, Proof};
pub use codec::{Headers, encode};
pub use command::{Accepted, Answer, CommandMetadata, ExpectedVersion, Refusal, Request};
pub use committer::Committers;
pub use envelope::{DecisionMark, InvalidPosition, Metadata, Position, RawEvent, Recorded};
pub use forward::{Peers, Transport, TransportError};
pub use inbox::PartitionStatus;
pub use log::LogError;
pub use owners::Owners;
pub use ownership::{OWNERSHIP_TOPIC, OwnershipRecord, owner_of};
pub use partitioner::{murmur2, partition_for};
pub use policies::{Doing, Effect, NOTED_AGAIN_EVERY, Reactor, run_policy};
pub use replica::{Replica, follow};
pub use state::folder::{Rehydration, StateConfig};
pub use store::{EventStore, StoreConfig};
pub use subscription::{Batch, BatchLimits, Progress, StartAt, Subscription, Undecodable};
