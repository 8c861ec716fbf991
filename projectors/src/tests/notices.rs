//! The notification service's events, without what makes it append them.

use domain::{
    Context, Event, EventKind, ReadEvent,
    ids::NotificationId,
    notification::{
        Addressee, Channel, ContactKept, CustomerContact, Message, NotificationAbandoned,
        NotificationDue, NotificationEvent, NotificationFailed, NotificationRejection,
        NotificationRequested, NotificationSent, NotificationStream, Template,
    },
    personal::Personal,
    topics::NOTIFICATION_EVENTS,
};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use uuid::Uuid;

use super::commands::now;

/// Where somebody is reached, which must show nowhere.
pub(super) const EMAIL: &str = "zoe@example.com";

/// Decides whatever it is asked.
#[derive(Debug)]
pub(super) struct Notices;

/// Sent at once; sent at the second try; abandoned; only requested. Each second by webhook.
pub(super) fn of(order_id: Uuid) -> Vec<NotificationEvent> {
    vec![
        NotificationEvent::ContactKept(ContactKept {
            order_id: order_id.into(),
            customer_id: "zoe".parse().expect("printable"),
            personal: Personal::clear(CustomerContact { contact: None }),
            kept_at: now(),
        }),
        requested(order_id, 0),
        sent(order_id, 0, 1),
        requested(order_id, 1),
        failed(order_id, 1, 1),
        requested(order_id, 2),
        NotificationEvent::Due(NotificationDue {
            notification_id: id(order_id, 1),
            order_id: order_id.into(),
            message: message(order_id, 1),
            due_at: now(),
        }),
        sent(order_id, 1, 2),
        failed(order_id, 2, 1),
        NotificationEvent::Abandoned(NotificationAbandoned {
            notification_id: id(order_id, 2),
            order_id: order_id.into(),
            tries: 2,
            reason: "no such mailbox".parse().expect("printable"),
            abandoned_at: now(),
        }),
        requested(order_id, 3),
    ]
}

fn id(order_id: Uuid, number: usize) -> NotificationId {
    Uuid::new_v5(&order_id, &number.to_be_bytes()).into()
}

fn message(order_id: Uuid, number: usize) -> Message {
    let email = Channel::Email {
        personal: Personal::clear(Addressee {
            to: EMAIL.parse().expect("an address"),
        }),
    };
    let webhook = || Channel::Webhook {
        target: "https://example.com/told".parse().expect("a URL"),
    };
    Message {
        event_id: Uuid::new_v5(&order_id, b"event"),
        template: [
            Template::OrderConfirmation,
            Template::Payment,
            Template::Shipped,
            Template::Delivered,
        ][number],
        occurred_at: now(),
        channel: if number.is_multiple_of(2) {
            email
        } else {
            webhook()
        },
    }
}

pub(super) fn requested(order_id: Uuid, number: usize) -> NotificationEvent {
    NotificationEvent::Requested(NotificationRequested {
        notification_id: id(order_id, number),
        order_id: order_id.into(),
        message: message(order_id, number),
        requested_at: now(),
    })
}

pub(super) fn sent(order_id: Uuid, number: usize, tries: u32) -> NotificationEvent {
    NotificationEvent::Sent(NotificationSent {
        notification_id: id(order_id, number),
        order_id: order_id.into(),
        tries,
        sent_at: now(),
    })
}

fn failed(order_id: Uuid, number: usize, tries: u32) -> NotificationEvent {
    NotificationEvent::Failed(NotificationFailed {
        notification_id: id(order_id, number),
        order_id: order_id.into(),
        tries,
        reason: "\"busy\" \\N".parse().expect("printable"),
        retry_at: now(),
    })
}

/// Has an event appended.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Append {
    name: String,
    version: u16,
    payload: Value,
}

impl From<&NotificationEvent> for Append {
    fn from(event: &NotificationEvent) -> Self {
        let EventKind { name, version } = event.kind();
        Self {
            name: name.to_owned(),
            version,
            payload: serde_json::to_value(event).expect("events serialise"),
        }
    }
}

impl Append {
    fn event(&self) -> NotificationEvent {
        NotificationEvent::deserialize(&self.name, self.version, &self.payload)
            .expect("it was an event")
    }
}

impl Context for Notices {
    const SERVICE: &'static str = "notification";
    const TOPICS: &'static [&'static str] = &[NOTIFICATION_EVENTS];
    const STATE_FORMAT: u32 = 1;

    type Command = Append;
    type Event = NotificationEvent;
    type State = ();
    type Rejection = NotificationRejection;
    type Status = ();

    fn target(command: &Append) -> NotificationStream {
        command.event().stream()
    }

    fn decide((): &(), command: &Append) -> Result<Vec<NotificationEvent>, NotificationRejection> {
        Ok(vec![command.event()])
    }

    fn evolve((): (), _: &NotificationEvent) {}

    fn status((): &()) {}
}
