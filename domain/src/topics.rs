//! The names of the topics, as every consumer knows them.

/// What happened to orders; opened by whoever takes the purchase, appended to by the order service.
pub const ORDER_EVENTS: &str = "OrderEvents";
