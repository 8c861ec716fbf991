//! given events, when a command comes, then these events or that rejection.

use chrono::{DateTime, TimeDelta, Utc};
use uuid::Uuid;

use super::{
    CancelShipment, Carriage, CreateShipment, DeliverShipment, DispatchRequested, DispatchShipment,
    FailShipment, PlanShipment, Recipient, RequestDispatch, Shipment, ShipmentCancelled,
    ShipmentCreated, ShipmentDelivered, ShipmentDispatched, ShipmentFailed, ShipmentLine,
    ShipmentPlanned, Shipments, ShippingCommand, ShippingEvent, ShippingRejection,
};
use crate::{
    Context,
    ids::{LineId, OrderId, ShipmentId},
    personal::{Personal, ShippingAddress},
    product::stock::Location,
    stored::stored,
    text::Text,
};

pub(super) fn given(history: &[ShippingEvent]) -> Given {
    Given(replay(history))
}

pub(super) struct Given(Shipment);

impl Given {
    pub(super) fn when(&self, command: &ShippingCommand) -> Outcome {
        Outcome(Shipments::decide(&self.0, command))
    }
}

#[derive(Debug)]
pub(super) struct Outcome(Result<Vec<ShippingEvent>, ShippingRejection>);

impl Outcome {
    #[track_caller]
    pub(super) fn then(self, expected: &[ShippingEvent]) {
        assert_eq!(self.0.as_deref(), Ok(expected));
    }

    #[track_caller]
    pub(super) fn then_rejected(self, expected: ShippingRejection) {
        assert_eq!(self.0, Err(expected));
    }
}

pub(super) fn replay(history: &[ShippingEvent]) -> Shipment {
    let evolve = |state: Shipment, event| stored(&state.evolve(event));
    history.iter().fold(Shipment::default(), evolve)
}

/// Hours after some day in 2026.
pub(super) fn at(hours: i64) -> DateTime<Utc> {
    DateTime::from_timestamp(1_780_000_000, 123_456_000).unwrap() + TimeDelta::hours(hours)
}

pub(super) fn order_id() -> OrderId {
    Uuid::from_u128(0x0de4).into()
}

pub(super) fn shipment_id() -> ShipmentId {
    ShipmentId::of(order_id())
}

pub(super) fn lines() -> Vec<ShipmentLine> {
    let line = |index, sku: &str, quantity: i64| ShipmentLine {
        line_id: LineId::of(order_id(), index),
        sku: sku.parse().unwrap(),
        quantity: quantity.try_into().unwrap(),
        location: Location::Main,
    };
    vec![line(0, "TEA-EARL-GREY", 2), line(1, "MUG-BLUE", 1)]
}

pub(super) fn shipping_address() -> ShippingAddress {
    ShippingAddress {
        name: "Ada Lovelace".parse().unwrap(),
        line1: "12 St James's Square".parse().unwrap(),
        line2: None,
        postal_code: "SW1Y 4JH".parse().unwrap(),
        city: "London".parse().unwrap(),
        country: "GB".parse().unwrap(),
    }
}

fn text(text: Option<&str>) -> Option<Text<100>> {
    text.map(|text| text.parse().unwrap())
}

pub(super) fn plan() -> ShippingCommand {
    ShippingCommand::Plan(Box::new(PlanShipment {
        shipment_id: shipment_id(),
        lines: lines(),
        shipping_address: shipping_address(),
        planned_at: at(0),
    }))
}

pub(super) fn create() -> ShippingCommand {
    ShippingCommand::Create(CreateShipment {
        shipment_id: shipment_id(),
        created_at: at(1),
    })
}

pub(super) fn request_dispatch(tracking_number: Option<&str>) -> ShippingCommand {
    ShippingCommand::RequestDispatch(RequestDispatch {
        shipment_id: shipment_id(),
        carrier: text(tracking_number.and(Some("Royal Mail"))),
        tracking_number: text(tracking_number),
        requested_at: at(2),
    })
}

pub(super) fn dispatch() -> ShippingCommand {
    ShippingCommand::Dispatch(DispatchShipment {
        shipment_id: shipment_id(),
        dispatched_at: at(3),
    })
}

pub(super) fn deliver() -> ShippingCommand {
    delivered_by((None, None))
}

