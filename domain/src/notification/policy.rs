//! What the notification service does when it learns that something has happened.
//!
//! Not a [`Policy`](crate::Policy), since whether an event is news depends on where it stands in the log: the service that
//! is started last says nothing of what was before, but has to know whom to tell of what comes.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Deserializer};

use super::{
    command::{KeepContact, NotificationCommand, Notify},
    event::CustomerContact,
    message::{Template, WebhookUrl},
};
use crate::{
    ReadEvent,
    ids::{CustomerId, OrderId},
    personal::Personal,
    policy::{Cause, OfOrder, Reaction},
    topics,
    upcast::only,
};

/// Labels of commands. Never renamed: what is in the log was named by them.
const KEEP_CONTACT: &str = "keep-contact";
const NOTIFY: &str = "notify";

/// Tells customers, and the systems that are registered, what they care about.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct NotificationPolicy {
    /// Which systems are told.
    pub webhooks: Vec<WebhookUrl>,
}

/// What somebody is told about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NotificationPolicyEvent {
    /// An order was opened.
    OrderPlaced(Box<PlacedOrder>),
    /// Something else has happened to it.
    Told(Template, OfOrder),
    /// Nobody is told.
    Other,
}

/// An order, and how its customer is reached: as much of `OrderPlaced` as is needed here.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct PlacedOrder {
    /// Which.
    pub order_id: OrderId,
    /// Who buys.
    pub customer_id: CustomerId,
    /// How they are reached.
    pub personal: Personal<CustomerContact>,
}

impl ReadEvent for NotificationPolicyEvent {
    fn deserialize<'de, D: Deserializer<'de>>(
        name: &str,
        version: u16,
        payload: D,
    ) -> Result<Self, D::Error> {
        let template = match name {
            "OrderPlaced" => Template::OrderConfirmation,
            "OrderPaid" => Template::Payment,
            "OrderShipped" => Template::Shipped,
            "OrderDelivered" => Template::Delivered,
            "OrderCancelled" | "OrderRejected" | "OrderExpired" => Template::Cancelled,
            "PaymentRefunded" | "PaymentVoided" => Template::Refunded,
            _ => return Ok(Self::Other),
        };
        match template {
            Template::OrderConfirmation => only(version, payload).map(Self::OrderPlaced),
            _ => only(version, payload).map(|order| Self::Told(template, order)),
        }
    }
}

impl NotificationPolicy {
    /// The topics that it reads.
    pub const TOPICS: &'static [&'static str] = &[topics::ORDER_EVENTS, topics::PAYMENT_EVENTS];

    /// What to do about an event, which occurred then. Of what is no news nobody is told.
    #[must_use]
    pub fn react(
        &self,
        event: &NotificationPolicyEvent,
        occurred_at: DateTime<Utc>,
        is_news: bool,
        cause: Cause,
    ) -> Vec<Reaction<NotificationCommand>> {
        let notify = |template, order_id| {
            is_news.then(|| {
                let command = NotificationCommand::Notify(Notify {
                    order_id,
                    event_id: cause.event_id,
                    template,
                    occurred_at,
                    webhooks: self.webhooks.clone(),
                    requested_at: cause.now,
                });
                cause.command(NOTIFY, "", command)
            })
        };
        match event {
            NotificationPolicyEvent::OrderPlaced(placed) => {
                let keep = cause.command(KEEP_CONTACT, "", keep_contact(placed, cause));
                let notify = notify(Template::OrderConfirmation, placed.order_id);
                [keep].into_iter().chain(notify).collect()
            }
            NotificationPolicyEvent::Told(template, order) => {
                notify(*template, order.order_id).into_iter().collect()
            }
            NotificationPolicyEvent::Other => vec![],
        }
    }
}

fn keep_contact(placed: &PlacedOrder, cause: Cause) -> NotificationCommand {
    NotificationCommand::KeepContact(KeepContact {
        order_id: placed.order_id,
        customer_id: placed.customer_id.clone(),
        contact: placed.personal.data.contact.clone(),
        kept_at: cause.now,
    })
}

#[cfg(test)]
mod tests;
