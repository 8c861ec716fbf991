//! What the product service does when it learns that something has happened: it carries requests and answers between
//! reservations and stocks, and gives back what orders that have ended hold.

use serde::Deserializer;

use super::{
    ProductCommand, Products,
    reservation::{
        AnswerReservation, CancelReservation, CommitReservation, InventoryCheck,
        InventoryConfirmed, InventoryRejected, OpenReservation, ReservationCancelled,
        ReservationCommand, ReservationCommitted, ReservationLineRequested,
        ReservationLineReturned, StockAnswer,
    },
    stock::{ReserveStock, StockCommand, StockDenied, StockOfOrder, StockReserved},
};
use crate::{
    Policy, ReadEvent,
    ids::{OrderId, Sku},
    policy::{Cause, OfOrder, Reaction},
    quantity::SkuUnits,
    topics,
    upcast::only,
};

/// Labels of commands. Never renamed: what is in the log was named by them.
const OPEN: &str = "open-reservation";
const ANSWER: &str = "answer-reservation";
const CANCEL: &str = "cancel-reservation";
const RESERVE: &str = "reserve-stock";
const ALLOCATE: &str = "allocate-stock";
const RELEASE: &str = "release-stock";
const COMMIT: &str = "commit-stock";
const FULFIL: &str = "commit-reservation";

/// Gets each order that asks everything that it needs, or nothing.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct InventoryPolicy;

/// What reservations and stocks care about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum InventoryPolicyEvent {
    /// An order asks.
    InventoryCheck(InventoryCheck),
    /// A reservation asks a stock.
    ReservationLineRequested(ReservationLineRequested),
    /// A stock has enough.
    StockReserved(StockReserved),
    /// A stock has not.
    StockDenied(StockDenied),
    /// A reservation has everything.
    InventoryConfirmed(InventoryConfirmed),
    /// A reservation gives up.
    InventoryRejected(InventoryRejected),
    /// A reservation is called off.
    ReservationCancelled(ReservationCancelled),
    /// A reservation got what it does not need.
    ReservationLineReturned(ReservationLineReturned),
    /// An order was called off, or was not paid in time.
    OrderEnded(OfOrder),
    /// An order's goods have left.
    ShipmentDispatched(OfOrder),
    /// A reservation lets go of what has left.
    ReservationCommitted(ReservationCommitted),
    /// Anything else.
    Other,
}

impl ReadEvent for InventoryPolicyEvent {
    fn deserialize<'de, D: Deserializer<'de>>(
        name: &str,
        version: u16,
        payload: D,
    ) -> Result<Self, D::Error> {
        match name {
            "InventoryCheck" => only(version, payload).map(Self::InventoryCheck),
            "ReservationLineRequested" => {
                only(version, payload).map(Self::ReservationLineRequested)
            }
            "StockReserved" => only(version, payload).map(Self::StockReserved),
            "StockDenied" => only(version, payload).map(Self::StockDenied),
            "InventoryConfirmed" => only(version, payload).map(Self::InventoryConfirmed),
            "InventoryRejected" => only(version, payload).map(Self::InventoryRejected),
            "ReservationCancelled" => only(version, payload).map(Self::ReservationCancelled),
            "ReservationLineReturned" => only(version, payload).map(Self::ReservationLineReturned),
            "OrderCancelled" | "OrderExpired" => only(version, payload).map(Self::OrderEnded),
            "ShipmentDispatched" => only(version, payload).map(Self::ShipmentDispatched),
            "ReservationCommitted" => only(version, payload).map(Self::ReservationCommitted),
            _ => Ok(Self::Other),
        }
    }
}

impl Policy for InventoryPolicy {
    type Context = Products;
    type Event = InventoryPolicyEvent;

