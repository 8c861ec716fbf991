//! The rules. Whatever the gateway does for an order is taken, let go of, or given back: nothing stays where nobody wants it.
//!
//! Answers come late, twice and out of order: one that does not answer the request that stands changes nothing. Nothing is
//! refused here; policies and the gateway ask, and are answered by events.

mod step;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use self::step::Step;
use super::{
    command::{
        CancelPayment, CapturePayment, PaymentCommand, ReconcilePayment, RecordOutcome,
        RetryPayment, StartPayment,
    },
    event::{
        PaymentCancelled, PaymentCaptureRefused, PaymentCaptureRequested, PaymentEvent,
        PaymentReconciling, PaymentStarted, PaymentStream, StuckBy,
    },
    gateway::GatewayRequest,
    state::{Asked, Payment, PaymentStage},
};
use crate::ids::gateway_request_id;

/// Why a command was refused: only by webhooks, of payments that do not exist.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
pub enum PaymentRejection {
    /// Nothing was begun under this id.
    #[error("there is no such payment")]
    PaymentNotFound,
}

pub(super) fn decide(
    state: &Payment,
    command: &PaymentCommand,
) -> Result<Vec<PaymentEvent>, PaymentRejection> {
    Ok(match command {
        PaymentCommand::Start(command) => start(state, command),
        PaymentCommand::Capture(command) => capture(state, command),
        PaymentCommand::Cancel(command) => cancel(state, command),
        PaymentCommand::Record(command) => return record(state, command),
        PaymentCommand::Reconcile(command) => reconcile(state, command),
        PaymentCommand::Retry(command) => retry(state, command),
    })
}

fn start(state: &Payment, command: &StartPayment) -> Vec<PaymentEvent> {
    match state {
        Payment::Nothing => {
            let requested = &command.requested;
            vec![PaymentEvent::Started(PaymentStarted {
                payment_id: requested.payment_id,
                order_id: requested.order_id,
                attempt: requested.attempt,
                amount: requested.amount,
                method: requested.method.clone(),
                request_id: command.request_id,
                give_up_at: command.give_up_at,
                started_at: command.started_at,
            })]
        }
        Payment::NeverToBe | Payment::Begun(_) => vec![],
    }
}

fn capture(state: &Payment, command: &CapturePayment) -> Vec<PaymentEvent> {
    let refused = |code: &str, detail: &str| {
        vec![PaymentEvent::CaptureRefused(PaymentCaptureRefused {
            payment_id: command.payment_id,
            order_id: command.order_id,
            code: code.parse().expect("a code is short and printable"),
            detail: detail.parse().expect("a detail is short and printable"),
            refused_at: command.requested_at,
        })]
    };
    let Payment::Begun(payment) = state else {
        return refused("not-authorised", "there is no such payment");
    };
    match &payment.stage {
        PaymentStage::Authorised { .. } | PaymentStage::CaptureRefused { .. }
            if payment.amount != command.amount =>
        {
            refused("amount-mismatch", "another amount is set aside")
        }
        PaymentStage::Authorised { gateway_ref } | PaymentStage::CaptureRefused { gateway_ref } => {
            vec![PaymentEvent::CaptureRequested(PaymentCaptureRequested {
                payment_id: command.payment_id,
                order_id: command.order_id,
                amount: payment.amount,
                gateway_ref: gateway_ref.clone(),
                request_id: command.request_id,
                requested_at: command.requested_at,
            })]
        }
        PaymentStage::Capturing(_) | PaymentStage::Captured { .. } => vec![],
        PaymentStage::Authorising(_)
        | PaymentStage::Declined
        | PaymentStage::Voiding(_)
        | PaymentStage::Voided
        | PaymentStage::Refunding(_)
        | PaymentStage::Refunded => refused("not-authorised", "nothing is set aside"),
    }
}

