//! The order: placed, confirmed by the stock, paid, shipped, delivered, or ended before. It is the only arbiter of what may still happen to a
//! purchase.
//!
//! In reading order: [`command`], [`event`], [`state`], `status`, `decide`; [`policy`] carries what others have answered back to it.
//! An upcaster would stand beside the event that it lifts.

pub mod command;
mod decide;
pub mod event;
pub mod line;
pub mod policy;
pub mod state;
mod status;

use chrono::{DateTime, Utc};

pub use self::{
    command::{
        CancelOrder, ConfirmOrder, DecideDispatch, DeliverOrder, ExpireOrder, MarkOrderStuck,
        OrderCommand, PayOrder, PlaceOrder, RefuseCapture, RejectOrder, RequestInventory,
        ResumeOrder, SettlePayment, Settlement, ShipOrder,
    },
    decide::OrderRejection,
    event::{
        Awaited, DispatchApproved, DispatchRefused, InventoryRequested, OrderCancelled,
        OrderCaptureRefused, OrderCompleted, OrderConfirmed, OrderDelivered, OrderEvent,
        OrderExpired, OrderPaid, OrderPaymentFailed, OrderPaymentPending, OrderPersonal,
        OrderPlaced, OrderRejected, OrderResumed, OrderShipped, OrderStream, OrderStuck,
        PaymentKept,
    },
    line::{InvalidLines, OrderLine, OrderLines, Totals},
    policy::{OrderPolicy, OrderPolicyEvent},
    state::{Billing, Kept, Order, OrderStage, Paid, Pending, Stuck},
    status::OrderStatus,
};
use crate::{Context, topics};

/// The order service's context.
#[derive(Debug)]
pub struct Orders;

impl Context for Orders {
    const SERVICE: &'static str = "order";
    const TOPICS: &'static [&'static str] = &[topics::ORDER_EVENTS];
    const SENDS_TO: &'static [&'static str] = &[topics::INVENTORY_EVENTS, topics::PAYMENT_EVENTS];
    const STATE_FORMAT: u32 = 2;
    const OPENED_ELSEWHERE: bool = true;

    type Command = OrderCommand;
    type Event = OrderEvent;
    type State = Order;
    type Rejection = OrderRejection;
    /// None only where nothing has been placed, which no accepted command of a client leaves behind.
    type Status = Option<OrderStatus>;

    fn target(command: &OrderCommand) -> OrderStream {
        OrderStream(command.order_id())
    }

    fn decide(state: &Order, command: &OrderCommand) -> Result<Vec<OrderEvent>, OrderRejection> {
        decide::decide(state, command)
    }

    fn evolve(state: Order, event: &OrderEvent) -> Order {
        state.evolve(event)
    }

    fn status(state: &Order) -> Option<OrderStatus> {
        state.status()
    }

    /// The cart service opens orders, at checkout.
    fn opens(event: &OrderEvent) -> bool {
        matches!(event, OrderEvent::Placed(_))
    }

    fn may_be_opened_elsewhere(command: &OrderCommand) -> bool {
        !matches!(command, OrderCommand::Place(_))
    }

    fn message(fact: &OrderEvent) -> Option<OrderEvent> {
        match fact {
            OrderEvent::InventoryRequested(requested) => {
                Some(OrderEvent::InventoryCheck(requested.check()))
            }
            OrderEvent::PaymentPending(pending) => {
                Some(OrderEvent::PaymentRequested(pending.request()))
            }
            OrderEvent::Placed(_)
            | OrderEvent::PaymentRequested(_)
            | OrderEvent::Paid(_)
            | OrderEvent::PaymentFailed(_)
            | OrderEvent::Cancelled(_)
            | OrderEvent::DispatchApproved(_)
            | OrderEvent::DispatchRefused(_)
            | OrderEvent::CaptureRefused(_)
            | OrderEvent::Shipped(_)
            | OrderEvent::Delivered(_)
            | OrderEvent::Completed(_)
            | OrderEvent::InventoryCheck(_)
            | OrderEvent::PaymentKept(_)
            | OrderEvent::Confirmed(_)
            | OrderEvent::Rejected(_)
            | OrderEvent::Expired(_)
            | OrderEvent::Stuck(_)
            | OrderEvent::Resumed(_) => None,
        }
    }

    fn deadline(state: &Order) -> Option<DateTime<Utc>> {
        state.deadline()
    }

    fn expire(stream: &OrderStream, due_at: DateTime<Utc>) -> Option<OrderCommand> {
        Some(OrderCommand::Expire(ExpireOrder {
            order_id: stream.0,
            due_at,
        }))
    }
}

#[cfg(test)]
mod testing;

#[cfg(test)]
mod properties;
