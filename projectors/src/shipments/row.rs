//! What a shipment's events make of its row. JSON columns have the shape that the API answers with.

use std::borrow::Cow;

use chrono::{DateTime, Utc};
use domain::{
    ReadEvent,
    shipping::{ShipmentCreated, ShipmentStatus, ShippingEvent},
    text::Text,
};
use event_store::Recorded;
use serde::Deserializer;
use uuid::Uuid;

use crate::{
    copy::{CopyBuffer, json},
    projection::{storable, storable_time, stream_version},
};

const COLUMNS: i16 = 9;

/// What shipments are made of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ShipmentView {
    /// An event of a shipment that is more than a plan.
    Shipment(ShippingEvent),
    /// Something else, which changes no shipment that is shown.
    Other,
}

impl ReadEvent for ShipmentView {
    fn deserialize<'de, D: Deserializer<'de>>(
        name: &str,
        version: u16,
        payload: D,
    ) -> Result<Self, D::Error> {
        match name {
            "ShipmentCreated" | "DispatchRequested" | "ShipmentDispatched"
            | "ShipmentDelivered" | "ShipmentFailed" | "ShipmentCancelled" => {
                ShippingEvent::deserialize(name, version, payload).map(Self::Shipment)
            }
            _ => Ok(Self::Other),
        }
    }
}

impl ShipmentView {
    /// The shipment that it changes.
    pub(super) fn shipment_id(&self) -> Option<Uuid> {
        match self {
            Self::Shipment(event) => Some(event.shipment_id().as_uuid()),
            Self::Other => None,
        }
    }

    /// The order whose goods it sends.
    pub(super) fn order_id(&self) -> Option<Uuid> {
        match self {
            Self::Shipment(event) => Some(event.shipment_id().order_id().as_uuid()),
            Self::Other => None,
        }
    }
}

/// Where a shipment stands after the event; none where it is only planned.
pub(crate) fn status_after(event: &ShippingEvent) -> Option<ShipmentStatus> {
    match event {
        ShippingEvent::Planned(_) => None,
        ShippingEvent::Created(_) => Some(ShipmentStatus::Created),
        ShippingEvent::DispatchRequested(_) => Some(ShipmentStatus::DispatchRequested),
        ShippingEvent::Dispatched(_) => Some(ShipmentStatus::Dispatched),
        ShippingEvent::Delivered(_) => Some(ShipmentStatus::Delivered),
        ShippingEvent::Failed(_) => Some(ShipmentStatus::Failed),
        ShippingEvent::Cancelled(_) => Some(ShipmentStatus::Cancelled),
    }
}

/// Who takes it, and under which name, where the event says so.
pub(crate) fn carriage(event: &ShippingEvent) -> Option<(&Option<Text<100>>, &Option<Text<100>>)> {
    match event {
        ShippingEvent::DispatchRequested(event) => Some((&event.carrier, &event.tracking_number)),
        ShippingEvent::Dispatched(event) => Some((&event.carrier, &event.tracking_number)),
        ShippingEvent::Planned(_)
        | ShippingEvent::Created(_)
        | ShippingEvent::Delivered(_)
        | ShippingEvent::Failed(_)
        | ShippingEvent::Cancelled(_) => None,
    }
}

/// A shipment.
#[derive(Debug, Default)]
pub struct ShipmentRow {
    /// Of the stream, at the last event that counts here.
    pub(super) version: i32,
    /// None where there is nothing to send.
    pub(super) parcel: Option<Parcel>,
    pub(super) updated_at: DateTime<Utc>,
}

/// A shipment that there is something to send of.
#[derive(Debug)]
pub(super) struct Parcel {
    pub(super) order_id: Uuid,
    pub(super) status: Cow<'static, str>,
    /// JSON.
    pub(super) lines: Box<str>,
    pub(super) carrier: Option<Box<str>>,
    pub(super) tracking_number: Option<Box<str>>,
    pub(super) created_at: DateTime<Utc>,
}

impl ShipmentRow {
    /// What the row holds already changes nothing.
    pub(super) fn apply(&mut self, event: &Recorded<ShipmentView>) -> Result<(), String> {
        let version = stream_version(event)?;
        if version <= self.version {
            return Ok(());
        }
        self.version = version;
        self.updated_at = event.metadata.time;
        match (&event.event, &mut self.parcel) {
            (ShipmentView::Shipment(ShippingEvent::Created(created)), None) => {
                self.parcel = Some(Parcel::new(created)?);
            }
            (ShipmentView::Shipment(event), Some(parcel)) => parcel.apply(event)?,
            // Cancelled, there never is one.
            (ShipmentView::Shipment(_), None) | (ShipmentView::Other, _) => {}
        }
        Ok(())
    }

    pub(super) fn copy(&self, id: Uuid, to: &mut CopyBuffer) {
        to.row(COLUMNS);
        to.uuid(id);
        to.integer(self.version);
        match &self.parcel {
            Some(parcel) => {
                to.uuid(parcel.order_id);
                to.text(&parcel.status);
                to.json(&parcel.lines);
                to.or_null(parcel.carrier.as_deref(), CopyBuffer::text);
                to.or_null(parcel.tracking_number.as_deref(), CopyBuffer::text);
                to.timestamp(parcel.created_at);
            }
            None => (0..6).for_each(|_| to.null()),
        }
        to.timestamp(self.updated_at);
    }
}

impl Parcel {
    fn new(event: &ShipmentCreated) -> Result<Self, String> {
        Ok(Self {
            order_id: event.order_id.as_uuid(),
            status: ShipmentStatus::Created.as_str().into(),
            lines: json(&event.lines),
            carrier: None,
            tracking_number: None,
            created_at: storable_time("created_at", event.created_at)?,
        })
    }

    fn apply(&mut self, event: &ShippingEvent) -> Result<(), String> {
        if let Some(status) = status_after(event) {
            self.status = status.as_str().into();
        }
        if let Some((carrier, tracking_number)) = carriage(event) {
            self.carrier = column("carrier", carrier.as_ref())?;
            self.tracking_number = column("tracking_number", tracking_number.as_ref())?;
        }
        Ok(())
    }
}

fn column(member: &str, text: Option<&Text<100>>) -> Result<Option<Box<str>>, String> {
    let text = text.map(|text| storable(member, text.as_str()));
    text.transpose().map(|text| text.map(Into::into))
}
