//! The history of each order: one row for every event of its journey, whichever service it happened in.
//!
//! Rows are only ever added, each with its place in the log as its key. Payloads are kept as they are, whatever they say, so
//! that services can add events without asking; what is personal, and from where is paid, stays in the log alone.

pub(crate) mod row;

use domain::topics::{
    CART_EVENTS, INVENTORY_EVENTS, NOTIFICATION_EVENTS, ORDER_EVENTS, PAYMENT_EVENTS,
    SHIPPING_EVENTS,
};
use event_store::Recorded;

use self::row::{HistoryEvent, HistoryRow, Place};
use crate::{copy::CopyBuffer, projection::Projection};

/// The read model behind `GET /v1/orders/{id}/history`.
#[derive(Debug, Clone, Copy)]
pub struct History;

impl Projection for History {
    const NAME: &'static str = "history";
    const TOPICS: &'static [&'static str] = &[
        ORDER_EVENTS,
        INVENTORY_EVENTS,
        CART_EVENTS,
        PAYMENT_EVENTS,
        SHIPPING_EVENTS,
        NOTIFICATION_EVENTS,
    ];
    const TABLES: &'static str = include_str!("history/tables.sql");
    const INDEXES: &'static str = include_str!("history/indexes.sql");
    const SHAPE: i32 = 2;
    const TABLE_OF_EVENTS: Option<&'static str> = Some("history");
    const INTO: &'static str = "
        history (topic, partition, position, order_id, event_id, type, type_version, stream, version, place, time,
            correlation_id, causation_id, actor, data)";

    type Event = HistoryEvent;
    type Key = Place;
    type Row = HistoryRow;

    fn key(event: &Recorded<HistoryEvent>) -> Option<Place> {
        let is_shown = event.event.is_of_an_order();
        is_shown.then(|| Place::from(&event.position))
    }

    fn begin(event: &Recorded<HistoryEvent>) -> Result<Option<HistoryRow>, String> {
        HistoryRow::new(event).map(Some)
    }

    fn apply(_: &mut HistoryRow, _: &Recorded<HistoryEvent>) -> Result<(), String> {
        Err("there is an event of this position already".to_owned())
    }

    fn copy(place: &Place, row: &HistoryRow, to: &mut CopyBuffer) {
        row.copy(place, to);
    }
}
