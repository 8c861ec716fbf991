//! What orders are made of, in the topics of three services.

use domain::{
    Event, ReadEvent, order::OrderEvent, payment::PaymentEvent, shipping::ShippingEvent,
    topics::ORDER_EVENTS,
};
use event_store::Recorded;
use serde::Deserializer;
use uuid::Uuid;

/// How an order's stream is called, before its id.
const STREAM: &str = "order-";

/// Something that an order's row is made of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum OrderView {
    /// An event of the order itself.
    Order(OrderEvent),
    /// What has become of a payment.
    Payment(PaymentEvent),
    /// What has become of a shipment.
    Shipping(ShippingEvent),
    /// Something else, which shows in nothing but the order's version.
    Other,
}

impl ReadEvent for OrderView {
    fn deserialize<'de, D: Deserializer<'de>>(
        name: &str,
        version: u16,
        payload: D,
    ) -> Result<Self, D::Error> {
        match name {
            "OrderPlaced"
            | "InventoryRequested"
            | "PaymentKept"
            | "OrderConfirmed"
            | "OrderRejected"
            | "OrderExpired"
            | "OrderPaymentPending"
            | "OrderPaymentFailed"
            | "OrderPaid"
            | "OrderCancelled"
            | "DispatchApproved"
            | "DispatchRefused"
            | "OrderCaptureRefused"
            | "OrderShipped"
            | "OrderDelivered"
            | "OrderCompleted"
            | "OrderStuck"
            | "OrderResumed" => OrderEvent::deserialize(name, version, payload).map(Self::Order),
            "PaymentStarted"
            | "PaymentAuthorised"
            | "PaymentDeclined"
            | "PaymentCaptured"
            | "PaymentVoidRequested"
            | "PaymentVoided"
            | "PaymentRefunded" => {
                PaymentEvent::deserialize(name, version, payload).map(Self::Payment)
            }
            "ShipmentCreated" | "DispatchRequested" | "ShipmentDispatched"
            | "ShipmentDelivered" | "ShipmentFailed" | "ShipmentCancelled" => {
                ShippingEvent::deserialize(name, version, payload).map(Self::Shipping)
            }
            _ => Ok(Self::Other),
        }
    }
}

impl OrderView {
    /// The order that the event changes. An unknown event of an order is one of its versions, too.
    pub(crate) fn order_id<E>(&self, recorded: &Recorded<E>) -> Option<Uuid> {
        match self {
            Self::Order(order) => Some(order.order_id().as_uuid()),
            Self::Payment(payment) => Some(payment.stream().order_id.as_uuid()),
            Self::Shipping(shipping) => Some(shipping.shipment_id().order_id().as_uuid()),
            Self::Other if &*recorded.position.topic == ORDER_EVENTS => {
                let id = recorded.metadata.stream.strip_prefix(STREAM)?;
                id.parse().ok()
            }
            Self::Other => None,
        }
    }
}
