//! What the business decides, and nothing else.
//!
//! Every context is laid out alike: `command` (what one may ask for), `event` (what happened), `state` (what follows from
//! it) and `decide` (the rules). Commands carry the ids and times they need, so that the same history and the same
//! command always give the same decision: no async, no clock, no randomness, no I/O in this crate.

pub mod cart;
pub mod context;
pub mod event;
pub mod ids;
pub mod money;
pub mod notification;
pub mod order;
pub mod payment;
pub mod personal;
pub mod policy;
pub mod product;
pub mod quantity;
pub mod sealed;
pub mod shipping;
pub mod text;
pub mod topics;
pub mod upcast;

pub use context::Context;
pub use event::{Event, EventKind, ReadEvent};
pub use policy::Policy;

#[cfg(test)]
mod golden;
#[cfg(test)]
mod journey;
#[cfg(test)]
mod messages;
#[cfg(test)]
mod stored;
