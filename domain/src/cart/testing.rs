//! given events, when a command comes, then these events or that rejection.

use chrono::{DateTime, TimeDelta, Utc};
use uuid::Uuid;

use super::{
    Cart, CartCheckedOut, CartCommand, CartEvent, CartItemRemoved, CartItemSet, CartOpened,
    CartRejection, CheckOutCart, OpenCart, RemoveCartItem, SetCartItem, decide,
};
use crate::{
    ids::{CartId, CustomerId, LineId, OrderId},
    money::Money,
    order::{OrderLine, OrderLines, OrderPersonal, OrderPlaced},
    personal::{Contact, Personal, ShippingAddress},
    stored::stored,
};

pub(super) fn given(history: &[CartEvent]) -> Given {
    Given(replay(history))
}

pub(super) struct Given(Cart);

impl Given {
    pub(super) fn when(&self, command: &CartCommand) -> Outcome {
        Outcome(decide::decide(&self.0, command))
    }
}

#[derive(Debug)]
pub(super) struct Outcome(Result<Vec<CartEvent>, CartRejection>);

impl Outcome {
    #[track_caller]
    pub(super) fn then(self, expected: &[CartEvent]) {
        assert_eq!(self.0.as_deref(), Ok(expected));
    }

    #[track_caller]
    pub(super) fn then_rejected(self, expected: CartRejection) {
        assert_eq!(self.0, Err(expected));
    }
}

pub(super) fn replay(history: &[CartEvent]) -> Cart {
    let evolve = |state: Cart, event| stored(&state.evolve(event));
    history.iter().fold(Cart::default(), evolve)
}

/// Hours after some day in 2026.
pub(super) fn at(hours: i64) -> DateTime<Utc> {
    DateTime::from_timestamp(1_780_000_000, 123_456_000).unwrap() + TimeDelta::hours(hours)
}

pub(super) fn cart_id() -> CartId {
    Uuid::from_u128(0xca47).into()
}

pub(super) fn order_id() -> OrderId {
    OrderId::of_cart(cart_id())
}

pub(super) fn money(amount: i64, currency: &str) -> Money {
    Money::new(amount, currency.parse().unwrap()).unwrap()
}

fn customer(name: Option<&str>) -> Option<CustomerId> {
    name.map(|name| name.parse().unwrap())
}

pub(super) fn open(name: Option<&str>) -> CartCommand {
    CartCommand::Open(OpenCart {
        cart_id: cart_id(),
        customer_id: customer(name),
        opened_at: at(0),
    })
}

pub(super) fn set(sku: &str, quantity: i64, unit_price: Money) -> CartCommand {
    CartCommand::Set(SetCartItem {
        cart_id: cart_id(),
        sku: sku.parse().unwrap(),
        quantity: quantity.try_into().unwrap(),
        unit_price,
        changed_at: at(1),
    })
}

pub(super) fn remove(sku: &str) -> CartCommand {
    CartCommand::Remove(RemoveCartItem {
        cart_id: cart_id(),
        sku: sku.parse().unwrap(),
        changed_at: at(2),
    })
}

fn shipping_address() -> ShippingAddress {
    ShippingAddress {
        name: "Ada Lovelace".parse().unwrap(),
        line1: "12 St James's Square".parse().unwrap(),
        line2: None,
        postal_code: "SW1Y 4JH".parse().unwrap(),
        city: "London".parse().unwrap(),
        country: "GB".parse().unwrap(),
    }
}

fn contact() -> Option<Contact> {
    let email = "ada@example.com".parse().unwrap();
    Some(Contact { email })
}

pub(super) fn check_out(name: Option<&str>) -> CartCommand {
    CartCommand::CheckOut(Box::new(CheckOutCart {
        cart_id: cart_id(),
        customer_id: customer(name),
        shipping_address: shipping_address(),
        contact: contact(),
        checked_out_at: at(3),
    }))
}

pub(super) fn opened(name: Option<&str>) -> CartEvent {
    CartEvent::Opened(CartOpened {
        cart_id: cart_id(),
        customer_id: customer(name),
        opened_at: at(0),
    })
}

pub(super) fn item_set(sku: &str, quantity: i64, unit_price: Money) -> CartEvent {
    CartEvent::ItemSet(CartItemSet {
        cart_id: cart_id(),
        sku: sku.parse().unwrap(),
        quantity: quantity.try_into().unwrap(),
        unit_price,
        changed_at: at(1),
    })
}

pub(super) fn item_removed(sku: &str) -> CartEvent {
    CartEvent::ItemRemoved(CartItemRemoved {
        cart_id: cart_id(),
        sku: sku.parse().unwrap(),
        changed_at: at(2),
    })
}

/// The end of a cart with these SKUs, quantities and unit prices.
pub(super) fn checked_out(name: &str, items: &[(&str, i64, Money)]) -> CartEvent {
    let lines = lines(items);
    CartEvent::CheckedOut(Box::new(CartCheckedOut {
        cart_id: cart_id(),
        order_id: order_id(),
        customer_id: name.parse().unwrap(),
        lines: lines.as_slice().to_vec(),
        totals: lines.totals(),
        personal: personal(),
        checked_out_at: at(3),
    }))
}

fn lines(items: &[(&str, i64, Money)]) -> OrderLines {
    let lines = items
        .iter()
        .enumerate()
        .map(|(index, (sku, quantity, unit_price))| OrderLine {
            line_id: LineId::of(order_id(), index),
            sku: sku.parse().unwrap(),
            quantity: (*quantity).try_into().unwrap(),
            unit_price: *unit_price,
        });
    OrderLines::new(lines.collect()).unwrap()
}

fn personal() -> Personal<OrderPersonal> {
    Personal::clear(OrderPersonal {
        shipping_address: shipping_address(),
        contact: contact(),
    })
}

/// The order that it becomes.
pub(super) fn order_placed(name: &str, items: &[(&str, i64, Money)]) -> CartEvent {
    let lines = lines(items);
    CartEvent::OrderPlaced(Box::new(OrderPlaced {
        order_id: order_id(),
        customer_id: name.parse().unwrap(),
        lines: lines.as_slice().to_vec(),
        totals: lines.totals(),
        personal: personal(),
        placed_at: at(3),
    }))
}

/// The history of Ada's cart: 2 x 19.99 and 14.99 euros.
pub(super) fn filled() -> Vec<CartEvent> {
    vec![
        opened(Some("ada")),
        item_set("TEA", 2, money(1_999, "EUR")),
        item_set("MUG", 1, money(1_499, "EUR")),
    ]
}

/// What its checkout gives.
pub(super) fn sold() -> [CartEvent; 2] {
    let items = [
        ("TEA", 2, money(1_999, "EUR")),
        ("MUG", 1, money(1_499, "EUR")),
    ];
    [checked_out("ada", &items), order_placed("ada", &items)]
}
