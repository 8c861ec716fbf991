//! The rules. What people ask is refused where it makes no sense; what policies ask is an idempotent no-op there.

use serde::{Deserialize, Serialize};

use super::{
    command::{
        CancelShipment, CreateShipment, DeliverShipment, DispatchShipment, FailShipment,
        PlanShipment, RequestDispatch, ShippingCommand,
    },
    event::{
        DispatchRequested, Recipient, ShipmentCancelled, ShipmentCreated, ShipmentDelivered,
        ShipmentDispatched, ShipmentFailed, ShipmentPlanned, ShippingEvent,
    },
    state::{Carriage, Shipment},
};
use crate::personal::Personal;

/// Why a command was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
pub enum ShippingRejection {
    /// There is nothing to send under this id.
    #[error("there is no such shipment")]
    ShipmentNotFound,
    /// Its order was called off.
    #[error("the shipment is cancelled")]
    ShipmentCancelled,
    /// It has left already, or asked to.
    #[error("the shipment has left, or is about to")]
    ShipmentAlreadyDispatched,
    /// It has not left.
    #[error("the shipment has not left")]
    ShipmentNotDispatched,
    /// It has arrived.
    #[error("the shipment has arrived")]
    ShipmentAlreadyDelivered,
    /// Another carrier has it, or under another number.
    #[error("the shipment left with another carrier, or under another tracking number")]
    CarriageMismatch,
}

pub(super) fn decide(
    state: &Shipment,
    command: &ShippingCommand,
) -> Result<Vec<ShippingEvent>, ShippingRejection> {
    match command {
        ShippingCommand::Plan(command) => Ok(plan(state, command)),
        ShippingCommand::Create(command) => Ok(create(state, command)),
        ShippingCommand::RequestDispatch(command) => request_dispatch(state, command),
        ShippingCommand::Dispatch(command) => Ok(dispatch(state, command)),
        ShippingCommand::Deliver(command) => deliver(state, command),
        ShippingCommand::Fail(command) => fail(state, command),
        ShippingCommand::Cancel(command) => Ok(cancel(state, command)),
    }
}

fn plan(state: &Shipment, command: &PlanShipment) -> Vec<ShippingEvent> {
    match state {
        Shipment::Nothing => {
            let recipient = Recipient {
                shipping_address: command.shipping_address.clone(),
            };
            vec![ShippingEvent::Planned(Box::new(ShipmentPlanned {
                shipment_id: command.shipment_id,
                order_id: command.shipment_id.order_id(),
                lines: command.lines.clone(),
                personal: Personal::clear(recipient),
                planned_at: command.planned_at,
            }))]
        }
        Shipment::Planned { .. }
        | Shipment::Created { .. }
        | Shipment::DispatchRequested { .. }
        | Shipment::Dispatched { .. }
        | Shipment::Failed { .. }
        | Shipment::Delivered
        | Shipment::Cancelled => vec![],
    }
}

fn create(state: &Shipment, command: &CreateShipment) -> Vec<ShippingEvent> {
    match state {
        Shipment::Planned { lines } => vec![ShippingEvent::Created(ShipmentCreated {
            shipment_id: command.shipment_id,
            order_id: command.shipment_id.order_id(),
            lines: lines.to_vec(),
            created_at: command.created_at,
        })],
        Shipment::Nothing
        | Shipment::Created { .. }
        | Shipment::DispatchRequested { .. }
        | Shipment::Dispatched { .. }
        | Shipment::Failed { .. }
        | Shipment::Delivered
        | Shipment::Cancelled => vec![],
    }
}

fn request_dispatch(
    state: &Shipment,
    command: &RequestDispatch,
) -> Result<Vec<ShippingEvent>, ShippingRejection> {
    match state {
        Shipment::Nothing | Shipment::Planned { .. } => Err(ShippingRejection::ShipmentNotFound),
        Shipment::Created { .. } => Ok(vec![ShippingEvent::DispatchRequested(DispatchRequested {
            shipment_id: command.shipment_id,
            order_id: command.shipment_id.order_id(),
            carrier: command.carrier.clone(),
            tracking_number: command.tracking_number.clone(),
            requested_at: command.requested_at,
        })]),
        // The order has approved of it and the money was taken; what did not arrive leaves once more.
        Shipment::Failed { lines } => Ok(vec![ShippingEvent::Dispatched(ShipmentDispatched {
            shipment_id: command.shipment_id,
            order_id: command.shipment_id.order_id(),
            lines: lines.to_vec(),
            carrier: command.carrier.clone(),
            tracking_number: command.tracking_number.clone(),
            dispatched_at: command.requested_at,
        })]),
        Shipment::DispatchRequested { .. } | Shipment::Dispatched { .. } => {
            Err(ShippingRejection::ShipmentAlreadyDispatched)
        }
        Shipment::Delivered => Err(ShippingRejection::ShipmentAlreadyDelivered),
        Shipment::Cancelled => Err(ShippingRejection::ShipmentCancelled),
    }
}

