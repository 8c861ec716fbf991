//! The rules.

use serde::{Deserialize, Serialize};

use super::{
    command::{CartCommand, CheckOutCart, OpenCart, RemoveCartItem, SetCartItem},
    event::{CartCheckedOut, CartEvent, CartItemRemoved, CartItemSet, CartOpened},
    state::{Cart, CartItem},
};
use crate::{
    ids::{CustomerId, LineId, OrderId},
    money::{Currency, Money, MoneyError},
    order::{InvalidLines, OrderLine, OrderLines, OrderPersonal},
    personal::Personal,
};

/// At most so many SKUs are in a cart: as many as an order has lines.
pub const MAX_ITEMS: usize = *OrderLines::COUNT.end();

/// Why a command was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
pub enum CartRejection {
    /// Nothing has been opened under this id.
    #[error("there is no such cart")]
    CartNotFound,
    /// Another command has opened a cart under this id.
    #[error("the cart exists already")]
    CartAlreadyExists,
    /// It has become an order.
    #[error("the cart is checked out")]
    CartCheckedOut,
    /// There is nothing in it to be bought.
    #[error("the cart is empty")]
    CartEmpty,
    /// It is full.
    #[error("a cart has at most {MAX_ITEMS} items")]
    TooManyItems,
    /// The item costs another currency than those that are in it.
    #[error("the cart is in {expected}, not in {given}")]
    CurrencyMismatch {
        /// The cart's.
        expected: Currency,
        /// The item's.
        given: Currency,
    },
    /// It costs more than money can say.
    #[error("the cart costs more than {}", Money::MAX_AMOUNT)]
    AmountOverflow,
    /// A guest's cart is checked out by nobody.
    #[error("a guest's cart needs a customer to be checked out")]
    CustomerRequired,
    /// Somebody checks out a cart of somebody else.
    #[error("the cart is another customer's")]
    CustomerMismatch,
}

pub(super) fn decide(state: &Cart, command: &CartCommand) -> Result<Vec<CartEvent>, CartRejection> {
    match command {
        CartCommand::Open(command) => open(state, command),
        CartCommand::Set(command) => set(state, command),
        CartCommand::Remove(command) => remove(state, command),
        CartCommand::CheckOut(command) => check_out(state, command),
    }
}

/// The same command again never comes here: the event store answers it by its id.
fn open(state: &Cart, command: &OpenCart) -> Result<Vec<CartEvent>, CartRejection> {
    match state {
        Cart::Unopened => Ok(vec![CartEvent::Opened(CartOpened {
            cart_id: command.cart_id,
            customer_id: command.customer_id.clone(),
            opened_at: command.opened_at,
        })]),
        Cart::Open { .. } | Cart::CheckedOut { .. } => Err(CartRejection::CartAlreadyExists),
    }
}

/// Who shops, and what is in the cart, while that can still change.
fn contents(state: &Cart) -> Result<(Option<&CustomerId>, &[CartItem]), CartRejection> {
    match state {
        Cart::Unopened => Err(CartRejection::CartNotFound),
        Cart::Open { customer_id, items } => Ok((customer_id.as_ref(), items)),
        Cart::CheckedOut { .. } => Err(CartRejection::CartCheckedOut),
    }
}

fn set(state: &Cart, command: &SetCartItem) -> Result<Vec<CartEvent>, CartRejection> {
    let (_, items) = contents(state)?;
    let new = CartItem {
        sku: command.sku.clone(),
        quantity: command.quantity,
        unit_price: command.unit_price,
    };
    if items.contains(&new) {
        return Ok(vec![]);
    }
    let others = items.iter().filter(|item| item.sku != new.sku);
    if others.clone().count() == MAX_ITEMS {
        return Err(CartRejection::TooManyItems);
    }
    // What cannot be an order's total is refused now, not at checkout.
    let mut sum = None;
    for item in others.chain([&new]) {
        sum = Some(add(sum, item)?);
    }
    Ok(vec![CartEvent::ItemSet(CartItemSet {
        cart_id: command.cart_id,
        sku: new.sku,
        quantity: new.quantity,
        unit_price: new.unit_price,
        changed_at: command.changed_at,
    })])
}

/// The first item gives the currency.
fn add(sum: Option<Money>, item: &CartItem) -> Result<Money, CartRejection> {
    let sum = sum.unwrap_or(Money::zero(item.unit_price.currency()));
    let total = item.unit_price.checked_mul(item.quantity.get());
    let sum = total.and_then(|total| sum.checked_add(total));
    sum.map_err(|error| match error {
        MoneyError::CurrencyMismatch { expected, given } => {
            CartRejection::CurrencyMismatch { expected, given }
        }
        MoneyError::Negative | MoneyError::Overflow => CartRejection::AmountOverflow,
    })
}

fn remove(state: &Cart, command: &RemoveCartItem) -> Result<Vec<CartEvent>, CartRejection> {
    let (_, items) = contents(state)?;
    if items.iter().all(|item| item.sku != command.sku) {
        return Ok(vec![]);
    }
    Ok(vec![CartEvent::ItemRemoved(CartItemRemoved {
        cart_id: command.cart_id,
        sku: command.sku.clone(),
        changed_at: command.changed_at,
    })])
}

/// Closes the cart and opens the order, in one decision: neither is ever seen without the other.
fn check_out(state: &Cart, command: &CheckOutCart) -> Result<Vec<CartEvent>, CartRejection> {
    let (shopper, items) = contents(state)?;
    let order_id = OrderId::of_cart(command.cart_id);
    let lines = lines(order_id, items)?;
    let customer_id = buyer(shopper, command.customer_id.as_ref())?;
    let checked_out = CartCheckedOut {
        cart_id: command.cart_id,
        order_id,
        customer_id: customer_id.clone(),
        lines: lines.as_slice().to_vec(),
        totals: lines.totals(),
        personal: Personal::clear(OrderPersonal {
            shipping_address: command.shipping_address.clone(),
            contact: command.contact.clone(),
        }),
        checked_out_at: command.checked_out_at,
    };
    let placed = checked_out.order();
    Ok(vec![
        CartEvent::CheckedOut(Box::new(checked_out)),
        CartEvent::OrderPlaced(Box::new(placed)),
    ])
}

fn lines(order_id: OrderId, items: &[CartItem]) -> Result<OrderLines, CartRejection> {
    let lines = items.iter().enumerate().map(|(index, item)| OrderLine {
        line_id: LineId::of(order_id, index),
        sku: item.sku.clone(),
        quantity: item.quantity,
        unit_price: item.unit_price,
    });
    // Only the first can come up: the others were refused when the item was put in.
    OrderLines::new(lines.collect()).map_err(|error| match error {
        InvalidLines::Count => CartRejection::CartEmpty,
        InvalidLines::CurrencyMismatch {
            expected, given, ..
        } => CartRejection::CurrencyMismatch { expected, given },
        InvalidLines::Overflow { .. } => CartRejection::AmountOverflow,
    })
}

/// The shopper buys; a guest has to say who that is.
fn buyer<'a>(
    shopper: Option<&'a CustomerId>,
    named: Option<&'a CustomerId>,
) -> Result<&'a CustomerId, CartRejection> {
    match (shopper, named) {
        (Some(shopper), Some(named)) if shopper != named => Err(CartRejection::CustomerMismatch),
        (Some(customer_id), _) | (None, Some(customer_id)) => Ok(customer_id),
        (None, None) => Err(CartRejection::CustomerRequired),
    }
}

#[cfg(test)]
mod tests;
