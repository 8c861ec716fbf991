//! What may have happened to a payment.

use chrono::{DateTime, Utc};
use uuid::Uuid;

use super::{
    at, authorisation, gateway_ref, give_up_at, method, order_id, payment_id, taking, total,
    undo_of, undoing,
};
use crate::payment::{
    GatewayRequest, Operation, PaymentAuthorised, PaymentCancelled, PaymentCaptureRefused,
    PaymentCaptureRequested, PaymentCaptured, PaymentDeclined, PaymentEvent, PaymentReconciling,
    PaymentRefundRequested, PaymentRefunded, PaymentRequested, PaymentStarted, PaymentStuck,
    PaymentUnresolved, PaymentVoidRequested, PaymentVoided, StuckBy,
};

pub(in crate::payment) fn request() -> PaymentRequested {
    PaymentRequested {
        payment_id: payment_id(),
        order_id: order_id(),
        attempt: 1,
        amount: total(),
        method: method(),
        requested_at: at(0),
    }
}

pub(in crate::payment) fn started() -> PaymentEvent {
    PaymentEvent::Started(PaymentStarted {
        payment_id: payment_id(),
        order_id: order_id(),
        attempt: 1,
        amount: total(),
        method: method(),
        request_id: authorisation(),
        give_up_at: give_up_at(),
        started_at: at(0),
    })
}

pub(in crate::payment) fn authorised() -> PaymentEvent {
    PaymentEvent::Authorised(PaymentAuthorised {
        payment_id: payment_id(),
        order_id: order_id(),
        attempt: 1,
        amount: total(),
        gateway_ref: gateway_ref(),
        authorised_at: at(1),
    })
}

pub(in crate::payment) fn declined(seconds: i64, code: &str, detail: &str) -> PaymentEvent {
    PaymentEvent::Declined(PaymentDeclined {
        payment_id: payment_id(),
        order_id: order_id(),
        attempt: 1,
        code: code.parse().unwrap(),
        detail: detail.parse().unwrap(),
        declined_at: at(seconds),
    })
}

pub(in crate::payment) fn capture_requested(request_id: Uuid) -> PaymentEvent {
    PaymentEvent::CaptureRequested(PaymentCaptureRequested {
        payment_id: payment_id(),
        order_id: order_id(),
        amount: total(),
        gateway_ref: gateway_ref(),
        request_id,
        requested_at: at(2),
    })
}

pub(in crate::payment) fn captured() -> PaymentEvent {
    PaymentEvent::Captured(PaymentCaptured {
        payment_id: payment_id(),
        order_id: order_id(),
        amount: total(),
        captured_at: at(3),
    })
}

pub(in crate::payment) fn capture_refused(seconds: i64, code: &str, detail: &str) -> PaymentEvent {
    PaymentEvent::CaptureRefused(PaymentCaptureRefused {
        payment_id: payment_id(),
        order_id: order_id(),
        code: code.parse().unwrap(),
        detail: detail.parse().unwrap(),
        refused_at: at(seconds),
    })
}

pub(in crate::payment) fn cancelled() -> PaymentEvent {
    PaymentEvent::Cancelled(PaymentCancelled {
        payment_id: payment_id(),
        order_id: order_id(),
        cancelled_at: at(4),
    })
}

pub(in crate::payment) fn void_requested(seconds: i64, request_id: Uuid) -> PaymentEvent {
    PaymentEvent::VoidRequested(PaymentVoidRequested {
        payment_id: payment_id(),
        order_id: order_id(),
        authorisation: authorisation(),
        request_id,
        requested_at: at(seconds),
    })
}

pub(in crate::payment) fn voided() -> PaymentEvent {
    PaymentEvent::Voided(PaymentVoided {
        payment_id: payment_id(),
        order_id: order_id(),
        amount: total(),
        voided_at: at(5),
    })
}

pub(in crate::payment) fn refund_requested(seconds: i64, request_id: Uuid) -> PaymentEvent {
    PaymentEvent::RefundRequested(PaymentRefundRequested {
        payment_id: payment_id(),
        order_id: order_id(),
        amount: total(),
        gateway_ref: gateway_ref(),
        request_id,
        requested_at: at(seconds),
    })
}

