//! What one may ask of a product.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::{ids::Sku, money::Money, text::Text};

/// Any of them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum CatalogueCommand {
    /// Add it to the catalogue.
    Create(CreateProduct),
    /// Change its price.
    Reprice(RepriceProduct),
    /// Sell it no longer.
    Discontinue(DiscontinueProduct),
}

impl CatalogueCommand {
    /// The product that it is about.
    #[must_use]
    pub const fn sku(&self) -> &Sku {
        match self {
            Self::Create(command) => &command.sku,
            Self::Reprice(command) => &command.sku,
            Self::Discontinue(command) => &command.sku,
        }
    }
}

/// Adds a product to the catalogue, with an empty stock.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CreateProduct {
    /// Which.
    pub sku: Sku,
    /// What people call it.
    pub name: Text<200>,
    /// For how much.
    pub price: Money,
    /// When it was asked for.
    pub created_at: DateTime<Utc>,
}

/// Changes a product's price, for what is ordered from now on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RepriceProduct {
    /// Which.
    pub sku: Sku,
    /// For how much; in any currency.
    pub price: Money,
    /// When it was asked for.
    pub repriced_at: DateTime<Utc>,
}

/// Sells a product no longer; what is in stock stays there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DiscontinueProduct {
    /// Which.
    pub sku: Sku,
    /// When it was asked for.
    pub discontinued_at: DateTime<Utc>,
}
