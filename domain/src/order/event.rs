//! What happened to an order. Shapes are for ever: a golden file of each version is in `docs/events/golden`.

use std::fmt;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Deserializer, Serialize, de::Error};
use uuid::Uuid;

use super::line::{OrderLine, Totals};
use crate::{
    Event, EventKind, ReadEvent,
    ids::{CustomerId, OrderId, PaymentId},
    money::Money,
    personal::{Contact, Personal, ShippingAddress},
    product::reservation::{InventoryCheck, Shortage},
    quantity::SkuUnits,
    text::Text,
    topics,
};

/// Any of them. Its payload is the event's own; name and version travel beside it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub enum OrderEvent {
    /// It was opened.
    Placed(Box<OrderPlaced>),
    /// It was paid.
    Paid(OrderPaid),
    /// It was called off.
    Cancelled(OrderCancelled),
    /// What was paid went back.
    Refunded(OrderRefunded),
    /// The product service was asked whether everything is in stock.
    InventoryRequested(InventoryRequested),
    /// That question itself: a message to the product service, in its topic.
    InventoryCheck(InventoryCheck),
    /// A payment came while stock was still being checked.
    PaymentKept(PaymentKept),
    /// Everything is set aside.
    Confirmed(OrderConfirmed),
    /// Something is not in stock.
    Rejected(OrderRejected),
    /// A deadline has passed.
    Expired(OrderExpired),
    /// An operator has to look.
    Stuck(OrderStuck),
    /// An operator had it tried again.
    Resumed(OrderResumed),
}

/// An order was opened, at prices that are final.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct OrderPlaced {
    /// Which.
    pub order_id: OrderId,
    /// Who buys.
    pub customer_id: CustomerId,
    /// What.
    pub lines: Vec<OrderLine>,
    /// For how much.
    pub totals: Totals,
    /// What is known of the customer.
    pub personal: Personal<OrderPersonal>,
    /// When.
    pub placed_at: DateTime<Utc>,
}

/// The personal fields of an order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct OrderPersonal {
    /// Where it goes.
    pub shipping_address: ShippingAddress,
    /// How to reach the customer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub contact: Option<Contact>,
}

/// An order was paid in full.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct OrderPaid {
    /// Which.
    pub order_id: OrderId,
    /// By which payment.
    pub payment_id: PaymentId,
    /// How much.
    pub amount: Money,
    /// When.
    pub paid_at: DateTime<Utc>,
}

/// An order was called off.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct OrderCancelled {
    /// Which.
    pub order_id: OrderId,
    /// Why, in the customer's words.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<Text<500>>,
    /// When.
    pub cancelled_at: DateTime<Utc>,
}

/// What was paid for an order went back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct OrderRefunded {
    /// Which.
    pub order_id: OrderId,
    /// The payment that it undoes.
    pub payment_id: PaymentId,
    /// How much.
    pub amount: Money,
    /// When.
    pub refunded_at: DateTime<Utc>,
}

/// The product service was asked whether everything is in stock.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct InventoryRequested {
    /// For which order.
    pub order_id: OrderId,
    /// How many of each SKU.
    pub lines: Vec<SkuUnits>,
    /// When an answer is waited for no longer.
    pub stock_due_at: DateTime<Utc>,
}

/// A payment came while stock was still being checked. It is carried out when the order is confirmed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct PaymentKept {
    /// Of which order.
    pub order_id: OrderId,
    /// The payment to be.
    pub payment_id: PaymentId,
    /// When it came.
    pub kept_at: DateTime<Utc>,
}

/// Everything is set aside: now the order is to be paid.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct OrderConfirmed {
    /// Which.
    pub order_id: OrderId,
    /// Until when.
    pub payment_due_at: DateTime<Utc>,
    /// When.
    pub confirmed_at: DateTime<Utc>,
}

/// Something is not in stock: the order has ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct OrderRejected {
    /// Which.
    pub order_id: OrderId,
    /// What is missing.
    pub shortages: Vec<Shortage>,
    /// When.
    pub rejected_at: DateTime<Utc>,
}

/// A deadline has passed: the order has ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct OrderExpired {
    /// Which.
    pub order_id: OrderId,
    /// What did not come in time.
    pub awaited: Awaited,
    /// The deadline.
    pub expired_at: DateTime<Utc>,
}

/// What an order waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Awaited {
    /// The product service's answer.
    Stock,
    /// The customer's payment.
    Payment,
}

