//! The real router against a real Postgres.

mod behind;
mod carts;
mod cursors;
mod etags;
mod events;
mod faults;
mod history;
mod listening;
mod min_position;
mod notifications;
mod orders;
mod paging;
mod past;
mod payments;
mod plans;
mod products;
mod projections;
mod sales;
mod server;
mod shapes;
mod shipments;
mod swap;
mod world;
