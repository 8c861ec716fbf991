//! The rules. Whatever the gateway does for an order is taken, let go of, or given back: nothing stays where nobody wants it.
//!
//! Answers come late, twice and out of order: one that does not answer the request that stands changes nothing. Nothing is
//! refused here; policies and the gateway ask, and are answered by events.

use chrono::{DateTime, TimeDelta, Utc};
use uuid::Uuid;

use super::{
    command::{
        CancelPayment, CapturePayment, PaymentCommand, ReconcilePayment, RecordOutcome,
        RetryPayment, StartPayment,
    },
    event::{
        PaymentAuthorised, PaymentCancelled, PaymentCaptureRefused, PaymentCaptureRequested,
        PaymentCaptured, PaymentDeclined, PaymentEvent, PaymentReconciling, PaymentRefundRequested,
        PaymentRefunded, PaymentStarted, PaymentStream, PaymentStuck, PaymentUnresolved,
        PaymentVoidRequested, PaymentVoided, StuckBy,
    },
    gateway::{GatewayCode, GatewayDetail, GatewayOutcome, GatewayRef, GatewayRequest},
    state::{Asked, BegunPayment, Payment, PaymentStage},
};
use crate::ids::gateway_request_id;

/// Why a command was refused: only by webhooks, of payments that do not exist.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PaymentRejection {
    /// Nothing was begun under this id.
    #[error("there is no such payment")]
    PaymentNotFound,
}

/// How often no answer is heard before an operator is told; about three minutes.
const MAX_TRIES: u32 = 10;
/// Before the first look at what became of a request. Doubles up to the most.
const FIRST_PAUSE_SECONDS: i64 = 1;
const MAX_PAUSE_SECONDS: i64 = 30;

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

/// One step of a payment: whose it is, under which id the gateway is asked if it has to be, and when.
struct Step {
    stream: PaymentStream,
    request_id: Uuid,
    at: DateTime<Utc>,
}

impl Step {
    fn authorised(
        &self,
        payment: &BegunPayment,
        asked: &Asked,
        outcome: &GatewayOutcome,
    ) -> Vec<PaymentEvent> {
        match outcome {
            GatewayOutcome::Authorised {
                amount,
                gateway_ref,
            } if *amount == payment.amount => {
                let authorised = PaymentEvent::Authorised(PaymentAuthorised {
                    payment_id: self.stream.payment_id,
                    order_id: self.stream.order_id,
                    attempt: payment.attempt,
                    amount: payment.amount,
                    gateway_ref: gateway_ref.clone(),
                    authorised_at: self.at,
                });
                let void = payment.is_cancelled.then(|| self.void(payment));
                [authorised].into_iter().chain(void).collect()
            }
            GatewayOutcome::Authorised { .. } => vec![
                self.declined(
                    payment,
                    &text("amount-mismatch"),
                    &text("the gateway set another amount aside"),
                ),
                self.void(payment),
            ],
            GatewayOutcome::Refused { code, detail } => {
                vec![self.declined(payment, code, detail)]
            }
            GatewayOutcome::Unknown if self.at >= payment.give_up_at => vec![
                self.declined(
                    payment,
                    &text("gateway-unavailable"),
                    &text("the gateway did not answer in time; nothing will be charged"),
                ),
                self.void(payment),
            ],
            GatewayOutcome::Unknown => vec![self.unresolved(asked, Some(payment.give_up_at))],
            GatewayOutcome::Captured { .. }
            | GatewayOutcome::Voided
            | GatewayOutcome::Refunded { .. } => vec![],
        }
    }

    fn captured(
        &self,
        payment: &BegunPayment,
        asked: &Asked,
        outcome: &GatewayOutcome,
    ) -> Vec<PaymentEvent> {
        match outcome {
            GatewayOutcome::Captured { amount } if *amount == payment.amount => {
                let captured = PaymentEvent::Captured(PaymentCaptured {
                    payment_id: self.stream.payment_id,
                    order_id: self.stream.order_id,
                    amount: *amount,
                    captured_at: self.at,
                });
                let refund = payment
                    .stage
                    .gateway_ref()
                    .filter(|_| payment.is_cancelled)
                    .map(|gateway_ref| self.refund(payment, &gateway_ref));
                [captured].into_iter().chain(refund).collect()
            }
            GatewayOutcome::Captured { .. } => {
                let detail = "the gateway took another amount";
                vec![self.stuck(asked, StuckBy::OtherAmount, detail)]
            }
            GatewayOutcome::Refused { code, detail } => {
                let refused = PaymentEvent::CaptureRefused(PaymentCaptureRefused {
                    payment_id: self.stream.payment_id,
                    order_id: self.stream.order_id,
                    code: code.clone(),
                    detail: detail.clone(),
                    refused_at: self.at,
                });
                let void = payment.is_cancelled.then(|| self.void(payment));
                [refused].into_iter().chain(void).collect()
            }
            GatewayOutcome::Unknown => vec![self.unresolved_or_stuck(asked)],
            GatewayOutcome::Authorised { .. }
            | GatewayOutcome::Voided
            | GatewayOutcome::Refunded { .. } => vec![],
        }
    }

