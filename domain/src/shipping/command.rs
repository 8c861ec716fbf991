//! What one may ask of a shipment.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::{event::ShipmentLine, state::Carriage};
use crate::{ids::ShipmentId, personal::ShippingAddress, text::Text};

/// Any of them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum ShippingCommand {
    /// Note what would be sent.
    Plan(Box<PlanShipment>),
    /// The order is paid.
    Create(CreateShipment),
    /// It is packed and wants to leave.
    RequestDispatch(RequestDispatch),
    /// It may leave, and is paid for.
    Dispatch(DispatchShipment),
    /// It has arrived.
    Deliver(DeliverShipment),
    /// It did not arrive.
    Fail(FailShipment),
    /// Nobody wants it any more.
    Cancel(CancelShipment),
}

/// Notes what would be sent, and where.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlanShipment {
    /// Which.
    pub shipment_id: ShipmentId,
    /// What.
    pub lines: Vec<ShipmentLine>,
    /// Where to.
    pub shipping_address: ShippingAddress,
    /// When.
    pub planned_at: DateTime<Utc>,
}

/// The order is paid: it can be packed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CreateShipment {
    /// Which.
    pub shipment_id: ShipmentId,
    /// When.
    pub created_at: DateTime<Utc>,
}

/// It is packed: the order is asked whether it may leave. One that did not arrive leaves once more.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RequestDispatch {
    /// Which.
    pub shipment_id: ShipmentId,
    /// Who takes it.
    pub carrier: Option<Text<100>>,
    /// The carrier's name for it.
    pub tracking_number: Option<Text<100>>,
    /// When.
    pub requested_at: DateTime<Utc>,
}

/// It may leave, and is paid for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DispatchShipment {
    /// Which.
    pub shipment_id: ShipmentId,
    /// When.
    pub dispatched_at: DateTime<Utc>,
}

/// It has arrived.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeliverShipment {
    /// Which.
    pub shipment_id: ShipmentId,
    /// Who says so, of which goods.
    #[serde(default)]
    pub carriage: Carriage,
    /// When.
    pub delivered_at: DateTime<Utc>,
}

/// It did not arrive.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FailShipment {
    /// Which.
    pub shipment_id: ShipmentId,
    /// Who says so, of which goods.
    #[serde(default)]
    pub carriage: Carriage,
    /// When.
    pub failed_at: DateTime<Utc>,
}

/// Nobody wants it any more.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CancelShipment {
    /// Which.
    pub shipment_id: ShipmentId,
    /// When.
    pub cancelled_at: DateTime<Utc>,
}

impl ShippingCommand {
    /// The shipment that it is about.
    #[must_use]
    pub fn shipment_id(&self) -> ShipmentId {
        match self {
            Self::Plan(command) => command.shipment_id,
            Self::Create(command) => command.shipment_id,
            Self::RequestDispatch(command) => command.shipment_id,
            Self::Dispatch(command) => command.shipment_id,
            Self::Deliver(command) => command.shipment_id,
            Self::Fail(command) => command.shipment_id,
            Self::Cancel(command) => command.shipment_id,
        }
    }
}
