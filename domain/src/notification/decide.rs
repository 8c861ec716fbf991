//! The rules: who is told, once, and how often that is tried. Nothing is refused: nobody asks but policies.

use chrono::{DateTime, SubsecRound, TimeDelta, Utc};

use super::{
    command::{
        DeliveryOutcome, KeepContact, NotificationCommand, Notify, RecordDelivery, RetryDeliveries,
    },
    event::{
        ContactKept, CustomerContact, NotificationAbandoned, NotificationDeferred, NotificationDue,
        NotificationEvent, NotificationFailed, NotificationRequested, NotificationSent,
    },
    message::{Addressee, Channel, Message},
    state::{Correspondence, Delivery, Reach},
};
use crate::{
    ids::OrderId,
    personal::{Email, Personal},
};

/// How often a message is sent before it is given up; about eight and a half minutes, and what the sending takes.
pub(super) const MAX_TRIES: u32 = 10;
/// Before it is sent for the second time. Doubles up to the most.
const FIRST_PAUSE_SECONDS: i64 = 1;
const MAX_PAUSE_SECONDS: i64 = 300;
/// Of a time, as events and Postgres hold it.
const SUBSECOND_DIGITS: u16 = 6;

pub(super) fn decide(
    state: &Correspondence,
    command: &NotificationCommand,
) -> Vec<NotificationEvent> {
    match command {
        NotificationCommand::KeepContact(command) => keep_contact(state, command),
        NotificationCommand::Notify(command) => notify(state, command),
        NotificationCommand::RecordDelivery(command) => record_delivery(state, command),
        NotificationCommand::Inquire(_) => vec![],
        NotificationCommand::Retry(command) => retry(state, command),
    }
}

/// What had to wait for it is told now.
fn keep_contact(state: &Correspondence, command: &KeepContact) -> Vec<NotificationEvent> {
    let Reach::Unknown { deferred } = &state.customer else {
        return vec![];
    };
    let kept = NotificationEvent::ContactKept(ContactKept {
        order_id: command.order_id,
        customer_id: command.customer_id.clone(),
        personal: Personal::clear(CustomerContact {
            contact: command.contact.clone(),
        }),
        kept_at: command.kept_at,
    });
    let mut requests = Requests::new(state, command.order_id, command.kept_at);
    if let Some(contact) = &command.contact {
        for deferred in deferred {
            requests.add(Message {
                event_id: deferred.event_id,
                template: deferred.template,
                occurred_at: deferred.occurred_at,
                channel: email(&contact.email),
            });
        }
    }
    [kept].into_iter().chain(requests.into_events()).collect()
}

fn notify(state: &Correspondence, command: &Notify) -> Vec<NotificationEvent> {
    let mut requests = Requests::new(state, command.order_id, command.requested_at);
    let message = |channel| Message {
        event_id: command.event_id,
        template: command.template,
        occurred_at: command.occurred_at,
        channel,
    };
    let deferred = match &state.customer {
        Reach::Unknown { deferred } => defer(deferred, command),
        Reach::Nowhere => None,
        Reach::At(address) => {
            requests.add(message(email(address)));
            None
        }
    };
    for target in &command.webhooks {
        let target = target.clone();
        requests.add(message(Channel::Webhook { target }));
    }
    deferred.into_iter().chain(requests.into_events()).collect()
}

fn defer(deferred: &[NotificationDeferred], command: &Notify) -> Option<NotificationEvent> {
    if deferred.iter().any(|it| it.event_id == command.event_id) {
        return None;
    }
    Some(NotificationEvent::Deferred(NotificationDeferred {
        order_id: command.order_id,
        event_id: command.event_id,
        template: command.template,
        occurred_at: command.occurred_at,
        deferred_at: command.requested_at,
    }))
}

fn email(address: &Email) -> Channel {
    Channel::Email {
        personal: Personal::clear(Addressee {
            to: address.clone(),
        }),
    }
}

