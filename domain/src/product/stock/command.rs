//! What one may ask of the stock of one SKU.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::{
    ids::{OrderId, Sku},
    quantity::Units,
};

/// Any of them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum StockCommand {
    /// Goods have come in.
    Receive(ReceiveStock),
    /// Set some aside for an order.
    Reserve(ReserveStock),
    /// The order got everything that it needs: what it holds is its own.
    Allocate(StockOfOrder),
    /// The order needs it no longer.
    Release(StockOfOrder),
    /// The goods have left.
    Commit(StockOfOrder),
}

impl StockCommand {
    /// The SKU whose stock it is about.
    #[must_use]
    pub const fn sku(&self) -> &Sku {
        match self {
            Self::Receive(command) => &command.sku,
            Self::Reserve(command) => &command.sku,
            Self::Allocate(command) | Self::Release(command) | Self::Commit(command) => {
                &command.sku
            }
        }
    }
}

/// Goods have come in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReceiveStock {
    /// Of what.
    pub sku: Sku,
    /// How many.
    pub quantity: Units,
    /// When.
    pub received_at: DateTime<Utc>,
}

/// Sets some aside for an order, or answers that there are not enough. An order that may yet give back what it holds is
/// waited for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReserveStock {
    /// Of what.
    pub sku: Sku,
    /// For whom; an order reserves a SKU once, its lines summed.
    pub order_id: OrderId,
    /// How many.
    pub quantity: Units,
}

/// Names what an order holds of a SKU, or waits for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StockOfOrder {
    /// Of what.
    pub sku: Sku,
    /// Whose.
    pub order_id: OrderId,
}
