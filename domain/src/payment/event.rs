//! What happened to a payment. Shapes are for ever: a golden file of each version is in `docs/events/golden`.

use std::fmt;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Deserializer, Serialize, de::Error};
use uuid::Uuid;

use super::gateway::{GatewayCode, GatewayDetail, GatewayRef, GatewayRequest, Operation};
use crate::{
    Event, EventKind, ReadEvent,
    ids::{OrderId, PaymentId},
    money::Money,
    sealed::SealedMethod,
    topics,
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

/// The order service asks for a payment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct PaymentRequested {
    /// Which payment, new.
    pub payment_id: PaymentId,
    /// Of which order.
    pub order_id: OrderId,
    /// The order's how many-th payment, from 1.
    pub attempt: u32,
    /// How much.
    pub amount: Money,
    /// From where, sealed.
    pub method: SealedMethod,
    /// When.
    pub requested_at: DateTime<Utc>,
}

/// A payment was begun.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct PaymentStarted {
    /// Which.
    pub payment_id: PaymentId,
    /// Of which order.
    pub order_id: OrderId,
    /// The order's how many-th payment, from 1.
    pub attempt: u32,
    /// How much.
    pub amount: Money,
    /// From where, sealed.
    pub method: SealedMethod,
    /// Names the request to the gateway; the same for every repetition of it.
    pub request_id: Uuid,
    /// When no answer is waited for any longer.
    pub give_up_at: DateTime<Utc>,
    /// When.
    pub started_at: DateTime<Utc>,
}

/// The money is set aside.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct PaymentAuthorised {
    /// Which.
    pub payment_id: PaymentId,
    /// Of which order.
    pub order_id: OrderId,
    /// The order's how many-th payment, from 1.
    pub attempt: u32,
    /// How much.
    pub amount: Money,
    /// The gateway's name for it.
    pub gateway_ref: GatewayRef,
    /// When that was learnt.
    pub authorised_at: DateTime<Utc>,
}

/// The money will not be set aside.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct PaymentDeclined {
    /// Which.
    pub payment_id: PaymentId,
    /// Of which order.
    pub order_id: OrderId,
    /// The order's how many-th payment, from 1.
    pub attempt: u32,
    /// Why.
    pub code: GatewayCode,
    /// Why, for people.
    pub detail: GatewayDetail,
    /// When that was learnt.
    pub declined_at: DateTime<Utc>,
}

/// The gateway is asked to take the money.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct PaymentCaptureRequested {
    /// Which.
    pub payment_id: PaymentId,
    /// Of which order.
    pub order_id: OrderId,
    /// How much.
    pub amount: Money,
    /// The authorisation.
    pub gateway_ref: GatewayRef,
    /// Names the request to the gateway.
    pub request_id: Uuid,
    /// When.
    pub requested_at: DateTime<Utc>,
}

/// The money was taken.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct PaymentCaptured {
    /// Which.
    pub payment_id: PaymentId,
    /// Of which order.
    pub order_id: OrderId,
    /// How much.
    pub amount: Money,
    /// When that was learnt.
    pub captured_at: DateTime<Utc>,
}

/// The money could not be taken.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct PaymentCaptureRefused {
    /// Which.
    pub payment_id: PaymentId,
    /// Of which order.
    pub order_id: OrderId,
    /// Why.
    pub code: GatewayCode,
    /// Why, for people.
    pub detail: GatewayDetail,
    /// When that was learnt.
    pub refused_at: DateTime<Utc>,
}

/// The order does not want the payment any more. Whatever of it was done is undone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct PaymentCancelled {
    /// Which; it may not have begun.
    pub payment_id: PaymentId,
    /// Of which order.
    pub order_id: OrderId,
    /// When.
    pub cancelled_at: DateTime<Utc>,
}

/// The gateway is asked to let go of the money.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct PaymentVoidRequested {
    /// Which.
    pub payment_id: PaymentId,
    /// Of which order.
    pub order_id: OrderId,
    /// The request that asked for the authorisation.
    pub authorisation: Uuid,
    /// Names the request to the gateway.
    pub request_id: Uuid,
    /// When.
    pub requested_at: DateTime<Utc>,
}

