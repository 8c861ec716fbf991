//! The past of each order: one row for every event that changes it, with what it changes.
//!
//! Rows are only ever added, each with its place in the log as its key, so each is made of one event alone, in whichever order
//! the topics come. Whoever reads them folds them (docs/adr/0009-the-past-in-changes.md).

pub(crate) mod row;

use domain::topics::{ORDER_EVENTS, PAYMENT_EVENTS, SHIPPING_EVENTS};
use event_store::Recorded;

use self::row::{NamedView, OrderVersionRow};
use crate::{copy::CopyBuffer, history::row::Place, projection::Projection};

/// The read model behind `at_version`, `at_time` and the stream of an order.
#[derive(Debug, Clone, Copy)]
pub struct OrderVersions;

impl Projection for OrderVersions {
    const NAME: &'static str = "order_versions";
    const TOPICS: &'static [&'static str] = &[ORDER_EVENTS, PAYMENT_EVENTS, SHIPPING_EVENTS];
    const TABLES: &'static str = include_str!("order_versions/tables.sql");
    const INDEXES: &'static str = include_str!("order_versions/indexes.sql");
    const SHAPE: i32 = 2;
    const TABLE_OF_EVENTS: Option<&'static str> = Some("order_versions");
    const INTO: &'static str = "
        order_versions (topic, partition, position, order_id, version, time, type, change)";

    type Event = NamedView;
    type Key = Place;
    type Row = OrderVersionRow;

    fn key(event: &Recorded<NamedView>) -> Option<Place> {
        event.event.view.order_id(event)?;
        Some(Place::from(&event.position))
    }

    fn begin(event: &Recorded<NamedView>) -> Result<Option<OrderVersionRow>, String> {
        OrderVersionRow::new(event).map(Some)
    }

    fn apply(_: &mut OrderVersionRow, _: &Recorded<NamedView>) -> Result<(), String> {
        Err("there is an event of this position already".to_owned())
    }

    fn copy(place: &Place, row: &OrderVersionRow, to: &mut CopyBuffer) {
        row.copy(place, to);
    }
}
