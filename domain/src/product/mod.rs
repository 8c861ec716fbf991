//! The product service: the catalogue, what is in stock, and who may have it.
//!
//! Three kinds of aggregates, each laid out alike: [`catalogue`] (what is sold), [`stock`] (how many there are of one SKU,
//! and who holds them) and [`reservation`] (a process of its own for each order: every line, or none). They know each other
//! by events only; [`policy`] carries these to and fro.

pub mod catalogue;
pub mod policy;
pub mod reservation;
pub mod stock;

mod event;

use serde::{Deserialize, Serialize};

pub use self::event::{ProductEvent, ProductStream};
use self::{
    catalogue::{CatalogueCommand, CatalogueRejection, Product, ProductStatus},
    reservation::{
        Reservation, ReservationCommand, ReservationRejection, ReservationStatus, StockAnswer,
    },
    stock::{StockCommand, StockItem, StockRejection, StockStatus},
};
use crate::{Context, topics};

/// The product service's context.
#[derive(Debug)]
pub struct Products;

/// A command to any of the service's aggregates.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum ProductCommand {
    /// To a product.
    Catalogue(CatalogueCommand),
    /// To the stock of one SKU.
    Stock(StockCommand),
    /// To an order's reservation.
    Reservation(ReservationCommand),
}

/// Any of the service's aggregates.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum ProductState {
    /// There is no such thing yet.
    #[default]
    Nothing,
    /// A product.
    Product(Product),
    /// The stock of one SKU.
    Stock(Box<StockItem>),
    /// An order's reservation.
    Reservation(Reservation),
}

/// Why a command was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
pub enum ProductRejection {
    /// By a product.
    #[error(transparent)]
    Catalogue(#[from] CatalogueRejection),
    /// By a stock.
    #[error(transparent)]
    Stock(#[from] StockRejection),
    /// By a reservation.
    #[error(transparent)]
    Reservation(#[from] ReservationRejection),
}

/// What an answer says of a stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum ProductServiceStatus {
    /// Of nothing.
    Nothing,
    /// A product's.
    Product(ProductStatus),
    /// A stock's.
    Stock(StockStatus),
    /// A reservation's.
    Reservation(ReservationStatus),
}

/// As many commands a product remembers beside the one that created it, so as to answer them again: it is repriced without end.
const REMEMBERED_BY_PRODUCT: usize = 256;
/// As many a stock remembers. A hot one takes several for each order, so that a policy's second delivery has to come before
/// so many others; what it holds for an order is known beyond that.
const REMEMBERED_BY_STOCK: usize = 1_024;

impl Context for Products {
    const SERVICE: &'static str = "product";
    const TOPICS: &'static [&'static str] = &[topics::PRODUCT_EVENTS, topics::INVENTORY_EVENTS];
    const STATE_FORMAT: u32 = 2;

    type Command = ProductCommand;
    type Event = ProductEvent;
    type State = ProductState;
    type Rejection = ProductRejection;
    type Status = ProductServiceStatus;

    fn target(command: &ProductCommand) -> ProductStream {
        match command {
            ProductCommand::Catalogue(command) => ProductStream::Product(command.sku().clone()),
            ProductCommand::Stock(command) => ProductStream::Stock(command.sku().clone()),
            ProductCommand::Reservation(command) => ProductStream::Reservation(command.order_id()),
        }
    }

    fn decide(
        state: &ProductState,
        command: &ProductCommand,
    ) -> Result<Vec<ProductEvent>, ProductRejection> {
        Ok(match command {
            ProductCommand::Catalogue(command) => catalogue::decide(state.product(), command)?,
            ProductCommand::Stock(command) => stock::decide(state.stock(), command)?,
            ProductCommand::Reservation(command) => {
                reservation::decide(state.reservation(), command)?
            }
        })
    }

    fn evolve(state: ProductState, event: &ProductEvent) -> ProductState {
        match event {
            ProductEvent::ProductCreated(event) => ProductState::Product(Product::created(event)),
            ProductEvent::ProductRepriced(event) => {
                state.with_product(|product| product.repriced(event))
            }
            ProductEvent::ProductDiscontinued(_) => state.with_product(Product::discontinued),
            ProductEvent::StockOpened(_) => ProductState::Stock(Box::default()),
            ProductEvent::StockReceived(event) => {
                state.with_stock(|stock| stock.received(event.quantity))
            }
            ProductEvent::StockReserved(event) => {
                state.with_stock(|stock| stock.reserved(event.order_id, event.quantity))
            }
            ProductEvent::StockAwaited(event) => {
                state.with_stock(|stock| stock.awaited(event.order_id, event.quantity))
            }
            ProductEvent::StockDenied(event) => {
                state.with_stock(|stock| stock.denied(event.order_id))
            }
            ProductEvent::StockAllocated(event) => {
                state.with_stock(|stock| stock.allocated(event.order_id))
            }
            ProductEvent::StockReleased(event) => {
                state.with_stock(|stock| stock.released(event.order_id))
            }
            ProductEvent::StockCommitted(event) => {
                state.with_stock(|stock| stock.committed(event.order_id))
            }
            ProductEvent::ReservationOpened(event) => {
                ProductState::Reservation(Reservation::opened(event))
            }
            ProductEvent::ReservationLineRequested(event) => {
                state.with_reservation(|reservation| reservation.requested(event))
            }
            ProductEvent::InventoryConfirmed(event) => {
                ProductState::Reservation(Reservation::confirmed(event))
            }
            ProductEvent::InventoryRejected(_) => ProductState::Reservation(Reservation::Rejected),
            ProductEvent::ReservationCancelled(_) => {
                ProductState::Reservation(Reservation::Cancelled)
            }
            ProductEvent::ReservationCommitted(_) => {
                state.with_reservation(|_| Reservation::Committed)
            }
            // What comes back was not part of the reservation; and a message changes nothing.
            ProductEvent::ReservationLineReturned(_) | ProductEvent::InventoryCheck(_) => state,
        }
    }

    fn status(state: &ProductState) -> ProductServiceStatus {
        match state {
            ProductState::Nothing => ProductServiceStatus::Nothing,
            ProductState::Product(product) => ProductServiceStatus::Product(product.status()),
            ProductState::Stock(_) => ProductServiceStatus::Stock(StockStatus::InStock),
            ProductState::Reservation(reservation) => {
                ProductServiceStatus::Reservation(reservation.status())
            }
        }
    }

    /// A stock that was asked again after it forgot sets aside again, under the same ids: whoever it tells has to have it go
    /// back again.
    fn is_decided_anew(command: &ProductCommand) -> bool {
        match command {
            ProductCommand::Stock(StockCommand::Release(_)) => true,
            ProductCommand::Reservation(ReservationCommand::Answer(command)) => {
                command.answer == StockAnswer::Reserved
            }
            ProductCommand::Catalogue(_)
            | ProductCommand::Stock(
                StockCommand::Receive(_)
                | StockCommand::Reserve(_)
                | StockCommand::Allocate(_)
                | StockCommand::Commit(_),
            )
            | ProductCommand::Reservation(
                ReservationCommand::Open(_)
                | ReservationCommand::Cancel(_)
                | ReservationCommand::Commit(_),
            ) => false,
        }
    }

    fn remembered(stream: &ProductStream) -> usize {
        match stream {
            ProductStream::Product(_) => REMEMBERED_BY_PRODUCT,
            ProductStream::Stock(_) => REMEMBERED_BY_STOCK,
            ProductStream::Reservation(_) | ProductStream::Order(_) => usize::MAX,
        }
    }

    fn outlasts(event: &ProductEvent) -> bool {
        matches!(
            event,
            ProductEvent::ProductCreated(_) | ProductEvent::StockReceived(_)
        )
    }
}

/// A stream's name says what kind of aggregate it is, so a state of another kind never meets its events and commands. It would
/// be left as it is, and count as nothing.
impl ProductState {
    const fn product(&self) -> Option<&Product> {
        match self {
            Self::Product(product) => Some(product),
            Self::Nothing | Self::Stock(_) | Self::Reservation(_) => None,
        }
    }