/// While it is not known whether the money is set aside, or taken, it is undone when that becomes known.
fn cancel(state: &Payment, command: &CancelPayment) -> Vec<PaymentEvent> {
    let cancelled = PaymentEvent::Cancelled(PaymentCancelled {
        payment_id: command.payment_id,
        order_id: command.order_id,
        cancelled_at: command.cancelled_at,
    });
    let payment = match state {
        Payment::Nothing => return vec![cancelled],
        Payment::NeverToBe => return vec![],
        Payment::Begun(payment) if payment.is_cancelled => return vec![],
        Payment::Begun(payment) => payment,
    };
    let step = Step {
        stream: PaymentStream {
            payment_id: command.payment_id,
            order_id: command.order_id,
        },
        request_id: command.request_id,
        at: command.cancelled_at,
    };
    match &payment.stage {
        PaymentStage::Authorising(_) | PaymentStage::Capturing(_) => vec![cancelled],
        PaymentStage::Authorised { .. } | PaymentStage::CaptureRefused { .. } => {
            vec![cancelled, step.void(payment)]
        }
        PaymentStage::Captured { gateway_ref } => {
            vec![cancelled, step.refund(payment, gateway_ref)]
        }
        PaymentStage::Declined
        | PaymentStage::Voiding(_)
        | PaymentStage::Voided
        | PaymentStage::Refunding(_)
        | PaymentStage::Refunded => vec![],
    }
}

fn record(state: &Payment, command: &RecordOutcome) -> Result<Vec<PaymentEvent>, PaymentRejection> {
    let payment = match state {
        Payment::Nothing => return Err(PaymentRejection::PaymentNotFound),
        Payment::NeverToBe => return Ok(vec![]),
        Payment::Begun(payment) => payment,
    };
    let Some(asked) = payment.stage.asked() else {
        return Ok(vec![]);
    };
    if asked.request_id != command.request_id || asked.request.operation() != command.operation {
        return Ok(vec![]);
    }
    let step = Step {
        stream: PaymentStream {
            payment_id: command.payment_id,
            order_id: command.order_id,
        },
        // What follows from an answer is asked for once, however often the answer comes.
        request_id: gateway_request_id(command.request_id, "undo"),
        at: command.learnt_at,
    };
    Ok(match &payment.stage {
        PaymentStage::Authorising(asked) => step.authorised(payment, asked, &command.outcome),
        PaymentStage::Capturing(asked) => step.captured(payment, asked, &command.outcome),
        PaymentStage::Voiding(asked) => step.voided(payment, asked, &command.outcome),
        PaymentStage::Refunding(asked) => step.refunded(payment, asked, &command.outcome),
        PaymentStage::Authorised { .. }
        | PaymentStage::Declined
        | PaymentStage::CaptureRefused { .. }
        | PaymentStage::Captured { .. }
        | PaymentStage::Voided
        | PaymentStage::Refunded => vec![],
    })
}

fn reconcile(state: &Payment, command: &ReconcilePayment) -> Vec<PaymentEvent> {
    match state.asked() {
        Some(asked) if asked.reconcile_at == Some(command.due_at) => {
            vec![reconciling(command.stream, asked, command.due_at)]
        }
        Some(_) | None => vec![],
    }
}

fn retry(state: &Payment, command: &RetryPayment) -> Vec<PaymentEvent> {
    let Payment::Begun(payment) = state else {
        return vec![];
    };
    let step = Step {
        stream: PaymentStream {
            payment_id: command.payment_id,
            order_id: command.order_id,
        },
        request_id: command.request_id,
        at: command.retried_at,
    };
    let Some(
        asked @ Asked {
            stuck: Some(by), ..
        },
    ) = payment.stage.asked()
    else {
        return vec![];
    };
    let again = match (by, &asked.request) {
        (StuckBy::Refusal, GatewayRequest::Void { .. }) => step.void(payment),
        (StuckBy::Refusal, GatewayRequest::Refund { gateway_ref, .. }) => {
            step.refund(payment, gateway_ref)
        }
        // What may have been done is looked into, and never asked for under another name.
        (StuckBy::Silence | StuckBy::OtherAmount, _)
        | (StuckBy::Refusal, GatewayRequest::Authorise { .. } | GatewayRequest::Capture { .. }) => {
            reconciling(step.stream, asked, step.at)
        }
    };
    vec![again]
}

fn reconciling(stream: PaymentStream, asked: &Asked, at: DateTime<Utc>) -> PaymentEvent {
    PaymentEvent::Reconciling(PaymentReconciling {
        payment_id: stream.payment_id,
        order_id: stream.order_id,
        request_id: asked.request_id,
        request: asked.request.clone(),
        reconciled_at: at,
    })
}

#[cfg(test)]
mod tests;
