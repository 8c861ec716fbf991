//! What one may ask of an order's reservation.

use serde::{Deserialize, Serialize};

use crate::{
    ids::{OrderId, Sku},
    quantity::{SkuUnits, Units},
};

/// Any of them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum ReservationCommand {
    /// Collect all of it, or nothing.
    Open(OpenReservation),
    /// The stock has answered.
    Answer(AnswerReservation),
    /// The order needs it no longer.
    Cancel(CancelReservation),
    /// The goods have left.
    Commit(CommitReservation),
}

impl ReservationCommand {
    /// The order whose reservation it is about.
    #[must_use]
    pub const fn order_id(&self) -> OrderId {
        match self {
            Self::Open(command) => command.order_id,
            Self::Answer(command) => command.order_id,
            Self::Cancel(command) => command.order_id,
            Self::Commit(command) => command.order_id,
        }
    }
}

/// Reserves every line of an order, or none.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OpenReservation {
    /// For whom.
    pub order_id: OrderId,
    /// How many of each SKU, each SKU once.
    pub lines: Vec<SkuUnits>,
}

/// Passes on what a stock has answered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AnswerReservation {
    /// To whom.
    pub order_id: OrderId,
    /// Which stock.
    pub sku: Sku,
    /// Its answer.
    pub answer: StockAnswer,
}

/// What a stock can answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum StockAnswer {
    /// It is set aside.
    Reserved,
    /// There are not enough.
    Denied {
        /// How many there are.
        available: Units,
    },
}

/// Gives back what is held, and what is yet to come.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CancelReservation {
    /// Whose.
    pub order_id: OrderId,
}

/// Lets go of what is held, since it has left.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CommitReservation {
    /// Whose.
    pub order_id: OrderId,
}
