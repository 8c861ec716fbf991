//! Commands over HTTP: each is checked at the edge, decided by the writer of its partition, and answered when it is in
//! the log.
//!
//! In reading order: `routes` is the whole route table, `orders` what its handlers do, `intake` what any command's headers
//! say, `problems` how everything that can go wrong is told; `server` wires the process.
//!
//! Invariants:
//! - It never reads a read model.
//! - What was handed to the event store is decided even if the client goes away.
//! - The same `Idempotency-Key` gives the same ids, on any process.

mod answer;
mod args;
mod intake;
mod opening;
mod orders;
mod problems;
mod routes;
mod server;
mod validation;

pub use args::{Args, InvalidProperty, KafkaProperty, ServiceName};
pub use opening::OpeningStore;
pub use routes::{Stores, router};
pub use server::{Server, StartError};
