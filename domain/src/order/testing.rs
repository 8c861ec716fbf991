//! given events, when a command comes, then these events or that rejection.

mod events;

use chrono::{DateTime, TimeDelta, Utc};
use uuid::Uuid;

pub(super) use self::events::*;
use super::{
    CancelOrder, ConfirmOrder, DecideDispatch, DeliverOrder, ExpireOrder, MarkOrderStuck, Order,
    OrderCommand, OrderEvent, OrderLine, OrderLines, OrderRejection, PayOrder, PlaceOrder,
    RefuseCapture, RejectOrder, RequestInventory, ResumeOrder, SettlePayment, Settlement,
    ShipOrder, decide,
};
use crate::{
    ids::{LineId, OrderId, PaymentId},
    money::Money,
    personal::{Contact, ShippingAddress},
    product::reservation::Shortage,
    quantity::Units,
    sealed::SealedMethod,
    stored::stored,
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
    let evolve = |state: Order, event| stored(&state.evolve(event));
    history.iter().fold(Order::default(), evolve)
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

pub(super) fn method() -> SealedMethod {
    "sealed.4242".parse().unwrap()
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
        method: method(),
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
        available: Units::ZERO,
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
    mark_stuck_by(None)
}

pub(super) fn mark_stuck_by(payment: Option<u128>) -> OrderCommand {
    OrderCommand::MarkStuck(MarkOrderStuck {
        order_id: order_id(),
        payment_id: payment.map(payment_id),
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

pub(super) fn settle(payment: u128, settlement: Settlement) -> OrderCommand {
    OrderCommand::SettlePayment(SettlePayment {
        order_id: order_id(),
        payment_id: payment_id(payment),
        settlement,
        settled_at: at(9),
    })
}

pub(super) fn authorised(payment: u128) -> OrderCommand {
    settle(payment, Settlement::Authorised)
}

pub(super) fn declined(payment: u128) -> OrderCommand {
    let settlement = Settlement::Declined {
        code: "card-declined".parse().unwrap(),
        detail: "the card was declined".parse().unwrap(),
    };
    settle(payment, settlement)
}

pub(super) fn dispatch() -> OrderCommand {
    OrderCommand::DecideDispatch(DecideDispatch {
        order_id: order_id(),
        decided_at: at(10),
    })
}

pub(super) fn refuse_capture(payment: u128) -> OrderCommand {
    OrderCommand::RefuseCapture(RefuseCapture {
        order_id: order_id(),
        payment_id: payment_id(payment),
        code: "expired".parse().unwrap(),
        detail: "the authorisation has expired".parse().unwrap(),
        refused_at: at(11),
    })
}

pub(super) fn units() -> Units {
    3.try_into().unwrap()
}

pub(super) fn ship() -> OrderCommand {
    OrderCommand::Ship(ShipOrder {
        order_id: order_id(),
        units: units(),
        shipped_at: at(12),
    })
}

pub(super) fn completes_at() -> DateTime<Utc> {
    at(14)
}

pub(super) fn deliver() -> OrderCommand {
    OrderCommand::Deliver(DeliverOrder {
        order_id: order_id(),
        completes_at: completes_at(),
        delivered_at: at(13),
    })
}
