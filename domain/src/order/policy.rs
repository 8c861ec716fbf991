//! What the order service does when it learns that something has happened: the order's workflow.

use chrono::TimeDelta;
use serde::Deserializer;

use super::{
    OrderRejection, Orders,
    command::{
        ConfirmOrder, DecideDispatch, DeliverOrder, MarkOrderStuck, OrderCommand, RefuseCapture,
        RejectOrder, RequestInventory, SettlePayment, Settlement, ShipOrder,
    },
    event::OrderPlaced,
    line::OrderLines,
};
use crate::{
    Policy, ReadEvent,
    ids::{OrderId, PaymentId},
    payment::{PaymentAuthorised, PaymentCaptureRefused, PaymentDeclined, PaymentStuck},
    policy::{Cause, Reaction},
    product::reservation::{InventoryConfirmed, InventoryRejected},
    quantity::Units,
    shipping::{DispatchRequested, ShipmentDelivered, ShipmentDispatched},
    text::Text,
    topics,
    upcast::only,
};

/// Labels of commands. Never renamed: what is in the log was named by them.
const REQUEST_INVENTORY: &str = "request-inventory";
const CONFIRM: &str = "confirm";
const REJECT: &str = "reject";
const SETTLE: &str = "settle-payment";
const DECIDE_DISPATCH: &str = "decide-dispatch";
const REFUSE_CAPTURE: &str = "refuse-capture";
const SHIP: &str = "ship";
const DELIVER: &str = "deliver";
const MARK_STUCK: &str = "mark-stuck";

/// Asks the product service about every order that is placed, and carries to it what product, payment and shipping answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OrderPolicy {
    /// How long the product service's answer is waited for.
    pub stock_within: TimeDelta,
    /// How long the customer has to pay, once everything is set aside.
    pub payment_within: TimeDelta,
    /// How long after its delivery an order is complete.
    pub completed_after: TimeDelta,
}

impl Default for OrderPolicy {
    fn default() -> Self {
        Self {
            stock_within: TimeDelta::seconds(60),
            payment_within: TimeDelta::minutes(30),
            completed_after: TimeDelta::seconds(10),
        }
    }
}

/// What the workflow cares about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum OrderPolicyEvent {
    /// An order was opened, by whomever.
    OrderPlaced(Box<OrderPlaced>),
    /// Everything is set aside.
    InventoryConfirmed(InventoryConfirmed),
    /// Something is not in stock.
    InventoryRejected(InventoryRejected),
    /// Its money is set aside.
    PaymentAuthorised(PaymentAuthorised),
    /// Its money will not be.
    PaymentDeclined(PaymentDeclined),
    /// Its money could not be taken.
    PaymentCaptureRefused(PaymentCaptureRefused),
    /// Its payment does not go on by itself.
    PaymentStuck(PaymentStuck),
    /// Its goods want to leave.
    DispatchRequested(DispatchRequested),
    /// Its goods have left.
    ShipmentDispatched(ShipmentDispatched),
    /// Its goods have arrived.
    ShipmentDelivered(ShipmentDelivered),
    /// Anything else.
    Other,
}

impl OrderPolicyEvent {
    fn order_id(&self) -> Option<OrderId> {
        match self {
            Self::OrderPlaced(event) => Some(event.order_id),
            Self::InventoryConfirmed(event) => Some(event.order_id),
            Self::InventoryRejected(event) => Some(event.order_id),
            Self::PaymentAuthorised(event) => Some(event.order_id),
            Self::PaymentDeclined(event) => Some(event.order_id),
            Self::PaymentCaptureRefused(event) => Some(event.order_id),
            Self::PaymentStuck(event) => Some(event.order_id),
            Self::DispatchRequested(event) => Some(event.order_id),
            Self::ShipmentDispatched(event) => Some(event.order_id),
            Self::ShipmentDelivered(event) => Some(event.order_id),
            Self::Other => None,
        }
    }
}

impl ReadEvent for OrderPolicyEvent {
    fn deserialize<'de, D: Deserializer<'de>>(
        name: &str,
        version: u16,
        payload: D,
    ) -> Result<Self, D::Error> {
        match name {
            "OrderPlaced" => only(version, payload).map(Self::OrderPlaced),
            "InventoryConfirmed" => only(version, payload).map(Self::InventoryConfirmed),
            "InventoryRejected" => only(version, payload).map(Self::InventoryRejected),
            "PaymentAuthorised" => only(version, payload).map(Self::PaymentAuthorised),
            "PaymentDeclined" => only(version, payload).map(Self::PaymentDeclined),
            "PaymentCaptureRefused" => only(version, payload).map(Self::PaymentCaptureRefused),
            "PaymentStuck" => only(version, payload).map(Self::PaymentStuck),
            "DispatchRequested" => only(version, payload).map(Self::DispatchRequested),
            "ShipmentDispatched" => only(version, payload).map(Self::ShipmentDispatched),
            "ShipmentDelivered" => only(version, payload).map(Self::ShipmentDelivered),
            _ => Ok(Self::Other),
        }
    }
}

impl Policy for OrderPolicy {
    type Context = Orders;
    type Event = OrderPolicyEvent;