pub(super) fn fail() -> ShippingCommand {
    failed_by((None, None))
}

/// A carrier, and its name for the goods.
type Said<'a> = (Option<&'a str>, Option<&'a str>);

pub(super) fn delivered_by(said: Said<'_>) -> ShippingCommand {
    ShippingCommand::Deliver(DeliverShipment {
        shipment_id: shipment_id(),
        carriage: carriage(said),
        delivered_at: at(4),
    })
}

pub(super) fn failed_by(said: Said<'_>) -> ShippingCommand {
    ShippingCommand::Fail(FailShipment {
        shipment_id: shipment_id(),
        carriage: carriage(said),
        failed_at: at(4),
    })
}

fn carriage((carrier, tracking_number): Said<'_>) -> Carriage {
    Carriage {
        carrier: text(carrier),
        tracking_number: text(tracking_number),
    }
}

pub(super) fn cancel() -> ShippingCommand {
    ShippingCommand::Cancel(CancelShipment {
        shipment_id: shipment_id(),
        cancelled_at: at(5),
    })
}

pub(super) fn planned() -> ShippingEvent {
    ShippingEvent::Planned(Box::new(ShipmentPlanned {
        shipment_id: shipment_id(),
        order_id: order_id(),
        lines: lines(),
        personal: Personal::clear(Recipient {
            shipping_address: shipping_address(),
        }),
        planned_at: at(0),
    }))
}

pub(super) fn created() -> ShippingEvent {
    ShippingEvent::Created(ShipmentCreated {
        shipment_id: shipment_id(),
        order_id: order_id(),
        lines: lines(),
        created_at: at(1),
    })
}

pub(super) fn dispatch_requested(tracking_number: Option<&str>) -> ShippingEvent {
    ShippingEvent::DispatchRequested(DispatchRequested {
        shipment_id: shipment_id(),
        order_id: order_id(),
        carrier: text(tracking_number.and(Some("Royal Mail"))),
        tracking_number: text(tracking_number),
        requested_at: at(2),
    })
}

pub(super) fn dispatched(hours: i64, tracking_number: Option<&str>) -> ShippingEvent {
    ShippingEvent::Dispatched(ShipmentDispatched {
        shipment_id: shipment_id(),
        order_id: order_id(),
        lines: lines(),
        carrier: text(tracking_number.and(Some("Royal Mail"))),
        tracking_number: text(tracking_number),
        dispatched_at: at(hours),
    })
}

pub(super) fn delivered() -> ShippingEvent {
    ShippingEvent::Delivered(ShipmentDelivered {
        shipment_id: shipment_id(),
        order_id: order_id(),
        delivered_at: at(4),
    })
}

pub(super) fn failed() -> ShippingEvent {
    ShippingEvent::Failed(ShipmentFailed {
        shipment_id: shipment_id(),
        order_id: order_id(),
        failed_at: at(4),
    })
}

pub(super) fn cancelled() -> ShippingEvent {
    ShippingEvent::Cancelled(ShipmentCancelled {
        shipment_id: shipment_id(),
        order_id: order_id(),
        cancelled_at: at(5),
    })
}

/// The history of a shipment that can be packed.
pub(super) fn packing() -> Vec<ShippingEvent> {
    vec![planned(), created()]
}

/// The history of one that wants to leave.
pub(super) fn waiting() -> Vec<ShippingEvent> {
    [packing(), vec![dispatch_requested(Some("RM-1"))]].concat()
}

/// The history of one that has left.
pub(super) fn gone() -> Vec<ShippingEvent> {
    [waiting(), vec![dispatched(3, Some("RM-1"))]].concat()
}

/// The history of one that did not arrive.
pub(super) fn lost() -> Vec<ShippingEvent> {
    [gone(), vec![failed()]].concat()
}

/// The history of one that has arrived.
pub(super) fn arrived() -> Vec<ShippingEvent> {
    [gone(), vec![delivered()]].concat()
}

/// Histories of shipments that will not leave: called off at every stage.
pub(super) fn called_off() -> [Vec<ShippingEvent>; 4] {
    [vec![], vec![planned()], packing(), waiting()]
        .map(|history| [history, vec![cancelled()]].concat())
}
