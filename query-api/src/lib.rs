//! Reads over HTTP, from the rows that projectors have written.
//!
//! Invariants:
//! - It never writes: its connections are read-only.
//! - It knows neither Kafka nor the domain; rows hold their JSON as the API shows it, but for how exact its times are.
//! - A read sees one snapshot; one that asks for a position, of the version that is live in it, with how far that has come
//!   ([`snapshot`]).

mod args;
mod carts;
mod changes;
mod condition;
mod database;
mod integer;
mod json;
mod live;
mod min_position;
mod notifications;
mod orders;
mod page;
mod payments;
mod products;
mod projections;
mod routes;
mod sales;
mod server;
mod shipments;
mod snapshot;
mod streams;

pub use args::Args;
pub use database::Database;
pub use live::SHAPES;
pub use routes::router;
pub use server::{Server, StartError};
pub use streams::Streams;
