//! From payment to delivery. Answers may come late, twice, or after the order has ended: then nothing happens, and whoever
//! asked is told where somebody waits for it. Only an order that does not exist is a mistake.

use super::OrderRejection;
use crate::order::{
    command::{DecideDispatch, DeliverOrder, RefuseCapture, SettlePayment, Settlement, ShipOrder},
    event::{
        DispatchApproved, DispatchRefused, OrderCaptureRefused, OrderDelivered, OrderEvent,
        OrderPaid, OrderPaymentFailed, OrderShipped, OrderStuck,
    },
    state::{Order, OrderStage},
};

/// A payment that is no longer waited for was cancelled with the order, and undone by the payment service.
pub(super) fn settle(
    stage: &OrderStage,
    command: &SettlePayment,
) -> Result<Vec<OrderEvent>, OrderRejection> {
    let pending = match stage {
        OrderStage::Unplaced => return Err(OrderRejection::OrderNotFound),
        OrderStage::PaymentPending(pending) if pending.payment_id == command.payment_id => pending,
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
        | OrderStage::Expired => return Ok(vec![]),
    };
    Ok(vec![match &command.settlement {
        Settlement::Authorised => OrderEvent::Paid(OrderPaid {
            order_id: command.order_id,
            payment_id: command.payment_id,
            amount: pending.billing.total,
            paid_at: command.settled_at,
        }),
        Settlement::Declined { code, detail } => OrderEvent::PaymentFailed(OrderPaymentFailed {
            order_id: command.order_id,
            payment_id: command.payment_id,
            code: code.clone(),
            detail: detail.clone(),
            failed_at: command.settled_at,
        }),
    }])
}

/// The one place where a cancel and a dispatch meet: whichever is decided first.
pub(super) fn dispatch(
    stage: &OrderStage,
    command: &DecideDispatch,
) -> Result<Vec<OrderEvent>, OrderRejection> {
    match stage {
        OrderStage::Unplaced => Err(OrderRejection::OrderNotFound),
        OrderStage::Paid(paid) => Ok(vec![OrderEvent::DispatchApproved(DispatchApproved {
            order_id: command.order_id,
            payment_id: paid.payment_id,
            amount: paid.amount,
            approved_at: command.decided_at,
        })]),
        // It was answered before.
        OrderStage::Dispatching { .. }
        | OrderStage::Shipped(_)
        | OrderStage::Delivered { .. }
        | OrderStage::Completed(_) => Ok(vec![]),
        OrderStage::Placed { .. }
        | OrderStage::Checking(_)
        | OrderStage::AwaitingPayment(_)
        | OrderStage::PaymentPending(_)
        | OrderStage::Rejected
        | OrderStage::Cancelled { .. }
        | OrderStage::Expired => Ok(vec![OrderEvent::DispatchRefused(DispatchRefused {
            order_id: command.order_id,
            refused_at: command.decided_at,
        })]),
    }
}

/// The goods stay: an operator has it tried again, or the customer calls it off.
pub(super) fn refuse_capture(
    state: &Order,
    command: &RefuseCapture,
) -> Result<Vec<OrderEvent>, OrderRejection> {
    match &state.stage {
        OrderStage::Unplaced => Err(OrderRejection::OrderNotFound),
        OrderStage::Dispatching {
            paid,
            is_refused: false,
        } if paid.payment_id == command.payment_id => {
            let refused = OrderEvent::CaptureRefused(OrderCaptureRefused {
                order_id: command.order_id,
                payment_id: command.payment_id,
                code: command.code.clone(),
                refused_at: command.refused_at,
            });
            let stuck = OrderEvent::Stuck(OrderStuck {
                order_id: command.order_id,
                payment_id: Some(command.payment_id),
                reason: command.detail.clone(),
                stuck_at: command.refused_at,
            });
            let stuck = state.stuck.is_none().then_some(stuck);
            Ok([refused].into_iter().chain(stuck).collect())
        }
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
        | OrderStage::Expired => Ok(vec![]),
    }
}

pub(super) fn ship(
    stage: &OrderStage,
    command: &ShipOrder,
) -> Result<Vec<OrderEvent>, OrderRejection> {
    match stage {
        OrderStage::Unplaced => Err(OrderRejection::OrderNotFound),
        OrderStage::Dispatching { paid, .. } => Ok(vec![OrderEvent::Shipped(OrderShipped {
            order_id: command.order_id,
            amount: paid.amount,
            units: command.units,
            shipped_at: command.shipped_at,
        })]),
        OrderStage::Placed { .. }
        | OrderStage::Checking(_)
        | OrderStage::AwaitingPayment(_)
        | OrderStage::PaymentPending(_)
        | OrderStage::Paid(_)
        | OrderStage::Shipped(_)
        | OrderStage::Delivered { .. }
        | OrderStage::Completed(_)
        | OrderStage::Rejected
        | OrderStage::Cancelled { .. }
        | OrderStage::Expired => Ok(vec![]),
    }
}

pub(super) fn deliver(
    stage: &OrderStage,
    command: &DeliverOrder,
) -> Result<Vec<OrderEvent>, OrderRejection> {
    match stage {
        OrderStage::Unplaced => Err(OrderRejection::OrderNotFound),
        OrderStage::Shipped(_) => Ok(vec![OrderEvent::Delivered(OrderDelivered {
            order_id: command.order_id,
            completes_at: command.completes_at,
            delivered_at: command.delivered_at,
        })]),
        OrderStage::Placed { .. }
        | OrderStage::Checking(_)
        | OrderStage::AwaitingPayment(_)
        | OrderStage::PaymentPending(_)
        | OrderStage::Paid(_)
        | OrderStage::Dispatching { .. }
        | OrderStage::Delivered { .. }
        | OrderStage::Completed(_)
        | OrderStage::Rejected
        | OrderStage::Cancelled { .. }
        | OrderStage::Expired => Ok(vec![]),
    }
}

#[cfg(test)]
mod tests;
