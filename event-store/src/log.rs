//! What is asked of a log.

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
    #[error("{topic}/{partition} holds no offset {offset}: the log is not the one that was read before")]
    OffsetLost {
        /// Topic.
        topic: String,
        /// Partition.
        partition: i32,
        /// The offset that was asked for.
        offset: i64,
    },
    /// A record that is no event of ours.
    #[error("{topic}/{partition}@{offset} cannot be decoded: {reason}")]
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
