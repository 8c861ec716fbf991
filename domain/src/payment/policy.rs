//! What the payment service does when it learns that something has happened.

use chrono::TimeDelta;
use serde::{Deserialize, Deserializer};

use super::{
    Payments,
    command::{CancelPayment, CapturePayment, PaymentCommand, RetryPayment, StartPayment},
    event::PaymentRequested,
};
use crate::{
    Policy, ReadEvent,
    ids::{OrderId, PaymentId, gateway_request_id},
    money::Money,
    policy::{Cause, Reaction},
    topics,
    upcast::only,
};

/// Labels of commands. Never renamed: what is in the log was named by them.
const START: &str = "start-payment";
const CAPTURE: &str = "capture-payment";
const CANCEL: &str = "cancel-payment";
const RETRY: &str = "retry-payment";

/// Begins what the order service asks for, takes the money when goods may leave, and undoes what nobody wants any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PaymentPolicy {
    /// How long an authorisation may remain unknown.
    pub reconciled_within: TimeDelta,
}

impl Default for PaymentPolicy {
    fn default() -> Self {
        Self {
            // What is under way at that time still ends within a minute.
            reconciled_within: TimeDelta::seconds(45),
        }
    }
}

/// What the payment service cares about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PaymentPolicyEvent {
    /// An order is to be paid.
    PaymentRequested(PaymentRequested),
    /// Its goods may leave.
    DispatchApproved(PaidDispatch),
    /// It was called off.
    OrderCancelled(PaidOrder),
    /// What was stuck is tried again.
    OrderResumed(PaidOrder),
    /// Anything else.
    Other,
}

/// An order, and the payment that was under way.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct PaidOrder {
    /// Which order.
    pub order_id: OrderId,
    /// By which payment; none where there was none yet.
    pub payment_id: Option<PaymentId>,
}

/// An order whose goods may leave, and what is to be taken for them.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct PaidDispatch {
    /// Which order.
    pub order_id: OrderId,
    /// By which payment.
    pub payment_id: PaymentId,
    /// How much.
    pub amount: Money,
}

impl ReadEvent for PaymentPolicyEvent {
    fn deserialize<'de, D: Deserializer<'de>>(
        name: &str,
        version: u16,
        payload: D,
    ) -> Result<Self, D::Error> {
        match name {
            "PaymentRequested" => only(version, payload).map(Self::PaymentRequested),
            "DispatchApproved" => only(version, payload).map(Self::DispatchApproved),
            "OrderCancelled" => only(version, payload).map(Self::OrderCancelled),
            "OrderResumed" => only(version, payload).map(Self::OrderResumed),
            _ => Ok(Self::Other),
        }
    }
}

impl Policy for PaymentPolicy {
    type Context = Payments;
    type Event = PaymentPolicyEvent;

    const NAME: &'static str = "payment-workflow";
    const TOPICS: &'static [&'static str] = &[topics::PAYMENT_EVENTS, topics::ORDER_EVENTS];

    fn react(&self, event: &PaymentPolicyEvent, cause: Cause) -> Vec<Reaction<PaymentCommand>> {
        let request_id = |operation| gateway_request_id(cause.event_id, operation);
        let (label, command) = match event {
            PaymentPolicyEvent::PaymentRequested(requested) => {
                let command = PaymentCommand::Start(StartPayment {
                    requested: requested.clone(),
                    request_id: request_id("authorise"),
                    give_up_at: cause.now + self.reconciled_within,
                    started_at: cause.now,
                });
                (START, command)
            }
            PaymentPolicyEvent::DispatchApproved(dispatch) => {
                let command = PaymentCommand::Capture(CapturePayment {
                    payment_id: dispatch.payment_id,
                    order_id: dispatch.order_id,
                    amount: dispatch.amount,
                    request_id: request_id("capture"),
                    requested_at: cause.now,
                });
                (CAPTURE, command)
            }
            PaymentPolicyEvent::OrderCancelled(PaidOrder {
                order_id,
                payment_id: Some(payment_id),
            }) => {
                let command = PaymentCommand::Cancel(CancelPayment {
                    payment_id: *payment_id,
                    order_id: *order_id,
                    request_id: request_id("undo"),
                    cancelled_at: cause.now,
                });
                (CANCEL, command)
            }
            PaymentPolicyEvent::OrderResumed(PaidOrder {
                order_id,
                payment_id: Some(payment_id),
            }) => {
                let command = PaymentCommand::Retry(RetryPayment {
                    payment_id: *payment_id,
                    order_id: *order_id,
                    request_id: request_id("retry"),
                    retried_at: cause.now,
                });
                (RETRY, command)
            }
            PaymentPolicyEvent::OrderCancelled(PaidOrder {
                payment_id: None, ..
            })
            | PaymentPolicyEvent::OrderResumed(PaidOrder {
                payment_id: None, ..
            })
            | PaymentPolicyEvent::Other => return vec![],
        };
        vec![cause.command(label, "", command)]
    }
}

#[cfg(test)]
mod tests;
