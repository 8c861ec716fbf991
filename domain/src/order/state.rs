//! What decisions need to know of an order, and no more: hundreds of thousands of open orders are held in memory.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::{
    event::{InventoryRequested, OrderEvent, OrderPaymentPending},
    status::OrderStatus,
};
use crate::{ids::PaymentId, money::Money, quantity::SkuUnits, sealed::SealedMethod};

/// An order: how far it has come, and whether it can go on by itself.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Order {
    /// How far it has come.
    pub stage: OrderStage,
    /// Where an operator has to look. That ends when it is resumed, and with nothing else.
    pub stuck: Option<Box<Stuck>>,
}

/// What an operator has to look at.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stuck {
    /// Whether a step of its own was refused.
    pub step: bool,
    /// The payments that do not go on. One that came to nothing before may still have to be undone.
    pub payments: Vec<PaymentId>,
}

/// The stages of an order's life.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum OrderStage {
    /// There is no such order yet.
    #[default]
    Unplaced,
    /// Open; the product service has not been asked yet.
    Placed {
        /// What is to be paid.
        total: Money,
        /// A payment that came early.
        kept: Option<Box<Kept>>,
    },
    /// Open; the product service is looking whether everything is in stock.
    Checking(Box<Checking>),
    /// Open; everything is set aside.
    AwaitingPayment(Billing),
    /// Open; the payment service is asking for the money.
    PaymentPending(Box<Pending>),
    /// Paid: the money is set aside.
    Paid(Paid),
    /// Its goods may leave, as soon as the money was taken.
    Dispatching {
        /// How it is paid.
        paid: Paid,
        /// Whether the money could not be taken, and is not asked for again by itself.
        is_refused: bool,
    },
    /// Its goods have left.
    Shipped(Paid),
    /// Its goods have arrived.
    Delivered {
        /// How it is paid.
        paid: Paid,
        /// When nothing more is waited for.
        completes_at: DateTime<Utc>,
    },
    /// Nothing more will happen to it.
    Completed(Paid),
    /// Something was not in stock: it has ended.
    Rejected,
    /// Called off, for good.
    Cancelled {
        /// The payment that is undone, where there was one.
        payment_id: Option<PaymentId>,
    },
    /// What it waited for did not come in time: it has ended.
    Expired,
}

/// An order whose stock is being looked for. Boxed: it is the largest stage, and a short one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Checking {
    /// What is to be paid.
    pub total: Money,
    /// What was asked for, so that it can be asked again.
    pub lines: Box<[SkuUnits]>,
    /// When an answer is waited for no longer.
    pub stock_due_at: DateTime<Utc>,
    /// A payment that came early.
    pub kept: Option<Box<Kept>>,
}

/// A payment that came before the stock was confirmed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Kept {
    /// The payment to be.
    pub payment_id: PaymentId,
    /// From where, sealed.
    pub method: SealedMethod,
}

/// What an order waits to be paid.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Billing {
    /// How much.
    pub total: Money,
    /// Until when.
    pub payment_due_at: DateTime<Utc>,
    /// How many payments there were.
    pub attempts: u32,
}

/// A payment that is under way.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pending {
    /// What the order waits for again if it fails.
    pub billing: Billing,
    /// Which.
    pub payment_id: PaymentId,
}

/// How an order is paid.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Paid {
    /// By which payment.
    pub payment_id: PaymentId,
    /// How much.
    pub amount: Money,
}

impl Stuck {
    fn holds_up(&self, stage: &OrderStage) -> bool {
        let is_stuck = |payment_id| self.payments.contains(&payment_id);
        self.step || stage.payment_id().is_some_and(is_stuck)
    }

