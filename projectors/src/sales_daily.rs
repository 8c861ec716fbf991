//! What was sold: orders, revenue and units of a day and a currency, out of OrderEvents. An order is sold when its goods leave.
//!
//! Rows are sums, so an event that was applied twice would count twice: that it is applied once is for the checkpoint to see
//! to, which moves in the same transaction.

pub(crate) mod row;

use chrono::NaiveDate;
use domain::topics::ORDER_EVENTS;
use event_store::Recorded;
use sqlx::PgConnection;

use self::row::{SalesDay, SalesRow, SalesView};
use crate::{
    copy::CopyBuffer,
    projection::{Projection, RecordKey, storable_time},
};

/// The read model behind `GET /v1/sales/daily`.
#[derive(Debug, Clone, Copy)]
pub struct SalesDaily;

impl Projection for SalesDaily {
    const NAME: &'static str = "sales_daily";
    const TOPICS: &'static [&'static str] = &[ORDER_EVENTS];
    const TABLES: &'static str = include_str!("sales_daily/tables.sql");
    const INDEXES: &'static str = include_str!("sales_daily/indexes.sql");
    const INTO: &'static str = "sales_daily (day, currency, partition, orders, revenue, units)";

    type Event = SalesView;
    type Key = SalesDay;
    type Row = SalesRow;

    fn key(event: &Recorded<SalesView>) -> Option<SalesDay> {
        SalesDay::of(event)
    }

    /// Each partition has rows of its own; but what is no order's event is no sale of it either, and counts once it is written again
    /// where it belongs.
    fn record_key(event: &Recorded<SalesView>) -> Option<RecordKey<'_>> {
        event.event.order_id().map(RecordKey::Id)
    }

    /// Which order is the first of its day, only the table knows. It is not asked for a day that it could not hold.
    fn begin(event: &Recorded<SalesView>) -> Result<Option<SalesRow>, String> {
        if let SalesView::Shipped(shipped) = &event.event {
            storable_time("shipped_at", shipped.shipped_at)?;
        }
        Ok(None)
    }

    fn blank() -> Option<SalesRow> {
        Some(SalesRow::default())
    }

    fn apply(row: &mut SalesRow, event: &Recorded<SalesView>) -> Result<(), String> {
        row.apply(event)
    }

    async fn load(
        connection: &mut PgConnection,
        keys: &[SalesDay],
    ) -> sqlx::Result<Vec<(SalesDay, SalesRow)>> {
        let (days, currencies, partitions) = columns(keys.iter());
        let rows = sqlx::query!(
            "select k.place, orders, revenue, units
             from unnest($1::date[], $2::text[], $3::integer[]) with ordinality as k (day, currency, partition, place)
             join sales_daily using (day, currency, partition)",
            &days,
            &currencies as &[&str],
            &partitions,
        )
        .fetch_all(connection)
        .await?;
        let rows = rows.into_iter().filter_map(|row| {
            let index = usize::try_from(row.place? - 1).ok()?;
            let sales = SalesRow {
                orders: row.orders,
                revenue: row.revenue,
                units: row.units,
            };
            Some((*keys.get(index)?, sales))
        });
        Ok(rows.collect())
    }

    async fn update(
        connection: &mut PgConnection,
        rows: &[(SalesDay, SalesRow)],
    ) -> sqlx::Result<()> {
        let (days, currencies, partitions) = columns(rows.iter().map(|(day, _)| day));
        let orders: Vec<i64> = rows.iter().map(|(_, row)| row.orders).collect();
        let revenue: Vec<i64> = rows.iter().map(|(_, row)| row.revenue).collect();
        let units: Vec<i64> = rows.iter().map(|(_, row)| row.units).collect();
        sqlx::query!(
            "update sales_daily s
             set orders = r.orders, revenue = r.revenue, units = r.units
             from unnest($1::date[], $2::text[], $3::integer[], $4::bigint[], $5::bigint[], $6::bigint[])
                 as r (day, currency, partition, orders, revenue, units)
             where s.day = r.day and s.currency = r.currency and s.partition = r.partition",
            &days,
            &currencies as &[&str],
            &partitions,
            &orders,
            &revenue,
            &units,
        )
        .execute(connection)
        .await?;
        Ok(())
    }

    fn copy(day: &SalesDay, row: &SalesRow, to: &mut CopyBuffer) {
        row.copy(day, to);
    }
}

fn columns<'a>(
    keys: impl Iterator<Item = &'a SalesDay> + Clone,
) -> (Vec<NaiveDate>, Vec<&'a str>, Vec<i32>) {
    (
        keys.clone().map(|key| key.day).collect(),
        keys.clone().map(|key| key.currency.as_str()).collect(),
        keys.map(|key| key.partition).collect(),
    )
}
