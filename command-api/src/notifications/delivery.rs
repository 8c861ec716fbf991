//! Messages leave, and what became of them is recorded.

use std::{sync::Arc, time::Duration};

use chrono::{DateTime, TimeDelta, Utc};
use domain::{
    ids::{NotificationId, OrderId},
    notification::{
        Channel, DeliveryOutcome, FailureReason, InquireDelivery, Message, NotificationCommand,
        NotificationEvent, Notifications, RecordDelivery,
    },
    policy::{Cause, Reaction},
    topics,
};
use event_store::{Doing, Reactor, Recorded, clock};

use super::{mail::Mailer, webhook::WebhookSender};

/// Label of the command. Never renamed: what is in the log was named by it.
const RECORD: &str = "record-delivery";
/// One try, whichever way: what follows in the partition waits for it, and what takes longer is tried again.
pub(super) const SEND_TIMEOUT: Duration = Duration::from_secs(5);
/// What has waited for so long is not sent any more. Far longer than all tries take, and shorter than brokers remember how
/// far a reader has come: should that be lost, the log is read from its start, and nobody may be told everything anew.
const STALE_AFTER: TimeDelta = TimeDelta::hours(24);

/// The notification service's effect.
#[derive(Debug, Clone)]
pub struct Delivering {
    outlets: Arc<Outlets>,
}

/// The ways out.
#[derive(Debug)]
struct Outlets {
    mailer: Mailer,
    webhooks: WebhookSender,
}

/// One message on its way: its name, what it is about, and what it says.
#[derive(Debug, Clone)]
pub(super) struct Outgoing {
    pub(super) notification_id: NotificationId,
    pub(super) order_id: OrderId,
    pub(super) message: Message,
}

impl Delivering {
    /// Sends by these ways.
    #[must_use]
    pub fn new(mailer: Mailer, webhooks: WebhookSender) -> Self {
        let outlets = Arc::new(Outlets { mailer, webhooks });
        Self { outlets }
    }
}

impl Reactor for Delivering {
    type Context = Notifications;
    type Event = NotificationEvent;

    const NAME: &'static str = "notification-delivery";
    const TOPICS: &'static [&'static str] = &[topics::NOTIFICATION_EVENTS];

    fn react(
        &self,
        recorded: &Recorded<NotificationEvent>,
        cause: Cause,
    ) -> Doing<NotificationCommand> {
        let event = &recorded.event;
        let Some((notification_id, message)) = event.to_send() else {
            return Doing::nothing();
        };
        let outgoing = Outgoing {
            notification_id,
            order_id: event.order_id(),
            message: message.clone(),
        };
        if cause.now - recorded.metadata.time > STALE_AFTER {
            // Changes nothing where it was sent.
            let stale = undeliverable("it has waited for too long");
            return Doing::Commands(vec![outgoing.record(stale, cause.now, cause)]);
        }
        let inquiry = NotificationCommand::Inquire(InquireDelivery {
            order_id: outgoing.order_id,
        });
        let outlets = Arc::clone(&self.outlets);
        Doing::Once {
            inquiry: cause.command(RECORD, "", inquiry),
            effect: Box::pin(async move { vec![outlets.deliver(outgoing, cause).await] }),
        }
    }
}

impl Outlets {
    async fn deliver(&self, outgoing: Outgoing, cause: Cause) -> Reaction<NotificationCommand> {
        let sent = tokio::time::timeout(SEND_TIMEOUT, self.send(&outgoing)).await;
        let outcome = sent.unwrap_or_else(|_| failed(&timed_out()));
        if let DeliveryOutcome::Failed { reason } | DeliveryOutcome::Undeliverable { reason } =
            &outcome
        {
            let notification = outgoing.notification_id;
            tracing::warn!(%notification, order = %outgoing.order_id, %reason, "a notification was not sent");
        }
        let at = clock::now();
        outgoing.record(outcome, at, cause)
    }

    async fn send(&self, outgoing: &Outgoing) -> DeliveryOutcome {
        match &outgoing.message.channel {
            Channel::Email { personal } => self.mailer.send(outgoing, &personal.data.to).await,
            Channel::Webhook { target } => self.webhooks.send(outgoing, target).await,
        }
    }
}

