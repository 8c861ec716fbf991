//! The stock's answers. They may come late, twice, or after the order has ended: then nothing happens. Only an order that does
//! not exist is a mistake.

use chrono::{DateTime, Utc};

use super::{OrderRejection, ask as ask_to_pay};
use crate::{
    ids::OrderId,
    order::{
        command::{ConfirmOrder, RejectOrder, RequestInventory},
        event::{InventoryRequested, OrderConfirmed, OrderEvent, OrderRejected},
        state::{Billing, OrderStage},
    },
    quantity::SkuUnits,
};

pub(super) fn request(
    stage: &OrderStage,
    command: &RequestInventory,
) -> Result<Vec<OrderEvent>, OrderRejection> {
    match stage {
        OrderStage::Unplaced => Err(OrderRejection::OrderNotFound),
        OrderStage::Placed { .. } => {
            Ok(ask(command.order_id, &command.lines, command.stock_due_at).into())
        }
        OrderStage::Checking(_)
        | OrderStage::AwaitingPayment(_)
        | OrderStage::PaymentPending(_)
        | OrderStage::Paid(_)
        | OrderStage::Dispatching { .. }
        | OrderStage::Shipped(_)
        | OrderStage::Delivered { .. }
        | OrderStage::Completed(_)
        | OrderStage::Rejected
        | OrderStage::Cancelled { .. }
        | OrderStage::Expired => Ok(vec![]),
    }
}

/// The fact, and the message that tells the product service of it.
pub(super) fn ask(
    order_id: OrderId,
    lines: &[SkuUnits],
    stock_due_at: DateTime<Utc>,
) -> [OrderEvent; 2] {
    let requested = InventoryRequested {
        order_id,
        lines: lines.to_vec(),
        stock_due_at,
    };
    let check = requested.check();
    [
        OrderEvent::InventoryRequested(requested),
        OrderEvent::InventoryCheck(check),
    ]
}

/// An order that has ended by now keeps nothing of this: its reservation is cancelled by the product service's own policy.
pub(super) fn confirm(
    stage: &OrderStage,
    command: &ConfirmOrder,
) -> Result<Vec<OrderEvent>, OrderRejection> {
    let checking = match stage {
        OrderStage::Unplaced => return Err(OrderRejection::OrderNotFound),
        OrderStage::Checking(checking) => checking,
        OrderStage::Placed { .. }
        | OrderStage::AwaitingPayment(_)
        | OrderStage::PaymentPending(_)
        | OrderStage::Paid(_)
        | OrderStage::Dispatching { .. }
        | OrderStage::Shipped(_)
        | OrderStage::Delivered { .. }
        | OrderStage::Completed(_)
        | OrderStage::Rejected
        | OrderStage::Cancelled { .. }
        | OrderStage::Expired => return Ok(vec![]),
    };
    let confirmed = OrderEvent::Confirmed(OrderConfirmed {
        order_id: command.order_id,
        payment_due_at: command.payment_due_at,
        confirmed_at: command.confirmed_at,
    });
    let billing = Billing {
        total: checking.total,
        payment_due_at: command.payment_due_at,
        attempts: 0,
    };
    let asked = checking
        .kept
        .as_deref()
        .map(|kept| ask_to_pay(command.order_id, &billing, kept, command.confirmed_at));
    Ok([confirmed]
        .into_iter()
        .chain(asked.into_iter().flatten())
        .collect())
}

pub(super) fn reject(
    stage: &OrderStage,
    command: &RejectOrder,
) -> Result<Vec<OrderEvent>, OrderRejection> {
    match stage {
        OrderStage::Unplaced => Err(OrderRejection::OrderNotFound),
        OrderStage::Checking(_) => Ok(vec![OrderEvent::Rejected(OrderRejected {
            order_id: command.order_id,
            shortages: command.shortages.clone(),
            rejected_at: command.rejected_at,
        })]),
        OrderStage::Placed { .. }
        | OrderStage::AwaitingPayment(_)
        | OrderStage::PaymentPending(_)
        | OrderStage::Paid(_)
        | OrderStage::Dispatching { .. }
        | OrderStage::Shipped(_)
        | OrderStage::Delivered { .. }
        | OrderStage::Completed(_)
        | OrderStage::Rejected
        | OrderStage::Cancelled { .. }
        | OrderStage::Expired => Ok(vec![]),
    }
}

#[cfg(test)]
mod tests;