/// What goes on by itself cannot: an operator has to look.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct OrderStuck {
    /// Which.
    pub order_id: OrderId,
    /// Why, for the operator.
    pub reason: Text<500>,
    /// When that was found.
    pub stuck_at: DateTime<Utc>,
}

/// An operator had it tried again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct OrderResumed {
    /// Which.
    pub order_id: OrderId,
    /// When.
    pub resumed_at: DateTime<Utc>,
}

/// An order's stream: `order-<id>`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct OrderStream(pub OrderId);

impl fmt::Display for OrderStream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "order-{}", self.0)
    }
}

impl OrderEvent {
    /// The order that it happened to.
    #[must_use]
    pub fn order_id(&self) -> OrderId {
        match self {
            Self::Placed(event) => event.order_id,
            Self::Paid(event) => event.order_id,
            Self::Cancelled(event) => event.order_id,
            Self::Refunded(event) => event.order_id,
            Self::InventoryRequested(event) => event.order_id,
            Self::InventoryCheck(event) => event.order_id,
            Self::PaymentKept(event) => event.order_id,
            Self::Confirmed(event) => event.order_id,
            Self::Rejected(event) => event.order_id,
            Self::Expired(event) => event.order_id,
            Self::Stuck(event) => event.order_id,
            Self::Resumed(event) => event.order_id,
        }
    }
}

impl Event for OrderEvent {
    type StreamId = OrderStream;

    fn kind(&self) -> EventKind {
        let name = match self {
            Self::Placed(_) => "OrderPlaced",
            Self::Paid(_) => "OrderPaid",
            Self::Cancelled(_) => "OrderCancelled",
            Self::Refunded(_) => "OrderRefunded",
            Self::InventoryRequested(_) => "InventoryRequested",
            Self::InventoryCheck(_) => "InventoryCheck",
            Self::PaymentKept(_) => "PaymentKept",
            Self::Confirmed(_) => "OrderConfirmed",
            Self::Rejected(_) => "OrderRejected",
            Self::Expired(_) => "OrderExpired",
            Self::Stuck(_) => "OrderStuck",
            Self::Resumed(_) => "OrderResumed",
        };
        EventKind { name, version: 1 }
    }

    fn topic(&self) -> &'static str {
        match self {
            Self::InventoryCheck(_) => topics::INVENTORY_EVENTS,
            Self::Placed(_)
            | Self::Paid(_)
            | Self::Cancelled(_)
            | Self::Refunded(_)
            | Self::InventoryRequested(_)
            | Self::PaymentKept(_)
            | Self::Confirmed(_)
            | Self::Rejected(_)
            | Self::Expired(_)
            | Self::Stuck(_)
            | Self::Resumed(_) => topics::ORDER_EVENTS,
        }
    }

    fn stream(&self) -> OrderStream {
        OrderStream(self.order_id())
    }

    fn key(stream: &OrderStream) -> String {
        stream.0.to_string()
    }

    fn journey(&self) -> Option<Uuid> {
        Some(self.order_id().as_uuid())
    }
}

impl ReadEvent for OrderEvent {
    fn deserialize<'de, D: Deserializer<'de>>(
        name: &str,
        version: u16,
        payload: D,
    ) -> Result<Self, D::Error> {
        match (name, version) {
            ("OrderPlaced", 1) => Box::deserialize(payload).map(Self::Placed),
            ("OrderPaid", 1) => OrderPaid::deserialize(payload).map(Self::Paid),
            ("OrderCancelled", 1) => OrderCancelled::deserialize(payload).map(Self::Cancelled),
            ("OrderRefunded", 1) => OrderRefunded::deserialize(payload).map(Self::Refunded),
            ("InventoryRequested", 1) => {
                InventoryRequested::deserialize(payload).map(Self::InventoryRequested)
            }
            ("InventoryCheck", 1) => InventoryCheck::deserialize(payload).map(Self::InventoryCheck),
            ("PaymentKept", 1) => PaymentKept::deserialize(payload).map(Self::PaymentKept),
            ("OrderConfirmed", 1) => OrderConfirmed::deserialize(payload).map(Self::Confirmed),
            ("OrderRejected", 1) => OrderRejected::deserialize(payload).map(Self::Rejected),
            ("OrderExpired", 1) => OrderExpired::deserialize(payload).map(Self::Expired),
            ("OrderStuck", 1) => OrderStuck::deserialize(payload).map(Self::Stuck),
            ("OrderResumed", 1) => OrderResumed::deserialize(payload).map(Self::Resumed),
            _ => Err(D::Error::custom(
                "no event of this name and version is known",
            )),
        }
    }
}

#[cfg(test)]
mod tests;
