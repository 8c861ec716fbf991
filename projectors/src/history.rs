//! The history of each order: one row for every event of its journey, whichever service it happened in.
//!
//! Rows are only ever added, each with its place in the log as its key, so each is made of one event alone, in whichever order
//! the topics come. Payloads are kept as they are, whatever they say, so that services can add events without asking; what is
//! personal, and from where is paid, is left out of them. Beside it stands what the event changes of its order: whoever reads an
//! order's past folds that (docs/adr/0009-the-past-in-changes.md).

pub(crate) mod row;

use domain::topics::{
    CART_EVENTS, INVENTORY_EVENTS, NOTIFICATION_EVENTS, ORDER_EVENTS, PAYMENT_EVENTS,
    SHIPPING_EVENTS,
};
use event_store::Recorded;

use self::row::{HistoryEvent, HistoryRow, Place};
use crate::{
    copy::CopyBuffer,
    projection::{Projection, RecordKey},
};

/// The read model behind an order's history, `at_version`, `at_time`, and the stream of an order.
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
    const SHAPE: i32 = 3;
    const TABLE_OF_EVENTS: Option<&'static str> = Some("history");
    const INTO: &'static str = "
        history (topic, partition, position, order_id, event_id, type, type_version, stream, version, place, time,
            correlation_id, causation_id, actor, data, change)";

    type Event = HistoryEvent;
    type Key = Place;
    type Row = HistoryRow;

    fn key(event: &Recorded<HistoryEvent>) -> Option<Place> {
        row::order_id(event)?;
        Some(Place::from(&event.position))
    }

    /// Of what changes an order: its past tells what the order itself does. The other rows stand for themselves.
    fn record_key(event: &Recorded<HistoryEvent>) -> Option<RecordKey<'_>> {
        row::changed_order(event).map(RecordKey::Id)
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
