//! Starts and stops the stack of Offset Zero, for the CLI and for tests: Kafka, Postgres, and the
//! workspace's own binaries.
//!
//! A blocking API over plain threads, so that it works from `main`, from tests and, through
//! `spawn_blocking`, from async code alike. Reading order: [`stack`] is what most callers need,
//! [`kafka`] and [`postgres`] are the servers, [`process`] is what everything is started with.
//!
//! Invariants:
//! - Whatever is started here ends with this process, however this process ends ([`process`]).
//! - Servers listen on loopback only.
//! - "Started" means that a real client was answered, never that a port was open or time went by.

pub mod deployment;
pub mod stack;

pub mod kafka;
pub mod postgres;
pub mod secured;
pub mod services;

pub mod carrier;
pub mod gateway;

pub mod dirs;
pub mod ports;
pub mod process;

mod error;

pub use error::{Error, Result};
