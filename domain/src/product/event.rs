//! Everything that the product service appends to its two topics, and what others tell it there.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, de::Error};
use uuid::Uuid;

use super::{
    catalogue::{ProductCreated, ProductDiscontinued, ProductRepriced},
    reservation::{
        InventoryCheck, InventoryConfirmed, InventoryRejected, ReservationCancelled,
        ReservationCommitted, ReservationLineRequested, ReservationLineReturned, ReservationOpened,
    },
    stock::{
        StockAllocated, StockAwaited, StockCommitted, StockDenied, StockOpened, StockReceived,
        StockReleased, StockReserved,
    },
};
use crate::{
    Event, EventKind, ReadEvent,
    ids::{OrderId, Sku},
    topics,
    upcast::only,
};

/// Any of them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(untagged)]
#[expect(missing_docs, reason = "each variant is the event of its name")]
pub enum ProductEvent {
    ProductCreated(ProductCreated),
    ProductRepriced(ProductRepriced),
    ProductDiscontinued(ProductDiscontinued),
    StockOpened(StockOpened),
    StockReceived(StockReceived),
    StockReserved(StockReserved),
    StockAwaited(StockAwaited),
    StockDenied(StockDenied),
    StockAllocated(StockAllocated),
    StockReleased(StockReleased),
    StockCommitted(StockCommitted),
    ReservationOpened(ReservationOpened),
    ReservationLineRequested(ReservationLineRequested),
    InventoryConfirmed(InventoryConfirmed),
    InventoryRejected(InventoryRejected),
    ReservationCancelled(ReservationCancelled),
    ReservationLineReturned(ReservationLineReturned),
    /// An order's goods have left.
    ReservationCommitted(ReservationCommitted),
    /// The order service's message.
    InventoryCheck(InventoryCheck),
}

/// Names one of the service's aggregates.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub enum ProductStream {
    /// `product-<sku>`.
    Product(Sku),
    /// `stock-<sku>`.
    Stock(Sku),
    /// `reservation-<order id>`.
    Reservation(OrderId),
    /// `order-<id>`: of the order service, whose message it is.
    Order(OrderId),
}

impl fmt::Display for ProductStream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Product(sku) => write!(f, "product-{sku}"),
            Self::Stock(sku) => write!(f, "stock-{sku}"),
            Self::Reservation(order_id) => write!(f, "reservation-{order_id}"),
            Self::Order(order_id) => write!(f, "order-{order_id}"),
        }
    }
}

impl Event for ProductEvent {
    type StreamId = ProductStream;

    fn kind(&self) -> EventKind {
        let name = match self {
            Self::ProductCreated(_) => "ProductCreated",
            Self::ProductRepriced(_) => "ProductRepriced",
            Self::ProductDiscontinued(_) => "ProductDiscontinued",
            Self::StockOpened(_) => "StockOpened",
            Self::StockReceived(_) => "StockReceived",
            Self::StockReserved(_) => "StockReserved",
            Self::StockAwaited(_) => "StockAwaited",
            Self::StockDenied(_) => "StockDenied",
            Self::StockAllocated(_) => "StockAllocated",
            Self::StockReleased(_) => "StockReleased",
            Self::StockCommitted(_) => "StockCommitted",
            Self::ReservationOpened(_) => "ReservationOpened",
            Self::ReservationLineRequested(_) => "ReservationLineRequested",
            Self::InventoryConfirmed(_) => "InventoryConfirmed",
            Self::InventoryRejected(_) => "InventoryRejected",
            Self::ReservationCancelled(_) => "ReservationCancelled",
            Self::ReservationLineReturned(_) => "ReservationLineReturned",
            Self::ReservationCommitted(_) => "ReservationCommitted",
            Self::InventoryCheck(_) => "InventoryCheck",
        };
        EventKind { name, version: 1 }
    }

