//! What happened to an order. Shapes are for ever: a golden file of each version is in `docs/events/golden`.

mod payload;

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, de::Error};
use uuid::Uuid;

pub use self::payload::*;
use crate::{
    Event, EventKind, ReadEvent, ids::OrderId, payment::PaymentRequested,
    product::reservation::InventoryCheck, topics, upcast::only,
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
    /// What was stuck is tried again.
    Resumed(OrderResumed),
}

/// An order's stream: `order-<id>`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
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
        match name {
            "OrderPlaced" => only(version, payload).map(Self::Placed),
            "OrderPaymentPending" => only(version, payload).map(Self::PaymentPending),
            "PaymentRequested" => only(version, payload).map(Self::PaymentRequested),
            "OrderPaid" => only(version, payload).map(Self::Paid),
            "OrderPaymentFailed" => only(version, payload).map(Self::PaymentFailed),
            "OrderCancelled" => only(version, payload).map(Self::Cancelled),
            "DispatchApproved" => only(version, payload).map(Self::DispatchApproved),
            "DispatchRefused" => only(version, payload).map(Self::DispatchRefused),
            "OrderCaptureRefused" => only(version, payload).map(Self::CaptureRefused),
            "OrderShipped" => only(version, payload).map(Self::Shipped),
            "OrderDelivered" => only(version, payload).map(Self::Delivered),
            "OrderCompleted" => only(version, payload).map(Self::Completed),
            "InventoryRequested" => only(version, payload).map(Self::InventoryRequested),
            "InventoryCheck" => only(version, payload).map(Self::InventoryCheck),
            "PaymentKept" => only(version, payload).map(Self::PaymentKept),
            "OrderConfirmed" => only(version, payload).map(Self::Confirmed),
            "OrderRejected" => only(version, payload).map(Self::Rejected),
            "OrderExpired" => only(version, payload).map(Self::Expired),
            "OrderStuck" => only(version, payload).map(Self::Stuck),
            "OrderResumed" => only(version, payload).map(Self::Resumed),
            _ => Err(D::Error::custom("no event of this name is known")),
        }
    }
}

#[cfg(test)]
mod tests;
