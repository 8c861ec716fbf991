//! What happened to a shipment. Shapes are for ever: a golden file of each version is in `docs/events/golden`.

use std::fmt;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Deserializer, Serialize, de::Error};
use uuid::Uuid;

use crate::{
    Event, EventKind, ReadEvent,
    ids::{LineId, OrderId, ShipmentId, Sku},
    personal::{Personal, ShippingAddress},
    product::stock::Location,
    quantity::Quantity,
    text::Text,
    topics,
    upcast::only,
};

/// Any of them. Its payload is the event's own; name and version travel beside it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub enum ShippingEvent {
    /// An order was placed: this is what would be sent, and where.
    Planned(Box<ShipmentPlanned>),
    /// The order is paid: it can be packed.
    Created(ShipmentCreated),
    /// It is packed: the order is asked whether it may leave.
    DispatchRequested(DispatchRequested),
    /// It has left.
    Dispatched(ShipmentDispatched),
    /// It has arrived.
    Delivered(ShipmentDelivered),
    /// It did not arrive.
    Failed(ShipmentFailed),
    /// It will not leave.
    Cancelled(ShipmentCancelled),
}

/// An order was placed: this is what would be sent, and where.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ShipmentPlanned {
    /// Which shipment.
    pub shipment_id: ShipmentId,
    /// Of which order.
    pub order_id: OrderId,
    /// What.
    pub lines: Vec<ShipmentLine>,
    /// Where to.
    pub personal: Personal<Recipient>,
    /// When.
    pub planned_at: DateTime<Utc>,
}

/// Who gets it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Recipient {
    /// Where it goes.
    pub shipping_address: ShippingAddress,
}

/// So many of one line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ShipmentLine {
    /// The order's line.
    pub line_id: LineId,
    /// What.
    pub sku: Sku,
    /// How many.
    pub quantity: Quantity,
    /// Where from.
    pub location: Location,
}

/// The order is paid: it can be packed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ShipmentCreated {
    /// Which shipment.
    pub shipment_id: ShipmentId,
    /// Of which order.
    pub order_id: OrderId,
    /// What.
    pub lines: Vec<ShipmentLine>,
    /// When.
    pub created_at: DateTime<Utc>,
}

/// It is packed: the order is asked whether it may leave.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct DispatchRequested {
    /// Which shipment.
    pub shipment_id: ShipmentId,
    /// Of which order.
    pub order_id: OrderId,
    /// Who takes it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub carrier: Option<Text<100>>,
    /// The carrier's name for it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tracking_number: Option<Text<100>>,
    /// When.
    pub requested_at: DateTime<Utc>,
}

/// It has left, for the first time or once more.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ShipmentDispatched {
    /// Which shipment.
    pub shipment_id: ShipmentId,
    /// Of which order.
    pub order_id: OrderId,
    /// What.
    pub lines: Vec<ShipmentLine>,
    /// Who has it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub carrier: Option<Text<100>>,
    /// The carrier's name for it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tracking_number: Option<Text<100>>,
    /// When.
    pub dispatched_at: DateTime<Utc>,
}

/// It has arrived.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ShipmentDelivered {
    /// Which shipment.
    pub shipment_id: ShipmentId,
    /// Of which order.
    pub order_id: OrderId,
    /// When.
    pub delivered_at: DateTime<Utc>,
}

/// It did not arrive; it can be sent once more.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ShipmentFailed {
    /// Which shipment.
    pub shipment_id: ShipmentId,
    /// Of which order.
    pub order_id: OrderId,
    /// When.
    pub failed_at: DateTime<Utc>,
}

/// It will not leave.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ShipmentCancelled {
    /// Which shipment.
    pub shipment_id: ShipmentId,
    /// Of which order.
    pub order_id: OrderId,
    /// When.
    pub cancelled_at: DateTime<Utc>,
}

/// A shipment's stream: `shipment-<id>`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct ShipmentStream(pub ShipmentId);

impl fmt::Display for ShipmentStream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "shipment-{}", self.0)
    }
}

impl ShippingEvent {
    /// The shipment that it happened to.
    #[must_use]
    pub fn shipment_id(&self) -> ShipmentId {
        match self {
            Self::Planned(event) => event.shipment_id,
            Self::Created(event) => event.shipment_id,
            Self::DispatchRequested(event) => event.shipment_id,
            Self::Dispatched(event) => event.shipment_id,
            Self::Delivered(event) => event.shipment_id,
            Self::Failed(event) => event.shipment_id,
            Self::Cancelled(event) => event.shipment_id,
        }
    }
}

impl Event for ShippingEvent {
    type StreamId = ShipmentStream;

    fn kind(&self) -> EventKind {
        let name = match self {
            Self::Planned(_) => "ShipmentPlanned",
            Self::Created(_) => "ShipmentCreated",
            Self::DispatchRequested(_) => "DispatchRequested",
            Self::Dispatched(_) => "ShipmentDispatched",
            Self::Delivered(_) => "ShipmentDelivered",
            Self::Failed(_) => "ShipmentFailed",
            Self::Cancelled(_) => "ShipmentCancelled",
        };
        EventKind { name, version: 1 }
    }

    fn topic(&self) -> &'static str {
        topics::SHIPPING_EVENTS
    }

    fn stream(&self) -> ShipmentStream {
        ShipmentStream(self.shipment_id())
    }

    fn key(stream: &ShipmentStream) -> String {
        stream.0.order_id().to_string()
    }

    fn journey(&self) -> Option<Uuid> {
        Some(self.shipment_id().order_id().as_uuid())
    }
}

impl ReadEvent for ShippingEvent {
    fn deserialize<'de, D: Deserializer<'de>>(
        name: &str,
        version: u16,
        payload: D,
    ) -> Result<Self, D::Error> {
        match name {
            "ShipmentPlanned" => only(version, payload).map(Self::Planned),
            "ShipmentCreated" => only(version, payload).map(Self::Created),
            "DispatchRequested" => only(version, payload).map(Self::DispatchRequested),
            "ShipmentDispatched" => only(version, payload).map(Self::Dispatched),
            "ShipmentDelivered" => only(version, payload).map(Self::Delivered),
            "ShipmentFailed" => only(version, payload).map(Self::Failed),
            "ShipmentCancelled" => only(version, payload).map(Self::Cancelled),
            _ => Err(D::Error::custom("no event of this name is known")),
        }
    }
}

#[cfg(test)]
mod tests;
