//! What decisions need to know of a product.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::event::{ProductCreated, ProductRepriced};
use crate::money::Money;

/// A product that is or was in the catalogue.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Product {
    /// For how much it is sold, or was last.
    pub price: Money,
    /// Whether it is sold no longer.
    pub discontinued: bool,
}

impl Product {
    pub(in crate::product) const fn created(event: &ProductCreated) -> Self {
        Self {
            price: event.price,
            discontinued: false,
        }
    }

    pub(in crate::product) fn repriced(self, event: &ProductRepriced) -> Self {
        Self {
            price: event.price,
            ..self
        }
    }

    pub(in crate::product) fn discontinued(self) -> Self {
        Self {
            discontinued: true,
            ..self
        }
    }

    /// What clients are told.
    #[must_use]
    pub const fn status(&self) -> ProductStatus {
        if self.discontinued {
            ProductStatus::Discontinued
        } else {
            ProductStatus::Active
        }
    }
}

/// A product's status, as clients know it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum ProductStatus {
    /// It is sold.
    Active,
    /// It is sold no longer.
    Discontinued,
}

impl ProductStatus {
    /// As it is spelled in JSON and SQL.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Discontinued => "discontinued",
        }
    }
}

impl fmt::Display for ProductStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
