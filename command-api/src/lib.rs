//! Commands over HTTP: each is checked at the edge, decided by the writer of its partition, and answered when it is in
//! the log.
//!
//! In reading order: `routes` is the whole route table; `products`, `carts`, `orders`, `payments` and `shipments` are what its handlers do, each
//! with a file for a route; `intake` what any command's headers say, `execute` its way to the writer, `catalogue` what
//! is known of products, `peers` how it gets to the process that can decide it, `problems` how everything that can go wrong is told; `service` is the life of a service, policies
//! included, and `server` wires the process.
//!
//! Invariants:
//! - It never reads a read model.
//! - What was handed to the event store is decided even if the client goes away.
//! - The same `Idempotency-Key` gives the same ids, on any process.

mod answer;
mod args;
mod carts;
mod catalogue;
mod delivery;
mod described;
mod execute;
mod intake;
mod notifications;
mod opening;
mod orders;
mod payments;
mod peers;
mod problems;
mod products;
mod reactors;
mod routes;
mod server;
mod service;
mod shipments;
mod validation;

pub use args::{Args, ServiceName};
pub use catalogue::Catalogue;
pub use notifications::{
    Beginning, Delivering, InvalidMailServer, MailServer, Mailer, NotificationArgs, Planning,
    WebhookSender,
};
pub use opening::OpeningStore;
pub use payments::{
    Collecting, Gateway, GatewayOrder, HttpGateway, InvalidGatewayUrl, InvalidPaymentKey,
    OpenedMethod, PaymentKey, development_secret,
};
pub use reactors::{REACTORS, ReactorName};
pub use routes::{Services, router};
pub use server::{Server, StartError};
pub use service::topic_specs;
