//! An event as a row: its metadata, its payload, and what it changes of its order.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use domain::ReadEvent;
use event_store::{Position, Recorded};
use serde::{Deserialize, Deserializer, de::Error};
use serde_json::{Map, Value, value::RawValue};
use uuid::Uuid;

use crate::{
    Orders, Projection,
    copy::{CopyBuffer, json},
    orders::{change::Change, view::OrderView},
    projection::{storable, stream_version},
};

const COLUMNS: i16 = 16;
/// The member of a payload that names the order whose journey it is a step of. What has none belongs to no order.
const ORDER_ID: &str = "order_id";
/// The one member that holds what is known of people. Of it, a history shows nothing.
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
    pub(crate) view: OrderView,
}

impl ReadEvent for HistoryEvent {
    fn deserialize<'de, D: Deserializer<'de>>(
        name: &str,
        version: u16,
        payload: D,
    ) -> Result<Self, D::Error> {
        let payload = Box::<RawValue>::deserialize(payload)?;
        let mut read = serde_json::Deserializer::from_str(payload.get());
        let view = OrderView::deserialize(name, version, &mut read).map_err(D::Error::custom)?;
        let mut data: Map<_, _> = serde_json::from_str(payload.get()).map_err(D::Error::custom)?;
        if let Some(personal) = data.get_mut(PERSONAL) {
            *personal = Value::Null;
        }
        drop_secrets(&mut data);
        Ok(Self {
            name: name.into(),
            version,
            is_of_an_order: data.contains_key(ORDER_ID),
            data: json(&data),
            view,
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

/// The order that an event is a step of: the one that it changes, or else the one whose journey it is.
pub(super) fn order_id(recorded: &Recorded<HistoryEvent>) -> Option<Uuid> {
    changed_order(recorded).or_else(|| {
        let is_of_an_order = recorded.event.is_of_an_order;
        is_of_an_order.then_some(recorded.metadata.correlation_id)
    })
}

/// The order whose row in `orders` is made of the event, too.
pub(super) fn changed_order(recorded: &Recorded<HistoryEvent>) -> Option<Uuid> {
    let is_read = Orders::TOPICS.contains(&&*recorded.position.topic);
    is_read.then(|| recorded.event.view.order_id(recorded))?
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
    order_id: Uuid,
    event_id: Uuid,
    name: Box<str>,
    type_version: i32,
    stream: Box<str>,
    version: i32,
    /// In its decision: events of one decision share their time.
    place: i32,
    time: DateTime<Utc>,
    correlation_id: Uuid,
    causation_id: Uuid,
    actor: Arc<str>,
    data: Box<str>,
    /// None where it changes nothing of the order.
    change: Option<Box<str>>,
}

impl HistoryRow {
    pub(super) fn new(recorded: &Recorded<HistoryEvent>) -> Result<Self, String> {
        let Recorded {
            metadata, event, ..
        } = recorded;
        storable("ce_actor", &metadata.actor)?;
        let change = changed_order(recorded).map(|_| Change::of(&event.view));
        Ok(Self {
            order_id: order_id(recorded).ok_or_else(|| "it is of no order".to_owned())?,
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
            change: change.transpose()?.map(|change| json(&change)),
        })
    }

    pub(super) fn copy(&self, at: &Place, to: &mut CopyBuffer) {
        to.row(COLUMNS);
        at.copy(to);
        to.uuid(self.order_id);
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
        to.or_null(self.change.as_deref(), CopyBuffer::json);
    }
}
