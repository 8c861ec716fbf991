//! An event as a row: its metadata, and its payload unread.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use domain::ReadEvent;
use event_store::{Position, Recorded};
use serde::{Deserialize, Deserializer};
use serde_json::{Map, Value};
use uuid::Uuid;

use crate::{
    copy::{CopyBuffer, json},
    projection::{storable, stream_version},
};

const COLUMNS: i16 = 15;
/// The member of a payload that names the order whose journey it is a step of. What has none belongs to no order.
const ORDER_ID: &str = "order_id";
/// The one member that holds what is known of people. It is not copied to a second place, where it could not be erased.
const PERSONAL: &str = "personal";
/// From where an order is paid, sealed, and whom its webhooks tell, whose address may hold a token: for nobody but those who
/// call them.
const SECRETS: [&str; 2] = ["method", "target"];

/// Any event at all.
#[derive(Debug, Clone, PartialEq)]
pub struct HistoryEvent {
    name: Box<str>,
    version: u16,
    is_of_an_order: bool,
    data: Box<str>,
}

impl ReadEvent for HistoryEvent {
    fn deserialize<'de, D: Deserializer<'de>>(
        name: &str,
        version: u16,
        payload: D,
    ) -> Result<Self, D::Error> {
        let mut data = Map::deserialize(payload)?;
        if let Some(personal) = data.get_mut(PERSONAL) {
            *personal = Value::Null;
        }
        drop_secrets(&mut data);
        Ok(Self {
            name: name.into(),
            version,
            is_of_an_order: data.contains_key(ORDER_ID),
            data: json(&data),
        })
    }
}

/// Wherever it stands: what the gateway is asked again is in a member of its own.
fn drop_secrets(data: &mut Map<String, Value>) {
    for secret in SECRETS {
        data.remove(secret);
    }
    for member in data.values_mut() {
        if let Value::Object(member) = member {
            drop_secrets(member);
        }
    }
}

impl HistoryEvent {
    /// Whether it is a step of an order's journey.
    pub(super) fn is_of_an_order(&self) -> bool {
        self.is_of_an_order
    }
}

/// Where an event stands in the log.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Place {
    topic: Arc<str>,
    partition: i32,
    offset: i64,
}

impl From<&Position> for Place {
    fn from(position: &Position) -> Self {
        Self {
            topic: Arc::clone(&position.topic),
            partition: position.partition,
            offset: position.offset,
        }
    }
}

impl Place {
    /// As three columns.
    pub(crate) fn copy(&self, to: &mut CopyBuffer) {
        to.text(&self.topic);
        to.integer(self.partition);
        to.bigint(self.offset);
    }
}

/// A step of an order's journey.
#[derive(Debug)]
pub struct HistoryRow {
    event_id: Uuid,
    name: Box<str>,
    type_version: i32,
    stream: Box<str>,
    version: i32,
    /// In its decision: events of one decision share their time.
    place: i32,
    time: DateTime<Utc>,
    /// The order's id.
    correlation_id: Uuid,
    causation_id: Uuid,
    actor: Arc<str>,
    data: Box<str>,
}

impl HistoryRow {
    pub(super) fn new(recorded: &Recorded<HistoryEvent>) -> Result<Self, String> {
        let Recorded {
            metadata, event, ..
        } = recorded;
        storable("ce_actor", &metadata.actor)?;
        Ok(Self {
            event_id: metadata.event_id,
            name: storable("ce_type", &event.name)?.into(),
            type_version: event.version.into(),
            stream: storable("ce_subject", &metadata.stream)?.into(),
            version: stream_version(recorded)?,
            place: metadata.decision.index.into(),
            time: metadata.time,
            correlation_id: metadata.correlation_id,
            causation_id: metadata.causation_id,
            actor: Arc::clone(&metadata.actor),
            data: event.data.clone(),
        })
    }

    pub(super) fn copy(&self, at: &Place, to: &mut CopyBuffer) {
        to.row(COLUMNS);
        at.copy(to);
        to.uuid(self.correlation_id);
        to.uuid(self.event_id);
        to.text(&self.name);
        to.integer(self.type_version);
        to.text(&self.stream);
        to.integer(self.version);
        to.integer(self.place);
        to.timestamp(self.time);
        to.uuid(self.correlation_id);
        to.uuid(self.causation_id);
        to.text(&self.actor);
        to.json(&self.data);
    }
}
