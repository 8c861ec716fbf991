//! What happened to the stock of one SKU.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::{
    ids::{OrderId, Sku},
    quantity::Units,
};

/// Where goods lie. There is one place yet.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Location {
    /// The one.
    #[default]
    Main,
}

/// There is a stock of this SKU, and nothing in it. Appended in one transaction with `ProductCreated`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct StockOpened {
    /// Of what.
    pub sku: Sku,
}

/// Goods have come in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct StockReceived {
    /// Of what.
    pub sku: Sku,
    /// How many.
    pub quantity: Units,
    /// Where.
    pub location: Location,
    /// When.
    pub received_at: DateTime<Utc>,
}

/// Some are set aside for an order that is still collecting what it needs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct StockReserved {
    /// Of what.
    pub sku: Sku,
    /// For whom.
    pub order_id: OrderId,
    /// How many.
    pub quantity: Units,
    /// Where.
    pub location: Location,
}

/// There are not enough now; there are, if other orders that are still collecting give up. Answered when that is known.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct StockAwaited {
    /// Of what.
    pub sku: Sku,
    /// For whom.
    pub order_id: OrderId,
    /// How many.
    pub quantity: Units,
}

/// There are not enough.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct StockDenied {
    /// Of what.
    pub sku: Sku,
    /// To whom.
    pub order_id: OrderId,
    /// How many were asked for.
    pub quantity: Units,
    /// How many there are.
    pub available: Units,
}

/// What an order holds is its own: it has all that it needs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct StockAllocated {
    /// Of what.
    pub sku: Sku,
    /// To whom.
    pub order_id: OrderId,
}

/// What an order held is there for others again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct StockReleased {
    /// Of what.
    pub sku: Sku,
    /// By whom.
    pub order_id: OrderId,
    /// How many: nothing where the order was only waiting.
    pub quantity: Units,
    /// Where.
    pub location: Location,
}

/// What an order held has left.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct StockCommitted {
    /// Of what.
    pub sku: Sku,
    /// For whom.
    pub order_id: OrderId,
    /// How many.
    pub quantity: Units,
    /// From where.
    pub location: Location,
}
