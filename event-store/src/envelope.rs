//! An event with everything that is known about it, and where it stands in the log.

use std::{fmt, str::FromStr, sync::Arc};

use chrono::{DateTime, Utc};
use domain::ReadEvent;
use serde::{Deserialize, Deserializer};
use uuid::Uuid;

use crate::log::LogError;

/// A record's place: `OrderEvents/3@1234`. The topic is the name that clients know, without the deployment's namespace.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Position {
    /// Topic.
    pub topic: Arc<str>,
    /// Partition, from 0.
    pub partition: i32,
    /// Offset of the record itself.
    pub offset: i64,
}

impl Position {
    /// Topic and partition.
    pub fn place(&self) -> (&str, i32) {
        (&self.topic, self.partition)
    }

    /// That the record there is no event of ours, or cannot be applied.
    pub(crate) fn undecodable(&self, reason: String) -> LogError {
        LogError::undecodable(&self.topic, self.partition, self.offset, reason)
    }
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}@{}", self.topic, self.partition, self.offset)
    }
}

/// Not of the form `Topic/partition@offset`.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a position reads `Topic/partition@offset`")]
pub struct InvalidPosition;

impl FromStr for Position {
    type Err = InvalidPosition;

    fn from_str(text: &str) -> Result<Self, InvalidPosition> {
        let (topic, rest) = text.split_once('/').ok_or(InvalidPosition)?;
        let (partition, offset) = rest.split_once('@').ok_or(InvalidPosition)?;
        let is_topic = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
        // A number may have a sign, and none of these has.
        let is_number = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
        let is_whole = !topic.is_empty() && topic.bytes().all(is_topic);
        if !(is_whole && is_number(partition) && is_number(offset)) {
            return Err(InvalidPosition);
        }
        let partition = partition.parse().map_err(|_| InvalidPosition)?;
        let offset = offset.parse().map_err(|_| InvalidPosition)?;
        Ok(Self {
            topic: topic.into(),
            partition,
            offset,
        })
    }
}

/// Which decision an event belongs to, and its place in it, so that a torn decision can be told from a whole one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DecisionMark {
    /// The writer's generation in the upper 32 bits, a counter in the lower.
    pub number: u64,
    /// Place of this event in its decision, from 1.
    pub index: u16,
    /// How many events the decision has.
    pub of: u16,
}

/// What is known of an event besides its payload; travels as CloudEvents headers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Metadata {
    /// `uuid5(command id, index)`: the same command always gives the same event ids.
    pub event_id: Uuid,
    /// The service that appended it: `/order`.
    pub source: Arc<str>,
    /// The stream: `order-<id>`.
    pub stream: String,
    /// Place in the stream, from 1.
    pub stream_version: u32,
    /// When the command was accepted for decision.
    pub time: DateTime<Utc>,
    /// The journey that it belongs to.
    pub correlation_id: Uuid,
    /// Its direct parent: the causing event, or the client's command.
    pub causation_id: Uuid,
    /// The command that it answers; what deduplication goes by.
    pub command_id: Uuid,
    /// Hash of the client's canonical request.
    pub command_hash: Uuid,
    /// Who asked.
    pub actor: Arc<str>,
    /// The decision that it belongs to.
    pub decision: DecisionMark,
    /// W3C trace context of the request, where it had one.
    pub traceparent: Option<Box<str>>,
}

/// An event as read back from the log.
#[derive(Debug, Clone, PartialEq)]
pub struct Recorded<E> {
    /// Where it stands.
    pub position: Position,
    /// The record's key: the bare order id, SKU or cart id.
    pub key: Box<str>,
    /// What is known of it.
    pub metadata: Metadata,
    /// What happened.
    pub event: E,
}

/// An event as it is written, whatever it says: for those who only show it.
#[derive(Debug, Clone, PartialEq)]
pub struct RawEvent {
    /// `ce_type`.
    pub name: Box<str>,
    /// Of the payload's shape.
    pub version: u16,
    /// The payload.
    pub payload: serde_json::Value,
}

impl ReadEvent for RawEvent {
    fn deserialize<'de, D: Deserializer<'de>>(
        name: &str,
        version: u16,
        payload: D,
    ) -> Result<Self, D::Error> {
        Ok(Self {
            name: name.into(),
            version,
            payload: serde_json::Value::deserialize(payload)?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_position_is_read_as_it_is_written() {
        for text in ["OrderEvents/3@1234", "a.b-c_d/0@9223372036854775807"] {
            let position: Position = text.parse().expect("a position");
            assert_eq!(position.to_string(), text);
        }
        for text in [
            "",
            "OrderEvents/3",
            "/3@1",
            "OrderEvents/@1",
            "OrderEvents/3@",
            "OrderEvents/+3@1",
            "OrderEvents/3@-1",
            "Order Events/3@1",
            "OrderEvents/2147483648@1",
        ] {
            assert_eq!(text.parse::<Position>(), Err(InvalidPosition), "{text}");
        }
    }
}
