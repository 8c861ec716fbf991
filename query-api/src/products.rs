//! Products, as the projection `products` has them: what is sold, and how many there are.

// First, since the others select with its macro.
#[macro_use]
mod shape;
pub(crate) mod find;
pub(crate) mod list;

/// The projection that all of this reads.
const PROJECTION: &str = "products";