    const NAME: &'static str = "product-inventory";
    const TOPICS: &'static [&'static str] = &[
        topics::INVENTORY_EVENTS,
        topics::ORDER_EVENTS,
        topics::SHIPPING_EVENTS,
    ];

    fn react(&self, event: &InventoryPolicyEvent, cause: Cause) -> Vec<Reaction<ProductCommand>> {
        match event {
            InventoryPolicyEvent::InventoryCheck(check) => vec![open(check, cause)],
            InventoryPolicyEvent::ReservationLineRequested(request) => {
                vec![reserve(request, cause)]
            }
            InventoryPolicyEvent::StockReserved(StockReserved { order_id, sku, .. }) => {
                vec![answer(*order_id, sku, StockAnswer::Reserved, cause)]
            }
            InventoryPolicyEvent::StockDenied(denied) => {
                let available = denied.available;
                let answered = StockAnswer::Denied { available };
                vec![answer(denied.order_id, &denied.sku, answered, cause)]
            }
            InventoryPolicyEvent::InventoryConfirmed(InventoryConfirmed { order_id, lines }) => {
                let allocate = |line: &SkuUnits| allocate(*order_id, &line.sku, cause);
                lines.iter().map(allocate).collect()
            }
            InventoryPolicyEvent::InventoryRejected(InventoryRejected {
                order_id,
                released,
                shortages: _,
            })
            | InventoryPolicyEvent::ReservationCancelled(ReservationCancelled {
                order_id,
                released,
            }) => {
                let release = |sku| release(*order_id, sku, cause);
                released.iter().map(release).collect()
            }
            InventoryPolicyEvent::ReservationLineReturned(returned) => {
                vec![release(returned.order_id, &returned.sku, cause)]
            }
            InventoryPolicyEvent::OrderEnded(OfOrder { order_id }) => {
                vec![cancel(*order_id, cause)]
            }
            InventoryPolicyEvent::ShipmentDispatched(OfOrder { order_id }) => {
                vec![fulfil(*order_id, cause)]
            }
            InventoryPolicyEvent::ReservationCommitted(ReservationCommitted {
                order_id,
                lines,
            }) => {
                let commit = |line: &SkuUnits| commit(*order_id, &line.sku, cause);
                lines.iter().map(commit).collect()
            }
            InventoryPolicyEvent::Other => vec![],
        }
    }
}

fn open(check: &InventoryCheck, cause: Cause) -> Reaction<ProductCommand> {
    let command = ReservationCommand::Open(OpenReservation {
        order_id: check.order_id,
        lines: check.lines.clone(),
    });
    cause.command(OPEN, "", ProductCommand::Reservation(command))
}

fn answer(
    order_id: OrderId,
    sku: &Sku,
    answer: StockAnswer,
    cause: Cause,
) -> Reaction<ProductCommand> {
    let command = ReservationCommand::Answer(AnswerReservation {
        order_id,
        sku: sku.clone(),
        answer,
    });
    cause.command(ANSWER, "", ProductCommand::Reservation(command))
}

fn cancel(order_id: OrderId, cause: Cause) -> Reaction<ProductCommand> {
    let command = ReservationCommand::Cancel(CancelReservation { order_id });
    cause.command(CANCEL, "", ProductCommand::Reservation(command))
}

fn fulfil(order_id: OrderId, cause: Cause) -> Reaction<ProductCommand> {
    let command = ReservationCommand::Commit(CommitReservation { order_id });
    cause.command(FULFIL, "", ProductCommand::Reservation(command))
}

fn reserve(request: &ReservationLineRequested, cause: Cause) -> Reaction<ProductCommand> {
    let command = StockCommand::Reserve(ReserveStock {
        sku: request.sku.clone(),
        order_id: request.order_id,
        quantity: request.quantity,
    });
    cause.command(RESERVE, "", ProductCommand::Stock(command))
}

fn allocate(order_id: OrderId, sku: &Sku, cause: Cause) -> Reaction<ProductCommand> {
    let of_order = StockOfOrder {
        sku: sku.clone(),
        order_id,
    };
    let command = ProductCommand::Stock(StockCommand::Allocate(of_order));
    cause.command(ALLOCATE, sku.as_str(), command)
}

fn commit(order_id: OrderId, sku: &Sku, cause: Cause) -> Reaction<ProductCommand> {
    let of_order = StockOfOrder {
        sku: sku.clone(),
        order_id,
    };
    let command = ProductCommand::Stock(StockCommand::Commit(of_order));
    cause.command(COMMIT, sku.as_str(), command)
}

fn release(order_id: OrderId, sku: &Sku, cause: Cause) -> Reaction<ProductCommand> {
    let of_order = StockOfOrder {
        sku: sku.clone(),
        order_id,
    };
    let command = ProductCommand::Stock(StockCommand::Release(of_order));
    cause.command(RELEASE, sku.as_str(), command)
}

#[cfg(test)]
mod tests;
