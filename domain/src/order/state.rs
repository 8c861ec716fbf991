//! What decisions need to know of an order, and no more: hundreds of thousands of open orders are held in memory.

use std::fmt;

use chrono::{DateTime, Utc};

use super::event::{InventoryRequested, OrderEvent};
use crate::{ids::PaymentId, money::Money, quantity::SkuUnits};

/// An order: how far it has come, and whether it can go on by itself.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Order {
    /// How far it has come.
    pub stage: OrderStage,
    /// Whether an operator has to look. That ends when it is resumed, and with nothing else.
    pub stuck: bool,
}

/// The stages of an order's life.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum OrderStage {
    /// There is no such order yet.
    #[default]
    Unplaced,
    /// Open; the product service has not been asked yet.
    Placed {
        /// What is to be paid.
        total: Money,
        /// A payment that came early.
        kept: Option<PaymentId>,
    },
    /// Open; the product service is looking whether everything is in stock.
    Checking(Box<Checking>),
    /// Open; everything is set aside.
    AwaitingPayment {
        /// What is to be paid.
        total: Money,
        /// Until when.
        payment_due_at: DateTime<Utc>,
    },
    /// Paid in full.
    Paid {
        /// By which payment.
        payment_id: PaymentId,
        /// How much.
        amount: Money,
    },
    /// Something was not in stock: it has ended.
    Rejected,
    /// Called off, for good.
    Cancelled,
    /// What it waited for did not come in time: it has ended.
    Expired,
}

/// An order whose stock is being looked for. Boxed: it is the largest stage, and a short one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checking {
    /// What is to be paid.
    pub total: Money,
    /// What was asked for, so that it can be asked again.
    pub lines: Box<[SkuUnits]>,
    /// When an answer is waited for no longer.
    pub stock_due_at: DateTime<Utc>,
    /// A payment that came early.
    pub kept: Option<PaymentId>,
}

impl Order {
    /// The state after one more event.
    #[must_use]
    pub fn evolve(mut self, event: &OrderEvent) -> Self {
        match event {
            OrderEvent::Placed(placed) => {
                self.stage = OrderStage::Placed {
                    total: placed.totals.total,
                    kept: None,
                };
            }
            OrderEvent::InventoryRequested(requested) => {
                self.stage = self.stage.checking(requested);
            }
            OrderEvent::PaymentKept(kept) => self.stage = self.stage.keeping(kept.payment_id),
            OrderEvent::Confirmed(confirmed) => {
                self.stage = self.stage.awaiting_payment(confirmed.payment_due_at);
            }
            OrderEvent::Paid(paid) => {
                self.stage = OrderStage::Paid {
                    payment_id: paid.payment_id,
                    amount: paid.amount,
                };
            }
            OrderEvent::Rejected(_) => self.stage = OrderStage::Rejected,
            OrderEvent::Cancelled(_) => self.stage = OrderStage::Cancelled,
            OrderEvent::Expired(_) => self.stage = OrderStage::Expired,
            OrderEvent::Stuck(_) => self.stuck = true,
            OrderEvent::Resumed(_) => self.stuck = false,
            // What went back is told by the cancellation beside it, and a message changes nothing here.
            OrderEvent::Refunded(_) | OrderEvent::InventoryCheck(_) => {}
        }
        self
    }

    /// What clients are told; none where there is no order.
    #[must_use]
    pub const fn status(&self) -> Option<OrderStatus> {
        match self.stage {
            OrderStage::Unplaced => None,
            OrderStage::Placed { .. } | OrderStage::Checking(_) => Some(OrderStatus::Placed),
            OrderStage::AwaitingPayment { .. } => Some(OrderStatus::AwaitingPayment),
            OrderStage::Paid { .. } => Some(OrderStatus::Paid),
            OrderStage::Rejected => Some(OrderStatus::Rejected),
            OrderStage::Cancelled => Some(OrderStatus::Cancelled),
            OrderStage::Expired => Some(OrderStatus::Expired),
        }
    }

    /// When it expires if nothing happens before. What is stuck waits for its operator instead.
    #[must_use]
    pub fn deadline(&self) -> Option<DateTime<Utc>> {
        if self.stuck {
            return None;
        }
        match &self.stage {
            OrderStage::Checking(checking) => Some(checking.stock_due_at),
            OrderStage::AwaitingPayment { payment_due_at, .. } => Some(*payment_due_at),
            OrderStage::Unplaced
            | OrderStage::Placed { .. }
            | OrderStage::Paid { .. }
            | OrderStage::Rejected
            | OrderStage::Cancelled
            | OrderStage::Expired => None,
        }
    }
}

/// Where an event meets a stage that no decision has it follow, the stage stays.
impl OrderStage {
    fn checking(self, requested: &InventoryRequested) -> Self {
        let (total, kept) = match self {
            Self::Placed { total, kept } => (total, kept),
            Self::Checking(checking) => (checking.total, checking.kept),
            Self::Unplaced
            | Self::AwaitingPayment { .. }
            | Self::Paid { .. }
            | Self::Rejected
            | Self::Cancelled
            | Self::Expired => return self,
        };
        Self::Checking(Box::new(Checking {
            total,
            lines: requested.lines.as_slice().into(),
            stock_due_at: requested.stock_due_at,
            kept,
        }))
    }

    fn keeping(mut self, payment_id: PaymentId) -> Self {
        match &mut self {
            Self::Placed { kept, .. } => *kept = Some(payment_id),
            Self::Checking(checking) => checking.kept = Some(payment_id),
            Self::Unplaced
            | Self::AwaitingPayment { .. }
            | Self::Paid { .. }
            | Self::Rejected
            | Self::Cancelled
            | Self::Expired => {}
        }
        self
    }

    fn awaiting_payment(self, payment_due_at: DateTime<Utc>) -> Self {
        let total = match self {
            Self::Placed { total, .. } | Self::AwaitingPayment { total, .. } => total,
            Self::Checking(checking) => checking.total,
            Self::Unplaced
            | Self::Paid { .. }
            | Self::Rejected
            | Self::Cancelled
            | Self::Expired => return self,
        };
        Self::AwaitingPayment {
            total,
            payment_due_at,
        }
    }
}

/// An order's status, as clients know it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum OrderStatus {
    /// Open; its stock is being looked for.
    Placed,
    /// Open; its stock is set aside.
    AwaitingPayment,
    /// Paid in full.
    Paid,
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
            Self::Paid => "paid",
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn is_small() {
        assert!(size_of::<Order>() <= 48, "{}", size_of::<Order>());
    }
}
