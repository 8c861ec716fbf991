//! Handing a command on to the process that owns its partition, and back what became of it.
//!
//! It is handed on once: whoever gets it decides it, or says that it is not the owner either. Ids and times were given to it
//! where it came in, so it is the same command wherever it ends up.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use domain::Context;
use serde::{Deserialize, Serialize};
use tokio::time::Instant;

use crate::{
    command::{Accepted, Answer, CommandMetadata, Refusal, Request},
    envelope::Position,
    owners::Owners,
};

/// How commands reach other processes.
#[async_trait]
pub trait Transport: Send + Sync + 'static {
    /// Hands a command of a service to the process at that address, which gives it to
    /// [`EventStore::receive`](crate::EventStore::receive), and brings back what that answers.
    ///
    /// # Errors
    /// Says whether the command can have arrived.
    async fn send(
        &self,
        address: &str,
        service: &'static str,
        command: Vec<u8>,
        deadline: Instant,
    ) -> Result<Vec<u8>, TransportError>;
}

/// Why no answer came back.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TransportError {
    /// It was not sent, or refused unread.
    #[error("the command was not taken: {0}")]
    NotTaken(String),
    /// It was sent, and perhaps read.
    #[error("no answer: {0}")]
    NoAnswer(String),
}

/// Whom commands are handed on to, and how.
#[derive(Clone)]
pub struct Peers {
    /// Who owns what.
    pub owners: Owners,
    /// The way there.
    pub transport: Arc<dyn Transport>,
}

impl std::fmt::Debug for Peers {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Peers").finish_non_exhaustive()
    }
}

/// A command on its way to another process.
#[derive(Serialize, Deserialize)]
#[serde(bound = "")]
pub(crate) struct Forwarded<C: Context> {
    pub(crate) partition: i32,
    /// How long the client still waits.
    within_ms: u64,
    command: C::Command,
    metadata: CommandMetadata,
}

/// What became of it.
#[derive(Serialize, Deserialize)]
enum Reply<S, R> {
    Accepted {
        stream_version: u32,
        status: S,
        positions: Vec<String>,
        replayed: bool,
    },
    Rejected(R),
    KeyReused,
    VersionMismatch {
        current: u32,
    },
    Unavailable,
    OutcomeUnknown,
}

impl<C: Context> Forwarded<C> {
    pub(crate) fn new(partition: i32, request: Request<C>, deadline: Instant) -> Self {
        let Request { command, metadata } = request;
        let left = deadline.saturating_duration_since(Instant::now());
        Self {
            partition,
            within_ms: u64::try_from(left.as_millis()).unwrap_or(u64::MAX),
            command,
            metadata,
        }
    }

    /// How long its client still waits, as far as it was said.
    pub(crate) fn within(&self) -> Duration {
        Duration::from_millis(self.within_ms)
    }

    pub(crate) fn request(self) -> Request<C> {
        Request {
            command: self.command,
            metadata: self.metadata,
        }
    }

    pub(crate) fn encode(&self) -> Vec<u8> {
        serde_json::to_vec(self).expect("commands serialise: their maps have string keys")
    }

    pub(crate) fn decode(bytes: &[u8]) -> serde_json::Result<Self> {
        serde_json::from_slice(bytes)
    }
}

/// What the owner answers.
pub(crate) fn encode_answer<C: Context>(answer: Answer<C>) -> Vec<u8> {
    let reply = match answer {
        Ok(accepted) => Reply::Accepted {
            stream_version: accepted.stream_version,
            status: accepted.status,
            positions: accepted.positions.iter().map(Position::to_string).collect(),
            replayed: accepted.replayed,
        },
        Err(Refusal::Rejected(rejection)) => Reply::Rejected(rejection),
        Err(Refusal::KeyReused) => Reply::KeyReused,
        Err(Refusal::VersionMismatch { current }) => Reply::VersionMismatch { current },
        Err(Refusal::Unavailable { .. }) => Reply::Unavailable,
        Err(Refusal::OutcomeUnknown { .. }) => Reply::OutcomeUnknown,
    };
    serde_json::to_vec(&reply).expect("answers serialise: their maps have string keys")
}

/// What the owner has answered. An answer that makes no sense leaves the outcome unknown.
pub(crate) fn decode_answer<C: Context>(bytes: &[u8]) -> Answer<C> {
    let reply = serde_json::from_slice::<Reply<C::Status, C::Rejection>>(bytes);
    match reply {
        Ok(Reply::Accepted {
            stream_version,
            status,
            positions,
            replayed,
        }) => {
            let positions = positions.iter().map(|position| position.parse());
            match positions.collect::<Result<Arc<[Position]>, _>>() {
                Ok(positions) => Ok(Accepted {
                    stream_version,
                    status,
                    positions,
                    replayed,
                }),
                Err(_) => Err(Refusal::outcome_unknown()),
            }
        }
        Ok(Reply::Rejected(rejection)) => Err(Refusal::Rejected(rejection)),
        Ok(Reply::KeyReused) => Err(Refusal::KeyReused),
        Ok(Reply::VersionMismatch { current }) => Err(Refusal::VersionMismatch { current }),
        Ok(Reply::Unavailable) => Err(Refusal::unavailable(
            "the partition's owner cannot take commands now",
        )),
        Ok(Reply::OutcomeUnknown) | Err(_) => Err(Refusal::outcome_unknown()),
    }
}
