//! given events, when a command comes, then these events or that rejection: for every aggregate of the service.

use chrono::{DateTime, TimeDelta, Utc};
use uuid::Uuid;

use super::{
    ProductCommand, ProductEvent, ProductRejection, ProductState, Products,
    catalogue::{
        CatalogueCommand, CreateProduct, DiscontinueProduct, ProductCreated, ProductDiscontinued,
        ProductRepriced, RepriceProduct,
    },
    reservation::{
        AnswerReservation, CancelReservation, CommitReservation, InventoryCheck,
        InventoryConfirmed, InventoryRejected, OpenReservation, ReservationCancelled,
        ReservationCommand, ReservationCommitted, ReservationLineRequested,
        ReservationLineReturned, ReservationOpened, Shortage, StockAnswer,
    },
    stock::{
        Location, ReceiveStock, ReserveStock, StockAllocated, StockAwaited, StockCommand,
        StockCommitted, StockDenied, StockOfOrder, StockOpened, StockReceived, StockReleased,
        StockReserved,
    },
};
use crate::{
    Context,
    ids::{OrderId, Sku},
    money::Money,
    quantity::{SkuUnits, Units},
    stored::stored,
};

pub(super) fn given(history: &[ProductEvent]) -> Given {
    Given(replay(history))
}

pub(super) struct Given(pub(super) ProductState);

impl Given {
    pub(super) fn when(&self, command: &ProductCommand) -> Outcome {
        Outcome(Products::decide(&self.0, command))
    }
}

#[derive(Debug)]
pub(super) struct Outcome(Result<Vec<ProductEvent>, ProductRejection>);

impl Outcome {
    #[track_caller]
    pub(super) fn then(self, expected: &[ProductEvent]) {
        assert_eq!(self.0.as_deref(), Ok(expected));
    }

    #[track_caller]
    pub(super) fn then_rejected(self, expected: impl Into<ProductRejection>) {
        assert_eq!(self.0, Err(expected.into()));
    }
}

pub(super) fn replay(history: &[ProductEvent]) -> ProductState {
    history
        .iter()
        .fold(ProductState::default(), |state, event| {
            stored(&Products::evolve(state, event))
        })
}

/// Hours after some day in 2026.
pub(super) fn at(hours: i64) -> DateTime<Utc> {
    DateTime::from_timestamp(1_780_000_000, 123_456_000).unwrap() + TimeDelta::hours(hours)
}

pub(super) fn order(number: u128) -> OrderId {
    Uuid::from_u128(number).into()
}

pub(super) fn sku(text: &str) -> Sku {
    text.parse().unwrap()
}

/// The one that stocks are of where only one matters.
pub(super) fn tea() -> Sku {
    sku("TEA-EARL-GREY")
}

pub(super) fn units(number: i64) -> Units {
    match number {
        0 => Units::ZERO,
        _ => number.try_into().unwrap(),
    }
}

pub(super) fn euros(amount: i64) -> Money {
    Money::new(amount, "EUR".parse().unwrap()).unwrap()
}

/// `line("A", 2)`: two of A.
pub(super) fn line(text: &str, quantity: i64) -> SkuUnits {
    SkuUnits {
        sku: sku(text),
        quantity: units(quantity),
    }
}

pub(super) fn create(price: Money) -> ProductCommand {
    ProductCommand::Catalogue(CatalogueCommand::Create(CreateProduct {
        sku: tea(),
        name: "Earl Grey".parse().unwrap(),
        price,
        created_at: at(0),
    }))
}

pub(super) fn reprice(price: Money) -> ProductCommand {
    ProductCommand::Catalogue(CatalogueCommand::Reprice(RepriceProduct {
        sku: tea(),
        price,
        repriced_at: at(1),
    }))
}

pub(super) fn discontinue() -> ProductCommand {
    ProductCommand::Catalogue(CatalogueCommand::Discontinue(DiscontinueProduct {
        sku: tea(),
        discontinued_at: at(2),
    }))
}

pub(super) fn created(price: Money) -> ProductEvent {
    ProductEvent::ProductCreated(ProductCreated {
        sku: tea(),
        name: "Earl Grey".parse().unwrap(),
        price,
        created_at: at(0),
    })
}

pub(super) fn repriced(price: Money) -> ProductEvent {
    ProductEvent::ProductRepriced(ProductRepriced {
        sku: tea(),
        price,
        repriced_at: at(1),
    })
}

pub(super) fn discontinued() -> ProductEvent {
    ProductEvent::ProductDiscontinued(ProductDiscontinued {
        sku: tea(),
        discontinued_at: at(2),
    })
}

pub(super) fn receive(quantity: i64) -> ProductCommand {
    ProductCommand::Stock(StockCommand::Receive(ReceiveStock {
        sku: tea(),
        quantity: units(quantity),
        received_at: at(0),
    }))
}

pub(super) fn reserve(number: u128, quantity: i64) -> ProductCommand {
    ProductCommand::Stock(StockCommand::Reserve(ReserveStock {
        sku: tea(),
        order_id: order(number),
        quantity: units(quantity),
    }))
}

pub(super) fn allocate(number: u128) -> ProductCommand {
    ProductCommand::Stock(StockCommand::Allocate(of_order(number)))
}

