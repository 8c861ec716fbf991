//! Events to rows: read models that can be thrown away and rebuilt from offset zero.
//!
//! Reading order: [`projection`] (what a read model is), `orders`, `products`, `carts`, `payments`,
//! `shipments`, `notifications`, `history`, `sales_daily` (those there are, listed in `names`), `feed` (events to rows, exactly
//! once in effect), `parking` (what cannot be applied is set aside), [`dead_letters`] (what an operator does with that), [`live`] (as they
//! happen), [`rebuild`] (from offset zero, swapped in under running readers), `reaching` (why Postgres cannot be had, and what to do).
//!
//! Invariants:
//! - Rows and checkpoint move in one transaction, the checkpoint first, by compare-and-set on offset and epoch. So rows
//!   read before that transaction are still true when it commits, and two processes cannot both apply an event.
//! - Each version of a projection is a Postgres schema. SQL is unqualified; a connection's `search_path` picks the version.
//! - Work is divided by partition number: a key has the same one in every topic, so no two feeds touch the same row. What
//!   lies in another one is parked.

pub mod projection;

mod carts;
mod history;
mod names;
mod notifications;
mod orders;
mod payments;
mod products;
mod sales_daily;
mod shipments;

mod chunk;
mod copy;
pub mod database;
pub mod dead_letters;
mod error;
mod feed;
pub mod live;
mod log;
pub mod operate;
mod parking;
mod reaching;
pub mod rebuild;
mod registry;
mod written;

pub mod args;

pub use carts::Carts;
pub use database::{Database, migrate};
pub use error::ProjectorError;
pub use history::History;
pub use live::run;
pub use names::ProjectionName;
pub use notifications::Notifications;
pub use orders::Orders;
pub use payments::Payments;
pub use products::Products;
pub use projection::Projection;
pub use reaching::{Obstacle, address};
pub use rebuild::{Report, rebuild};
pub use registry::NotDropped;
pub use sales_daily::SalesDaily;
pub use shipments::Shipments;

#[cfg(test)]
mod tests;
