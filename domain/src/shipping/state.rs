//! What decisions need to know of a shipment.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::event::{ShipmentLine, ShippingEvent};
use crate::text::Text;

/// A shipment.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Shipment {
    /// There is no such shipment yet.
    #[default]
    Nothing,
    /// Its order is not paid.
    Planned {
        /// What would be sent.
        lines: Box<[ShipmentLine]>,
    },
    /// It can be packed.
    Created {
        /// What is sent.
        lines: Box<[ShipmentLine]>,
    },
    /// The order was asked whether it may leave.
    DispatchRequested {
        /// What is sent.
        lines: Box<[ShipmentLine]>,
        /// By whom.
        carriage: Carriage,
    },
    /// It has left.
    Dispatched {
        /// What was sent.
        lines: Box<[ShipmentLine]>,
        /// By whom.
        carriage: Carriage,
    },
    /// It did not arrive.
    Failed {
        /// What was sent.
        lines: Box<[ShipmentLine]>,
    },
    /// It has arrived.
    Delivered,
    /// It will not leave.
    Cancelled,
}

/// Who takes it, and under which name.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Carriage {
    /// Who.
    pub carrier: Option<Text<100>>,
    /// The carrier's name for it.
    pub tracking_number: Option<Text<100>>,
}

impl Carriage {
    /// Whether both may be said of the same goods: what one leaves open, the other may say.
    #[must_use]
    pub fn agrees_with(&self, other: &Self) -> bool {
        let agree = |one: &Option<Text<100>>, other: &Option<Text<100>>| {
            one.is_none() || other.is_none() || one == other
        };
        agree(&self.carrier, &other.carrier) && agree(&self.tracking_number, &other.tracking_number)
    }
}

impl Shipment {
    /// The state after one more event.
    #[must_use]
    pub fn evolve(self, event: &ShippingEvent) -> Self {
        match event {
            ShippingEvent::Planned(event) => Self::Planned {
                lines: event.lines.as_slice().into(),
            },
            ShippingEvent::Created(event) => Self::Created {
                lines: event.lines.as_slice().into(),
            },
            ShippingEvent::DispatchRequested(event) => Self::DispatchRequested {
                lines: self.into_lines(),
                carriage: Carriage {
                    carrier: event.carrier.clone(),
                    tracking_number: event.tracking_number.clone(),
                },
            },
            ShippingEvent::Dispatched(event) => Self::Dispatched {
                lines: event.lines.as_slice().into(),
                carriage: Carriage {
                    carrier: event.carrier.clone(),
                    tracking_number: event.tracking_number.clone(),
                },
            },
            ShippingEvent::Failed(_) => Self::Failed {
                lines: self.into_lines(),
            },
            ShippingEvent::Delivered(_) => Self::Delivered,
            ShippingEvent::Cancelled(_) => Self::Cancelled,
        }
    }

    fn into_lines(self) -> Box<[ShipmentLine]> {
        match self {
            Self::Planned { lines }
            | Self::Created { lines }
            | Self::DispatchRequested { lines, .. }
            | Self::Dispatched { lines, .. }
            | Self::Failed { lines } => lines,
            Self::Nothing | Self::Delivered | Self::Cancelled => Box::default(),
        }
    }

    /// What clients are told; none where there is nothing to send yet.
    #[must_use]
    pub const fn status(&self) -> Option<ShipmentStatus> {
        match self {
            Self::Nothing | Self::Planned { .. } => None,
            Self::Created { .. } => Some(ShipmentStatus::Created),
            Self::DispatchRequested { .. } => Some(ShipmentStatus::DispatchRequested),
            Self::Dispatched { .. } => Some(ShipmentStatus::Dispatched),
            Self::Failed { .. } => Some(ShipmentStatus::Failed),
            Self::Delivered => Some(ShipmentStatus::Delivered),
            Self::Cancelled => Some(ShipmentStatus::Cancelled),
        }
    }
}

/// A shipment's status, as clients know it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum ShipmentStatus {
    /// It can be packed.
    Created,
    /// The order was asked whether it may leave.
    DispatchRequested,
    /// It has left.
    Dispatched,
    /// It did not arrive.
    Failed,
    /// It has arrived.
    Delivered,
    /// It will not leave.
    Cancelled,
}

impl ShipmentStatus {
    /// As it is spelled in JSON and SQL.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Created => "created",
            Self::DispatchRequested => "dispatch_requested",
            Self::Dispatched => "dispatched",
            Self::Failed => "failed",
            Self::Delivered => "delivered",
            Self::Cancelled => "cancelled",
        }
    }
}

impl fmt::Display for ShipmentStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
