//! What decisions need to know of a cart.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::event::{CartEvent, CartItemSet};
use crate::{
    ids::{CustomerId, OrderId, Sku},
    money::Money,
    quantity::Quantity,
};

/// The stages of a cart's life.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Cart {
    /// There is no such cart yet.
    #[default]
    Unopened,
    /// Somebody is shopping.
    Open {
        /// Who; none for a guest.
        customer_id: Option<CustomerId>,
        /// What is in it, each SKU once, in the order in which they were put in.
        items: Vec<CartItem>,
    },
    /// Bought, for good.
    CheckedOut {
        /// The order that it became.
        order_id: OrderId,
    },
}

/// So many of one SKU at one price.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CartItem {
    /// What.
    pub sku: Sku,
    /// How many.
    pub quantity: Quantity,
    /// For how much each.
    pub unit_price: Money,
}

impl Cart {
    /// The state after one more event.
    #[must_use]
    pub fn evolve(mut self, event: &CartEvent) -> Self {
        match event {
            CartEvent::Opened(opened) => Self::Open {
                customer_id: opened.customer_id.clone(),
                items: Vec::new(),
            },
            CartEvent::ItemSet(set) => {
                if let Self::Open { items, .. } = &mut self {
                    put(items, set);
                }
                self
            }
            CartEvent::ItemRemoved(removed) => {
                if let Self::Open { items, .. } = &mut self {
                    items.retain(|item| item.sku != removed.sku);
                }
                self
            }
            CartEvent::CheckedOut(checked_out) => Self::CheckedOut {
                order_id: checked_out.order_id,
            },
            CartEvent::OrderPlaced(_) => self,
        }
    }

    /// What clients are told; none where there is no cart.
    #[must_use]
    pub const fn status(&self) -> Option<CartStatus> {
        match self {
            Self::Unopened => None,
            Self::Open { .. } => Some(CartStatus::Open),
            Self::CheckedOut { .. } => Some(CartStatus::CheckedOut),
        }
    }
}

/// What is in the cart already keeps its place.
fn put(items: &mut Vec<CartItem>, set: &CartItemSet) {
    let new = CartItem {
        sku: set.sku.clone(),
        quantity: set.quantity,
        unit_price: set.unit_price,
    };
    match items.iter_mut().find(|item| item.sku == new.sku) {
        Some(item) => *item = new,
        None => items.push(new),
    }
}

/// A cart's status, as clients know it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum CartStatus {
    /// Somebody is shopping.
    Open,
    /// Bought.
    CheckedOut,
}

impl CartStatus {
    /// As it is spelled in JSON and SQL.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::CheckedOut => "checked_out",
        }
    }
}

impl fmt::Display for CartStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
