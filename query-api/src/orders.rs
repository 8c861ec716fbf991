//! Orders, as the projection `orders` has them.

// First, since the others select with its macro.
#[macro_use]
mod shape;
mod cursor;
pub(crate) mod find;
pub(crate) mod list;

/// The projection that all of this reads.
const PROJECTION: &str = "orders";
