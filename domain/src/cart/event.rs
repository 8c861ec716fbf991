//! What happened to a cart. Its last event comes with an `OrderPlaced` to the order service, in one transaction. Shapes are
//! for ever: a golden file of each version is in `docs/events/golden`.

use std::fmt;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Deserializer, Serialize, de::Error};
use uuid::Uuid;

use crate::{
    Event, EventKind, ReadEvent,
    ids::{CartId, CustomerId, OrderId, Sku},
    money::Money,
    order::{OrderLine, OrderPersonal, OrderPlaced, Totals},
    personal::Personal,
    quantity::Quantity,
    topics,
    upcast::only,
};

/// Any of them. Its payload is the event's own; name and version travel beside it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub enum CartEvent {
    /// Somebody began to shop.
    Opened(CartOpened),
    /// Something was put in, or how many was changed.
    ItemSet(CartItemSet),
    /// Something was taken out.
    ItemRemoved(CartItemRemoved),
    /// Everything in it was bought.
    CheckedOut(Box<CartCheckedOut>),
    /// The order that it became: opens it, in the order service's topic.
    OrderPlaced(Box<OrderPlaced>),
}

/// Somebody began to shop.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct CartOpened {
    /// Which cart.
    pub cart_id: CartId,
    /// Who; none for a guest.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub customer_id: Option<CustomerId>,
    /// When.
    pub opened_at: DateTime<Utc>,
}

/// Something was put in, or how many was changed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct CartItemSet {
    /// Which cart.
    pub cart_id: CartId,
    /// What.
    pub sku: Sku,
    /// How many there are of it now.
    pub quantity: Quantity,
    /// For how much each.
    pub unit_price: Money,
    /// When.
    pub changed_at: DateTime<Utc>,
}

/// Something was taken out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct CartItemRemoved {
    /// Which cart.
    pub cart_id: CartId,
    /// What.
    pub sku: Sku,
    /// When.
    pub changed_at: DateTime<Utc>,
}

/// Everything in it was bought.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct CartCheckedOut {
    /// Which cart.
    pub cart_id: CartId,
    /// The order that it became.
    pub order_id: OrderId,
    /// Who bought.
    pub customer_id: CustomerId,
    /// What.
    pub lines: Vec<OrderLine>,
    /// For how much.
    pub totals: Totals,
    /// What is known of the customer.
    pub personal: Personal<OrderPersonal>,
    /// When.
    pub checked_out_at: DateTime<Utc>,
}

impl CartCheckedOut {
    /// The order that it became, as its own service is told of it.
    #[must_use]
    pub fn order(&self) -> OrderPlaced {
        OrderPlaced {
            order_id: self.order_id,
            customer_id: self.customer_id.clone(),
            lines: self.lines.clone(),
            totals: self.totals,
            personal: self.personal.clone(),
            placed_at: self.checked_out_at,
        }
    }
}

/// Names a cart's stream, or that of the order which it became.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub enum CartStream {
    /// `cart-<id>`.
    Cart(CartId),
    /// `order-<id>`: of the order service, which it opens.
    Order(OrderId),
}

impl fmt::Display for CartStream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Cart(cart_id) => write!(f, "cart-{cart_id}"),
            Self::Order(order_id) => write!(f, "order-{order_id}"),
        }
    }
}

impl Event for CartEvent {
    type StreamId = CartStream;

    fn kind(&self) -> EventKind {
        let name = match self {
            Self::Opened(_) => "CartOpened",
            Self::ItemSet(_) => "CartItemSet",
            Self::ItemRemoved(_) => "CartItemRemoved",
            Self::CheckedOut(_) => "CartCheckedOut",
            Self::OrderPlaced(_) => "OrderPlaced",
        };
        EventKind { name, version: 1 }
    }

    fn topic(&self) -> &'static str {
        match self {
            Self::Opened(_) | Self::ItemSet(_) | Self::ItemRemoved(_) | Self::CheckedOut(_) => {
                topics::CART_EVENTS
            }
            Self::OrderPlaced(_) => topics::ORDER_EVENTS,
        }
    }

    fn stream(&self) -> CartStream {
        match self {
            Self::Opened(event) => CartStream::Cart(event.cart_id),
            Self::ItemSet(event) => CartStream::Cart(event.cart_id),
            Self::ItemRemoved(event) => CartStream::Cart(event.cart_id),
            Self::CheckedOut(event) => CartStream::Cart(event.cart_id),
            Self::OrderPlaced(event) => CartStream::Order(event.order_id),
        }
    }

    fn key(stream: &CartStream) -> String {
        match stream {
            CartStream::Cart(cart_id) => cart_id.to_string(),
            CartStream::Order(order_id) => order_id.to_string(),
        }
    }

    /// An order's journey begins at its checkout.
    fn journey(&self) -> Option<Uuid> {
        match self {
            Self::Opened(_) | Self::ItemSet(_) | Self::ItemRemoved(_) => None,
            Self::CheckedOut(event) => Some(event.order_id.as_uuid()),
            Self::OrderPlaced(event) => Some(event.order_id.as_uuid()),
        }
    }
}

impl ReadEvent for CartEvent {
    fn deserialize<'de, D: Deserializer<'de>>(
        name: &str,
        version: u16,
        payload: D,
    ) -> Result<Self, D::Error> {
        match name {
            "CartOpened" => only(version, payload).map(Self::Opened),
            "CartItemSet" => only(version, payload).map(Self::ItemSet),
            "CartItemRemoved" => only(version, payload).map(Self::ItemRemoved),
            "CartCheckedOut" => only(version, payload).map(Self::CheckedOut),
            "OrderPlaced" => only(version, payload).map(Self::OrderPlaced),
            _ => Err(D::Error::custom("no event of this name is known")),
        }
    }
}

#[cfg(test)]
mod tests;
