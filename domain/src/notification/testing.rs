//! given events, when a command comes, then these events.

use chrono::{DateTime, TimeDelta, Utc};
use uuid::Uuid;

use super::{
    Addressee, Channel, ContactKept, Correspondence, CustomerContact, DeliveryOutcome, KeepContact,
    Message, NotificationAbandoned, NotificationCommand, NotificationDeferred, NotificationDue,
    NotificationEvent, NotificationFailed, NotificationRequested, NotificationSent,
    NotificationStream, Notify, RecordDelivery, RetryDeliveries, Template, WebhookUrl, decide,
};
use crate::{
    ids::{NotificationId, OrderId},
    personal::{Contact, Personal},
    stored::stored,
};

pub(super) const EMAIL: &str = "ada@example.com";
pub(super) const HOOK: &str = "https://erp.example.com/hooks/orders";

pub(super) fn given(history: &[NotificationEvent]) -> Given {
    Given(replay(history))
}

pub(super) struct Given(Correspondence);

impl Given {
    #[track_caller]
    pub(super) fn when(&self, command: &NotificationCommand) -> Outcome {
        Outcome(decide::decide(&self.0, command))
    }

    pub(super) fn deadline(&self) -> Option<DateTime<Utc>> {
        self.0.deadline()
    }
}

#[derive(Debug)]
pub(super) struct Outcome(Vec<NotificationEvent>);

impl Outcome {
    #[track_caller]
    pub(super) fn then(self, expected: &[NotificationEvent]) {
        assert_eq!(self.0, expected);
    }
}

pub(super) fn replay(history: &[NotificationEvent]) -> Correspondence {
    history
        .iter()
        .fold(Correspondence::default(), |state, event| {
            stored(&state.evolve(event))
        })
}

/// Seconds after some time in 2026.
pub(super) fn at(seconds: i64) -> DateTime<Utc> {
    DateTime::from_timestamp(1_780_000_000, 123_456_000).unwrap() + TimeDelta::seconds(seconds)
}

pub(super) fn order_id() -> OrderId {
    Uuid::from_u128(0xde4).into()
}

/// One of several events that somebody is told about.
pub(super) fn event_id(number: u128) -> Uuid {
    Uuid::from_u128(0xe000 + number)
}

pub(super) fn hook() -> WebhookUrl {
    HOOK.parse().unwrap()
}

fn contact(email: Option<&str>) -> Option<Contact> {
    email.map(|email| Contact {
        email: email.parse().unwrap(),
    })
}

pub(super) fn keep(email: Option<&str>) -> NotificationCommand {
    NotificationCommand::KeepContact(KeepContact {
        order_id: order_id(),
        customer_id: "ada".parse().unwrap(),
        contact: contact(email),
        kept_at: at(0),
    })
}

pub(super) fn kept(email: Option<&str>) -> NotificationEvent {
    NotificationEvent::ContactKept(ContactKept {
        order_id: order_id(),
        customer_id: "ada".parse().unwrap(),
        personal: Personal::clear(CustomerContact {
            contact: contact(email),
        }),
        kept_at: at(0),
    })
}

/// Told at one second, of what was at none.
pub(super) fn notify(number: u128, template: Template, hooks: &[&str]) -> NotificationCommand {
    NotificationCommand::Notify(Notify {
        order_id: order_id(),
        event_id: event_id(number),
        template,
        occurred_at: at(0),
        webhooks: hooks.iter().map(|hook| hook.parse().unwrap()).collect(),
        requested_at: at(1),
    })
}

pub(super) fn by_email() -> Channel {
    Channel::Email {
        personal: Personal::clear(Addressee {
            to: EMAIL.parse().unwrap(),
        }),
    }
}

pub(super) fn by_webhook() -> Channel {
    Channel::Webhook { target: hook() }
}

pub(super) fn message(number: u128, template: Template, channel: Channel) -> Message {
    Message {
        event_id: event_id(number),
        template,
        occurred_at: at(0),
        channel,
    }
}

pub(super) fn requested(message: Message, requested_at: DateTime<Utc>) -> NotificationEvent {
    NotificationEvent::Requested(NotificationRequested {
        notification_id: message.id(),
        order_id: order_id(),
        message,
        requested_at,
    })
}

pub(super) fn deferred(number: u128, template: Template) -> NotificationEvent {
    NotificationEvent::Deferred(NotificationDeferred {
        order_id: order_id(),
        event_id: event_id(number),
        template,
        occurred_at: at(0),
        deferred_at: at(1),
    })
}

/// What most tests send: that an order was shipped.
pub(super) fn shipped(channel: Channel) -> Message {
    message(1, Template::Shipped, channel)
}

fn id(channel: Channel) -> NotificationId {
    shipped(channel).id()
}

pub(super) fn record(
    channel: Channel,
    outcome: DeliveryOutcome,
    seconds: i64,
) -> NotificationCommand {
    NotificationCommand::RecordDelivery(RecordDelivery {
        notification_id: id(channel),
        order_id: order_id(),
        outcome,
        at: at(seconds),
    })
}

pub(super) fn failure() -> DeliveryOutcome {
    DeliveryOutcome::Failed {
        reason: "answered 503".parse().unwrap(),
    }
}

pub(super) fn undeliverable() -> DeliveryOutcome {
    DeliveryOutcome::Undeliverable {
        reason: "answered 503".parse().unwrap(),
    }
}

pub(super) fn sent(channel: Channel, tries: u32, seconds: i64) -> NotificationEvent {
    NotificationEvent::Sent(NotificationSent {
        notification_id: id(channel),
        order_id: order_id(),
        tries,
        sent_at: at(seconds),
    })
}

pub(super) fn failed(channel: Channel, tries: u32, retry_seconds: i64) -> NotificationEvent {
    NotificationEvent::Failed(NotificationFailed {
        notification_id: id(channel),
        order_id: order_id(),
        tries,
        reason: "answered 503".parse().unwrap(),
        retry_at: at(retry_seconds),
    })
}

pub(super) fn abandoned(channel: Channel, tries: u32, seconds: i64) -> NotificationEvent {
    NotificationEvent::Abandoned(NotificationAbandoned {
        notification_id: id(channel),
        order_id: order_id(),
        tries,
        reason: "answered 503".parse().unwrap(),
        abandoned_at: at(seconds),
    })
}

pub(super) fn due(channel: Channel, seconds: i64) -> NotificationEvent {
    let message = shipped(channel);
    NotificationEvent::Due(NotificationDue {
        notification_id: message.id(),
        order_id: order_id(),
        message,
        due_at: at(seconds),
    })
}

pub(super) fn retry(due_at: DateTime<Utc>) -> NotificationCommand {
    NotificationCommand::Retry(RetryDeliveries {
        stream: NotificationStream(order_id()),
        due_at,
    })
}
