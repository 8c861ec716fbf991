//! The rules: here what a customer asks for; in [`workflow`] what the order's own service does about it.

mod workflow;

use super::{
    command::{CancelOrder, OrderCommand, PayOrder, PlaceOrder},
    event::{
        OrderCancelled, OrderEvent, OrderPaid, OrderPersonal, OrderPlaced, OrderRefunded,
        PaymentKept,
    },
    state::{Order, OrderStage},
};
use crate::{
    ids::PaymentId,
    money::{Currency, Money},
    personal::Personal,
};

/// Why a command was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum OrderRejection {
    /// Nothing has been placed under this id.
    #[error("there is no such order")]
    OrderNotFound,
    /// Another command has placed an order under this id.
    #[error("the order exists already")]
    OrderAlreadyExists,
    /// Another payment has paid it.
    #[error("the order is paid already")]
    OrderAlreadyPaid,
    /// Another payment is waiting for its stock.
    #[error("another payment of the order is in progress")]
    PaymentInProgress,
    /// It was called off.
    #[error("the order is cancelled")]
    OrderCancelled,
    /// It was rejected, or has expired, and so is not to be paid.
    #[error("the order has ended and cannot be paid")]
    OrderNotPayable,
    /// It was rejected, or has expired, so that there is nothing to call off.
    #[error("the order has ended")]
    OrderEnded,
    /// It goes on by itself.
    #[error("the order is not stuck")]
    OrderNotStuck,
    /// The customer expects to pay something else.
    #[error("the order costs {expected}, not {given}")]
    AmountMismatch {
        /// The order's total.
        expected: Money,
        /// What was to be paid.
        given: Money,
    },
    /// The customer expects to pay in another currency.
    #[error("the order is in {expected}, not in {given}")]
    CurrencyMismatch {
        /// The order's.
        expected: Currency,
        /// What it was to be paid in.
        given: Currency,
    },
}

pub(super) fn decide(
    state: &Order,
    command: &OrderCommand,
) -> Result<Vec<OrderEvent>, OrderRejection> {
    match command {
        OrderCommand::Place(command) => place(&state.stage, command),
        OrderCommand::Pay(command) => pay(&state.stage, command),
        OrderCommand::Cancel(command) => cancel(&state.stage, command),
        OrderCommand::RequestInventory(command) => workflow::request(&state.stage, command),
        OrderCommand::Confirm(command) => workflow::confirm(&state.stage, command),
        OrderCommand::Reject(command) => workflow::reject(&state.stage, command),
        OrderCommand::Expire(command) => Ok(workflow::expire(state, command)),
        OrderCommand::MarkStuck(command) => Ok(workflow::mark_stuck(state, command)),
        OrderCommand::Resume(command) => workflow::resume(state, command),
    }
}

/// The same command again never comes here: the event store answers it by its id.
fn place(stage: &OrderStage, command: &PlaceOrder) -> Result<Vec<OrderEvent>, OrderRejection> {
    match stage {
        OrderStage::Unplaced => {}
        OrderStage::Placed { .. }
        | OrderStage::Checking(_)
        | OrderStage::AwaitingPayment { .. }
        | OrderStage::Paid { .. }
        | OrderStage::Rejected
        | OrderStage::Cancelled
        | OrderStage::Expired => return Err(OrderRejection::OrderAlreadyExists),
    }
    let personal = OrderPersonal {
        shipping_address: command.shipping_address.clone(),
        contact: command.contact.clone(),
    };
    Ok(vec![OrderEvent::Placed(Box::new(OrderPlaced {
        order_id: command.order_id,
        customer_id: command.customer_id.clone(),
        lines: command.lines.as_slice().to_vec(),
        totals: command.lines.totals(),
        personal: Personal::clear(personal),
        placed_at: command.placed_at,
    }))])
}

fn pay(stage: &OrderStage, command: &PayOrder) -> Result<Vec<OrderEvent>, OrderRejection> {
    match stage {
        OrderStage::Unplaced => Err(OrderRejection::OrderNotFound),
        OrderStage::Placed { total, kept } => keep(*total, *kept, command),
        OrderStage::Checking(checking) => keep(checking.total, checking.kept, command),
        OrderStage::AwaitingPayment { total, .. } => {
            agree(*total, command.amount)?;
            Ok(vec![OrderEvent::Paid(OrderPaid {
                order_id: command.order_id,
                payment_id: command.payment_id,
                amount: *total,
                paid_at: command.paid_at,
            })])
        }
        OrderStage::Paid { payment_id, .. } if *payment_id == command.payment_id => Ok(vec![]),
        OrderStage::Paid { .. } => Err(OrderRejection::OrderAlreadyPaid),
        OrderStage::Rejected | OrderStage::Expired => Err(OrderRejection::OrderNotPayable),
        OrderStage::Cancelled => Err(OrderRejection::OrderCancelled),
    }
}

/// Nobody pays for what may not be there: a payment that comes early waits until the stock is confirmed.
fn keep(
    total: Money,
    kept: Option<PaymentId>,
    command: &PayOrder,
) -> Result<Vec<OrderEvent>, OrderRejection> {
    agree(total, command.amount)?;
    match kept {
        None => Ok(vec![OrderEvent::PaymentKept(PaymentKept {
            order_id: command.order_id,
            payment_id: command.payment_id,
            kept_at: command.paid_at,
        })]),
        Some(kept) if kept == command.payment_id => Ok(vec![]),
        Some(_) => Err(OrderRejection::PaymentInProgress),
    }
}

/// Whether the customer expects to pay what the order costs; who names no amount agrees to any.
fn agree(total: Money, given: Option<Money>) -> Result<(), OrderRejection> {
    match given {
        Some(given) if given.currency() != total.currency() => {
            Err(OrderRejection::CurrencyMismatch {
                expected: total.currency(),
                given: given.currency(),
            })
        }
        Some(given) if given != total => Err(OrderRejection::AmountMismatch {
            expected: total,
            given,
        }),
        Some(_) | None => Ok(()),
    }
}

fn cancel(stage: &OrderStage, command: &CancelOrder) -> Result<Vec<OrderEvent>, OrderRejection> {
    let cancelled = OrderEvent::Cancelled(OrderCancelled {
        order_id: command.order_id,
        reason: command.reason.clone(),
        cancelled_at: command.cancelled_at,
    });
    match stage {
        OrderStage::Unplaced => Err(OrderRejection::OrderNotFound),
        // A payment that is kept has taken nothing yet, so nothing goes back.
        OrderStage::Placed { .. }
        | OrderStage::Checking(_)
        | OrderStage::AwaitingPayment { .. } => Ok(vec![cancelled]),
        OrderStage::Paid { payment_id, amount } => {
            let refunded = OrderEvent::Refunded(OrderRefunded {
                order_id: command.order_id,
                payment_id: *payment_id,
                amount: *amount,
                refunded_at: command.cancelled_at,
            });
            Ok(vec![cancelled, refunded])
        }
        OrderStage::Rejected | OrderStage::Expired => Err(OrderRejection::OrderEnded),
        OrderStage::Cancelled => Err(OrderRejection::OrderCancelled),
    }
}

#[cfg(test)]
mod tests;
