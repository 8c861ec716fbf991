//! given events, when a command comes, then these events or that rejection.

use chrono::{DateTime, TimeDelta, Utc};
use uuid::Uuid;

use super::{
    CancelOrder, Order, OrderCancelled, OrderCommand, OrderEvent, OrderLine, OrderLines, OrderPaid,
    OrderPersonal, OrderPlaced, OrderRefunded, OrderRejection, PayOrder, PlaceOrder, decide,
};
use crate::{
    ids::{LineId, OrderId, PaymentId},
    money::Money,
    personal::{Contact, Personal, ShippingAddress},
};

pub(super) fn given(history: &[OrderEvent]) -> Given {
    Given(replay(history))
}

pub(super) struct Given(Order);

impl Given {
    pub(super) fn when(&self, command: &OrderCommand) -> Outcome {
        Outcome(decide::decide(&self.0, command))
    }
}

#[derive(Debug)]
pub(super) struct Outcome(Result<Vec<OrderEvent>, OrderRejection>);

impl Outcome {
    #[track_caller]
    pub(super) fn then(self, expected: &[OrderEvent]) {
        assert_eq!(self.0.as_deref(), Ok(expected));
    }

    #[track_caller]
    pub(super) fn then_rejected(self, expected: OrderRejection) {
        assert_eq!(self.0, Err(expected));
    }
}

pub(super) fn replay(history: &[OrderEvent]) -> Order {
    history.iter().fold(Order::default(), Order::evolve)
}

/// Hours after some day in 2026.
pub(super) fn at(hours: i64) -> DateTime<Utc> {
    DateTime::from_timestamp(1_780_000_000, 123_456_000).unwrap() + TimeDelta::hours(hours)
}

pub(super) fn order_id() -> OrderId {
    Uuid::from_u128(0x0de4).into()
}

pub(super) fn payment_id(number: u128) -> PaymentId {
    Uuid::from_u128(number).into()
}

pub(super) fn money(amount: i64, currency: &str) -> Money {
    Money::new(amount, currency.parse().unwrap()).unwrap()
}

pub(super) fn line(index: usize, sku: &str, quantity: i64, unit_price: Money) -> OrderLine {
    OrderLine {
        line_id: LineId::of(order_id(), index),
        sku: sku.parse().unwrap(),
        quantity: quantity.try_into().unwrap(),
        unit_price,
    }
}

/// 2 x 19.99 + 14.99 = 54.97 euros.
pub(super) fn lines() -> OrderLines {
    let lines = vec![
        line(0, "TEA-EARL-GREY", 2, money(1_999, "EUR")),
        line(1, "MUG-BLUE", 1, money(1_499, "EUR")),
    ];
    OrderLines::new(lines).unwrap()
}

pub(super) fn total() -> Money {
    money(5_497, "EUR")
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

pub(super) fn place(lines: OrderLines) -> OrderCommand {
    OrderCommand::Place(Box::new(PlaceOrder {
        order_id: order_id(),
        customer_id: "ada".parse().unwrap(),
        lines,
        shipping_address: shipping_address(),
        contact: contact(),
        placed_at: at(0),
    }))
}

pub(super) fn pay(payment: u128, amount: Option<Money>) -> OrderCommand {
    OrderCommand::Pay(PayOrder {
        order_id: order_id(),
        payment_id: payment_id(payment),
        amount,
        paid_at: at(1),
    })
}

pub(super) fn cancel() -> OrderCommand {
    OrderCommand::Cancel(CancelOrder {
        order_id: order_id(),
        reason: Some("changed my mind".parse().unwrap()),
        cancelled_at: at(2),
    })
}

pub(super) fn placed(lines: &OrderLines) -> OrderEvent {
    OrderEvent::Placed(Box::new(OrderPlaced {
        order_id: order_id(),
        customer_id: "ada".parse().unwrap(),
        lines: lines.as_slice().to_vec(),
        totals: lines.totals(),
        personal: Personal::clear(OrderPersonal {
            shipping_address: shipping_address(),
            contact: contact(),
        }),
        placed_at: at(0),
    }))
}

pub(super) fn paid(payment: u128, amount: Money) -> OrderEvent {
    OrderEvent::Paid(OrderPaid {
        order_id: order_id(),
        payment_id: payment_id(payment),
        amount,
        paid_at: at(1),
    })
}

pub(super) fn cancelled() -> OrderEvent {
    OrderEvent::Cancelled(OrderCancelled {
        order_id: order_id(),
        reason: Some("changed my mind".parse().unwrap()),
        cancelled_at: at(2),
    })
}

pub(super) fn refunded(payment: u128, amount: Money) -> OrderEvent {
    OrderEvent::Refunded(OrderRefunded {
        order_id: order_id(),
        payment_id: payment_id(payment),
        amount,
        refunded_at: at(2),
    })
}
