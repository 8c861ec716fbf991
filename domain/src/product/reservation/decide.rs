//! The rules.
//!
//! Whatever a stock sets aside for the order ends up in `InventoryConfirmed` (and leaves with `ReservationCommitted`), or is given back by one of `InventoryRejected`,
//! `ReservationCancelled` and `ReservationLineReturned`, in whatever order answers and cancellations come in.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{
    command::{
        AnswerReservation, CancelReservation, CommitReservation, OpenReservation,
        ReservationCommand, StockAnswer,
    },
    event::{
        InventoryConfirmed, InventoryRejected, ReservationCancelled, ReservationCommitted,
        ReservationLineRequested, ReservationLineReturned, ReservationOpened, Shortage,
    },
    state::Reservation,
};
use crate::{
    ids::{OrderId, Sku},
    product::ProductEvent,
    quantity::{SkuUnits, Units},
};

/// Why a command was refused: never. It is policies that ask, and they are answered by events.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
pub enum ReservationRejection {}

pub(in crate::product) fn decide(
    state: Option<&Reservation>,
    command: &ReservationCommand,
) -> Result<Vec<ProductEvent>, ReservationRejection> {
    Ok(match command {
        ReservationCommand::Open(command) => open(state, command),
        ReservationCommand::Answer(command) => answer(state, command),
        ReservationCommand::Cancel(command) => cancel(state, command),
        ReservationCommand::Commit(command) => commit(state, command),
    })
}

fn open(state: Option<&Reservation>, command: &OpenReservation) -> Vec<ProductEvent> {
    let order_id = command.order_id;
    match state {
        None => {
            let lines = in_order(&command.lines);
            let next = request_or_confirm(order_id, &lines, 0);
            let opened = ReservationOpened { order_id, lines };
            vec![ProductEvent::ReservationOpened(opened), next]
        }
        // The answer is on its way.
        Some(Reservation::Collecting { .. }) => vec![],
        Some(Reservation::Confirmed { lines }) => vec![confirmed(order_id, lines)],
        // A check that is delivered again after the answer must not take stock for an order that has ended.
        Some(Reservation::Rejected | Reservation::Cancelled | Reservation::Committed) => vec![],
    }
}

/// By SKU, each once: reservations that all take their lines in the same order never wait for each other in a circle.
fn in_order(lines: &[SkuUnits]) -> Vec<SkuUnits> {
    let mut sums = BTreeMap::<&Sku, Units>::new();
    for line in lines {
        let sum = sums.entry(&line.sku).or_default();
        *sum = sum.plus(line.quantity);
    }
    let line = |(sku, quantity): (&Sku, Units)| SkuUnits {
        sku: sku.clone(),
        quantity,
    };
    sums.into_iter().map(line).collect()
}

fn answer(state: Option<&Reservation>, command: &AnswerReservation) -> Vec<ProductEvent> {
    let AnswerReservation {
        order_id,
        sku,
        answer,
    } = command;
    let place = match state {
        Some(Reservation::Collecting { lines, held }) => place(lines, *held, sku),
        Some(Reservation::Confirmed { lines }) => place(lines, lines.len(), sku),
        Some(Reservation::Rejected | Reservation::Cancelled | Reservation::Committed) | None => {
            Place::Elsewhere
        }
    };
    match (place, answer) {
        (Place::Awaited { lines, index }, StockAnswer::Reserved) => {
            vec![request_or_confirm(*order_id, lines, index + 1)]
        }
        (Place::Awaited { lines, index }, StockAnswer::Denied { available }) => {
            vec![rejected(*order_id, lines, index, *available)]
        }
        (Place::Elsewhere, StockAnswer::Reserved) => {
            let returned = ReservationLineReturned {
                order_id: *order_id,
                sku: sku.clone(),
            };
            vec![ProductEvent::ReservationLineReturned(returned)]
        }
        (Place::Held, StockAnswer::Reserved)
        | (Place::Held | Place::Elsewhere, StockAnswer::Denied { .. }) => vec![],
    }
}

/// What a SKU is to a reservation at some moment.
enum Place<'a> {
    /// It was set aside before.
    Held,
    /// It is the one that was asked for.
    Awaited { lines: &'a [SkuUnits], index: usize },
    /// It is not wanted: not yet, or not any more.
    Elsewhere,
}

fn place<'a>(lines: &'a [SkuUnits], held: usize, sku: &Sku) -> Place<'a> {
    match lines.iter().position(|line| line.sku == *sku) {
        Some(index) if index < held => Place::Held,
        Some(index) if index == held => Place::Awaited { lines, index },
        Some(_) | None => Place::Elsewhere,
    }
}

fn cancel(state: Option<&Reservation>, command: &CancelReservation) -> Vec<ProductEvent> {
    let released = match state {
        None | Some(Reservation::Rejected) => vec![],
        // The awaited line as well: its stock is asked before it is told to release, for both are told by this stream.
        Some(Reservation::Collecting { lines, held }) => skus(lines, held + 1),
        Some(Reservation::Confirmed { lines }) => skus(lines, lines.len()),
        Some(Reservation::Cancelled | Reservation::Committed) => return vec![],
    };
    vec![ProductEvent::ReservationCancelled(ReservationCancelled {
        order_id: command.order_id,
        released,
    })]
}

fn commit(state: Option<&Reservation>, command: &CommitReservation) -> Vec<ProductEvent> {
    match state {
        Some(Reservation::Confirmed { lines }) => {
            vec![ProductEvent::ReservationCommitted(ReservationCommitted {
                order_id: command.order_id,
                lines: lines.to_vec(),
            })]
        }
        // Nothing leaves that was not held, and nothing twice.
        Some(
            Reservation::Collecting { .. }
            | Reservation::Rejected
            | Reservation::Cancelled
            | Reservation::Committed,
        )
        | None => vec![],
    }
}

fn skus(lines: &[SkuUnits], first: usize) -> Vec<Sku> {
    let lines = lines.iter().take(first);
    lines.map(|line| line.sku.clone()).collect()
}

fn request_or_confirm(order_id: OrderId, lines: &[SkuUnits], index: usize) -> ProductEvent {
    match lines.get(index) {
        Some(SkuUnits { sku, quantity }) => {
            ProductEvent::ReservationLineRequested(ReservationLineRequested {
                order_id,
                sku: sku.clone(),
                quantity: *quantity,
            })
        }
        None => confirmed(order_id, lines),
    }
}

fn confirmed(order_id: OrderId, lines: &[SkuUnits]) -> ProductEvent {
    ProductEvent::InventoryConfirmed(InventoryConfirmed {
        order_id,
        lines: lines.to_vec(),
    })
}

fn rejected(order_id: OrderId, lines: &[SkuUnits], index: usize, available: Units) -> ProductEvent {
    let shortage = Shortage {
        sku: lines[index].sku.clone(),
        requested: lines[index].quantity,
        available,
    };
    ProductEvent::InventoryRejected(InventoryRejected {
        order_id,
        shortages: vec![shortage],
        released: skus(lines, index),
    })
}

#[cfg(test)]
mod tests;
