//! What one may ask of an order's notifications.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{
    event::NotificationStream,
    message::{FailureReason, Template, WebhookUrl},
};
use crate::{
    ids::{CustomerId, NotificationId, OrderId},
    personal::Contact,
};

/// Any of them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum NotificationCommand {
    /// Note where the customer is reached.
    KeepContact(KeepContact),
    /// Tell whoever wants to know.
    Notify(Notify),
    /// What became of sending it.
    RecordDelivery(RecordDelivery),
    /// Whether that was recorded.
    Inquire(InquireDelivery),
    /// Try again what did not arrive.
    Retry(RetryDeliveries),
}

/// Notes where an order's customer is reached.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeepContact {
    /// Whose order.
    pub order_id: OrderId,
    /// Who.
    pub customer_id: CustomerId,
    /// Where; none where the customer did not say.
    pub contact: Option<Contact>,
    /// When.
    pub kept_at: DateTime<Utc>,
}

/// Tells the customer, and whatever system is registered, that something has happened.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Notify {
    /// To which order.
    pub order_id: OrderId,
    /// What: the event.
    pub event_id: Uuid,
    /// How it is said.
    pub template: Template,
    /// When it happened.
    pub occurred_at: DateTime<Utc>,
    /// Which systems are told.
    pub webhooks: Vec<WebhookUrl>,
    /// When.
    pub requested_at: DateTime<Utc>,
}

/// What became of sending a message.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RecordDelivery {
    /// Which.
    pub notification_id: NotificationId,
    /// About which order.
    pub order_id: OrderId,
    /// Whether it has arrived.
    pub outcome: DeliveryOutcome,
    /// When that was learnt.
    pub at: DateTime<Utc>,
}

/// Changes nothing. Under the id of a [`RecordDelivery`], the answer says whether that was carried out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct InquireDelivery {
    /// About which order the message is.
    pub order_id: OrderId,
}

/// Whether a message has arrived.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum DeliveryOutcome {
    /// The other side has it.
    Sent,
    /// Not this time.
    Failed {
        /// Why.
        reason: FailureReason,
    },
    /// Nor any other time.
    Undeliverable {
        /// Why.
        reason: FailureReason,
    },
}

/// Tries again what did not arrive; does something only while that very time stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RetryDeliveries {
    /// Which order's.
    pub stream: NotificationStream,
    /// When that is due.
    pub due_at: DateTime<Utc>,
}

impl NotificationCommand {
    /// The stream of the order that it is about.
    #[must_use]
    pub const fn stream(&self) -> NotificationStream {
        match self {
            Self::KeepContact(command) => NotificationStream(command.order_id),
            Self::Notify(command) => NotificationStream(command.order_id),
            Self::RecordDelivery(command) => NotificationStream(command.order_id),
            Self::Inquire(command) => NotificationStream(command.order_id),
            Self::Retry(command) => command.stream,
        }
    }
}
