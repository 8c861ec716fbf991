//! Messages leave, and what became of them is recorded.

use std::{sync::Arc, time::Duration};

use chrono::{DateTime, SubsecRound, Utc};
use domain::{
    ids::{NotificationId, OrderId},
    notification::{
        Channel, DeliveryOutcome, FailureReason, Message, NotificationCommand, NotificationEvent,
        Notifications, RecordDelivery,
    },
    policy::{Cause, Reaction},
    topics,
};
use event_store::{Doing, Reactor, Recorded};

use super::{mail::Mailer, webhook::WebhookSender};

/// Label of the command. Never renamed: what is in the log was named by it.
const RECORD: &str = "record-delivery";
/// One try, whichever way: what follows in the partition waits for it, and what takes longer is tried again.
pub(super) const SEND_TIMEOUT: Duration = Duration::from_secs(5);
/// Events' times are exact to this many digits, in Kafka as in Postgres.
const SUBSECOND_DIGITS: u16 = 6;

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
        let outlets = Arc::clone(&self.outlets);
        Doing::Effect(Box::pin(async move {
            vec![outlets.deliver(outgoing, cause).await]
        }))
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
        let at: DateTime<Utc> = Utc::now().trunc_subsecs(SUBSECOND_DIGITS);
        let command = NotificationCommand::RecordDelivery(RecordDelivery {
            notification_id: outgoing.notification_id,
            order_id: outgoing.order_id,
            outcome,
            at,
        });
        cause.command(RECORD, "", command)
    }

    async fn send(&self, outgoing: &Outgoing) -> DeliveryOutcome {
        match &outgoing.message.channel {
            Channel::Email { personal } => self.mailer.send(outgoing, &personal.data.to).await,
            Channel::Webhook { target } => self.webhooks.send(outgoing, target).await,
        }
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
