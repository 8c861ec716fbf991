//! Orders, as the projections `orders` and `history` have them.

// First, since the others select with its macro.
#[macro_use]
mod shape;
mod change;
pub(crate) mod events;
pub(crate) mod find;
pub(crate) mod history;
pub(crate) mod list;
mod past;
mod shown;
pub(crate) mod stuck;

use axum::http::StatusCode;
use runtime::problem::Problem;
use uuid::Uuid;

/// The projection that orders themselves are read from.
const PROJECTION: &str = "orders";

fn not_found(id: Uuid) -> Problem {
    Problem::new(
        StatusCode::NOT_FOUND,
        "order-not-found",
        "There is no such order",
    )
    .detail(format_args!("no order has the id {id}"))
}

fn version_not_found(id: Uuid, version: i64) -> Problem {
    Problem::new(
        StatusCode::NOT_FOUND,
        "version-not-found",
        "The order has no such version",
    )
    .detail(format_args!(
        "the order {id} has not come to version {version}"
    ))
}
