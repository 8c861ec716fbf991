//! What happened to a product.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::{ids::Sku, money::Money, text::Text};

/// A product was added to the catalogue.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ProductCreated {
    /// Which.
    pub sku: Sku,
    /// What people call it.
    pub name: Text<200>,
    /// For how much.
    pub price: Money,
    /// When.
    pub created_at: DateTime<Utc>,
}

/// A product's price has changed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ProductRepriced {
    /// Which.
    pub sku: Sku,
    /// For how much from now on.
    pub price: Money,
    /// When.
    pub repriced_at: DateTime<Utc>,
}

/// A product is sold no longer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ProductDiscontinued {
    /// Which.
    pub sku: Sku,
    /// When.
    pub discontinued_at: DateTime<Utc>,
}
