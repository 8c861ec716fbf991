//! The real router against a real Postgres.

mod faults;
mod min_position;
mod orders;
mod paging;
mod projections;
mod server;
mod swap;
mod world;
