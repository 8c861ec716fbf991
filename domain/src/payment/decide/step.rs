//! What follows from an answer of the gateway, or from none.

use chrono::{DateTime, TimeDelta, Utc};
use uuid::Uuid;

use crate::payment::{
    event::{
        PaymentAuthorised, PaymentCaptureRefused, PaymentCaptured, PaymentDeclined, PaymentEvent,
        PaymentRefundRequested, PaymentRefunded, PaymentStream, PaymentStuck, PaymentUnresolved,
        PaymentVoidRequested, PaymentVoided, StuckBy,
    },
    gateway::{GatewayCode, GatewayDetail, GatewayOutcome, GatewayRef},
    state::{Asked, BegunPayment},
};

/// How often the gateway is asked once more, after a first silence, before an operator is told; that takes about three minutes.
const MAX_TRIES: u32 = 10;
/// Before the first look at what became of a request. Doubles up to the most.
const FIRST_PAUSE_SECONDS: i64 = 1;
const MAX_PAUSE_SECONDS: i64 = 30;

/// One step of a payment: whose it is, under which id the gateway is asked if it has to be, and when.
pub(super) struct Step {
    pub(super) stream: PaymentStream,
    pub(super) request_id: Uuid,
    pub(super) at: DateTime<Utc>,
}

impl Step {
    pub(super) fn authorised(
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

    pub(super) fn captured(
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

    pub(super) fn voided(
        &self,
        payment: &BegunPayment,
        asked: &Asked,
        outcome: &GatewayOutcome,
    ) -> Vec<PaymentEvent> {
        match outcome {
            GatewayOutcome::Voided => vec![self.gone(payment)],
            GatewayOutcome::Refused { code, detail } => {
                vec![self.stuck(asked, StuckBy::Refusal, &format!("{code}: {detail}"))]
            }
            GatewayOutcome::Unknown => vec![self.unresolved_or_stuck(asked)],
            GatewayOutcome::Authorised { .. }
            | GatewayOutcome::Captured { .. }
            | GatewayOutcome::Refunded { .. } => vec![],
        }
    }

    fn gone(&self, payment: &BegunPayment) -> PaymentEvent {
        PaymentEvent::Voided(PaymentVoided {
            payment_id: self.stream.payment_id,
            order_id: self.stream.order_id,
            amount: payment.amount,
            voided_at: self.at,
        })
    }

    pub(super) fn refunded(
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

    /// Of no money at all nothing was set aside, and no gateway knows of it.
    pub(super) fn void(&self, payment: &BegunPayment) -> PaymentEvent {
        if payment.amount.amount() == 0 {
            return self.gone(payment);
        }
        PaymentEvent::VoidRequested(PaymentVoidRequested {
            payment_id: self.stream.payment_id,
            order_id: self.stream.order_id,
            authorisation: payment.authorisation,
            request_id: self.request_id,
            requested_at: self.at,
        })
    }

    pub(super) fn refund(&self, payment: &BegunPayment, gateway_ref: &GatewayRef) -> PaymentEvent {
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
        let tries = asked.tries.saturating_add(1);
        // A deadline's command is named by its microsecond, and carried out once under that name: where clocks differ, it may be
        // due before it is time to give up, and has to come again.
        let latest = latest.map(|latest| latest + TimeDelta::microseconds(tries.into()));
        PaymentEvent::Unresolved(PaymentUnresolved {
            payment_id: self.stream.payment_id,
            order_id: self.stream.order_id,
            operation: asked.request.operation(),
            request_id: asked.request_id,
            tries,
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
