//! What one may ask of an order.

use chrono::{DateTime, Utc};

use super::line::OrderLines;
use crate::{
    ids::{CustomerId, OrderId, PaymentId},
    money::Money,
    personal::{Contact, ShippingAddress},
    text::Text,
};

/// Any of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum OrderCommand {
    /// Open an order.
    Place(Box<PlaceOrder>),
    /// Pay it.
    Pay(PayOrder),
    /// Call it off.
    Cancel(CancelOrder),
}

/// Opens an order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlaceOrder {
    /// Not used before.
    pub order_id: OrderId,
    /// Who buys.
    pub customer_id: CustomerId,
    /// What, how many, and for how much.
    pub lines: OrderLines,
    /// Where it goes.
    pub shipping_address: ShippingAddress,
    /// How to reach the customer.
    pub contact: Option<Contact>,
    /// When it was asked for.
    pub placed_at: DateTime<Utc>,
}

/// Pays an order in full.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PayOrder {
    /// Which.
    pub order_id: OrderId,
    /// The payment to be.
    pub payment_id: PaymentId,
    /// What the customer expects to pay; refused where it differs from the order's total.
    pub amount: Option<Money>,
    /// When it was asked for.
    pub paid_at: DateTime<Utc>,
}

/// Calls an order off; one that is paid is refunded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CancelOrder {
    /// Which.
    pub order_id: OrderId,
    /// Why, in the customer's words.
    pub reason: Option<Text<500>>,
    /// When it was asked for.
    pub cancelled_at: DateTime<Utc>,
}

impl OrderCommand {
    /// The order that it is about.
    #[must_use]
    pub fn order_id(&self) -> OrderId {
        match self {
            Self::Place(command) => command.order_id,
            Self::Pay(command) => command.order_id,
            Self::Cancel(command) => command.order_id,
        }
    }
}
