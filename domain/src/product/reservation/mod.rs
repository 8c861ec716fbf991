//! An order's reservation: a process of its own, that gets every line or none.

pub mod command;
mod decide;
pub mod event;
pub mod state;

pub(super) use self::decide::decide;
pub use self::{
    command::{
        AnswerReservation, CancelReservation, CommitReservation, OpenReservation,
        ReservationCommand, StockAnswer,
    },
    decide::ReservationRejection,
    event::{
        InventoryCheck, InventoryConfirmed, InventoryRejected, ReservationCancelled,
        ReservationCommitted, ReservationLineRequested, ReservationLineReturned, ReservationOpened,
        Shortage,
    },
    state::{Reservation, ReservationStatus},
};