pub(super) fn release(number: u128) -> ProductCommand {
    ProductCommand::Stock(StockCommand::Release(of_order(number)))
}

pub(super) fn commit(number: u128) -> ProductCommand {
    ProductCommand::Stock(StockCommand::Commit(of_order(number)))
}

fn of_order(number: u128) -> StockOfOrder {
    StockOfOrder {
        sku: tea(),
        order_id: order(number),
    }
}

pub(super) fn stock_opened() -> ProductEvent {
    ProductEvent::StockOpened(StockOpened { sku: tea() })
}

pub(super) fn received(quantity: i64) -> ProductEvent {
    ProductEvent::StockReceived(StockReceived {
        sku: tea(),
        quantity: units(quantity),
        location: Location::Main,
        received_at: at(0),
    })
}

pub(super) fn reserved(number: u128, quantity: i64) -> ProductEvent {
    ProductEvent::StockReserved(StockReserved {
        sku: tea(),
        order_id: order(number),
        quantity: units(quantity),
        location: Location::Main,
    })
}

pub(super) fn awaited(number: u128, quantity: i64) -> ProductEvent {
    ProductEvent::StockAwaited(StockAwaited {
        sku: tea(),
        order_id: order(number),
        quantity: units(quantity),
    })
}

pub(super) fn denied(number: u128, quantity: i64, available: i64) -> ProductEvent {
    ProductEvent::StockDenied(StockDenied {
        sku: tea(),
        order_id: order(number),
        quantity: units(quantity),
        available: units(available),
    })
}

pub(super) fn allocated(number: u128) -> ProductEvent {
    ProductEvent::StockAllocated(StockAllocated {
        sku: tea(),
        order_id: order(number),
    })
}

pub(super) fn released(number: u128, quantity: i64) -> ProductEvent {
    ProductEvent::StockReleased(StockReleased {
        sku: tea(),
        order_id: order(number),
        quantity: units(quantity),
        location: Location::Main,
    })
}

pub(super) fn committed(number: u128, quantity: i64) -> ProductEvent {
    ProductEvent::StockCommitted(StockCommitted {
        sku: tea(),
        order_id: order(number),
        quantity: units(quantity),
        location: Location::Main,
    })
}

pub(super) fn open(lines: &[SkuUnits]) -> ProductCommand {
    ProductCommand::Reservation(ReservationCommand::Open(OpenReservation {
        order_id: order(1),
        lines: lines.to_vec(),
    }))
}

pub(super) fn answer_reserved(text: &str) -> ProductCommand {
    answer(text, StockAnswer::Reserved)
}

pub(super) fn answer_denied(text: &str, available: i64) -> ProductCommand {
    let available = units(available);
    answer(text, StockAnswer::Denied { available })
}

fn answer(text: &str, answer: StockAnswer) -> ProductCommand {
    ProductCommand::Reservation(ReservationCommand::Answer(AnswerReservation {
        order_id: order(1),
        sku: sku(text),
        answer,
    }))
}

pub(super) fn cancel() -> ProductCommand {
    ProductCommand::Reservation(ReservationCommand::Cancel(CancelReservation {
        order_id: order(1),
    }))
}

pub(super) fn fulfil() -> ProductCommand {
    ProductCommand::Reservation(ReservationCommand::Commit(CommitReservation {
        order_id: order(1),
    }))
}

pub(super) fn check(lines: &[SkuUnits]) -> ProductEvent {
    ProductEvent::InventoryCheck(InventoryCheck {
        order_id: order(1),
        lines: lines.to_vec(),
    })
}

pub(super) fn reservation_opened(lines: &[SkuUnits]) -> ProductEvent {
    ProductEvent::ReservationOpened(ReservationOpened {
        order_id: order(1),
        lines: lines.to_vec(),
    })
}

pub(super) fn requested(line: SkuUnits) -> ProductEvent {
    ProductEvent::ReservationLineRequested(ReservationLineRequested {
        order_id: order(1),
        sku: line.sku,
        quantity: line.quantity,
    })
}

pub(super) fn confirmed(lines: &[SkuUnits]) -> ProductEvent {
    ProductEvent::InventoryConfirmed(InventoryConfirmed {
        order_id: order(1),
        lines: lines.to_vec(),
    })
}

pub(super) fn rejected(line: SkuUnits, available: i64, released: &[&str]) -> ProductEvent {
    ProductEvent::InventoryRejected(InventoryRejected {
        order_id: order(1),
        shortages: vec![Shortage {
            sku: line.sku,
            requested: line.quantity,
            available: units(available),
        }],
        released: released.iter().map(|text| sku(text)).collect(),
    })
}

pub(super) fn cancelled(released: &[&str]) -> ProductEvent {
    ProductEvent::ReservationCancelled(ReservationCancelled {
        order_id: order(1),
        released: released.iter().map(|text| sku(text)).collect(),
    })
}

pub(super) fn returned(text: &str) -> ProductEvent {
    ProductEvent::ReservationLineReturned(ReservationLineReturned {
        order_id: order(1),
        sku: sku(text),
    })
}

pub(super) fn reservation_committed(lines: &[SkuUnits]) -> ProductEvent {
    ProductEvent::ReservationCommitted(ReservationCommitted {
        order_id: order(1),
        lines: lines.to_vec(),
    })
}