    fn stock(&self) -> Option<&StockItem> {
        match self {
            Self::Stock(stock) => Some(stock),
            Self::Nothing | Self::Product(_) | Self::Reservation(_) => None,
        }
    }

    const fn reservation(&self) -> Option<&Reservation> {
        match self {
            Self::Reservation(reservation) => Some(reservation),
            Self::Nothing | Self::Product(_) | Self::Stock(_) => None,
        }
    }

    fn with_product(self, change: impl FnOnce(Product) -> Product) -> Self {
        match self {
            Self::Product(product) => Self::Product(change(product)),
            Self::Nothing | Self::Stock(_) | Self::Reservation(_) => self,
        }
    }

    /// In place, since a stock can be large. A stock that is not opened stays so: all that can happen to it is `StockDenied`.
    fn with_stock(mut self, change: impl FnOnce(&mut StockItem)) -> Self {
        if let Self::Stock(stock) = &mut self {
            change(stock);
        }
        self
    }

    fn with_reservation(self, change: impl FnOnce(Reservation) -> Reservation) -> Self {
        match self {
            Self::Reservation(reservation) => Self::Reservation(change(reservation)),
            Self::Nothing | Self::Product(_) | Self::Stock(_) => self,
        }
    }
}

impl ProductServiceStatus {
    /// As it is spelled in JSON and SQL; none where nothing has happened.
    #[must_use]
    pub const fn as_str(self) -> Option<&'static str> {
        match self {
            Self::Nothing => None,
            Self::Product(status) => Some(status.as_str()),
            Self::Stock(status) => Some(status.as_str()),
            Self::Reservation(status) => Some(status.as_str()),
        }
    }
}

#[cfg(test)]
mod testing;

#[cfg(test)]
mod properties;
