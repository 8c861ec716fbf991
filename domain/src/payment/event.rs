//! What happened to a payment. Shapes are for ever: a golden file of each version is in `docs/events/golden`.

mod payload;

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, de::Error};
use uuid::Uuid;

pub use self::payload::*;
use crate::{
    Event, EventKind, ReadEvent,
    ids::{OrderId, PaymentId},
    topics,
    upcast::only,
};

/// Any of them. Its payload is the event's own; name and version travel beside it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub enum PaymentEvent {
    /// The order service asks for a payment: its message.
    Requested(PaymentRequested),
    /// It was begun: the gateway is asked to set the money aside.
    Started(PaymentStarted),
    /// The money is set aside.
    Authorised(PaymentAuthorised),
    /// It will not be: this payment has ended.
    Declined(PaymentDeclined),
    /// The gateway is asked to take the money.
    CaptureRequested(PaymentCaptureRequested),
    /// The money was taken.
    Captured(PaymentCaptured),
    /// The money could not be taken.
    CaptureRefused(PaymentCaptureRefused),
    /// The order does not want it any more.
    Cancelled(PaymentCancelled),
    /// The gateway is asked to let go of the money.
    VoidRequested(PaymentVoidRequested),
    /// The money is not set aside any more.
    Voided(PaymentVoided),
    /// The gateway is asked to give the money back.
    RefundRequested(PaymentRefundRequested),
    /// The money went back.
    Refunded(PaymentRefunded),
    /// It is not known what became of a request.
    Unresolved(PaymentUnresolved),
    /// That is looked into.
    Reconciling(PaymentReconciling),
    /// It cannot be found out, or was refused where it must not be: an operator has to look.
    Stuck(PaymentStuck),
}

/// A payment's stream: `payment-<id>`. Its order is its key, so that all of one order lies in one partition.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct PaymentStream {
    /// The payment.
    pub payment_id: PaymentId,
    /// Its order.
    pub order_id: OrderId,
}

impl fmt::Display for PaymentStream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "payment-{}", self.payment_id)
    }
}

macro_rules! of_each {
    ($self:ident, $event:ident => $body:expr) => {
        match $self {
            Self::Requested($event) => $body,
            Self::Started($event) => $body,
            Self::Authorised($event) => $body,
            Self::Declined($event) => $body,
            Self::CaptureRequested($event) => $body,
            Self::Captured($event) => $body,
            Self::CaptureRefused($event) => $body,
            Self::Cancelled($event) => $body,
            Self::VoidRequested($event) => $body,
            Self::Voided($event) => $body,
            Self::RefundRequested($event) => $body,
            Self::Refunded($event) => $body,
            Self::Unresolved($event) => $body,
            Self::Reconciling($event) => $body,
            Self::Stuck($event) => $body,
        }
    };
}

impl Event for PaymentEvent {
    type StreamId = PaymentStream;

    fn kind(&self) -> EventKind {
        let name = match self {
            Self::Requested(_) => "PaymentRequested",
            Self::Started(_) => "PaymentStarted",
            Self::Authorised(_) => "PaymentAuthorised",
            Self::Declined(_) => "PaymentDeclined",
            Self::CaptureRequested(_) => "PaymentCaptureRequested",
            Self::Captured(_) => "PaymentCaptured",
            Self::CaptureRefused(_) => "PaymentCaptureRefused",
            Self::Cancelled(_) => "PaymentCancelled",
            Self::VoidRequested(_) => "PaymentVoidRequested",
            Self::Voided(_) => "PaymentVoided",
            Self::RefundRequested(_) => "PaymentRefundRequested",
            Self::Refunded(_) => "PaymentRefunded",
            Self::Unresolved(_) => "PaymentUnresolved",
            Self::Reconciling(_) => "PaymentReconciling",
            Self::Stuck(_) => "PaymentStuck",
        };
        EventKind { name, version: 1 }
    }

    fn topic(&self) -> &'static str {
        topics::PAYMENT_EVENTS
    }

    fn stream(&self) -> PaymentStream {
        of_each!(self, event => PaymentStream {
            payment_id: event.payment_id,
            order_id: event.order_id,
        })
    }

    fn key(stream: &PaymentStream) -> String {
        stream.order_id.to_string()
    }

    fn journey(&self) -> Option<Uuid> {
        Some(self.stream().order_id.as_uuid())
    }
}

impl ReadEvent for PaymentEvent {
    fn deserialize<'de, D: Deserializer<'de>>(
        name: &str,
        version: u16,
        payload: D,
    ) -> Result<Self, D::Error> {
        match name {
            "PaymentRequested" => only(version, payload).map(Self::Requested),
            "PaymentStarted" => only(version, payload).map(Self::Started),
            "PaymentAuthorised" => only(version, payload).map(Self::Authorised),
            "PaymentDeclined" => only(version, payload).map(Self::Declined),
            "PaymentCaptureRequested" => only(version, payload).map(Self::CaptureRequested),
            "PaymentCaptured" => only(version, payload).map(Self::Captured),
            "PaymentCaptureRefused" => only(version, payload).map(Self::CaptureRefused),
            "PaymentCancelled" => only(version, payload).map(Self::Cancelled),
            "PaymentVoidRequested" => only(version, payload).map(Self::VoidRequested),
            "PaymentVoided" => only(version, payload).map(Self::Voided),
            "PaymentRefundRequested" => only(version, payload).map(Self::RefundRequested),
            "PaymentRefunded" => only(version, payload).map(Self::Refunded),
            "PaymentUnresolved" => only(version, payload).map(Self::Unresolved),
            "PaymentReconciling" => only(version, payload).map(Self::Reconciling),
            "PaymentStuck" => only(version, payload).map(Self::Stuck),
            _ => Err(D::Error::custom("no event of this name is known")),
        }
    }
}

#[cfg(test)]
mod tests;
