//! What the order service does when it learns that something has happened: the order's workflow.

use chrono::TimeDelta;
use serde::{Deserialize, Deserializer, de::Error};

use super::{
    OrderRejection, Orders,
    command::{ConfirmOrder, MarkOrderStuck, OrderCommand, RejectOrder, RequestInventory},
    event::OrderPlaced,
    line::OrderLines,
};
use crate::{
    Policy, ReadEvent,
    ids::OrderId,
    policy::{Cause, Reaction},
    product::reservation::{InventoryConfirmed, InventoryRejected},
    topics,
};

/// Labels of commands. Never renamed: what is in the log was named by them.
const REQUEST_INVENTORY: &str = "request-inventory";
const CONFIRM: &str = "confirm";
const REJECT: &str = "reject";
const MARK_STUCK: &str = "mark-stuck";

/// Asks the product service about every order that is placed, and carries its answer back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OrderPolicy {
    /// How long the product service's answer is waited for.
    pub stock_within: TimeDelta,
    /// How long the customer has to pay, once everything is set aside.
    pub payment_within: TimeDelta,
}

impl Default for OrderPolicy {
    fn default() -> Self {
        Self {
            stock_within: TimeDelta::seconds(60),
            payment_within: TimeDelta::minutes(30),
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
    /// Anything else.
    Other,
}

impl OrderPolicyEvent {
    fn order_id(&self) -> Option<OrderId> {
        match self {
            Self::OrderPlaced(event) => Some(event.order_id),
            Self::InventoryConfirmed(event) => Some(event.order_id),
            Self::InventoryRejected(event) => Some(event.order_id),
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
        match (name, version) {
            ("OrderPlaced", 1) => Box::deserialize(payload).map(Self::OrderPlaced),
            ("InventoryConfirmed", 1) => {
                InventoryConfirmed::deserialize(payload).map(Self::InventoryConfirmed)
            }
            ("InventoryRejected", 1) => {
                InventoryRejected::deserialize(payload).map(Self::InventoryRejected)
            }
            // Passing over one of these would leave an order waiting for ever.
            ("OrderPlaced" | "InventoryConfirmed" | "InventoryRejected", _) => {
                Err(D::Error::custom("no event of this version is known"))
            }
            _ => Ok(Self::Other),
        }
    }
}

impl Policy for OrderPolicy {
    type Context = Orders;
    type Event = OrderPolicyEvent;

    const NAME: &'static str = "order-workflow";
    const TOPICS: &'static [&'static str] = &[topics::ORDER_EVENTS, topics::INVENTORY_EVENTS];

    fn react(&self, event: &OrderPolicyEvent, cause: Cause) -> Vec<Reaction<OrderCommand>> {
        let (label, command) = match event {
            OrderPolicyEvent::OrderPlaced(placed) => {
                let command = OrderCommand::RequestInventory(RequestInventory {
                    order_id: placed.order_id,
                    lines: OrderLines::units(&placed.lines),
                    stock_due_at: cause.now + self.stock_within,
                });
                (REQUEST_INVENTORY, command)
            }
            OrderPolicyEvent::InventoryConfirmed(confirmed) => {
                let command = OrderCommand::Confirm(ConfirmOrder {
                    order_id: confirmed.order_id,
                    payment_due_at: cause.now + self.payment_within,
                    confirmed_at: cause.now,
                });
                (CONFIRM, command)
            }
            OrderPolicyEvent::InventoryRejected(rejected) => {
                let command = OrderCommand::Reject(RejectOrder {
                    order_id: rejected.order_id,
                    shortages: rejected.shortages.clone(),
                    rejected_at: cause.now,
                });
                (REJECT, command)
            }
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
        let command = OrderCommand::MarkStuck(MarkOrderStuck {
            order_id: event.order_id()?,
            reason: format!("a step of the workflow was refused: {rejection}")
                .parse()
                .expect("a rejection's text is short and printable"),
            stuck_at: cause.now,
        });
        Some(cause.command(MARK_STUCK, "", command))
    }
}

#[cfg(test)]
mod tests;