/// An answer that comes again, or to what was not sent, changes nothing. That something has arrived is believed even where
/// it was about to be sent again.
fn record_delivery(state: &Correspondence, command: &RecordDelivery) -> Vec<NotificationEvent> {
    let RecordDelivery {
        notification_id,
        order_id,
        at,
        ..
    } = *command;
    let (tries, is_sending) = match state.messages.get(&notification_id) {
        Some(Delivery::Sending { tries, .. }) => (tries + 1, true),
        Some(Delivery::Waiting { tries, .. }) => (*tries, false),
        Some(Delivery::Sent | Delivery::Abandoned) | None => return vec![],
    };
    let abandoned = |reason| {
        NotificationEvent::Abandoned(NotificationAbandoned {
            notification_id,
            order_id,
            tries,
            reason,
            abandoned_at: at,
        })
    };
    match command.outcome.clone() {
        DeliveryOutcome::Sent => vec![NotificationEvent::Sent(NotificationSent {
            notification_id,
            order_id,
            tries,
            sent_at: at,
        })],
        DeliveryOutcome::Failed { .. } | DeliveryOutcome::Undeliverable { .. } if !is_sending => {
            vec![]
        }
        DeliveryOutcome::Failed { reason } if tries < MAX_TRIES => {
            vec![NotificationEvent::Failed(NotificationFailed {
                notification_id,
                order_id,
                tries,
                reason,
                // A deadline's command is named by its microsecond: what is due in the same one is due together.
                retry_at: (at + pause_after(tries)).trunc_subsecs(SUBSECOND_DIGITS),
            })]
        }
        DeliveryOutcome::Failed { reason } | DeliveryOutcome::Undeliverable { reason } => {
            vec![abandoned(reason)]
        }
    }
}

/// After so many tries.
fn pause_after(tries: u32) -> TimeDelta {
    let doubled = 2_i64.saturating_pow(tries.saturating_sub(1));
    let seconds = FIRST_PAUSE_SECONDS.saturating_mul(doubled);
    TimeDelta::seconds(seconds.min(MAX_PAUSE_SECONDS))
}

/// Only where that time still stands: it was the earliest.
fn retry(state: &Correspondence, command: &RetryDeliveries) -> Vec<NotificationEvent> {
    let due = |(notification_id, delivery): (&_, &Delivery)| match delivery {
        Delivery::Waiting {
            message, retry_at, ..
        } if *retry_at == command.due_at => Some(NotificationEvent::Due(NotificationDue {
            notification_id: *notification_id,
            order_id: command.stream.0,
            message: message.as_ref().clone(),
            due_at: command.due_at,
        })),
        Delivery::Waiting { .. }
        | Delivery::Sending { .. }
        | Delivery::Sent
        | Delivery::Abandoned => None,
    };
    state.messages.iter().filter_map(due).collect()
}

/// What is requested by one decision: nothing that was requested before, and nothing twice.
struct Requests<'a> {
    known: &'a Correspondence,
    order_id: OrderId,
    at: DateTime<Utc>,
    events: Vec<NotificationEvent>,
}

impl<'a> Requests<'a> {
    const fn new(known: &'a Correspondence, order_id: OrderId, at: DateTime<Utc>) -> Self {
        Self {
            known,
            order_id,
            at,
            events: vec![],
        }
    }

    fn add(&mut self, message: Message) {
        let notification_id = message.id();
        let mut requested = self.events.iter().filter_map(NotificationEvent::to_send);
        if self.known.messages.contains_key(&notification_id)
            || requested.any(|(id, _)| id == notification_id)
        {
            return;
        }
        self.events
            .push(NotificationEvent::Requested(NotificationRequested {
                notification_id,
                order_id: self.order_id,
                message,
                requested_at: self.at,
            }));
    }

    fn into_events(self) -> Vec<NotificationEvent> {
        self.events
    }
}

#[cfg(test)]
mod tests;
