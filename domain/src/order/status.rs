//! How far an order has come, for clients.

use std::fmt;

use serde::{Deserialize, Serialize};

/// An order's status, as clients know it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum OrderStatus {
    /// Open; its stock is being looked for.
    Placed,
    /// Open; its stock is set aside.
    AwaitingPayment,
    /// The payment service is asking for the money.
    PaymentPending,
    /// The money is set aside.
    Paid,
    /// Its goods may leave.
    Dispatching,
    /// Its goods have left, and the money was taken.
    Shipped,
    /// Its goods have arrived.
    Delivered,
    /// Nothing more will happen to it.
    Completed,
    /// Something was not in stock.
    Rejected,
    /// Called off.
    Cancelled,
    /// What it waited for did not come in time.
    Expired,
}

impl OrderStatus {
    /// As it is spelled in JSON and SQL.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Placed => "placed",
            Self::AwaitingPayment => "awaiting_payment",
            Self::PaymentPending => "payment_pending",
            Self::Paid => "paid",
            Self::Dispatching => "dispatching",
            Self::Shipped => "shipped",
            Self::Delivered => "delivered",
            Self::Completed => "completed",
            Self::Rejected => "rejected",
            Self::Cancelled => "cancelled",
            Self::Expired => "expired",
        }
    }
}

impl fmt::Display for OrderStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
