//! Shipments: what an order sends, when it may leave, and whether it has arrived.
//!
//! An order has one shipment, under its own id. In reading order: [`command`], [`event`], [`state`], `decide`; [`policy`] carries
//! what orders and payments say to it. Whether goods may leave is for the order to say; that they do leave, once their money
//! was taken.

pub mod command;
mod decide;
pub mod event;
pub mod policy;
pub mod state;

pub use self::{
    command::{
        CancelShipment, CreateShipment, DeliverShipment, DispatchShipment, FailShipment,
        PlanShipment, RequestDispatch, ShippingCommand,
    },
    decide::ShippingRejection,
    event::{
        DispatchRequested, Recipient, ShipmentCancelled, ShipmentCreated, ShipmentDelivered,
        ShipmentDispatched, ShipmentFailed, ShipmentLine, ShipmentPlanned, ShipmentStream,
        ShippingEvent,
    },
    policy::{ShippingPolicy, ShippingPolicyEvent},
    state::{Carriage, Shipment, ShipmentStatus},
};
use crate::{Context, topics};

/// The shipping service's context.
#[derive(Debug)]
pub struct Shipments;

/// As many commands a shipment remembers, so as to answer them again: what did not arrive leaves once more, without end. What its policy
/// brings again changes nothing beyond that either.
const REMEMBERED: usize = 256;

impl Context for Shipments {
    const SERVICE: &'static str = "shipping";
    const TOPICS: &'static [&'static str] = &[topics::SHIPPING_EVENTS];
    const STATE_FORMAT: u32 = 3;

    type Command = ShippingCommand;
    type Event = ShippingEvent;
    type State = Shipment;
    type Rejection = ShippingRejection;
    /// None where there is nothing to send yet.
    type Status = Option<ShipmentStatus>;

    fn target(command: &ShippingCommand) -> ShipmentStream {
        ShipmentStream(command.shipment_id())
    }

    fn remembered(_stream: &ShipmentStream) -> usize {
        REMEMBERED
    }

    fn decide(
        state: &Shipment,
        command: &ShippingCommand,
    ) -> Result<Vec<ShippingEvent>, ShippingRejection> {
        decide::decide(state, command)
    }

    fn evolve(state: Shipment, event: &ShippingEvent) -> Shipment {
        state.evolve(event)
    }

    fn status(state: &Shipment) -> Option<ShipmentStatus> {
        state.status()
    }
}

#[cfg(test)]
mod testing;
