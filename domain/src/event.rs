//! What the event store needs to know of an event.

use std::{
    fmt::{Debug, Display},
    hash::Hash,
};

use serde::{Deserializer, Serialize, de::DeserializeOwned};
use uuid::Uuid;

/// The name and the shape of an event: `OrderPlaced`, version 1. Shapes are for ever; a new shape is a new version.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct EventKind {
    /// The bare name, as in `ce_type`.
    pub name: &'static str,
    /// The version of the payload's shape, from 1.
    pub version: u16,
}

/// Something that can be read from topics: a service's own events, or a reader's view of several services' events.
pub trait ReadEvent: Sized + Send + 'static {
    /// Reads the payload of any version ever released, lifting old ones ([`upcast`](crate::upcast)). A view gives what it does
    /// not care about one variant, so that other services can add events without asking.
    ///
    /// # Errors
    /// When the name or version is unknown, or the payload does not have its shape.
    fn deserialize<'de, D: Deserializer<'de>>(
        name: &str,
        version: u16,
        payload: D,
    ) -> Result<Self, D::Error>;
}

/// A past fact, addressed to a stream in a topic.
///
/// The payload's format is the event store's choice; an event only says how it is taken apart and put together by serde.
pub trait Event: ReadEvent + Serialize + Clone + Debug + Send + Sync + 'static {
    /// Names one aggregate's stream; displays as `order-<id>`.
    type StreamId: Clone
        + Ord
        + Hash
        + Debug
        + Display
        + Serialize
        + DeserializeOwned
        + Send
        + Sync
        + 'static;

    /// Name and version, which `deserialize` takes back.
    fn kind(&self) -> EventKind;

    /// The topic that the event is addressed to.
    fn topic(&self) -> &'static str;

    /// The stream that the event belongs to.
    fn stream(&self) -> Self::StreamId;

    /// The record key of a stream: the bare order id, SKU or cart id. It alone decides the partition.
    fn key(stream: &Self::StreamId) -> String;

    /// The journey that the event is a step of, where its payload tells: an order's id. Else it is the command's.
    fn journey(&self) -> Option<Uuid> {
        None
    }
}
