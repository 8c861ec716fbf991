//! A command on its way to a writer, and what comes back.

use std::{sync::Arc, time::Duration};

use chrono::{DateTime, Utc};
use domain::Context;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::envelope::Position;

/// A command with what its events will carry besides the payload.
#[derive(Debug)]
pub struct Request<C: Context> {
    /// What is asked for.
    pub command: C::Command,
    /// Who asks, when, and as part of what.
    pub metadata: CommandMetadata,
}

// Derived, it would ask the context itself to be `Clone`.
impl<C: Context> Clone for Request<C> {
    fn clone(&self) -> Self {
        Self {
            command: self.command.clone(),
            metadata: self.metadata.clone(),
        }
    }
}

/// What is known of a command besides its content.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct CommandMetadata {
    /// The same again gets the first answer.
    pub command_id: Uuid,
    /// Hash of the client's canonical request: the same id with another hash is a conflict.
    pub command_hash: Uuid,
    /// The journey that it belongs to.
    pub correlation_id: Uuid,
    /// The event that caused it; the command's own id where a client did.
    pub causation_id: Uuid,
    /// Who asks.
    pub actor: Arc<str>,
    /// When it was received; becomes the events' time.
    pub time: DateTime<Utc>,
    /// W3C trace context, where the request had one.
    pub traceparent: Option<Box<str>>,
    /// Where the stream has to stand for the command to be decided. No part of what the command is: a repetition gets
    /// the first answer, whatever it expects.
    #[serde(default)]
    pub expected_version: Option<ExpectedVersion>,
}

/// Where a stream has to stand for a command to be decided.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum ExpectedVersion {
    /// At this version; 0 where nothing has happened in it.
    Exactly(u32),
    /// At whichever, as long as something has happened in it.
    Any,
    /// Nowhere: only a repetition is answered, and what is none is not carried out.
    Never,
}

impl ExpectedVersion {
    pub(crate) fn is_met_by(self, version: u32) -> bool {
        match self {
            Self::Exactly(expected) => version == expected,
            Self::Any => version > 0,
            Self::Never => false,
        }
    }
}

/// A command that is in the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Accepted<S> {
    /// The stream's version after the command.
    pub stream_version: u32,
    /// The stream's status after the command.
    pub status: S,
    /// The last position written in each topic; of a no-op, the stream's last.
    pub positions: Arc<[Position]>,
    /// Whether this is the answer to an earlier, equal request.
    pub replayed: bool,
}

/// A command that was not accepted, or not surely.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal<R> {
    /// The rules refused it.
    #[error("rejected: {0:?}")]
    Rejected(R),
    /// The command id was used before for another request.
    #[error("the command id was used before for another request")]
    KeyReused,
    /// The stream is not where the command expects it to be.
    #[error("the stream stands at version {current}")]
    VersionMismatch {
        /// Where it stands.
        current: u32,
    },
    /// Not applied, surely.
    #[error("not applied: {reason}")]
    Unavailable {
        /// When to try again.
        retry_after: Duration,
        /// Why.
        reason: &'static str,
    },
    /// Perhaps applied: try again with the same command id.
    #[error("the outcome is unknown")]
    OutcomeUnknown {
        /// When to try again.
        retry_after: Duration,
    },
}

impl<R> Refusal<R> {
    pub(crate) fn unavailable(reason: &'static str) -> Self {
        Self::Unavailable {
            retry_after: RETRY_AFTER,
            reason,
        }
    }

    pub(crate) fn outcome_unknown() -> Self {
        Self::OutcomeUnknown {
            retry_after: RETRY_AFTER,
        }
    }
}

/// What clients are told to wait: about what a takeover needs.
const RETRY_AFTER: Duration = Duration::from_secs(1);

/// What a client hears in the end.
pub type Answer<C> = Result<Accepted<<C as Context>::Status>, Refusal<<C as Context>::Rejection>>;