pub(in crate::payment) fn refunded() -> PaymentEvent {
    PaymentEvent::Refunded(PaymentRefunded {
        payment_id: payment_id(),
        order_id: order_id(),
        amount: total(),
        refunded_at: at(5),
    })
}

pub(in crate::payment) fn unresolved(
    operation: Operation,
    request_id: Uuid,
    tries: u32,
    reconcile_at: DateTime<Utc>,
) -> PaymentEvent {
    PaymentEvent::Unresolved(PaymentUnresolved {
        payment_id: payment_id(),
        order_id: order_id(),
        operation,
        request_id,
        tries,
        reconcile_at,
    })
}

pub(in crate::payment) fn reconciling(
    request_id: Uuid,
    request: GatewayRequest,
    reconciled_at: DateTime<Utc>,
) -> PaymentEvent {
    PaymentEvent::Reconciling(PaymentReconciling {
        payment_id: payment_id(),
        order_id: order_id(),
        request_id,
        request,
        reconciled_at,
    })
}

pub(in crate::payment) fn stuck(
    seconds: i64,
    operation: Operation,
    by: StuckBy,
    detail: &str,
) -> PaymentEvent {
    PaymentEvent::Stuck(PaymentStuck {
        payment_id: payment_id(),
        order_id: order_id(),
        operation,
        by,
        detail: detail.parse().unwrap(),
        stuck_at: at(seconds),
    })
}

pub(in crate::payment) fn authorise_request() -> GatewayRequest {
    GatewayRequest::Authorise {
        amount: total(),
        method: method(),
    }
}

pub(in crate::payment) fn capture_request() -> GatewayRequest {
    GatewayRequest::Capture {
        amount: total(),
        gateway_ref: gateway_ref(),
    }
}

pub(in crate::payment) fn void_request() -> GatewayRequest {
    GatewayRequest::Void {
        authorisation: authorisation(),
    }
}

pub(in crate::payment) fn refund_request() -> GatewayRequest {
    GatewayRequest::Refund {
        amount: total(),
        gateway_ref: gateway_ref(),
    }
}

fn after(mut history: Vec<PaymentEvent>, events: &[PaymentEvent]) -> Vec<PaymentEvent> {
    history.extend_from_slice(events);
    history
}

/// The gateway was asked to set the money aside.
pub(in crate::payment) fn authorising() -> Vec<PaymentEvent> {
    vec![started()]
}

/// The money is set aside.
pub(in crate::payment) fn holding() -> Vec<PaymentEvent> {
    after(authorising(), &[authorised()])
}

/// The gateway was asked to take it.
pub(in crate::payment) fn capturing() -> Vec<PaymentEvent> {
    after(holding(), &[capture_requested(taking())])
}

/// The money was taken.
pub(in crate::payment) fn sold() -> Vec<PaymentEvent> {
    after(capturing(), &[captured()])
}

/// The gateway would not hand it over.
pub(in crate::payment) fn refused() -> Vec<PaymentEvent> {
    after(capturing(), &[capture_refused(3, "no", "not today")])
}

/// The gateway was asked to let go of it.
pub(in crate::payment) fn voiding() -> Vec<PaymentEvent> {
    after(holding(), &[cancelled(), void_requested(4, undoing())])
}

/// The gateway was asked to give it back.
pub(in crate::payment) fn refunding() -> Vec<PaymentEvent> {
    after(sold(), &[cancelled(), refund_requested(4, undoing())])
}

/// Given up, and to be let go of wherever it was set aside.
pub(in crate::payment) fn given_up() -> Vec<PaymentEvent> {
    let declined = declined(45, "gateway-unavailable", "nobody answered");
    after(
        authorising(),
        &[declined, void_requested(45, undo_of(authorisation()))],
    )
}

/// Payments that have ended.
pub(in crate::payment) fn ended() -> [Vec<PaymentEvent>; 4] {
    [
        vec![cancelled()],
        after(authorising(), &[declined(1, "no", "not today")]),
        after(voiding(), &[voided()]),
        after(refunding(), &[refunded()]),
    ]
}
