//! The shapes of a payment's events.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::{
    ids::{OrderId, PaymentId},
    money::Money,
    payment::gateway::{GatewayCode, GatewayDetail, GatewayRef, GatewayRequest, Operation},
    sealed::SealedMethod,
};

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

impl PaymentStarted {
    /// What the gateway is asked by it.
    #[must_use]
    pub fn request(&self) -> GatewayRequest {
        GatewayRequest::Authorise {
            amount: self.amount,
            method: self.method.clone(),
        }
    }
}

impl PaymentCaptureRequested {
    /// What the gateway is asked by it.
    #[must_use]
    pub fn request(&self) -> GatewayRequest {
        GatewayRequest::Capture {
            amount: self.amount,
            gateway_ref: self.gateway_ref.clone(),
        }
    }
}

impl PaymentVoidRequested {
    /// What the gateway is asked by it.
    #[must_use]
    pub fn request(&self) -> GatewayRequest {
        GatewayRequest::Void {
            authorisation: self.authorisation,
        }
    }
}

impl PaymentRefundRequested {
    /// What the gateway is asked by it.
    #[must_use]
    pub fn request(&self) -> GatewayRequest {
        GatewayRequest::Refund {
            amount: self.amount,
            gateway_ref: self.gateway_ref.clone(),
        }
    }
}
