//! given events, when a command comes, then these events or that rejection.

use chrono::{DateTime, TimeDelta, Utc};
use uuid::Uuid;

use super::{
    Awaited, CancelOrder, ConfirmOrder, ExpireOrder, InventoryRequested, MarkOrderStuck, Order,
    OrderCancelled, OrderCommand, OrderConfirmed, OrderEvent, OrderExpired, OrderLine, OrderLines,
    OrderPaid, OrderPersonal, OrderPlaced, OrderRefunded, OrderRejected, OrderRejection,
    OrderResumed, OrderStuck, PayOrder, PaymentKept, PlaceOrder, RejectOrder, RequestInventory,
    ResumeOrder, decide,
};
use crate::{
    ids::{LineId, OrderId, PaymentId},
    money::Money,
    personal::{Contact, Personal, ShippingAddress},
    product::reservation::{InventoryCheck, Shortage},
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

pub(super) fn stock_due_at() -> DateTime<Utc> {
    at(4)
}

pub(super) fn payment_due_at() -> DateTime<Utc> {
    at(8)
}

pub(super) fn request() -> OrderCommand {
    OrderCommand::RequestInventory(RequestInventory {
        order_id: order_id(),
        lines: OrderLines::units(lines().as_slice()),
        stock_due_at: stock_due_at(),
    })
}

pub(super) fn confirm() -> OrderCommand {
    OrderCommand::Confirm(ConfirmOrder {
        order_id: order_id(),
        payment_due_at: payment_due_at(),
        confirmed_at: at(3),
    })
}

pub(super) fn shortages() -> Vec<Shortage> {
    let mut units = OrderLines::units(lines().as_slice());
    let missing = units.remove(0);
    vec![Shortage {
        sku: missing.sku,
        requested: missing.quantity,
        available: crate::quantity::Units::ZERO,
    }]
}

pub(super) fn reject() -> OrderCommand {
    OrderCommand::Reject(RejectOrder {
        order_id: order_id(),
        shortages: shortages(),
        rejected_at: at(3),
    })
}

pub(super) fn expire(due_at: DateTime<Utc>) -> OrderCommand {
    OrderCommand::Expire(ExpireOrder {
        order_id: order_id(),
        due_at,
    })
}

pub(super) fn mark_stuck() -> OrderCommand {
    OrderCommand::MarkStuck(MarkOrderStuck {
        order_id: order_id(),
        reason: "nobody answers".parse().unwrap(),
        stuck_at: at(5),
    })
}

pub(super) fn resume(stock_due_at: DateTime<Utc>) -> OrderCommand {
    OrderCommand::Resume(ResumeOrder {
        order_id: order_id(),
        stock_due_at,
        resumed_at: at(6),
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

pub(super) fn requested(stock_due_at: DateTime<Utc>) -> OrderEvent {
    OrderEvent::InventoryRequested(InventoryRequested {
        order_id: order_id(),
        lines: OrderLines::units(lines().as_slice()),
        stock_due_at,
    })
}

pub(super) fn check() -> OrderEvent {
    OrderEvent::InventoryCheck(InventoryCheck {
        order_id: order_id(),
        lines: OrderLines::units(lines().as_slice()),
    })
}

pub(super) fn kept(payment: u128) -> OrderEvent {
    OrderEvent::PaymentKept(PaymentKept {
        order_id: order_id(),
        payment_id: payment_id(payment),
        kept_at: at(1),
    })
}

pub(super) fn confirmed() -> OrderEvent {
    OrderEvent::Confirmed(OrderConfirmed {
        order_id: order_id(),
        payment_due_at: payment_due_at(),
        confirmed_at: at(3),
    })
}

pub(super) fn rejected() -> OrderEvent {
    OrderEvent::Rejected(OrderRejected {
        order_id: order_id(),
        shortages: shortages(),
        rejected_at: at(3),
    })
}

pub(super) fn expired(awaited: Awaited, expired_at: DateTime<Utc>) -> OrderEvent {
    OrderEvent::Expired(OrderExpired {
        order_id: order_id(),
        awaited,
        expired_at,
    })
}

pub(super) fn stuck() -> OrderEvent {
    OrderEvent::Stuck(OrderStuck {
        order_id: order_id(),
        reason: "nobody answers".parse().unwrap(),
        stuck_at: at(5),
    })
}

pub(super) fn resumed() -> OrderEvent {
    OrderEvent::Resumed(OrderResumed {
        order_id: order_id(),
        resumed_at: at(6),
    })
}

/// The history of an order whose stock is being looked for.
pub(super) fn checking() -> Vec<OrderEvent> {
    vec![placed(&lines()), requested(stock_due_at()), check()]
}

/// The history of an order whose stock is set aside.
pub(super) fn awaiting_payment() -> Vec<OrderEvent> {
    [checking(), vec![confirmed()]].concat()
}

/// The history of an order that is paid.
pub(super) fn sold() -> Vec<OrderEvent> {
    [awaiting_payment(), vec![paid(1, total())]].concat()
}

/// Histories of orders that have ended, other than by being cancelled.
pub(super) fn ended() -> [Vec<OrderEvent>; 3] {
    [
        [checking(), vec![rejected()]].concat(),
        [checking(), vec![expired(Awaited::Stock, stock_due_at())]].concat(),
        [
            awaiting_payment(),
            vec![expired(Awaited::Payment, payment_due_at())],
        ]
        .concat(),
    ]
}