impl Outgoing {
    fn record(
        &self,
        outcome: DeliveryOutcome,
        at: DateTime<Utc>,
        cause: Cause,
    ) -> Reaction<NotificationCommand> {
        let command = NotificationCommand::RecordDelivery(RecordDelivery {
            notification_id: self.notification_id,
            order_id: self.order_id,
            outcome,
            at,
        });
        cause.command(RECORD, "", command)
    }
}

/// Not this time.
pub(super) fn failed(reason: &str) -> DeliveryOutcome {
    DeliveryOutcome::Failed {
        reason: worded(reason),
    }
}

/// Nor any other time.
pub(super) fn undeliverable(reason: &str) -> DeliveryOutcome {
    DeliveryOutcome::Undeliverable {
        reason: worded(reason),
    }
}

pub(super) fn timed_out() -> String {
    format!("no answer within {} seconds", SEND_TIMEOUT.as_secs())
}

fn worded(reason: &str) -> FailureReason {
    FailureReason::cut(reason).expect("a reason has words")
}

#[cfg(test)]
mod tests {
    use domain::{
        ids::policy_command_id,
        notification::{NotificationRequested, Template},
    };
    use event_store::{DecisionMark, Metadata, Position};
    use uuid::Uuid;

    use super::*;
    use crate::notifications::testing::{by_email, files, occurred_at, outgoing, secret, sender};

    const EVENT_ID: Uuid = Uuid::from_u128(0xe2);

    fn requested(outgoing: &Outgoing) -> Recorded<NotificationEvent> {
        Recorded {
            position: Position {
                topic: topics::NOTIFICATION_EVENTS.into(),
                partition: 0,
                offset: 0,
            },
            key: outgoing.order_id.to_string().into(),
            metadata: Metadata {
                event_id: EVENT_ID,
                source: "/notification".into(),
                stream: format!("notifications-{}", outgoing.order_id),
                stream_version: 1,
                time: occurred_at(),
                correlation_id: outgoing.order_id.as_uuid(),
                causation_id: EVENT_ID,
                command_id: EVENT_ID,
                command_hash: EVENT_ID,
                actor: "test".into(),
                decision: DecisionMark {
                    number: 1,
                    index: 1,
                    of: 1,
                },
                traceparent: None,
            },
            event: NotificationEvent::Requested(NotificationRequested {
                notification_id: outgoing.notification_id,
                order_id: outgoing.order_id,
                message: outgoing.message.clone(),
                requested_at: occurred_at(),
            }),
        }
    }

    async fn react(delivering: &Delivering, after: TimeDelta) -> (Uuid, DeliveryOutcome) {
        let outgoing = outgoing(Template::Shipped, by_email("ada@example.com"));
        let cause = Cause {
            event_id: EVENT_ID,
            now: occurred_at() + after,
        };
        let commands = match delivering.react(&requested(&outgoing), cause) {
            Doing::Commands(commands) => commands,
            Doing::Once { effect, .. } | Doing::Effect(effect) => effect.await,
        };
        let [
            Reaction {
                command_id,
                command,
            },
        ] = commands.as_slice()
        else {
            panic!("{commands:?} is not one command");
        };
        let NotificationCommand::RecordDelivery(record) = command else {
            panic!("{command:?} records nothing");
        };
        assert_eq!(record.notification_id, outgoing.notification_id);
        assert_eq!(record.order_id, outgoing.order_id);
        (*command_id, record.outcome.clone())
    }

    /// Read again, it gives the same command, which is carried out once.
    #[tokio::test]
    async fn what_has_waited_for_long_is_not_sent_any_more() {
        let folder = tempfile::tempdir().expect("a folder");
        let mailer = Mailer::folder(sender(), folder.path().to_owned());
        let delivering = Delivering::new(mailer, WebhookSender::new(secret()));
        let command_id = policy_command_id(EVENT_ID, "record-delivery", "");

        let stale = react(&delivering, STALE_AFTER + TimeDelta::microseconds(1)).await;
        let too_late = undeliverable("it has waited for too long");
        assert_eq!(stale, (command_id, too_late));
        assert!(files(folder.path()).is_empty());

        for _ in 0..2 {
            let fresh = react(&delivering, STALE_AFTER).await;
            assert_eq!(fresh, (command_id, DeliveryOutcome::Sent));
            assert_eq!(files(folder.path()).len(), 1);
        }
    }
}
