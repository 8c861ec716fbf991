//! What happened to an order. Shapes are for ever: a golden file of each version is in `docs/events/golden`.

use std::fmt;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Deserializer, Serialize, de::Error};
use uuid::Uuid;

use super::line::{OrderLine, Totals};
use crate::{
    Event, EventKind, ReadEvent,
    ids::{CustomerId, OrderId, PaymentId},
    money::Money,
    payment::{GatewayCode, GatewayDetail, PaymentRequested},
    personal::{Contact, Personal, ShippingAddress},
    product::reservation::{InventoryCheck, Shortage},
    quantity::{SkuUnits, Units},
    sealed::SealedMethod,
    text::Text,
    topics,
};

/// Any of them. Its payload is the event's own; name and version travel beside it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub enum OrderEvent {
    /// It was opened.
    Placed(Box<OrderPlaced>),
    /// The payment service was asked for the money.
    PaymentPending(OrderPaymentPending),
    /// That question itself: a message to the payment service, in its topic.
    PaymentRequested(PaymentRequested),
    /// The money is set aside.
    Paid(OrderPaid),
    /// The money will not be: another payment may.
    PaymentFailed(OrderPaymentFailed),
    /// It was called off.
    Cancelled(OrderCancelled),
    /// Its goods may leave; from here on it cannot be called off.
    DispatchApproved(DispatchApproved),
    /// Its goods may not leave.
    DispatchRefused(DispatchRefused),
    /// The money that was set aside could not be taken: the goods stay.
    CaptureRefused(OrderCaptureRefused),
    /// Its goods have left.
    Shipped(OrderShipped),
    /// Its goods have arrived.
    Delivered(OrderDelivered),
    /// Nothing more will happen to it.
    Completed(OrderCompleted),
    /// The product service was asked whether everything is in stock.
    InventoryRequested(InventoryRequested),
    /// That question itself: a message to the product service, in its topic.
    InventoryCheck(InventoryCheck),
    /// A payment came while stock was still being checked.
    PaymentKept(PaymentKept),
    /// Everything is set aside.
    Confirmed(OrderConfirmed),
    /// Something is not in stock.
    Rejected(OrderRejected),
    /// A deadline has passed.
    Expired(OrderExpired),
    /// An operator has to look.
    Stuck(OrderStuck),
    /// An operator had it tried again.
    Resumed(OrderResumed),
}

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
    /// When.
    pub pending_at: DateTime<Utc>,
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

/// An operator had it tried again; told once for each payment that is to go on.
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

/// An order's stream: `order-<id>`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct OrderStream(pub OrderId);

impl fmt::Display for OrderStream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "order-{}", self.0)
    }
}

impl OrderEvent {
    /// The order that it happened to.
    #[must_use]
    pub fn order_id(&self) -> OrderId {
        match self {
            Self::Placed(event) => event.order_id,
            Self::PaymentPending(event) => event.order_id,
            Self::PaymentRequested(event) => event.order_id,
            Self::Paid(event) => event.order_id,
            Self::PaymentFailed(event) => event.order_id,
            Self::Cancelled(event) => event.order_id,
            Self::DispatchApproved(event) => event.order_id,
            Self::DispatchRefused(event) => event.order_id,
            Self::CaptureRefused(event) => event.order_id,
            Self::Shipped(event) => event.order_id,
            Self::Delivered(event) => event.order_id,
            Self::Completed(event) => event.order_id,
            Self::InventoryRequested(event) => event.order_id,
            Self::InventoryCheck(event) => event.order_id,
            Self::PaymentKept(event) => event.order_id,
            Self::Confirmed(event) => event.order_id,
            Self::Rejected(event) => event.order_id,
            Self::Expired(event) => event.order_id,
            Self::Stuck(event) => event.order_id,
            Self::Resumed(event) => event.order_id,
        }
    }
}

impl Event for OrderEvent {
    type StreamId = OrderStream;

