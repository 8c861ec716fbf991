//! What the programs share: configuration, telemetry, output, health, shutdown, HTTP with problem+json, and signed webhooks.
//!
//! A binary reads top-down: `config::parse`, `telemetry::init`, its own router, `http::app` around it, `http::serve`.
//! Invariant: nothing in here knows orders, Kafka or Postgres.

mod allocator;
pub mod config;
pub mod docs;
pub mod entity_tag;
pub mod extract;
pub mod health;
pub mod http;
pub mod min_position;
pub mod object;
pub mod output;
pub mod problem;
mod request_metrics;
pub mod shutdown;
pub mod signature;
pub mod telemetry;
