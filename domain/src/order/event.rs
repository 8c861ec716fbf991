//! What happened to an order. Shapes are for ever: a golden file of each version is in `docs/events/golden`.

use std::fmt;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Deserializer, Serialize, de::Error};

use super::line::{OrderLine, Totals};
use crate::{
    Event, EventKind,
    ids::{CustomerId, OrderId, PaymentId},
    money::Money,
    personal::{Contact, Personal, ShippingAddress},
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
}

/// An order was opened, at prices that are final.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
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
pub struct OrderPersonal {
    /// Where it goes.
    pub shipping_address: ShippingAddress,
    /// How to reach the customer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub contact: Option<Contact>,
}

/// An order was paid in full.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
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
        };
        EventKind { name, version: 1 }
    }

    fn topic(&self) -> &'static str {
        topics::ORDER_EVENTS
    }

    fn stream(&self) -> OrderStream {
        OrderStream(self.order_id())
    }

    fn key(stream: &OrderStream) -> String {
        stream.0.to_string()
    }

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
            _ => Err(D::Error::custom(
                "no event of this name and version is known",
            )),
        }
    }
}

#[cfg(test)]
mod tests;
