//! What decisions need to know of an order, and no more: hundreds of thousands of open orders are held in memory.

use std::fmt;

use super::event::OrderEvent;
use crate::{ids::PaymentId, money::Money};

/// The stages of an order's life.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Order {
    /// There is no such order yet.
    #[default]
    Unplaced,
    /// Open, and not paid.
    Placed {
        /// What is to be paid.
        total: Money,
    },
    /// Paid in full.
    Paid {
        /// By which payment.
        payment_id: PaymentId,
        /// How much.
        amount: Money,
    },
    /// Called off, for good.
    Cancelled,
}

impl Order {
    /// The state after one more event.
    #[must_use]
    pub fn evolve(self, event: &OrderEvent) -> Self {
        match event {
            OrderEvent::Placed(placed) => Self::Placed {
                total: placed.totals.total,
            },
            OrderEvent::Paid(paid) => Self::Paid {
                payment_id: paid.payment_id,
                amount: paid.amount,
            },
            OrderEvent::Cancelled(_) => Self::Cancelled,
            OrderEvent::Refunded(_) => self,
        }
    }

    /// What clients are told; none where there is no order.
    #[must_use]
    pub const fn status(&self) -> Option<OrderStatus> {
        match self {
            Self::Unplaced => None,
            Self::Placed { .. } => Some(OrderStatus::Placed),
            Self::Paid { .. } => Some(OrderStatus::Paid),
            Self::Cancelled => Some(OrderStatus::Cancelled),
        }
    }
}

/// An order's status, as clients know it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum OrderStatus {
    /// Open, and not paid.
    Placed,
    /// Paid in full.
    Paid,
    /// Called off.
    Cancelled,
}

impl OrderStatus {
    /// As it is spelled in JSON and SQL.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Placed => "placed",
            Self::Paid => "paid",
            Self::Cancelled => "cancelled",
        }
    }
}

impl fmt::Display for OrderStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn is_small() {
        assert!(size_of::<Order>() <= 40, "{}", size_of::<Order>());
    }
}