    fn kind(&self) -> EventKind {
        let name = match self {
            Self::Placed(_) => "OrderPlaced",
            Self::PaymentPending(_) => "OrderPaymentPending",
            Self::PaymentRequested(_) => "PaymentRequested",
            Self::Paid(_) => "OrderPaid",
            Self::PaymentFailed(_) => "OrderPaymentFailed",
            Self::Cancelled(_) => "OrderCancelled",
            Self::DispatchApproved(_) => "DispatchApproved",
            Self::DispatchRefused(_) => "DispatchRefused",
            Self::CaptureRefused(_) => "OrderCaptureRefused",
            Self::Shipped(_) => "OrderShipped",
            Self::Delivered(_) => "OrderDelivered",
            Self::Completed(_) => "OrderCompleted",
            Self::InventoryRequested(_) => "InventoryRequested",
            Self::InventoryCheck(_) => "InventoryCheck",
            Self::PaymentKept(_) => "PaymentKept",
            Self::Confirmed(_) => "OrderConfirmed",
            Self::Rejected(_) => "OrderRejected",
            Self::Expired(_) => "OrderExpired",
            Self::Stuck(_) => "OrderStuck",
            Self::Resumed(_) => "OrderResumed",
        };
        EventKind { name, version: 1 }
    }

    fn topic(&self) -> &'static str {
        match self {
            Self::InventoryCheck(_) => topics::INVENTORY_EVENTS,
            Self::PaymentRequested(_) => topics::PAYMENT_EVENTS,
            Self::Placed(_)
            | Self::PaymentPending(_)
            | Self::Paid(_)
            | Self::PaymentFailed(_)
            | Self::Cancelled(_)
            | Self::DispatchApproved(_)
            | Self::DispatchRefused(_)
            | Self::CaptureRefused(_)
            | Self::Shipped(_)
            | Self::Delivered(_)
            | Self::Completed(_)
            | Self::InventoryRequested(_)
            | Self::PaymentKept(_)
            | Self::Confirmed(_)
            | Self::Rejected(_)
            | Self::Expired(_)
            | Self::Stuck(_)
            | Self::Resumed(_) => topics::ORDER_EVENTS,
        }
    }

    fn stream(&self) -> OrderStream {
        OrderStream(self.order_id())
    }

    fn key(stream: &OrderStream) -> String {
        stream.0.to_string()
    }

    fn journey(&self) -> Option<Uuid> {
        Some(self.order_id().as_uuid())
    }
}

impl ReadEvent for OrderEvent {
    fn deserialize<'de, D: Deserializer<'de>>(
        name: &str,
        version: u16,
        payload: D,
    ) -> Result<Self, D::Error> {
        match (name, version) {
            ("OrderPlaced", 1) => Box::deserialize(payload).map(Self::Placed),
            ("OrderPaymentPending", 1) => {
                OrderPaymentPending::deserialize(payload).map(Self::PaymentPending)
            }
            ("PaymentRequested", 1) => {
                PaymentRequested::deserialize(payload).map(Self::PaymentRequested)
            }
            ("OrderPaid", 1) => OrderPaid::deserialize(payload).map(Self::Paid),
            ("OrderPaymentFailed", 1) => {
                OrderPaymentFailed::deserialize(payload).map(Self::PaymentFailed)
            }
            ("OrderCancelled", 1) => OrderCancelled::deserialize(payload).map(Self::Cancelled),
            ("DispatchApproved", 1) => {
                DispatchApproved::deserialize(payload).map(Self::DispatchApproved)
            }
            ("DispatchRefused", 1) => {
                DispatchRefused::deserialize(payload).map(Self::DispatchRefused)
            }
            ("OrderCaptureRefused", 1) => {
                OrderCaptureRefused::deserialize(payload).map(Self::CaptureRefused)
            }
            ("OrderShipped", 1) => OrderShipped::deserialize(payload).map(Self::Shipped),
            ("OrderDelivered", 1) => OrderDelivered::deserialize(payload).map(Self::Delivered),
            ("OrderCompleted", 1) => OrderCompleted::deserialize(payload).map(Self::Completed),
            ("InventoryRequested", 1) => {
                InventoryRequested::deserialize(payload).map(Self::InventoryRequested)
            }
            ("InventoryCheck", 1) => InventoryCheck::deserialize(payload).map(Self::InventoryCheck),
            ("PaymentKept", 1) => PaymentKept::deserialize(payload).map(Self::PaymentKept),
            ("OrderConfirmed", 1) => OrderConfirmed::deserialize(payload).map(Self::Confirmed),
            ("OrderRejected", 1) => OrderRejected::deserialize(payload).map(Self::Rejected),
            ("OrderExpired", 1) => OrderExpired::deserialize(payload).map(Self::Expired),
            ("OrderStuck", 1) => OrderStuck::deserialize(payload).map(Self::Stuck),
            ("OrderResumed", 1) => OrderResumed::deserialize(payload).map(Self::Resumed),
            _ => Err(D::Error::custom(
                "no event of this name and version is known",
            )),
        }
    }
}

#[cfg(test)]
mod tests;
