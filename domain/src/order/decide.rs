//! The rules.

use super::{
    command::{CancelOrder, OrderCommand, PayOrder, PlaceOrder},
    event::{OrderCancelled, OrderEvent, OrderPaid, OrderPersonal, OrderPlaced, OrderRefunded},
    state::Order,
};
use crate::{
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
    /// It was called off.
    #[error("the order is cancelled")]
    OrderCancelled,
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
        OrderCommand::Place(command) => place(state, command),
        OrderCommand::Pay(command) => pay(state, command),
        OrderCommand::Cancel(command) => cancel(state, command),
    }
}

/// The same command again never comes here: the event store answers it by its id.
fn place(state: &Order, command: &PlaceOrder) -> Result<Vec<OrderEvent>, OrderRejection> {
    match state {
        Order::Unplaced => {}
        Order::Placed { .. } | Order::Paid { .. } | Order::Cancelled => {
            return Err(OrderRejection::OrderAlreadyExists);
        }
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

fn pay(state: &Order, command: &PayOrder) -> Result<Vec<OrderEvent>, OrderRejection> {
    match state {
        Order::Unplaced => Err(OrderRejection::OrderNotFound),
        Order::Placed { total } => {
            agree(*total, command.amount)?;
            Ok(vec![OrderEvent::Paid(OrderPaid {
                order_id: command.order_id,
                payment_id: command.payment_id,
                amount: *total,
                paid_at: command.paid_at,
            })])
        }
        Order::Paid { payment_id, .. } if *payment_id == command.payment_id => Ok(vec![]),
        Order::Paid { .. } => Err(OrderRejection::OrderAlreadyPaid),
        Order::Cancelled => Err(OrderRejection::OrderCancelled),
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

fn cancel(state: &Order, command: &CancelOrder) -> Result<Vec<OrderEvent>, OrderRejection> {
    let cancelled = OrderEvent::Cancelled(OrderCancelled {
        order_id: command.order_id,
        reason: command.reason.clone(),
        cancelled_at: command.cancelled_at,
    });
    match state {
        Order::Unplaced => Err(OrderRejection::OrderNotFound),
        Order::Placed { .. } => Ok(vec![cancelled]),
        Order::Paid { payment_id, amount } => {
            let refunded = OrderEvent::Refunded(OrderRefunded {
                order_id: command.order_id,
                payment_id: *payment_id,
                amount: *amount,
                refunded_at: command.cancelled_at,
            });
            Ok(vec![cancelled, refunded])
        }
        Order::Cancelled => Err(OrderRejection::OrderCancelled),
    }
}

#[cfg(test)]
mod tests;
