//! What happened to an order's reservation, and what it was asked to do.

use serde::{Deserialize, Serialize};

use crate::{
    ids::{OrderId, Sku},
    quantity::{SkuUnits, Units},
};

/// A message from the order service: is everything there? Answered by [`InventoryConfirmed`] or [`InventoryRejected`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct InventoryCheck {
    /// Of which order.
    pub order_id: OrderId,
    /// How many of each SKU: in the order of SKUs, each once.
    pub lines: Vec<SkuUnits>,
}

/// The reservation begins to collect, one SKU after the other, in their order: so no two reservations wait for each other.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ReservationOpened {
    /// For whom.
    pub order_id: OrderId,
    /// How many of each SKU: in the order of SKUs, each once.
    pub lines: Vec<SkuUnits>,
}

/// The stock of one SKU is asked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ReservationLineRequested {
    /// For whom.
    pub order_id: OrderId,
    /// Of what.
    pub sku: Sku,
    /// How many.
    pub quantity: Units,
}

/// Every line is reserved: the answer to [`InventoryCheck`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct InventoryConfirmed {
    /// For whom.
    pub order_id: OrderId,
    /// How many of each SKU.
    pub lines: Vec<SkuUnits>,
}

/// Something is missing, and nothing is reserved any more: the answer to [`InventoryCheck`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct InventoryRejected {
    /// For whom.
    pub order_id: OrderId,
    /// What lacks stock.
    pub shortages: Vec<Shortage>,
    /// What was held until now, and is given back.
    pub released: Vec<Sku>,
}

/// So many are missing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Shortage {
    /// Of what.
    pub sku: Sku,
    /// How many were asked for.
    pub requested: Units,
    /// How many there are.
    pub available: Units,
}

/// The order needs nothing any more. Also where it never asked: a request that comes later does nothing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ReservationCancelled {
    /// Whose.
    pub order_id: OrderId,
    /// What was held or asked for until now, and is given back.
    pub released: Vec<Sku>,
}

/// The order's goods have left: it holds nothing any more, for good.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ReservationCommitted {
    /// Whose.
    pub order_id: OrderId,
    /// What was held until now, and has left.
    pub lines: Vec<SkuUnits>,
}

/// A stock has set something aside that is not needed any more; it is given back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ReservationLineReturned {
    /// Whose.
    pub order_id: OrderId,
    /// Of what.
    pub sku: Sku,
}