    const NAME: &'static str = "order-workflow";
    const TOPICS: &'static [&'static str] = &[
        topics::ORDER_EVENTS,
        topics::INVENTORY_EVENTS,
        topics::PAYMENT_EVENTS,
        topics::SHIPPING_EVENTS,
    ];

    fn react(&self, event: &OrderPolicyEvent, cause: Cause) -> Vec<Reaction<OrderCommand>> {
        let (label, command) = match event {
            OrderPolicyEvent::OrderPlaced(event) => (REQUEST_INVENTORY, self.request(event, cause)),
            OrderPolicyEvent::InventoryConfirmed(event) => (CONFIRM, self.confirm(event, cause)),
            OrderPolicyEvent::InventoryRejected(event) => (REJECT, reject(event, cause)),
            OrderPolicyEvent::PaymentAuthorised(event) => (SETTLE, authorised(event, cause)),
            OrderPolicyEvent::PaymentDeclined(event) => (SETTLE, declined(event, cause)),
            OrderPolicyEvent::PaymentCaptureRefused(event) => {
                (REFUSE_CAPTURE, refuse_capture(event, cause))
            }
            OrderPolicyEvent::PaymentStuck(event) => {
                let reason = format!("{}: {}", event.operation.as_str(), event.detail);
                let payment_id = Some(event.payment_id);
                (
                    MARK_STUCK,
                    mark_stuck(event.order_id, payment_id, &reason, cause),
                )
            }
            OrderPolicyEvent::DispatchRequested(event) => {
                let command = OrderCommand::DecideDispatch(DecideDispatch {
                    order_id: event.order_id,
                    decided_at: cause.now,
                });
                (DECIDE_DISPATCH, command)
            }
            OrderPolicyEvent::ShipmentDispatched(event) => (SHIP, ship(event, cause)),
            OrderPolicyEvent::ShipmentDelivered(event) => (DELIVER, self.deliver(event, cause)),
            OrderPolicyEvent::Other => return vec![],
        };
        vec![cause.command(label, "", command)]
    }

    fn rejected(
        &self,
        event: &OrderPolicyEvent,
        cause: Cause,
        rejection: &OrderRejection,
    ) -> Option<Reaction<OrderCommand>> {
        let reason = format!("a step of the workflow was refused: {rejection}");
        let command = mark_stuck(event.order_id()?, None, &reason, cause);
        Some(cause.command(MARK_STUCK, "", command))
    }
}

impl OrderPolicy {
    fn request(&self, placed: &OrderPlaced, cause: Cause) -> OrderCommand {
        OrderCommand::RequestInventory(RequestInventory {
            order_id: placed.order_id,
            lines: OrderLines::units(&placed.lines),
            stock_due_at: cause.now + self.stock_within,
        })
    }

    fn confirm(&self, confirmed: &InventoryConfirmed, cause: Cause) -> OrderCommand {
        OrderCommand::Confirm(ConfirmOrder {
            order_id: confirmed.order_id,
            payment_due_at: cause.now + self.payment_within,
            confirmed_at: cause.now,
        })
    }

    fn deliver(&self, delivered: &ShipmentDelivered, cause: Cause) -> OrderCommand {
        OrderCommand::Deliver(DeliverOrder {
            order_id: delivered.order_id,
            completes_at: cause.now + self.completed_after,
            delivered_at: cause.now,
        })
    }
}

fn reject(rejected: &InventoryRejected, cause: Cause) -> OrderCommand {
    OrderCommand::Reject(RejectOrder {
        order_id: rejected.order_id,
        shortages: rejected.shortages.clone(),
        rejected_at: cause.now,
    })
}

fn authorised(authorised: &PaymentAuthorised, cause: Cause) -> OrderCommand {
    OrderCommand::SettlePayment(SettlePayment {
        order_id: authorised.order_id,
        payment_id: authorised.payment_id,
        settlement: Settlement::Authorised,
        settled_at: cause.now,
    })
}

fn declined(declined: &PaymentDeclined, cause: Cause) -> OrderCommand {
    OrderCommand::SettlePayment(SettlePayment {
        order_id: declined.order_id,
        payment_id: declined.payment_id,
        settlement: Settlement::Declined {
            code: declined.code.clone(),
            detail: declined.detail.clone(),
        },
        settled_at: cause.now,
    })
}

fn refuse_capture(refused: &PaymentCaptureRefused, cause: Cause) -> OrderCommand {
    OrderCommand::RefuseCapture(RefuseCapture {
        order_id: refused.order_id,
        payment_id: refused.payment_id,
        code: refused.code.clone(),
        detail: refused.detail.clone(),
        refused_at: cause.now,
    })
}

fn ship(dispatched: &ShipmentDispatched, cause: Cause) -> OrderCommand {
    let quantities = dispatched.lines.iter().map(|line| line.quantity.into());
    OrderCommand::Ship(ShipOrder {
        order_id: dispatched.order_id,
        units: quantities.fold(Units::ZERO, Units::plus),
        shipped_at: cause.now,
    })
}

fn mark_stuck(
    order_id: OrderId,
    payment_id: Option<PaymentId>,
    reason: &str,
    cause: Cause,
) -> OrderCommand {
    OrderCommand::MarkStuck(MarkOrderStuck {
        order_id,
        payment_id,
        reason: Text::cut(reason).expect("a reason is printable"),
        stuck_at: cause.now,
    })
}

#[cfg(test)]
mod tests;
