//! What goes on without the customer. Answers may come late, twice, or after the order has ended: then nothing happens. Only
//! an order that does not exist is a mistake.

use chrono::{DateTime, Utc};

use super::OrderRejection;
use crate::{
    ids::OrderId,
    order::{
        command::{
            ConfirmOrder, ExpireOrder, MarkOrderStuck, RejectOrder, RequestInventory, ResumeOrder,
        },
        event::{
            Awaited, InventoryRequested, OrderConfirmed, OrderEvent, OrderExpired, OrderPaid,
            OrderRejected, OrderResumed, OrderStuck,
        },
        state::{Order, OrderStage},
    },
    product::reservation::InventoryCheck,
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
        | OrderStage::AwaitingPayment { .. }
        | OrderStage::Paid { .. }
        | OrderStage::Rejected
        | OrderStage::Cancelled
        | OrderStage::Expired => Ok(vec![]),
    }
}

/// The fact, and the message that tells the product service of it.
fn ask(order_id: OrderId, lines: &[SkuUnits], stock_due_at: DateTime<Utc>) -> [OrderEvent; 2] {
    [
        OrderEvent::InventoryRequested(InventoryRequested {
            order_id,
            lines: lines.to_vec(),
            stock_due_at,
        }),
        OrderEvent::InventoryCheck(InventoryCheck {
            order_id,
            lines: lines.to_vec(),
        }),
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
        | OrderStage::AwaitingPayment { .. }
        | OrderStage::Paid { .. }
        | OrderStage::Rejected
        | OrderStage::Cancelled
        | OrderStage::Expired => return Ok(vec![]),
    };
    let confirmed = OrderEvent::Confirmed(OrderConfirmed {
        order_id: command.order_id,
        payment_due_at: command.payment_due_at,
        confirmed_at: command.confirmed_at,
    });
    let paid = checking.kept.map(|payment_id| {
        OrderEvent::Paid(OrderPaid {
            order_id: command.order_id,
            payment_id,
            amount: checking.total,
            paid_at: command.confirmed_at,
        })
    });
    Ok([confirmed].into_iter().chain(paid).collect())
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
        | OrderStage::AwaitingPayment { .. }
        | OrderStage::Paid { .. }
        | OrderStage::Rejected
        | OrderStage::Cancelled
        | OrderStage::Expired => Ok(vec![]),
    }
}

/// Deadlines are set anew, and orders go on: only the one that stands counts.
pub(super) fn expire(state: &Order, command: &ExpireOrder) -> Vec<OrderEvent> {
    let awaited = match state.stage {
        OrderStage::Checking(_) => Awaited::Stock,
        OrderStage::AwaitingPayment { .. } => Awaited::Payment,
        OrderStage::Unplaced
        | OrderStage::Placed { .. }
        | OrderStage::Paid { .. }
        | OrderStage::Rejected
        | OrderStage::Cancelled
        | OrderStage::Expired => return vec![],
    };
    if state.deadline() != Some(command.due_at) {
        return vec![];
    }
    vec![OrderEvent::Expired(OrderExpired {
        order_id: command.order_id,
        awaited,
        expired_at: command.due_at,
    })]
}

/// Never rejected: it is what is done about rejections.
pub(super) fn mark_stuck(state: &Order, command: &MarkOrderStuck) -> Vec<OrderEvent> {
    match state.stage {
        OrderStage::Placed { .. }
        | OrderStage::Checking(_)
        | OrderStage::AwaitingPayment { .. }
            if !state.stuck =>
        {
            vec![OrderEvent::Stuck(OrderStuck {
                order_id: command.order_id,
                reason: command.reason.clone(),
                stuck_at: command.stuck_at,
            })]
        }
        OrderStage::Unplaced
        | OrderStage::Placed { .. }
        | OrderStage::Checking(_)
        | OrderStage::AwaitingPayment { .. }
        | OrderStage::Paid { .. }
        | OrderStage::Rejected
        | OrderStage::Cancelled
        | OrderStage::Expired => vec![],
    }
}

pub(super) fn resume(
    state: &Order,
    command: &ResumeOrder,
) -> Result<Vec<OrderEvent>, OrderRejection> {
    let asked = match &state.stage {
        OrderStage::Unplaced => return Err(OrderRejection::OrderNotFound),
        OrderStage::Checking(checking) => Some(&checking.lines),
        OrderStage::Placed { .. }
        | OrderStage::AwaitingPayment { .. }
        | OrderStage::Paid { .. }
        | OrderStage::Rejected
        | OrderStage::Cancelled
        | OrderStage::Expired => None,
    };
    if !state.stuck {
        return Err(OrderRejection::OrderNotStuck);
    }
    let mut events = vec![OrderEvent::Resumed(OrderResumed {
        order_id: command.order_id,
        resumed_at: command.resumed_at,
    })];
    if let Some(lines) = asked {
        events.extend(ask(command.order_id, lines, command.stock_due_at));
    }
    Ok(events)
}

#[cfg(test)]
mod tests;