    /// Whether it is by this payment that the order is stuck, and by nothing else.
    pub(super) fn is_only_by(&self, payment_id: Option<PaymentId>) -> bool {
        !self.step && self.payments.iter().copied().map(Some).eq([payment_id])
    }
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
            OrderEvent::PaymentKept(event) => {
                self.stage = self.stage.keeping(Kept {
                    payment_id: event.payment_id,
                    method: event.method.clone(),
                });
            }
            OrderEvent::Confirmed(confirmed) => {
                self.stage = self.stage.awaiting_payment(confirmed.payment_due_at);
            }
            OrderEvent::PaymentPending(event) => self.stage = self.stage.pending(event),
            OrderEvent::PaymentFailed(_) => self.stage = self.stage.awaiting_again(),
            OrderEvent::Paid(paid) => {
                self.stage = OrderStage::Paid(Paid {
                    payment_id: paid.payment_id,
                    amount: paid.amount,
                });
            }
            OrderEvent::DispatchApproved(_) => self.stage = self.stage.dispatching(false),
            OrderEvent::CaptureRefused(_) => self.stage = self.stage.dispatching(true),
            OrderEvent::Shipped(_) => self.stage = self.stage.shipped(),
            OrderEvent::Delivered(event) => {
                self.stage = self.stage.delivered(event.completes_at);
            }
            OrderEvent::Completed(_) => self.stage = self.stage.completed(),
            OrderEvent::Rejected(_) => self.stage = OrderStage::Rejected,
            OrderEvent::Cancelled(event) => {
                self.stage = OrderStage::Cancelled {
                    payment_id: event.payment_id,
                };
            }
            OrderEvent::Expired(_) => self.stage = OrderStage::Expired,
            OrderEvent::Stuck(event) => {
                let stuck = self.stuck.get_or_insert_default();
                stuck.step |= event.payment_id.is_none();
                stuck.payments.extend(event.payment_id);
            }
            OrderEvent::Resumed(_) => self.stuck = None,
            // Messages change nothing here, and a refusal is of what has ended.
            OrderEvent::InventoryCheck(_)
            | OrderEvent::PaymentRequested(_)
            | OrderEvent::DispatchRefused(_) => {}
        }
        self
    }

    /// What clients are told; none where there is no order.
    #[must_use]
    pub const fn status(&self) -> Option<OrderStatus> {
        match self.stage {
            OrderStage::Unplaced => None,
            OrderStage::Placed { .. } | OrderStage::Checking(_) => Some(OrderStatus::Placed),
            OrderStage::AwaitingPayment(_) => Some(OrderStatus::AwaitingPayment),
            OrderStage::PaymentPending(_) => Some(OrderStatus::PaymentPending),
            OrderStage::Paid(_) => Some(OrderStatus::Paid),
            OrderStage::Dispatching { .. } => Some(OrderStatus::Dispatching),
            OrderStage::Shipped(_) => Some(OrderStatus::Shipped),
            OrderStage::Delivered { .. } => Some(OrderStatus::Delivered),
            OrderStage::Completed(_) => Some(OrderStatus::Completed),
            OrderStage::Rejected => Some(OrderStatus::Rejected),
            OrderStage::Cancelled { .. } => Some(OrderStatus::Cancelled),
            OrderStage::Expired => Some(OrderStatus::Expired),
        }
    }

    /// When it expires, or completes, if nothing happens before. What is stuck waits for its operator instead, and nothing
    /// falls due while a payment is under way. One that came to nothing holds nothing up, stuck or not: its goods would be set
    /// aside for ever.
    #[must_use]
    pub fn deadline(&self) -> Option<DateTime<Utc>> {
        if self
            .stuck
            .as_deref()
            .is_some_and(|stuck| stuck.holds_up(&self.stage))
        {
            return None;
        }
        match &self.stage {
            OrderStage::Checking(checking) => Some(checking.stock_due_at),
            OrderStage::AwaitingPayment(billing) => Some(billing.payment_due_at),
            OrderStage::Delivered { completes_at, .. } => Some(*completes_at),
            OrderStage::Unplaced
            | OrderStage::Placed { .. }
            | OrderStage::PaymentPending(_)
            | OrderStage::Paid(_)
            | OrderStage::Dispatching { .. }
            | OrderStage::Shipped(_)
            | OrderStage::Completed(_)
            | OrderStage::Rejected
            | OrderStage::Cancelled { .. }
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
            stage => return stage,
        };
        Self::Checking(Box::new(Checking {
            total,
            lines: requested.lines.as_slice().into(),
            stock_due_at: requested.stock_due_at,
            kept,
        }))
    }

    fn keeping(mut self, payment: Kept) -> Self {
        if let Self::Placed { kept, .. } = &mut self {
            *kept = Some(Box::new(payment));
        } else if let Self::Checking(checking) = &mut self {
            checking.kept = Some(Box::new(payment));
        }
        self
    }

    fn awaiting_payment(self, payment_due_at: DateTime<Utc>) -> Self {
        let total = match self {
            Self::Placed { total, .. } => total,
            Self::Checking(checking) => checking.total,
            stage => return stage,
        };
        Self::AwaitingPayment(Billing {
            total,
            payment_due_at,
            attempts: 0,
        })
    }

    fn pending(self, event: &OrderPaymentPending) -> Self {
        match self {
            Self::AwaitingPayment(billing) => Self::PaymentPending(Box::new(Pending {
                billing: Billing {
                    attempts: event.attempt,
                    ..billing
                },
                payment_id: event.payment_id,
            })),
            stage => stage,
        }
    }

    fn awaiting_again(self) -> Self {
        match self {
            Self::PaymentPending(pending) => Self::AwaitingPayment(pending.billing),
            stage => stage,
        }
    }

    fn dispatching(self, is_refused: bool) -> Self {
        match self {
            Self::Paid(paid) | Self::Dispatching { paid, .. } => {
                Self::Dispatching { paid, is_refused }
            }
            stage => stage,
        }
    }

    fn shipped(self) -> Self {
        match self {
            Self::Paid(paid) | Self::Dispatching { paid, .. } => Self::Shipped(paid),
            stage => stage,
        }
    }

    fn delivered(self, completes_at: DateTime<Utc>) -> Self {
        match self {
            Self::Shipped(paid) => Self::Delivered { paid, completes_at },
            stage => stage,
        }
    }

    fn completed(self) -> Self {
        match self {
            Self::Delivered { paid, .. } => Self::Completed(paid),
            stage => stage,
        }
    }

    /// The payment that is under way, or was made.
    #[must_use]
    pub fn payment_id(&self) -> Option<PaymentId> {
        match self {
            Self::PaymentPending(pending) => Some(pending.payment_id),
            Self::Paid(paid)
            | Self::Dispatching { paid, .. }
            | Self::Shipped(paid)
            | Self::Delivered { paid, .. }
            | Self::Completed(paid) => Some(paid.payment_id),
            Self::Cancelled { payment_id } => *payment_id,
            Self::Unplaced
            | Self::Placed { .. }
            | Self::Checking(_)
            | Self::AwaitingPayment(_)
            | Self::Rejected
            | Self::Expired => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn is_small() {
        assert!(size_of::<Order>() <= 64, "{}", size_of::<Order>());
    }
}
