//! What the shipping service does when it learns that something has happened.

use serde::Deserializer;

use super::{
    Shipments,
    command::{CancelShipment, CreateShipment, DispatchShipment, PlanShipment, ShippingCommand},
    event::ShipmentLine,
};
use crate::{
    Policy, ReadEvent,
    ids::ShipmentId,
    order::OrderPlaced,
    policy::{Cause, OfOrder, Reaction},
    product::stock::Location,
    topics,
    upcast::only,
};

/// Labels of commands. Never renamed: what is in the log was named by them.
const PLAN: &str = "plan-shipment";
const CREATE: &str = "create-shipment";
const DISPATCH: &str = "dispatch-shipment";
const CANCEL: &str = "cancel-shipment";

/// Keeps what an order would send, packs it when it is paid, and has it leave when its money was taken.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ShippingPolicy;

/// What the shipping service cares about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ShippingPolicyEvent {
    /// An order was opened.
    OrderPlaced(Box<OrderPlaced>),
    /// It is paid.
    OrderPaid(OfOrder),
    /// It has ended, or did not let its goods leave.
    OrderEnded(OfOrder),
    /// Its money was taken.
    PaymentCaptured(OfOrder),
    /// Anything else.
    Other,
}

impl ReadEvent for ShippingPolicyEvent {
    fn deserialize<'de, D: Deserializer<'de>>(
        name: &str,
        version: u16,
        payload: D,
    ) -> Result<Self, D::Error> {
        match name {
            "OrderPlaced" => only(version, payload).map(Self::OrderPlaced),
            "OrderPaid" => only(version, payload).map(Self::OrderPaid),
            "OrderCancelled" | "OrderRejected" | "OrderExpired" | "DispatchRefused" => {
                only(version, payload).map(Self::OrderEnded)
            }
            "PaymentCaptured" => only(version, payload).map(Self::PaymentCaptured),
            _ => Ok(Self::Other),
        }
    }
}

impl Policy for ShippingPolicy {
    type Context = Shipments;
    type Event = ShippingPolicyEvent;

    const NAME: &'static str = "shipping-workflow";
    const TOPICS: &'static [&'static str] = &[topics::ORDER_EVENTS, topics::PAYMENT_EVENTS];

    fn react(&self, event: &ShippingPolicyEvent, cause: Cause) -> Vec<Reaction<ShippingCommand>> {
        let (label, command) = match event {
            ShippingPolicyEvent::OrderPlaced(placed) => (PLAN, plan(placed, cause)),
            ShippingPolicyEvent::OrderPaid(order) => {
                let command = ShippingCommand::Create(CreateShipment {
                    shipment_id: ShipmentId::of(order.order_id),
                    created_at: cause.now,
                });
                (CREATE, command)
            }
            ShippingPolicyEvent::OrderEnded(order) => {
                let command = ShippingCommand::Cancel(CancelShipment {
                    shipment_id: ShipmentId::of(order.order_id),
                    cancelled_at: cause.now,
                });
                (CANCEL, command)
            }
            ShippingPolicyEvent::PaymentCaptured(order) => {
                let command = ShippingCommand::Dispatch(DispatchShipment {
                    shipment_id: ShipmentId::of(order.order_id),
                    dispatched_at: cause.now,
                });
                (DISPATCH, command)
            }
            ShippingPolicyEvent::Other => return vec![],
        };
        vec![cause.command(label, "", command)]
    }
}

fn plan(placed: &OrderPlaced, cause: Cause) -> ShippingCommand {
    let lines = placed.lines.iter().map(|line| ShipmentLine {
        line_id: line.line_id,
        sku: line.sku.clone(),
        quantity: line.quantity,
        location: Location::Main,
    });
    ShippingCommand::Plan(Box::new(PlanShipment {
        shipment_id: ShipmentId::of(placed.order_id),
        lines: lines.collect(),
        shipping_address: placed.personal.data.shipping_address.clone(),
        planned_at: cause.now,
    }))
}

#[cfg(test)]
mod tests;
