//! Notifications: what a customer, and other systems, are told about an order, and whether it reached them.
//!
//! In reading order: [`message`] (what is told, and by which way), [`command`], [`event`], [`state`], `decide`; [`policy`] says
//! which events of others are told. Sending is an effect, outside of this crate: it reacts to the events that ask for it
//! ([`NotificationEvent::to_send`]) and records what became of it.
//!
//! An order has one stream, `notifications-<order id>`, and not one for each event that is told: only what knows all of an
//! order can say where its customer is reached, and that nobody is told the same twice. Between topics there is no order,
//! so something may have to be told before it is known to whom; it waits in that stream too.

pub mod command;
mod decide;
pub mod event;
pub mod message;
pub mod policy;
#[cfg(test)]
mod properties;
pub mod state;
#[cfg(test)]
mod testing;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

pub use self::{
    command::{
        DeliveryOutcome, InquireDelivery, KeepContact, NotificationCommand, Notify, RecordDelivery,
        RetryDeliveries,
    },
    event::{
        ContactKept, CustomerContact, NotificationAbandoned, NotificationDeferred, NotificationDue,
        NotificationEvent, NotificationFailed, NotificationRequested, NotificationSent,
        NotificationStream,
    },
    message::{
        Addressee, Channel, FailureReason, InvalidWebhookUrl, Message, Template, WebhookUrl,
    },
    policy::{NotificationPolicy, NotificationPolicyEvent},
    state::Correspondence,
};
use crate::{Context, topics};

/// There is none: nobody asks but policies, and what they ask that makes no sense changes nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum NotificationRejection {}

/// The notification service's context.
#[derive(Debug)]
pub struct Notifications;

impl Context for Notifications {
    const SERVICE: &'static str = "notification";
    const TOPICS: &'static [&'static str] = &[topics::NOTIFICATION_EVENTS];
    const STATE_FORMAT: u32 = 1;

    type Command = NotificationCommand;
    type Event = NotificationEvent;
    type State = Correspondence;
    type Rejection = NotificationRejection;
    /// Nobody is answered.
    type Status = ();

    fn target(command: &NotificationCommand) -> NotificationStream {
        command.stream()
    }

    fn decide(
        state: &Correspondence,
        command: &NotificationCommand,
    ) -> Result<Vec<NotificationEvent>, NotificationRejection> {
        Ok(decide::decide(state, command))
    }

    fn evolve(state: Correspondence, event: &NotificationEvent) -> Correspondence {
        state.evolve(event)
    }

    fn status(_state: &Correspondence) {}

    fn deadline(state: &Correspondence) -> Option<DateTime<Utc>> {
        state.deadline()
    }

    fn expire(stream: &NotificationStream, due_at: DateTime<Utc>) -> Option<NotificationCommand> {
        Some(NotificationCommand::Retry(RetryDeliveries {
            stream: *stream,
            due_at,
        }))
    }
}
