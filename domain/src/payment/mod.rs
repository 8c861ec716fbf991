//! Payments: money is set aside, taken, let go of, or given back, by a gateway that may answer late or not at all.
//!
//! In reading order: [`gateway`] (what it is asked and answers), [`command`], [`event`], [`state`], `decide`; [`policy`] carries
//! what orders need to it. Calling the gateway is an effect, outside of this crate: it reacts to the events that ask for it
//! ([`asks`]) and records what it hears.

pub mod command;
mod decide;
pub mod event;
pub mod gateway;
pub mod policy;
pub mod state;

use chrono::{DateTime, Utc};
use uuid::Uuid;

pub use self::{
    command::{
        CancelPayment, CapturePayment, PaymentCommand, ReconcilePayment, RecordOutcome,
        RetryPayment, StartPayment,
    },
    decide::PaymentRejection,
    event::{
        PaymentAuthorised, PaymentCancelled, PaymentCaptureRefused, PaymentCaptureRequested,
        PaymentCaptured, PaymentDeclined, PaymentEvent, PaymentReconciling, PaymentRefundRequested,
        PaymentRefunded, PaymentRequested, PaymentStarted, PaymentStream, PaymentStuck,
        PaymentUnresolved, PaymentVoidRequested, PaymentVoided, StuckBy,
    },
    gateway::{GatewayCode, GatewayDetail, GatewayOutcome, GatewayRef, GatewayRequest, Operation},
    policy::{PaymentPolicy, PaymentPolicyEvent},
    state::{Payment, PaymentStage, PaymentStatus},
};
use crate::{Context, topics};

/// The payment service's context.
#[derive(Debug)]
pub struct Payments;

impl Context for Payments {
    const SERVICE: &'static str = "payment";
    const TOPICS: &'static [&'static str] = &[topics::PAYMENT_EVENTS];
    const STATE_FORMAT: u32 = 1;

    type Command = PaymentCommand;
    type Event = PaymentEvent;
    type State = Payment;
    type Rejection = PaymentRejection;
    /// None where nothing has begun.
    type Status = Option<PaymentStatus>;

    fn target(command: &PaymentCommand) -> PaymentStream {
        command.stream()
    }

    fn decide(
        state: &Payment,
        command: &PaymentCommand,
    ) -> Result<Vec<PaymentEvent>, PaymentRejection> {
        decide::decide(state, command)
    }

    fn evolve(state: Payment, event: &PaymentEvent) -> Payment {
        state.evolve(event)
    }

    fn status(state: &Payment) -> Option<PaymentStatus> {
        state.status()
    }

    fn deadline(state: &Payment) -> Option<DateTime<Utc>> {
        state.deadline()
    }

    fn expire(stream: &PaymentStream, due_at: DateTime<Utc>) -> Option<PaymentCommand> {
        Some(PaymentCommand::Reconcile(ReconcilePayment {
            stream: *stream,
            due_at,
        }))
    }
}

/// What an event asks the gateway, if anything: under which name, and what.
#[must_use]
pub fn asks(event: &PaymentEvent) -> Option<(Uuid, GatewayRequest)> {
    match event {
        PaymentEvent::Started(event) => Some((event.request_id, event.request())),
        PaymentEvent::CaptureRequested(event) => Some((event.request_id, event.request())),
        PaymentEvent::VoidRequested(event) => Some((event.request_id, event.request())),
        PaymentEvent::RefundRequested(event) => Some((event.request_id, event.request())),
        PaymentEvent::Reconciling(event) => Some((event.request_id, event.request.clone())),
        PaymentEvent::Requested(_)
        | PaymentEvent::Authorised(_)
        | PaymentEvent::Declined(_)
        | PaymentEvent::Captured(_)
        | PaymentEvent::CaptureRefused(_)
        | PaymentEvent::Cancelled(_)
        | PaymentEvent::Voided(_)
        | PaymentEvent::Refunded(_)
        | PaymentEvent::Unresolved(_)
        | PaymentEvent::Stuck(_) => None,
    }
}

#[cfg(test)]
pub(crate) mod testing;

#[cfg(test)]
mod properties;
