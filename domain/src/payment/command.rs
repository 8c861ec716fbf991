//! What one may ask of a payment.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{
    event::{PaymentRequested, PaymentStream},
    gateway::{GatewayOutcome, Operation},
};
use crate::{
    ids::{OrderId, PaymentId},
    money::Money,
};

/// Any of them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum PaymentCommand {
    /// Begin it.
    Start(StartPayment),
    /// Take the money.
    Capture(CapturePayment),
    /// Undo it, however far it has come.
    Cancel(CancelPayment),
    /// What the gateway has answered.
    Record(RecordOutcome),
    /// Look into what became of a request.
    Reconcile(ReconcilePayment),
    /// Try again what is stuck.
    Retry(RetryPayment),
}

/// Begins a payment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StartPayment {
    /// What was asked for.
    pub requested: PaymentRequested,
    /// Names the request to the gateway.
    pub request_id: Uuid,
    /// When no answer is waited for any longer.
    pub give_up_at: DateTime<Utc>,
    /// When.
    pub started_at: DateTime<Utc>,
}

/// Takes the money.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CapturePayment {
    /// Which.
    pub payment_id: PaymentId,
    /// Of which order.
    pub order_id: OrderId,
    /// How much; refused where something else was authorised.
    pub amount: Money,
    /// Names the request to the gateway.
    pub request_id: Uuid,
    /// When.
    pub requested_at: DateTime<Utc>,
}

/// Undoes a payment, however far it has come; one that has not begun never will.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CancelPayment {
    /// Which.
    pub payment_id: PaymentId,
    /// Of which order.
    pub order_id: OrderId,
    /// Names the request to the gateway, where one is needed.
    pub request_id: Uuid,
    /// When.
    pub cancelled_at: DateTime<Utc>,
}

/// What the gateway has answered, or that it has not.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RecordOutcome {
    /// Which.
    pub payment_id: PaymentId,
    /// Of which order.
    pub order_id: OrderId,
    /// To which request.
    pub request_id: Uuid,
    /// What it was asked.
    pub operation: Operation,
    /// Its answer.
    pub outcome: GatewayOutcome,
    /// When it was learnt.
    pub learnt_at: DateTime<Utc>,
}

/// Looks into what became of a request; does something only while that very time stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReconcilePayment {
    /// Which.
    pub stream: PaymentStream,
    /// When that is due.
    pub due_at: DateTime<Utc>,
}

/// Tries again what is stuck.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RetryPayment {
    /// Which.
    pub payment_id: PaymentId,
    /// Of which order.
    pub order_id: OrderId,
    /// Names the request to the gateway, where a new one is needed.
    pub request_id: Uuid,
    /// When.
    pub retried_at: DateTime<Utc>,
}

impl PaymentCommand {
    /// The payment that it is about.
    #[must_use]
    pub const fn stream(&self) -> PaymentStream {
        let (payment_id, order_id) = match self {
            Self::Start(command) => (command.requested.payment_id, command.requested.order_id),
            Self::Capture(command) => (command.payment_id, command.order_id),
            Self::Cancel(command) => (command.payment_id, command.order_id),
            Self::Record(command) => (command.payment_id, command.order_id),
            Self::Reconcile(command) => return command.stream,
            Self::Retry(command) => (command.payment_id, command.order_id),
        };
        PaymentStream {
            payment_id,
            order_id,
        }
    }
}
