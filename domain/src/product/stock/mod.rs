//! The stock of one SKU: how many there are, and who holds them.

pub mod command;
mod decide;
pub mod event;
pub mod state;

pub(super) use self::decide::decide;
pub use self::{
    command::{ReceiveStock, ReserveStock, StockCommand, StockOfOrder},
    decide::StockRejection,
    event::{
        Location, StockAllocated, StockAwaited, StockCommitted, StockDenied, StockOpened,
        StockReceived, StockReleased, StockReserved,
    },
    state::{Hold, StockItem, StockStatus},
};
