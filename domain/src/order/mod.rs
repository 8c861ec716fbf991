//! The order: placed, paid, cancelled. It is the only arbiter of what may still happen to a purchase.
//!
//! In reading order: [`command`], [`event`], [`state`], `decide`; an upcaster would stand beside the event that it lifts.

pub mod command;
mod decide;
pub mod event;
pub mod line;
pub mod state;

pub use self::{
    command::{CancelOrder, OrderCommand, PayOrder, PlaceOrder},
    decide::OrderRejection,
    event::{
        OrderCancelled, OrderEvent, OrderPaid, OrderPersonal, OrderPlaced, OrderRefunded,
        OrderStream,
    },
    line::{InvalidLines, InvalidQuantity, OrderLine, OrderLines, Quantity, Totals},
    state::{Order, OrderStatus},
};
use crate::{Context, topics};

/// The order service's context.
#[derive(Debug)]
pub struct Orders;

impl Context for Orders {
    const SERVICE: &'static str = "order";
    const TOPICS: &'static [&'static str] = &[topics::ORDER_EVENTS];

    type Command = OrderCommand;
    type Event = OrderEvent;
    type State = Order;
    type Rejection = OrderRejection;
    /// None only where nothing has been placed, which no accepted command leaves behind.
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
}

#[cfg(test)]
mod testing;

#[cfg(test)]
mod properties;