    fn topic(&self) -> &'static str {
        match self {
            Self::ProductCreated(_) | Self::ProductRepriced(_) | Self::ProductDiscontinued(_) => {
                topics::PRODUCT_EVENTS
            }
            Self::StockOpened(_)
            | Self::StockReceived(_)
            | Self::StockReserved(_)
            | Self::StockAwaited(_)
            | Self::StockDenied(_)
            | Self::StockAllocated(_)
            | Self::StockReleased(_)
            | Self::StockCommitted(_)
            | Self::ReservationOpened(_)
            | Self::ReservationLineRequested(_)
            | Self::InventoryConfirmed(_)
            | Self::InventoryRejected(_)
            | Self::ReservationCancelled(_)
            | Self::ReservationLineReturned(_)
            | Self::ReservationCommitted(_)
            | Self::InventoryCheck(_) => topics::INVENTORY_EVENTS,
        }
    }

    fn stream(&self) -> ProductStream {
        match self {
            Self::ProductCreated(event) => ProductStream::Product(event.sku.clone()),
            Self::ProductRepriced(event) => ProductStream::Product(event.sku.clone()),
            Self::ProductDiscontinued(event) => ProductStream::Product(event.sku.clone()),
            Self::StockOpened(event) => ProductStream::Stock(event.sku.clone()),
            Self::StockReceived(event) => ProductStream::Stock(event.sku.clone()),
            Self::StockReserved(event) => ProductStream::Stock(event.sku.clone()),
            Self::StockAwaited(event) => ProductStream::Stock(event.sku.clone()),
            Self::StockDenied(event) => ProductStream::Stock(event.sku.clone()),
            Self::StockAllocated(event) => ProductStream::Stock(event.sku.clone()),
            Self::StockReleased(event) => ProductStream::Stock(event.sku.clone()),
            Self::StockCommitted(event) => ProductStream::Stock(event.sku.clone()),
            Self::ReservationOpened(event) => ProductStream::Reservation(event.order_id),
            Self::ReservationLineRequested(event) => ProductStream::Reservation(event.order_id),
            Self::InventoryConfirmed(event) => ProductStream::Reservation(event.order_id),
            Self::InventoryRejected(event) => ProductStream::Reservation(event.order_id),
            Self::ReservationCancelled(event) => ProductStream::Reservation(event.order_id),
            Self::ReservationLineReturned(event) => ProductStream::Reservation(event.order_id),
            Self::ReservationCommitted(event) => ProductStream::Reservation(event.order_id),
            Self::InventoryCheck(event) => ProductStream::Order(event.order_id),
        }
    }

    fn key(stream: &ProductStream) -> String {
        match stream {
            ProductStream::Product(sku) | ProductStream::Stock(sku) => sku.to_string(),
            ProductStream::Reservation(order_id) | ProductStream::Order(order_id) => {
                order_id.to_string()
            }
        }
    }

    fn journey(&self) -> Option<Uuid> {
        let order_id = match self {
            Self::ProductCreated(_)
            | Self::ProductRepriced(_)
            | Self::ProductDiscontinued(_)
            | Self::StockOpened(_)
            | Self::StockReceived(_) => return None,
            Self::StockReserved(event) => event.order_id,
            Self::StockAwaited(event) => event.order_id,
            Self::StockDenied(event) => event.order_id,
            Self::StockAllocated(event) => event.order_id,
            Self::StockReleased(event) => event.order_id,
            Self::StockCommitted(event) => event.order_id,
            Self::ReservationOpened(event) => event.order_id,
            Self::ReservationLineRequested(event) => event.order_id,
            Self::InventoryConfirmed(event) => event.order_id,
            Self::InventoryRejected(event) => event.order_id,
            Self::ReservationCancelled(event) => event.order_id,
            Self::ReservationLineReturned(event) => event.order_id,
            Self::ReservationCommitted(event) => event.order_id,
            Self::InventoryCheck(event) => event.order_id,
        };
        Some(order_id.as_uuid())
    }
}

impl ReadEvent for ProductEvent {
    fn deserialize<'de, D: Deserializer<'de>>(
        name: &str,
        version: u16,
        payload: D,
    ) -> Result<Self, D::Error> {
        match name {
            "ProductCreated" => only(version, payload).map(Self::ProductCreated),
            "ProductRepriced" => only(version, payload).map(Self::ProductRepriced),
            "ProductDiscontinued" => only(version, payload).map(Self::ProductDiscontinued),
            "StockOpened" => only(version, payload).map(Self::StockOpened),
            "StockReceived" => only(version, payload).map(Self::StockReceived),
            "StockReserved" => only(version, payload).map(Self::StockReserved),
            "StockAwaited" => only(version, payload).map(Self::StockAwaited),
            "StockDenied" => only(version, payload).map(Self::StockDenied),
            "StockAllocated" => only(version, payload).map(Self::StockAllocated),
            "StockReleased" => only(version, payload).map(Self::StockReleased),
            "StockCommitted" => only(version, payload).map(Self::StockCommitted),
            "ReservationOpened" => only(version, payload).map(Self::ReservationOpened),
            "ReservationLineRequested" => {
                only(version, payload).map(Self::ReservationLineRequested)
            }
            "InventoryConfirmed" => only(version, payload).map(Self::InventoryConfirmed),
            "InventoryRejected" => only(version, payload).map(Self::InventoryRejected),
            "ReservationCancelled" => only(version, payload).map(Self::ReservationCancelled),
            "ReservationLineReturned" => only(version, payload).map(Self::ReservationLineReturned),
            "ReservationCommitted" => only(version, payload).map(Self::ReservationCommitted),
            "InventoryCheck" => only(version, payload).map(Self::InventoryCheck),
            _ => Err(D::Error::custom("no event of this name is known")),
        }
    }
}

#[cfg(test)]
mod tests;
