//! The orders' projector, but for what a test alters of it.

use event_store::Recorded;
use sqlx::PgConnection;
use uuid::Uuid;

use crate::{
    Orders, Projection,
    copy::CopyBuffer,
    orders::{row::OrderRow, view::OrderView},
    projection::RecordKey,
};

/// What is not said stays as it is.
pub(super) trait Altered: Sized + Send + Sync + 'static {
    const TABLES: &'static str = Orders::TABLES;
    const SHAPE: i32 = Orders::SHAPE;

    /// What the projector takes the event for.
    fn alter(event: &Recorded<OrderView>) -> Recorded<OrderView> {
        event.clone()
    }
}

impl<A: Altered> Projection for A {
    const NAME: &'static str = Orders::NAME;
    const TOPICS: &'static [&'static str] = Orders::TOPICS;
    const TABLES: &'static str = A::TABLES;
    const INDEXES: &'static str = Orders::INDEXES;
    const SHAPE: i32 = A::SHAPE;
    const INTO: &'static str = Orders::INTO;

    type Event = OrderView;
    type Key = Uuid;
    type Row = OrderRow;

    fn key(event: &Recorded<OrderView>) -> Option<Uuid> {
        Orders::key(event)
    }

    fn record_key(event: &Recorded<OrderView>) -> Option<RecordKey<'_>> {
        Orders::record_key(event)
    }

    fn begin(event: &Recorded<OrderView>) -> Result<Option<OrderRow>, String> {
        Orders::begin(event)
    }

    fn blank() -> Option<OrderRow> {
        Orders::blank()
    }

    fn apply(row: &mut OrderRow, event: &Recorded<OrderView>) -> Result<(), String> {
        Orders::apply(row, &A::alter(event))
    }

    async fn load(
        connection: &mut PgConnection,
        keys: &[Uuid],
    ) -> sqlx::Result<Vec<(Uuid, OrderRow)>> {
        Orders::load(connection, keys).await
    }

    async fn update(connection: &mut PgConnection, rows: &[(Uuid, OrderRow)]) -> sqlx::Result<()> {
        Orders::update(connection, rows).await
    }

    fn copy(key: &Uuid, row: &OrderRow, to: &mut CopyBuffer) {
        Orders::copy(key, row, to);
    }
}