    fn voided(
        &self,
        payment: &BegunPayment,
        asked: &Asked,
        outcome: &GatewayOutcome,
    ) -> Vec<PaymentEvent> {
        match outcome {
            GatewayOutcome::Voided => vec![PaymentEvent::Voided(PaymentVoided {
                payment_id: self.stream.payment_id,
                order_id: self.stream.order_id,
                amount: payment.amount,
                voided_at: self.at,
            })],
            GatewayOutcome::Refused { code, detail } => {
                vec![self.stuck(asked, StuckBy::Refusal, &format!("{code}: {detail}"))]
            }
            GatewayOutcome::Unknown => vec![self.unresolved_or_stuck(asked)],
            GatewayOutcome::Authorised { .. }
            | GatewayOutcome::Captured { .. }
            | GatewayOutcome::Refunded { .. } => vec![],
        }
    }

    fn refunded(
        &self,
        payment: &BegunPayment,
        asked: &Asked,
        outcome: &GatewayOutcome,
    ) -> Vec<PaymentEvent> {
        match outcome {
            GatewayOutcome::Refunded { amount } if *amount == payment.amount => {
                vec![PaymentEvent::Refunded(PaymentRefunded {
                    payment_id: self.stream.payment_id,
                    order_id: self.stream.order_id,
                    amount: *amount,
                    refunded_at: self.at,
                })]
            }
            GatewayOutcome::Refunded { .. } => {
                let detail = "the gateway gave another amount back";
                vec![self.stuck(asked, StuckBy::OtherAmount, detail)]
            }
            GatewayOutcome::Refused { code, detail } => {
                vec![self.stuck(asked, StuckBy::Refusal, &format!("{code}: {detail}"))]
            }
            GatewayOutcome::Unknown => vec![self.unresolved_or_stuck(asked)],
            GatewayOutcome::Authorised { .. }
            | GatewayOutcome::Captured { .. }
            | GatewayOutcome::Voided => vec![],
        }
    }

    fn void(&self, payment: &BegunPayment) -> PaymentEvent {
        PaymentEvent::VoidRequested(PaymentVoidRequested {
            payment_id: self.stream.payment_id,
            order_id: self.stream.order_id,
            authorisation: payment.authorisation,
            request_id: self.request_id,
            requested_at: self.at,
        })
    }

    fn refund(&self, payment: &BegunPayment, gateway_ref: &GatewayRef) -> PaymentEvent {
        PaymentEvent::RefundRequested(PaymentRefundRequested {
            payment_id: self.stream.payment_id,
            order_id: self.stream.order_id,
            amount: payment.amount,
            gateway_ref: gateway_ref.clone(),
            request_id: self.request_id,
            requested_at: self.at,
        })
    }

    fn declined(
        &self,
        payment: &BegunPayment,
        code: &GatewayCode,
        detail: &GatewayDetail,
    ) -> PaymentEvent {
        PaymentEvent::Declined(PaymentDeclined {
            payment_id: self.stream.payment_id,
            order_id: self.stream.order_id,
            attempt: payment.attempt,
            code: code.clone(),
            detail: detail.clone(),
            declined_at: self.at,
        })
    }

    fn unresolved_or_stuck(&self, asked: &Asked) -> PaymentEvent {
        if asked.tries < MAX_TRIES {
            self.unresolved(asked, None)
        } else {
            self.stuck(asked, StuckBy::Silence, "the gateway does not answer")
        }
    }

    /// Looked into after a while that doubles, but at the latest when it has to be over.
    fn unresolved(&self, asked: &Asked, latest: Option<DateTime<Utc>>) -> PaymentEvent {
        let doubled = FIRST_PAUSE_SECONDS << asked.tries.min(MAX_TRIES);
        let next = self.at + TimeDelta::seconds(doubled.min(MAX_PAUSE_SECONDS));
        PaymentEvent::Unresolved(PaymentUnresolved {
            payment_id: self.stream.payment_id,
            order_id: self.stream.order_id,
            operation: asked.request.operation(),
            request_id: asked.request_id,
            tries: asked.tries.saturating_add(1),
            reconcile_at: latest.map_or(next, |latest| next.min(latest)),
        })
    }

    fn stuck(&self, asked: &Asked, by: StuckBy, detail: &str) -> PaymentEvent {
        PaymentEvent::Stuck(PaymentStuck {
            payment_id: self.stream.payment_id,
            order_id: self.stream.order_id,
            operation: asked.request.operation(),
            by,
            detail: GatewayDetail::cut(detail).expect("a detail is printable"),
            stuck_at: self.at,
        })
    }
}

fn text<const MAX: usize>(text: &str) -> crate::text::Text<MAX> {
    text.parse().expect("it is short and printable")
}

#[cfg(test)]
mod tests;
