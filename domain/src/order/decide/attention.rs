//! What time does to an order, and what operators do.

use super::{OrderRejection, stock};
use crate::order::{
    command::{ExpireOrder, MarkOrderStuck, ResumeOrder},
    event::{
        Awaited, DispatchApproved, OrderCompleted, OrderEvent, OrderExpired, OrderResumed,
        OrderStuck,
    },
    state::{Order, OrderStage},
};

/// Deadlines are set anew, and orders go on: only the one that stands counts.
pub(super) fn expire(state: &Order, command: &ExpireOrder) -> Vec<OrderEvent> {
    if state.deadline() != Some(command.due_at) {
        return vec![];
    }
    let expired = |awaited| {
        vec![OrderEvent::Expired(OrderExpired {
            order_id: command.order_id,
            awaited,
            expired_at: command.due_at,
        })]
    };
    match state.stage {
        OrderStage::Checking(_) => expired(Awaited::Stock),
        OrderStage::AwaitingPayment(_) => expired(Awaited::Payment),
        OrderStage::Delivered { .. } => vec![OrderEvent::Completed(OrderCompleted {
            order_id: command.order_id,
            completed_at: command.due_at,
        })],
        OrderStage::Unplaced
        | OrderStage::Placed { .. }
        | OrderStage::PaymentPending(_)
        | OrderStage::Paid(_)
        | OrderStage::Dispatching { .. }
        | OrderStage::Shipped(_)
        | OrderStage::Completed(_)
        | OrderStage::Rejected
        | OrderStage::Cancelled { .. }
        | OrderStage::Expired => vec![],
    }
}

/// Never rejected: it is what is done about rejections. An order that has ended may still have money to give back. One that
/// is stuck already is stuck by another payment, or by a step of its own, as well.
pub(super) fn mark_stuck(state: &Order, command: &MarkOrderStuck) -> Vec<OrderEvent> {
    let is_new = match &state.stuck {
        None => state.stage != OrderStage::Unplaced,
        Some(stuck) => match &command.payment_id {
            Some(payment_id) => !stuck.payments.contains(payment_id),
            None => !stuck.step,
        },
    };
    if !is_new {
        return vec![];
    }
    vec![OrderEvent::Stuck(OrderStuck {
        order_id: command.order_id,
        payment_id: command.payment_id,
        reason: command.reason.clone(),
        stuck_at: command.stuck_at,
    })]
}

/// Asks again what was not answered, or was refused.
pub(super) fn resume(
    state: &Order,
    command: &ResumeOrder,
) -> Result<Vec<OrderEvent>, OrderRejection> {
    if state.stage == OrderStage::Unplaced {
        return Err(OrderRejection::OrderNotFound);
    }
    let Some(stuck) = &state.stuck else {
        return Err(OrderRejection::OrderNotStuck);
    };
    let current = state.stage.payment_id();
    let others = stuck.payments.iter().copied().map(Some);
    let others = others.filter(|payment_id| *payment_id != current);
    let resumed = [current].into_iter().chain(others);
    let mut events: Vec<_> = resumed
        .map(|payment_id| {
            OrderEvent::Resumed(OrderResumed {
                order_id: command.order_id,
                payment_id,
                resumed_at: command.resumed_at,
            })
        })
        .collect();
    match &state.stage {
        OrderStage::Checking(checking) => events.extend(stock::ask(
            command.order_id,
            &checking.lines,
            command.stock_due_at,
        )),
        OrderStage::Dispatching {
            paid,
            is_refused: true,
        } => events.push(OrderEvent::DispatchApproved(DispatchApproved {
            order_id: command.order_id,
            payment_id: paid.payment_id,
            amount: paid.amount,
            approved_at: command.resumed_at,
        })),
        OrderStage::Unplaced
        | OrderStage::Placed { .. }
        | OrderStage::AwaitingPayment(_)
        | OrderStage::PaymentPending(_)
        | OrderStage::Paid(_)
        | OrderStage::Dispatching {
            is_refused: false, ..
        }
        | OrderStage::Shipped(_)
        | OrderStage::Delivered { .. }
        | OrderStage::Completed(_)
        | OrderStage::Rejected
        | OrderStage::Cancelled { .. }
        | OrderStage::Expired => {}
    }
    Ok(events)
}

#[cfg(test)]
mod tests;
