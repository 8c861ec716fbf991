//! The rules: here what a customer asks for; in [`stock`], [`fulfilment`] and [`attention`] what the order's own service does
//! about it.

mod attention;
mod fulfilment;
mod stock;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::{
    command::{CancelOrder, OrderCommand, PayOrder, PlaceOrder},
    event::{
        OrderCancelled, OrderEvent, OrderPaymentPending, OrderPersonal, OrderPlaced, OrderResumed,
        PaymentKept,
    },
    state::{Billing, Kept, Order, OrderStage},
};
use crate::{
    ids::OrderId,
    money::{Currency, Money},
    personal::Personal,
};

/// More than anybody needs to find a card that works, and few for those who try out cards that are not theirs.
pub const MAX_PAYMENTS: u32 = 20;

/// Why a command was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
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
    /// Its goods have left, or are about to.
    #[error("the order's goods have left, or are about to")]
    OrderAlreadyShipped,
    /// So many have failed that no more are tried.
    #[error("{MAX_PAYMENTS} payments of the order have failed, and no more are taken")]
    TooManyPayments,
    /// Another payment is under way, or waits for its stock.
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
        OrderCommand::Cancel(command) => cancel(state, command),
        OrderCommand::RequestInventory(command) => stock::request(&state.stage, command),
        OrderCommand::Confirm(command) => stock::confirm(&state.stage, command),
        OrderCommand::Reject(command) => stock::reject(&state.stage, command),
        OrderCommand::SettlePayment(command) => fulfilment::settle(&state.stage, command),
        OrderCommand::DecideDispatch(command) => fulfilment::dispatch(&state.stage, command),
        OrderCommand::RefuseCapture(command) => fulfilment::refuse_capture(state, command),
        OrderCommand::Ship(command) => fulfilment::ship(&state.stage, command),
        OrderCommand::Deliver(command) => fulfilment::deliver(&state.stage, command),
        OrderCommand::Expire(command) => Ok(attention::expire(state, command)),
        OrderCommand::MarkStuck(command) => Ok(attention::mark_stuck(state, command)),
        OrderCommand::Resume(command) => attention::resume(state, command),
    }
}

/// The same command again never comes here: the event store answers it by its id.
fn place(stage: &OrderStage, command: &PlaceOrder) -> Result<Vec<OrderEvent>, OrderRejection> {
    match stage {
        OrderStage::Unplaced => {}
        OrderStage::Placed { .. }
        | OrderStage::Checking(_)
        | OrderStage::AwaitingPayment(_)
        | OrderStage::PaymentPending(_)
        | OrderStage::Paid(_)
        | OrderStage::Dispatching { .. }
        | OrderStage::Shipped(_)
        | OrderStage::Delivered { .. }
        | OrderStage::Completed(_)
        | OrderStage::Rejected
        | OrderStage::Cancelled { .. }
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
        OrderStage::Placed { total, kept } => keep(*total, kept.as_deref(), command),
        OrderStage::Checking(checking) => keep(checking.total, checking.kept.as_deref(), command),
        OrderStage::AwaitingPayment(billing) => {
            agree(billing.total, command.amount)?;
            if billing.attempts >= MAX_PAYMENTS {
                return Err(OrderRejection::TooManyPayments);
            }
            let kept = Kept {
                payment_id: command.payment_id,
                method: command.method.clone(),
            };
            Ok(ask(command.order_id, billing, &kept, command.paid_at).into())
        }
        OrderStage::PaymentPending(pending) if pending.payment_id == command.payment_id => {
            Ok(vec![])
        }
        OrderStage::PaymentPending(_) => Err(OrderRejection::PaymentInProgress),
        OrderStage::Paid(paid)
        | OrderStage::Dispatching { paid, .. }
        | OrderStage::Shipped(paid)
        | OrderStage::Delivered { paid, .. }
        | OrderStage::Completed(paid) => {
            if paid.payment_id == command.payment_id {
                Ok(vec![])
            } else {
                Err(OrderRejection::OrderAlreadyPaid)
            }
        }
        OrderStage::Rejected | OrderStage::Expired => Err(OrderRejection::OrderNotPayable),
        OrderStage::Cancelled { .. } => Err(OrderRejection::OrderCancelled),
    }
}

/// The fact, and the message that tells the payment service of it.
fn ask(order_id: OrderId, billing: &Billing, payment: &Kept, at: DateTime<Utc>) -> [OrderEvent; 2] {
    let pending = OrderPaymentPending {
        order_id,
        payment_id: payment.payment_id,
        attempt: billing.attempts.saturating_add(1),
        amount: billing.total,
        method: payment.method.clone(),
        pending_at: at,
    };
    let request = pending.request();
    [
        OrderEvent::PaymentPending(pending),
        OrderEvent::PaymentRequested(request),
    ]
}

/// Nobody pays for what may not be there: a payment that comes early waits until the stock is confirmed.
fn keep(
    total: Money,
    kept: Option<&Kept>,
    command: &PayOrder,
) -> Result<Vec<OrderEvent>, OrderRejection> {
    agree(total, command.amount)?;
    match kept {
        None => Ok(vec![OrderEvent::PaymentKept(PaymentKept {
            order_id: command.order_id,
            payment_id: command.payment_id,
            method: command.method.clone(),
            kept_at: command.paid_at,
        })]),
        Some(kept) if kept.payment_id == command.payment_id => Ok(vec![]),
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

/// Until its goods may leave. Where the money for them was refused they may not, although they were let go.
fn cancel(state: &Order, command: &CancelOrder) -> Result<Vec<OrderEvent>, OrderRejection> {
    match &state.stage {
        OrderStage::Unplaced => Err(OrderRejection::OrderNotFound),
        // A payment that is kept has asked for nothing yet, so nothing is undone.
        OrderStage::Placed { .. }
        | OrderStage::Checking(_)
        | OrderStage::AwaitingPayment(_)
        | OrderStage::PaymentPending(_)
        | OrderStage::Paid(_)
        | OrderStage::Dispatching {
            is_refused: true, ..
        } => Ok(call_off(state, command)),
        OrderStage::Dispatching {
            is_refused: false, ..
        }
        | OrderStage::Shipped(_)
        | OrderStage::Delivered { .. }
        | OrderStage::Completed(_) => Err(OrderRejection::OrderAlreadyShipped),
        OrderStage::Rejected | OrderStage::Expired => Err(OrderRejection::OrderEnded),
        OrderStage::Cancelled { .. } => Err(OrderRejection::OrderCancelled),
    }
}

/// Its payment is undone, which asks the gateway anew: where nothing else was stuck, nobody has to look any more.
fn call_off(state: &Order, command: &CancelOrder) -> Vec<OrderEvent> {
    let payment_id = state.stage.payment_id();
    let cancelled = OrderEvent::Cancelled(OrderCancelled {
        order_id: command.order_id,
        payment_id,
        reason: command.reason.clone(),
        cancelled_at: command.cancelled_at,
    });
    let resumed = OrderEvent::Resumed(OrderResumed {
        order_id: command.order_id,
        payment_id,
        resumed_at: command.cancelled_at,
    });
    let stuck = state.stuck.as_deref();
    let resumed = stuck
        .is_some_and(|stuck| stuck.is_only_by(payment_id))
        .then_some(resumed);
    [cancelled].into_iter().chain(resumed).collect()
}

#[cfg(test)]
mod tests;
