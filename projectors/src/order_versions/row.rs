//! An event as a row: what it changes of its order.

use chrono::{DateTime, Utc};
use domain::{ReadEvent, topics::ORDER_EVENTS};
use event_store::Recorded;
use serde::Deserializer;
use uuid::Uuid;

use crate::{
    copy::{CopyBuffer, json},
    history::row::Place,
    orders::{change::Change, view::OrderView},
    projection::{storable, stream_version},
};

const COLUMNS: i16 = 8;

/// Something that changes an order, and how it is called.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NamedView {
    name: Box<str>,
    pub(crate) view: OrderView,
}

impl ReadEvent for NamedView {
    fn deserialize<'de, D: Deserializer<'de>>(
        name: &str,
        version: u16,
        payload: D,
    ) -> Result<Self, D::Error> {
        Ok(Self {
            name: name.into(),
            view: OrderView::deserialize(name, version, payload)?,
        })
    }
}

/// A step of an order's way to what it is.
#[derive(Debug)]
pub struct OrderVersionRow {
    order_id: Uuid,
    /// None where a payment or a shipment of it has changed.
    version: Option<i32>,
    time: DateTime<Utc>,
    name: Box<str>,
    change: Box<str>,
}

impl OrderVersionRow {
    pub(super) fn new(recorded: &Recorded<NamedView>) -> Result<Self, String> {
        let NamedView { name, view } = &recorded.event;
        let order_id = view.order_id(recorded);
        let is_own = &*recorded.position.topic == ORDER_EVENTS;
        let version = is_own.then(|| stream_version(recorded)).transpose()?;
        Ok(Self {
            order_id: order_id.ok_or_else(|| "it is of no order".to_owned())?,
            version,
            time: recorded.metadata.time,
            name: storable("ce_type", name)?.into(),
            change: json(&Change::of(view)?),
        })
    }

    pub(super) fn copy(&self, at: &Place, to: &mut CopyBuffer) {
        to.row(COLUMNS);
        at.copy(to);
        to.uuid(self.order_id);
        to.or_null(self.version, CopyBuffer::integer);
        to.timestamp(self.time);
        to.text(&self.name);
        to.json(&self.change);
    }
}