/// The money is not set aside any more.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct PaymentVoided {
    /// Which.
    pub payment_id: PaymentId,
    /// Of which order.
    pub order_id: OrderId,
    /// How much had been asked for.
    pub amount: Money,
    /// When that was learnt.
    pub voided_at: DateTime<Utc>,
}

/// The gateway is asked to give the money back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct PaymentRefundRequested {
    /// Which.
    pub payment_id: PaymentId,
    /// Of which order.
    pub order_id: OrderId,
    /// How much.
    pub amount: Money,
    /// The authorisation.
    pub gateway_ref: GatewayRef,
    /// Names the request to the gateway.
    pub request_id: Uuid,
    /// When.
    pub requested_at: DateTime<Utc>,
}

/// The money went back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct PaymentRefunded {
    /// Which.
    pub payment_id: PaymentId,
    /// Of which order.
    pub order_id: OrderId,
    /// How much.
    pub amount: Money,
    /// When that was learnt.
    pub refunded_at: DateTime<Utc>,
}

/// It is not known what became of a request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct PaymentUnresolved {
    /// Which.
    pub payment_id: PaymentId,
    /// Of which order.
    pub order_id: OrderId,
    /// What the gateway was asked.
    pub operation: Operation,
    /// The request.
    pub request_id: Uuid,
    /// How often no definite answer was heard.
    pub tries: u32,
    /// When that is looked into.
    pub reconcile_at: DateTime<Utc>,
}

/// What became of a request is looked into: the gateway is asked, and where it does not know the request, told it again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct PaymentReconciling {
    /// Which.
    pub payment_id: PaymentId,
    /// Of which order.
    pub order_id: OrderId,
    /// The request's name.
    pub request_id: Uuid,
    /// The request.
    pub request: GatewayRequest,
    /// When.
    pub reconciled_at: DateTime<Utc>,
}

/// An operator has to look.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct PaymentStuck {
    /// Which.
    pub payment_id: PaymentId,
    /// Of which order.
    pub order_id: OrderId,
    /// What the gateway was asked.
    pub operation: Operation,
    /// What stopped it.
    pub by: StuckBy,
    /// Why it does not go on, for the operator.
    pub detail: GatewayDetail,
    /// When.
    pub stuck_at: DateTime<Utc>,
}

/// What stopped a payment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum StuckBy {
    /// No answer: it may have been done or not.
    Silence,
    /// A refusal where there must be none: it was not done.
    Refusal,
    /// It was done, but not as asked: under another name it would be done once more.
    OtherAmount,
}

/// A payment's stream: `payment-<id>`. Its order is its key, so that all of one order lies in one partition.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
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
        match (name, version) {
            ("PaymentRequested", 1) => Deserialize::deserialize(payload).map(Self::Requested),
            ("PaymentStarted", 1) => Deserialize::deserialize(payload).map(Self::Started),
            ("PaymentAuthorised", 1) => Deserialize::deserialize(payload).map(Self::Authorised),
            ("PaymentDeclined", 1) => Deserialize::deserialize(payload).map(Self::Declined),
            ("PaymentCaptureRequested", 1) => {
                Deserialize::deserialize(payload).map(Self::CaptureRequested)
            }
            ("PaymentCaptured", 1) => Deserialize::deserialize(payload).map(Self::Captured),
            ("PaymentCaptureRefused", 1) => {
                Deserialize::deserialize(payload).map(Self::CaptureRefused)
            }
            ("PaymentCancelled", 1) => Deserialize::deserialize(payload).map(Self::Cancelled),
            ("PaymentVoidRequested", 1) => {
                Deserialize::deserialize(payload).map(Self::VoidRequested)
            }
            ("PaymentVoided", 1) => Deserialize::deserialize(payload).map(Self::Voided),
            ("PaymentRefundRequested", 1) => {
                Deserialize::deserialize(payload).map(Self::RefundRequested)
            }
            ("PaymentRefunded", 1) => Deserialize::deserialize(payload).map(Self::Refunded),
            ("PaymentUnresolved", 1) => Deserialize::deserialize(payload).map(Self::Unresolved),
            ("PaymentReconciling", 1) => Deserialize::deserialize(payload).map(Self::Reconciling),
            ("PaymentStuck", 1) => Deserialize::deserialize(payload).map(Self::Stuck),
            _ => Err(D::Error::custom(
                "no event of this name and version is known",
            )),
        }
    }
}

#[cfg(test)]
mod tests;
