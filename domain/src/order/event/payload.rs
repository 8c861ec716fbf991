//! The shapes of an order's events.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::{
    ids::{CustomerId, OrderId, PaymentId},
    money::Money,
    order::line::{OrderLine, Totals},
    payment::{GatewayCode, GatewayDetail, PaymentRequested},
    personal::{Contact, Personal, ShippingAddress},
    product::reservation::{InventoryCheck, Shortage},
    quantity::{SkuUnits, Units},
    sealed::SealedMethod,
    text::Text,
};

/// An order was opened, at prices that are final.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct OrderPlaced {
    /// Which.
    pub order_id: OrderId,
    /// Who buys.
    pub customer_id: CustomerId,
    /// What.
    pub lines: Vec<OrderLine>,
    /// For how much.
    pub totals: Totals,
    /// What is known of the customer.
    pub personal: Personal<OrderPersonal>,
    /// When.
    pub placed_at: DateTime<Utc>,
}

/// The personal fields of an order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct OrderPersonal {
    /// Where it goes.
    pub shipping_address: ShippingAddress,
    /// How to reach the customer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub contact: Option<Contact>,
}

/// The payment service was asked for the money.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct OrderPaymentPending {
    /// For which order.
    pub order_id: OrderId,
    /// By which payment.
    pub payment_id: PaymentId,
    /// The order's how many-th payment, from 1.
    pub attempt: u32,
    /// How much.
    pub amount: Money,
    /// From where, sealed.
    pub method: SealedMethod,
    /// When.
    pub pending_at: DateTime<Utc>,
}

impl OrderPaymentPending {
    /// What the payment service is asked.
    #[must_use]
    pub fn request(&self) -> PaymentRequested {
        PaymentRequested {
            payment_id: self.payment_id,
            order_id: self.order_id,
            attempt: self.attempt,
            amount: self.amount,
            method: self.method.clone(),
            requested_at: self.pending_at,
        }
    }
}

/// An order is paid: the whole amount is set aside.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct OrderPaid {
    /// Which.
    pub order_id: OrderId,
    /// By which payment.
    pub payment_id: PaymentId,
    /// How much.
    pub amount: Money,
    /// When.
    pub paid_at: DateTime<Utc>,
}

/// A payment came to nothing: the order waits for another.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct OrderPaymentFailed {
    /// Which order.
    pub order_id: OrderId,
    /// Which payment.
    pub payment_id: PaymentId,
    /// Why.
    pub code: GatewayCode,
    /// Why, for people.
    pub detail: GatewayDetail,
    /// When.
    pub failed_at: DateTime<Utc>,
}

/// An order was called off.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct OrderCancelled {
    /// Which.
    pub order_id: OrderId,
    /// The payment that is to be undone, where there was one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub payment_id: Option<PaymentId>,
    /// Why, in the customer's words.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<Text<500>>,
    /// When.
    pub cancelled_at: DateTime<Utc>,
}

/// An order's goods may leave. What is to be taken for them is taken now.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct DispatchApproved {
    /// Which order.
    pub order_id: OrderId,
    /// By which payment.
    pub payment_id: PaymentId,
    /// How much.
    pub amount: Money,
    /// When.
    pub approved_at: DateTime<Utc>,
}

/// An order's goods may not leave.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct DispatchRefused {
    /// Which order.
    pub order_id: OrderId,
    /// When.
    pub refused_at: DateTime<Utc>,
}

/// The money that was set aside could not be taken: the goods stay until an operator has looked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct OrderCaptureRefused {
    /// Which order.
    pub order_id: OrderId,
    /// Which payment.
    pub payment_id: PaymentId,
    /// Why.
    pub code: GatewayCode,
    /// When.
    pub refused_at: DateTime<Utc>,
}

/// An order's goods have left: it is sold.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct OrderShipped {
    /// Which.
    pub order_id: OrderId,
    /// For how much.
    pub amount: Money,
    /// How many pieces.
    pub units: Units,
    /// When.
    pub shipped_at: DateTime<Utc>,
}

/// An order's goods have arrived.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct OrderDelivered {
    /// Which.
    pub order_id: OrderId,
    /// When nothing more is waited for.
    pub completes_at: DateTime<Utc>,
    /// When.
    pub delivered_at: DateTime<Utc>,
}

/// Nothing more will happen to an order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct OrderCompleted {
    /// Which.
    pub order_id: OrderId,
    /// When.
    pub completed_at: DateTime<Utc>,
}

/// The product service was asked whether everything is in stock.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct InventoryRequested {
    /// For which order.
    pub order_id: OrderId,
    /// How many of each SKU.
    pub lines: Vec<SkuUnits>,
    /// When an answer is waited for no longer.
    pub stock_due_at: DateTime<Utc>,
}

impl InventoryRequested {
    /// What the product service is asked.
    #[must_use]
    pub fn check(&self) -> InventoryCheck {
        InventoryCheck {
            order_id: self.order_id,
            lines: self.lines.clone(),
        }
    }
}

/// A payment came while stock was still being checked. It is carried out when the order is confirmed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct PaymentKept {
    /// Of which order.
    pub order_id: OrderId,
    /// The payment to be.
    pub payment_id: PaymentId,
    /// From where, sealed.
    pub method: SealedMethod,
    /// When it came.
    pub kept_at: DateTime<Utc>,
}

/// Everything is set aside: now the order is to be paid.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct OrderConfirmed {
    /// Which.
    pub order_id: OrderId,
    /// Until when.
    pub payment_due_at: DateTime<Utc>,
    /// When.
    pub confirmed_at: DateTime<Utc>,
}

/// Something is not in stock: the order has ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct OrderRejected {
    /// Which.
    pub order_id: OrderId,
    /// What is missing.
    pub shortages: Vec<Shortage>,
    /// When.
    pub rejected_at: DateTime<Utc>,
}

/// A deadline has passed: the order has ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct OrderExpired {
    /// Which.
    pub order_id: OrderId,
    /// What did not come in time.
    pub awaited: Awaited,
    /// The deadline.
    pub expired_at: DateTime<Utc>,
}

/// What an order waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Awaited {
    /// The product service's answer.
    Stock,
    /// The customer's payment.
    Payment,
}

/// What goes on by itself cannot: an operator has to look.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct OrderStuck {
    /// Which.
    pub order_id: OrderId,
    /// The payment that does not go on, where it is one; perhaps not the order's last.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub payment_id: Option<PaymentId>,
    /// Why, for the operator.
    pub reason: Text<500>,
    /// When that was found.
    pub stuck_at: DateTime<Utc>,
}

/// What was stuck is tried again, by an operator or by a cancel; told once for each payment that is to go on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct OrderResumed {
    /// Which.
    pub order_id: OrderId,
    /// The payment that is to go on, where there is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub payment_id: Option<PaymentId>,
    /// When.
    pub resumed_at: DateTime<Utc>,
}
