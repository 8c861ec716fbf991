//! The real router over the event store's in-memory twin: requests in, answers and events out.

mod answers;
mod api;
mod bad_input;
mod carts;
mod catalogue;
mod commands;
mod gateway;
mod idempotency;
mod if_match;
mod outages;
mod products;
mod remembered;
mod routes;
mod server;
mod shipments;
mod steps;
mod webhook;
mod webhook_bodies;
mod workflow;
