//! What decisions need to know of an order's reservation.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::event::{InventoryConfirmed, ReservationLineRequested, ReservationOpened};
use crate::quantity::SkuUnits;

/// The stages of a reservation's life.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Reservation {
    /// It takes one line after the other.
    Collecting {
        /// Everything that the order needs, in the order of SKUs, each once.
        lines: Box<[SkuUnits]>,
        /// How many lines, from the first on, are held; the one that follows is awaited.
        held: usize,
    },
    /// It holds every line.
    Confirmed {
        /// All of them.
        lines: Box<[SkuUnits]>,
    },
    /// A stock lacked something, and it holds nothing.
    Rejected,
    /// The order needs nothing any more, for good.
    Cancelled,
    /// What it held has left.
    Committed,
}

impl Reservation {
    pub(in crate::product) fn opened(event: &ReservationOpened) -> Self {
        Self::Collecting {
            lines: event.lines.clone().into_boxed_slice(),
            held: 0,
        }
    }

    /// A line is requested when all before it are held.
    pub(in crate::product) fn requested(self, event: &ReservationLineRequested) -> Self {
        match self {
            Self::Collecting { lines, held } => {
                let awaited = lines.iter().position(|line| line.sku == event.sku);
                Self::Collecting {
                    held: awaited.unwrap_or(held),
                    lines,
                }
            }
            Self::Confirmed { .. } | Self::Rejected | Self::Cancelled | Self::Committed => self,
        }
    }

    pub(in crate::product) fn confirmed(event: &InventoryConfirmed) -> Self {
        Self::Confirmed {
            lines: event.lines.clone().into_boxed_slice(),
        }
    }

    /// What clients are told.
    #[must_use]
    pub const fn status(&self) -> ReservationStatus {
        match self {
            Self::Collecting { .. } => ReservationStatus::Collecting,
            Self::Confirmed { .. } => ReservationStatus::Confirmed,
            Self::Rejected => ReservationStatus::Rejected,
            Self::Cancelled => ReservationStatus::Cancelled,
            Self::Committed => ReservationStatus::Committed,
        }
    }
}

/// A reservation's status.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum ReservationStatus {
    /// It takes one line after the other.
    Collecting,
    /// It holds every line.
    Confirmed,
    /// It got not all, and holds nothing.
    Rejected,
    /// It is needed no longer.
    Cancelled,
    /// What it held has left.
    Committed,
}

impl ReservationStatus {
    /// As it is spelled in JSON and SQL.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Collecting => "collecting",
            Self::Confirmed => "confirmed",
            Self::Rejected => "rejected",
            Self::Cancelled => "cancelled",
            Self::Committed => "committed",
        }
    }
}

impl fmt::Display for ReservationStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
