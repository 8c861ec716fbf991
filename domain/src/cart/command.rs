//! What one may ask of a cart.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::{
    ids::{CartId, CustomerId, Sku},
    money::Money,
    personal::{Contact, ShippingAddress},
    quantity::Quantity,
};

/// Any of them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum CartCommand {
    /// Begin to shop.
    Open(OpenCart),
    /// Put something in, or change how many.
    Set(SetCartItem),
    /// Take something out.
    Remove(RemoveCartItem),
    /// Buy it all.
    CheckOut(Box<CheckOutCart>),
}

/// Begins to shop.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OpenCart {
    /// Not used before.
    pub cart_id: CartId,
    /// Who shops; none for a guest.
    pub customer_id: Option<CustomerId>,
    /// When it was asked for.
    pub opened_at: DateTime<Utc>,
}

/// Puts something into a cart, or changes how many.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SetCartItem {
    /// Which cart.
    pub cart_id: CartId,
    /// What.
    pub sku: Sku,
    /// How many.
    pub quantity: Quantity,
    /// What the catalogue asks for one now.
    pub unit_price: Money,
    /// When it was asked for.
    pub changed_at: DateTime<Utc>,
}

/// Takes something out of a cart.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RemoveCartItem {
    /// Which cart.
    pub cart_id: CartId,
    /// What.
    pub sku: Sku,
    /// When it was asked for.
    pub changed_at: DateTime<Utc>,
}

/// Buys what is in a cart, at the prices that the items were put in for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CheckOutCart {
    /// Which cart.
    pub cart_id: CartId,
    /// Who buys; needed where a guest opened the cart.
    pub customer_id: Option<CustomerId>,
    /// Where it goes.
    pub shipping_address: ShippingAddress,
    /// How to reach the customer.
    pub contact: Option<Contact>,
    /// When it was asked for.
    pub checked_out_at: DateTime<Utc>,
}

impl CartCommand {
    /// The cart that it is about.
    #[must_use]
    pub fn cart_id(&self) -> CartId {
        match self {
            Self::Open(command) => command.cart_id,
            Self::Set(command) => command.cart_id,
            Self::Remove(command) => command.cart_id,
            Self::CheckOut(command) => command.cart_id,
        }
    }
}
