//! The shopping cart: opened, filled, and checked out, by which it becomes an order.
//!
//! In reading order: [`command`], [`event`], [`state`], `decide`; an upcaster would stand beside the event that it lifts.

pub mod command;
mod decide;
pub mod event;
pub mod state;

pub use self::{
    command::{CartCommand, CheckOutCart, OpenCart, RemoveCartItem, SetCartItem},
    decide::{CartRejection, MAX_ITEMS},
    event::{CartCheckedOut, CartEvent, CartItemRemoved, CartItemSet, CartOpened, CartStream},
    state::{Cart, CartItem, CartStatus},
};
use crate::{Context, topics};

/// The cart service's context.
#[derive(Debug)]
pub struct Carts;

/// A cart can be changed without end, so beside the one that opened it, it remembers only so many of its last commands; nobody
/// retries one that lies further back.
const REMEMBERED: usize = 256;

impl Context for Carts {
    const SERVICE: &'static str = "cart";
    const TOPICS: &'static [&'static str] = &[topics::CART_EVENTS];
    const SENDS_TO: &'static [&'static str] = &[topics::ORDER_EVENTS];
    const STATE_FORMAT: u32 = 2;

    type Command = CartCommand;
    type Event = CartEvent;
    type State = Cart;
    type Rejection = CartRejection;
    /// None only where nothing has been opened, which no accepted command leaves behind.
    type Status = Option<CartStatus>;

    fn target(command: &CartCommand) -> CartStream {
        CartStream::Cart(command.cart_id())
    }

    fn decide(state: &Cart, command: &CartCommand) -> Result<Vec<CartEvent>, CartRejection> {
        decide::decide(state, command)
    }

    fn evolve(state: Cart, event: &CartEvent) -> Cart {
        state.evolve(event)
    }

    fn status(state: &Cart) -> Option<CartStatus> {
        state.status()
    }

    fn remembered(_stream: &CartStream) -> usize {
        REMEMBERED
    }

    fn message(fact: &CartEvent) -> Option<CartEvent> {
        match fact {
            CartEvent::CheckedOut(checked_out) => {
                Some(CartEvent::OrderPlaced(Box::new(checked_out.order())))
            }
            CartEvent::Opened(_)
            | CartEvent::ItemSet(_)
            | CartEvent::ItemRemoved(_)
            | CartEvent::OrderPlaced(_) => None,
        }
    }

    fn outlasts(event: &CartEvent) -> bool {
        matches!(event, CartEvent::Opened(_))
    }
}

#[cfg(test)]
mod testing;

#[cfg(test)]
mod properties;
