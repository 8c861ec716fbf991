//! The real router against a real Postgres.

mod carts;
mod faults;
mod history;
mod min_position;
mod orders;
mod paging;
mod products;
mod projections;
mod server;
mod swap;
mod world;