fn dispatch(state: &Shipment, command: &DispatchShipment) -> Vec<ShippingEvent> {
    match state {
        Shipment::DispatchRequested { lines, carriage } => {
            let Carriage {
                carrier,
                tracking_number,
            } = carriage.clone();
            vec![ShippingEvent::Dispatched(ShipmentDispatched {
                shipment_id: command.shipment_id,
                order_id: command.shipment_id.order_id(),
                lines: lines.to_vec(),
                carrier,
                tracking_number,
                dispatched_at: command.dispatched_at,
            })]
        }
        Shipment::Nothing
        | Shipment::Planned { .. }
        | Shipment::Created { .. }
        | Shipment::Dispatched { .. }
        | Shipment::Failed { .. }
        | Shipment::Delivered
        | Shipment::Cancelled => vec![],
    }
}

fn deliver(
    state: &Shipment,
    command: &DeliverShipment,
) -> Result<Vec<ShippingEvent>, ShippingRejection> {
    match state {
        Shipment::Dispatched { carriage, .. } if !carriage.agrees_with(&command.carriage) => {
            Err(ShippingRejection::CarriageMismatch)
        }
        Shipment::Dispatched { .. } => Ok(vec![ShippingEvent::Delivered(ShipmentDelivered {
            shipment_id: command.shipment_id,
            order_id: command.shipment_id.order_id(),
            delivered_at: command.delivered_at,
        })]),
        Shipment::Nothing | Shipment::Planned { .. } => Err(ShippingRejection::ShipmentNotFound),
        Shipment::Created { .. } | Shipment::DispatchRequested { .. } | Shipment::Failed { .. } => {
            Err(ShippingRejection::ShipmentNotDispatched)
        }
        Shipment::Delivered => Err(ShippingRejection::ShipmentAlreadyDelivered),
        Shipment::Cancelled => Err(ShippingRejection::ShipmentCancelled),
    }
}

fn fail(state: &Shipment, command: &FailShipment) -> Result<Vec<ShippingEvent>, ShippingRejection> {
    match state {
        Shipment::Dispatched { carriage, .. } if !carriage.agrees_with(&command.carriage) => {
            Err(ShippingRejection::CarriageMismatch)
        }
        Shipment::Dispatched { .. } => Ok(vec![ShippingEvent::Failed(ShipmentFailed {
            shipment_id: command.shipment_id,
            order_id: command.shipment_id.order_id(),
            failed_at: command.failed_at,
        })]),
        Shipment::Nothing | Shipment::Planned { .. } => Err(ShippingRejection::ShipmentNotFound),
        Shipment::Created { .. } | Shipment::DispatchRequested { .. } | Shipment::Failed { .. } => {
            Err(ShippingRejection::ShipmentNotDispatched)
        }
        Shipment::Delivered => Err(ShippingRejection::ShipmentAlreadyDelivered),
        Shipment::Cancelled => Err(ShippingRejection::ShipmentCancelled),
    }
}

/// The order says so, and never of what it has let leave.
fn cancel(state: &Shipment, command: &CancelShipment) -> Vec<ShippingEvent> {
    match state {
        Shipment::Nothing
        | Shipment::Planned { .. }
        | Shipment::Created { .. }
        | Shipment::DispatchRequested { .. } => {
            vec![ShippingEvent::Cancelled(ShipmentCancelled {
                shipment_id: command.shipment_id,
                order_id: command.shipment_id.order_id(),
                cancelled_at: command.cancelled_at,
            })]
        }
        Shipment::Dispatched { .. }
        | Shipment::Failed { .. }
        | Shipment::Delivered
        | Shipment::Cancelled => vec![],
    }
}

#[cfg(test)]
mod tests;
