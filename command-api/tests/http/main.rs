//! The real router over the event store's in-memory twin: requests in, answers and events out.

mod api;
mod bad_input;
mod commands;
mod idempotency;
mod outages;
mod routes;
mod server;
