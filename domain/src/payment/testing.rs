//! given events, when a command comes, then these events or that rejection.

mod events;
pub(crate) mod gateway;

use chrono::{DateTime, TimeDelta, Utc};
use uuid::Uuid;

pub(super) use self::events::*;
use super::{
    CancelPayment, CapturePayment, GatewayOutcome, GatewayRef, Operation, Payment, PaymentCommand,
    PaymentEvent, PaymentRejection, PaymentStream, Payments, ReconcilePayment, RecordOutcome,
    RetryPayment, StartPayment,
};
use crate::{
    Context,
    ids::{OrderId, PaymentId, gateway_request_id},
    money::Money,
    sealed::SealedMethod,
    stored::stored,
};

pub(super) fn given(history: &[PaymentEvent]) -> Given {
    Given(replay(history))
}

pub(super) struct Given(Payment);

impl Given {
    pub(super) fn when(&self, command: &PaymentCommand) -> Outcome {
        Outcome(Payments::decide(&self.0, command))
    }
}

#[derive(Debug)]
pub(super) struct Outcome(Result<Vec<PaymentEvent>, PaymentRejection>);

impl Outcome {
    #[track_caller]
    pub(super) fn then(self, expected: &[PaymentEvent]) {
        assert_eq!(self.0.as_deref(), Ok(expected));
    }

    #[track_caller]
    pub(super) fn then_rejected(self, expected: PaymentRejection) {
        assert_eq!(self.0, Err(expected));
    }
}

pub(super) fn replay(history: &[PaymentEvent]) -> Payment {
    let evolve = |state: Payment, event| stored(&state.evolve(event));
    history.iter().fold(Payment::default(), evolve)
}

/// Seconds after some moment in 2026.
pub(super) fn at(seconds: i64) -> DateTime<Utc> {
    DateTime::from_timestamp(1_780_000_000, 123_456_000).unwrap() + TimeDelta::seconds(seconds)
}

pub(super) fn order_id() -> OrderId {
    Uuid::from_u128(0x0de4).into()
}

pub(super) fn payment_id() -> PaymentId {
    Uuid::from_u128(1).into()
}

pub(super) fn stream() -> PaymentStream {
    PaymentStream {
        payment_id: payment_id(),
        order_id: order_id(),
    }
}

pub(super) fn euros(amount: i64) -> Money {
    Money::new(amount, "EUR".parse().unwrap()).unwrap()
}

pub(super) fn total() -> Money {
    euros(5_497)
}

pub(super) fn method() -> SealedMethod {
    "sealed.4242".parse().unwrap()
}

pub(super) fn gateway_ref() -> GatewayRef {
    "auth-1".parse().unwrap()
}

/// Names the request to set the money aside.
pub(super) fn authorisation() -> Uuid {
    Uuid::from_u128(0xa)
}

/// Names the request to take it.
pub(super) fn taking() -> Uuid {
    Uuid::from_u128(0xc)
}

/// Names the request to undo what was known when the order called it off.
pub(super) fn undoing() -> Uuid {
    Uuid::from_u128(0xd)
}

/// Names the request of an operator.
pub(super) fn retrying() -> Uuid {
    Uuid::from_u128(0xe)
}

/// Names the request to undo what becomes known of another.
pub(super) fn undo_of(request_id: Uuid) -> Uuid {
    gateway_request_id(request_id, "undo")
}

pub(super) fn give_up_at() -> DateTime<Utc> {
    at(45)
}

pub(super) fn start() -> PaymentCommand {
    PaymentCommand::Start(StartPayment {
        requested: request(),
        request_id: authorisation(),
        give_up_at: give_up_at(),
        started_at: at(0),
    })
}

pub(super) fn capture(amount: Money, request_id: Uuid) -> PaymentCommand {
    PaymentCommand::Capture(CapturePayment {
        payment_id: payment_id(),
        order_id: order_id(),
        amount,
        request_id,
        requested_at: at(2),
    })
}

pub(super) fn cancel() -> PaymentCommand {
    PaymentCommand::Cancel(CancelPayment {
        payment_id: payment_id(),
        order_id: order_id(),
        request_id: undoing(),
        cancelled_at: at(4),
    })
}

pub(super) fn retry() -> PaymentCommand {
    PaymentCommand::Retry(RetryPayment {
        payment_id: payment_id(),
        order_id: order_id(),
        request_id: retrying(),
        retried_at: at(6),
    })
}

pub(super) fn reconcile(due_at: DateTime<Utc>) -> PaymentCommand {
    PaymentCommand::Reconcile(ReconcilePayment {
        stream: stream(),
        due_at,
    })
}

/// What was heard, so many seconds after.
pub(super) fn heard(
    seconds: i64,
    request_id: Uuid,
    operation: Operation,
    outcome: GatewayOutcome,
) -> PaymentCommand {
    PaymentCommand::Record(RecordOutcome {
        payment_id: payment_id(),
        order_id: order_id(),
        request_id,
        operation,
        outcome,
        learnt_at: at(seconds),
    })
}

/// What is heard of the authorisation, after a second.
pub(super) fn of_authorisation(outcome: GatewayOutcome) -> PaymentCommand {
    heard(1, authorisation(), Operation::Authorise, outcome)
}

/// What is heard of the capture, after 3 seconds.
pub(super) fn of_capture(outcome: GatewayOutcome) -> PaymentCommand {
    heard(3, taking(), Operation::Capture, outcome)
}

/// What is heard of a void, after 5 seconds.
pub(super) fn of_void(request_id: Uuid, outcome: GatewayOutcome) -> PaymentCommand {
    heard(5, request_id, Operation::Void, outcome)
}

/// What is heard of a refund, after 5 seconds.
pub(super) fn of_refund(request_id: Uuid, outcome: GatewayOutcome) -> PaymentCommand {
    heard(5, request_id, Operation::Refund, outcome)
}

pub(super) fn set_aside(amount: Money) -> GatewayOutcome {
    GatewayOutcome::Authorised {
        amount,
        gateway_ref: gateway_ref(),
    }
}

pub(super) fn taken(amount: Money) -> GatewayOutcome {
    GatewayOutcome::Captured { amount }
}

pub(super) fn given_back(amount: Money) -> GatewayOutcome {
    GatewayOutcome::Refunded { amount }
}

pub(super) fn no() -> GatewayOutcome {
    GatewayOutcome::Refused {
        code: "no".parse().unwrap(),
        detail: "not today".parse().unwrap(),
    }
}
