//! What was told of an order. Shapes are for ever: a golden file of each version is in `docs/events/golden`.

use std::fmt;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Deserializer, Serialize, de::Error};
use uuid::Uuid;

use super::message::{FailureReason, Message, Template};
use crate::{
    Event, EventKind, ReadEvent,
    ids::{CustomerId, NotificationId, OrderId},
    personal::{Contact, Personal},
    topics,
    upcast::only,
};

/// Any of them. Its payload is the event's own; name and version travel beside it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub enum NotificationEvent {
    /// Where the customer is reached was noted.
    ContactKept(ContactKept),
    /// The customer is told when it is known where.
    Deferred(NotificationDeferred),
    /// Somebody is to be told.
    Requested(NotificationRequested),
    /// It has arrived.
    Sent(NotificationSent),
    /// It has not, this time.
    Failed(NotificationFailed),
    /// It is to be sent again.
    Due(NotificationDue),
    /// It has not, and will not.
    Abandoned(NotificationAbandoned),
}

/// Where an order's customer is reached was noted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ContactKept {
    /// Whose order.
    pub order_id: OrderId,
    /// Who.
    pub customer_id: CustomerId,
    /// Where.
    pub personal: Personal<CustomerContact>,
    /// When.
    pub kept_at: DateTime<Utc>,
}

/// How a customer is reached.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct CustomerContact {
    /// None where the customer did not say.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub contact: Option<Contact>,
}

/// The customer is to be told of something, but it is not known yet where: that order's `OrderPlaced` was not read so far.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct NotificationDeferred {
    /// Which order.
    pub order_id: OrderId,
    /// What is to be told: the event.
    pub event_id: Uuid,
    /// How it is said.
    pub template: Template,
    /// When it happened.
    pub occurred_at: DateTime<Utc>,
    /// When.
    pub deferred_at: DateTime<Utc>,
}

/// Somebody is to be told.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct NotificationRequested {
    /// Names the message to the outside, however often it is sent.
    pub notification_id: NotificationId,
    /// Which order it is about.
    pub order_id: OrderId,
    /// What, and to whom.
    #[serde(flatten)]
    pub message: Message,
    /// When.
    pub requested_at: DateTime<Utc>,
}

/// A message has arrived, as far as one can know: whoever was called has taken it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct NotificationSent {
    /// Which.
    pub notification_id: NotificationId,
    /// About which order.
    pub order_id: OrderId,
    /// How often it was sent.
    pub tries: u32,
    /// When that was learnt.
    pub sent_at: DateTime<Utc>,
}

/// A message has not arrived, this time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct NotificationFailed {
    /// Which.
    pub notification_id: NotificationId,
    /// About which order.
    pub order_id: OrderId,
    /// How often it was sent.
    pub tries: u32,
    /// Why.
    pub reason: FailureReason,
    /// When it is sent again.
    pub retry_at: DateTime<Utc>,
}

/// A message is to be sent again: everything that this takes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct NotificationDue {
    /// Which.
    pub notification_id: NotificationId,
    /// Which order it is about.
    pub order_id: OrderId,
    /// What, and to whom.
    #[serde(flatten)]
    pub message: Message,
    /// Since when.
    pub due_at: DateTime<Utc>,
}

/// A message has not arrived, and is not sent again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct NotificationAbandoned {
    /// Which.
    pub notification_id: NotificationId,
    /// About which order.
    pub order_id: OrderId,
    /// How often it was sent.
    pub tries: u32,
    /// Why, the last time.
    pub reason: FailureReason,
    /// When.
    pub abandoned_at: DateTime<Utc>,
}

/// The stream of all that is told of an order: `notifications-<order id>`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct NotificationStream(pub OrderId);

impl fmt::Display for NotificationStream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "notifications-{}", self.0)
    }
}

impl NotificationEvent {
    /// The order that it is about.
    #[must_use]
    pub const fn order_id(&self) -> OrderId {
        match self {
            Self::ContactKept(event) => event.order_id,
            Self::Deferred(event) => event.order_id,
            Self::Requested(event) => event.order_id,
            Self::Sent(event) => event.order_id,
            Self::Failed(event) => event.order_id,
            Self::Due(event) => event.order_id,
            Self::Abandoned(event) => event.order_id,
        }
    }

    /// What this event asks to be sent, if anything, and under which name.
    #[must_use]
    pub const fn to_send(&self) -> Option<(NotificationId, &Message)> {
        match self {
            Self::Requested(event) => Some((event.notification_id, &event.message)),
            Self::Due(event) => Some((event.notification_id, &event.message)),
            Self::ContactKept(_)
            | Self::Deferred(_)
            | Self::Sent(_)
            | Self::Failed(_)
            | Self::Abandoned(_) => None,
        }
    }
}

impl Event for NotificationEvent {
    type StreamId = NotificationStream;

    fn kind(&self) -> EventKind {
        let name = match self {
            Self::ContactKept(_) => "ContactKept",
            Self::Deferred(_) => "NotificationDeferred",
            Self::Requested(_) => "NotificationRequested",
            Self::Sent(_) => "NotificationSent",
            Self::Failed(_) => "NotificationFailed",
            Self::Due(_) => "NotificationDue",
            Self::Abandoned(_) => "NotificationAbandoned",
        };
        EventKind { name, version: 1 }
    }

    fn topic(&self) -> &'static str {
        topics::NOTIFICATION_EVENTS
    }

    fn stream(&self) -> NotificationStream {
        NotificationStream(self.order_id())
    }

    fn key(stream: &NotificationStream) -> String {
        stream.0.to_string()
    }

    fn journey(&self) -> Option<Uuid> {
        Some(self.order_id().as_uuid())
    }
}

impl ReadEvent for NotificationEvent {
    fn deserialize<'de, D: Deserializer<'de>>(
        name: &str,
        version: u16,
        payload: D,
    ) -> Result<Self, D::Error> {
        match name {
            "ContactKept" => only(version, payload).map(Self::ContactKept),
            "NotificationDeferred" => only(version, payload).map(Self::Deferred),
            "NotificationRequested" => only(version, payload).map(Self::Requested),
            "NotificationSent" => only(version, payload).map(Self::Sent),
            "NotificationFailed" => only(version, payload).map(Self::Failed),
            "NotificationDue" => only(version, payload).map(Self::Due),
            "NotificationAbandoned" => only(version, payload).map(Self::Abandoned),
            _ => Err(D::Error::custom("no event of this name is known")),
        }
    }
}

#[cfg(test)]
mod tests;
