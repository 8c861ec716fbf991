//! Everything that reacts to events, for whoever looks after how far it has come.

use domain::{
    Context, order::OrderPolicy, payment::PaymentPolicy, product::policy::InventoryPolicy,
    shipping::ShippingPolicy,
};
use event_store::Reactor;

use crate::{Collecting, Delivering, Planning};

/// A policy or an effect.
#[derive(Debug, Clone, Copy)]
pub struct ReactorName {
    /// Names its place in the log.
    pub name: &'static str,
    /// The service that it is part of: it runs where that does.
    pub service: &'static str,
    /// What it reads.
    pub topics: &'static [&'static str],
}

/// All of them, whichever services this process runs.
pub const REACTORS: [ReactorName; 7] = [
    of::<InventoryPolicy>(),
    of::<OrderPolicy>(),
    of::<PaymentPolicy>(),
    of::<Collecting>(),
    of::<ShippingPolicy>(),
    of::<Planning>(),
    of::<Delivering>(),
];

const fn of<R: Reactor>() -> ReactorName {
    ReactorName {
        name: R::NAME,
        service: <R::Context as Context>::SERVICE,
        topics: R::TOPICS,
    }
}
