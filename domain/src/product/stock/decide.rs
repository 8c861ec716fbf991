//! The rules.
//!
//! Whatever changes what there is, or what may yet be given back, is followed in the same decision by what it means for those
//! who wait: so nobody waits for what is there, nor for what cannot come.

use serde::{Deserialize, Serialize};

use super::{
    command::{ReceiveStock, ReserveStock, StockCommand, StockOfOrder},
    event::{
        Location, StockAllocated, StockAwaited, StockCommitted, StockDenied, StockReceived,
        StockReleased, StockReserved,
    },
    state::StockItem,
};
use crate::{
    ids::{OrderId, Sku},
    product::ProductEvent,
    quantity::Units,
};

/// Why a command was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
pub enum StockRejection {
    /// Nothing of this SKU was ever in the catalogue.
    #[error("there is no such product")]
    ProductNotFound,
}

/// Orders are answered by events, never rejected: it is policies that ask for them.
pub(in crate::product) fn decide(
    state: Option<&StockItem>,
    command: &StockCommand,
) -> Result<Vec<ProductEvent>, StockRejection> {
    match (command, state) {
        (StockCommand::Receive(command), Some(stock)) => Ok(receive(stock, command)),
        (StockCommand::Receive(_), None) => Err(StockRejection::ProductNotFound),
        (StockCommand::Reserve(command), Some(stock)) => Ok(reserve(stock, command)),
        (StockCommand::Reserve(command), None) => {
            let ReserveStock {
                sku,
                order_id,
                quantity,
            } = command;
            Ok(vec![denied(sku, *order_id, *quantity, Units::ZERO)])
        }
        (StockCommand::Allocate(command), Some(stock)) => Ok(allocate(stock, command)),
        (StockCommand::Release(command), Some(stock)) => Ok(release(stock, command)),
        (StockCommand::Commit(command), Some(stock)) => Ok(commit(stock, command)),
        (StockCommand::Allocate(_) | StockCommand::Release(_) | StockCommand::Commit(_), None) => {
            Ok(vec![])
        }
    }
}

fn receive(stock: &StockItem, command: &ReceiveStock) -> Vec<ProductEvent> {
    let received = ProductEvent::StockReceived(StockReceived {
        sku: command.sku.clone(),
        quantity: command.quantity,
        location: Location::Main,
        received_at: command.received_at,
    });
    let room = Room::of(stock).more(command.quantity);
    let served = serve(&command.sku, stock.waiting(), room);
    [received].into_iter().chain(served).collect()
}

fn reserve(stock: &StockItem, command: &ReserveStock) -> Vec<ProductEvent> {
    let ReserveStock {
        sku,
        order_id,
        quantity,
    } = command;
    if stock.hold(*order_id).is_some() || stock.awaits(*order_id) {
        return vec![];
    }
    let Room { free, possible } = Room::of(stock);
    let waiting = stock.waiting().len();
    let answer = if waiting == 0 && *quantity <= free {
        reserved(sku, *order_id, *quantity)
    } else if waiting < StockItem::MAX_WAITING && *quantity <= possible {
        ProductEvent::StockAwaited(StockAwaited {
            sku: sku.clone(),
            order_id: *order_id,
            quantity: *quantity,
        })
    } else {
        denied(sku, *order_id, *quantity, free)
    };
    vec![answer]
}

fn allocate(stock: &StockItem, command: &StockOfOrder) -> Vec<ProductEvent> {
    let StockOfOrder { sku, order_id } = command;
    match stock.hold(*order_id) {
        Some(hold) if !hold.allocated => {
            let allocated = ProductEvent::StockAllocated(StockAllocated {
                sku: sku.clone(),
                order_id: *order_id,
            });
            let room = Room::of(stock).without_hope_of(hold.quantity);
            let served = serve(sku, stock.waiting(), room);
            [allocated].into_iter().chain(served).collect()
        }
        Some(_) | None => vec![],
    }
}

fn release(stock: &StockItem, command: &StockOfOrder) -> Vec<ProductEvent> {
    let StockOfOrder { sku, order_id } = command;
    let (quantity, room) = match stock.hold(*order_id) {
        Some(hold) if hold.allocated => (hold.quantity, Room::of(stock).more(hold.quantity)),
        Some(hold) => {
            let room = Room::of(stock)
                .without_hope_of(hold.quantity)
                .more(hold.quantity);
            (hold.quantity, room)
        }
        None if stock.awaits(*order_id) => (Units::ZERO, Room::of(stock)),
        None => return vec![],
    };
    let released = ProductEvent::StockReleased(StockReleased {
        sku: sku.clone(),
        order_id: *order_id,
        quantity,
        location: Location::Main,
    });
    let others = stock.waiting().filter(|(waiting, _)| waiting != order_id);
    let served = serve(sku, others, room);
    [released].into_iter().chain(served).collect()
}

fn commit(stock: &StockItem, command: &StockOfOrder) -> Vec<ProductEvent> {
    let StockOfOrder { sku, order_id } = command;
    let Some(hold) = stock.hold(*order_id) else {
        return vec![];
    };
    let committed = ProductEvent::StockCommitted(StockCommitted {
        sku: sku.clone(),
        order_id: *order_id,
        quantity: hold.quantity,
        location: Location::Main,
    });
    let room = if hold.allocated {
        Room::of(stock)
    } else {
        Room::of(stock).without_hope_of(hold.quantity)
    };
    let served = serve(sku, stock.waiting(), room);
    [committed].into_iter().chain(served).collect()
}

/// What those who wait can have.
#[derive(Debug, Clone, Copy)]
struct Room {
    /// Now.
    free: Units,
    /// If every undecided order gave up.
    possible: Units,
}

impl Room {
    fn of(stock: &StockItem) -> Self {
        Self {
            free: stock.available(),
            possible: stock.possible(),
        }
    }

    fn more(self, quantity: Units) -> Self {
        Self {
            free: self.free.plus(quantity),
            possible: self.possible.plus(quantity),
        }
    }

    fn without_hope_of(self, quantity: Units) -> Self {
        let possible = self.possible.minus(quantity);
        Self {
            possible: possible.expect("what an order holds is part of what is possible"),
            ..self
        }
    }
}

/// Serves those who wait, first come, first served; denies those for whom there cannot be enough any more. What is reserved
/// here is undecided again, so what is possible stays the same.
fn serve(
    sku: &Sku,
    waiting: impl Iterator<Item = (OrderId, Units)>,
    room: Room,
) -> Vec<ProductEvent> {
    let Room { mut free, possible } = room;
    // Who fits still waits where somebody before it does: a large order would otherwise starve behind small ones.
    let mut somebody_waits = false;
    let mut answers = vec![];
    for (order_id, quantity) in waiting {
        if quantity > possible {
            answers.push(denied(sku, order_id, quantity, free));
        } else if let Some(left) = free.minus(quantity)
            && !somebody_waits
        {
            free = left;
            answers.push(reserved(sku, order_id, quantity));
        } else {
            somebody_waits = true;
        }
    }
    answers
}

fn reserved(sku: &Sku, order_id: OrderId, quantity: Units) -> ProductEvent {
    ProductEvent::StockReserved(StockReserved {
        sku: sku.clone(),
        order_id,
        quantity,
        location: Location::Main,
    })
}

fn denied(sku: &Sku, order_id: OrderId, quantity: Units, available: Units) -> ProductEvent {
    ProductEvent::StockDenied(StockDenied {
        sku: sku.clone(),
        order_id,
        quantity,
        available,
    })
}

#[cfg(test)]
mod tests;
