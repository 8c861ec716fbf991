//! What the system tests share: a stack for the test binary, a world for each test, a client, and the log itself.
//!
//! Every test has topics, transactional ids and a database of its own, so that tests run beside each other and twice in
//! a row. What a test has to say when it fails, the logs of its processes included, lies in the folder it names.

pub mod client;
pub mod conservation;
pub mod fold;
pub mod journal;
pub mod money;
pub mod proxy;
pub mod shop;
pub mod world;

pub use client::{Answer, Client};
pub use conservation::Stock;
pub use journal::Journal;
pub use money::Money;
pub use world::World;
