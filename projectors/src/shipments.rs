//! Shipments as customers see them: one row a shipment, out of ShippingEvents.
//!
//! What is only planned is not shown, and has no row before something else becomes of it.

pub(crate) mod row;

use domain::topics::SHIPPING_EVENTS;
use event_store::Recorded;
use sqlx::PgConnection;
use uuid::Uuid;

use self::row::{Parcel, ShipmentRow, ShipmentView};
use crate::{
    copy::CopyBuffer,
    projection::{Projection, RecordKey},
};

/// The read model behind `GET /v1/shipments/{id}`.
#[derive(Debug, Clone, Copy)]
pub struct Shipments;

impl Projection for Shipments {
    const NAME: &'static str = "shipments";
    const TOPICS: &'static [&'static str] = &[SHIPPING_EVENTS];
    const TABLES: &'static str = include_str!("shipments/tables.sql");
    const INDEXES: &'static str = include_str!("shipments/indexes.sql");
    const SHAPE: i32 = 2;
    const INTO: &'static str = "
        shipments (id, version, order_id, status, lines, carrier, tracking_number, created_at, updated_at)";

    type Event = ShipmentView;
    type Key = Uuid;
    type Row = ShipmentRow;

    fn key(event: &Recorded<ShipmentView>) -> Option<Uuid> {
        event.event.shipment_id()
    }

    fn record_key(event: &Recorded<ShipmentView>) -> Option<RecordKey<'_>> {
        event.event.order_id().map(RecordKey::Id)
    }

    /// No event is surely the first: what cancels a shipment may come before there is one.
    fn begin(_: &Recorded<ShipmentView>) -> Result<Option<ShipmentRow>, String> {
        Ok(None)
    }

    fn blank() -> Option<ShipmentRow> {
        Some(ShipmentRow::default())
    }

    fn apply(row: &mut ShipmentRow, event: &Recorded<ShipmentView>) -> Result<(), String> {
        row.apply(event)
    }

    async fn load(
        connection: &mut PgConnection,
        keys: &[Uuid],
    ) -> sqlx::Result<Vec<(Uuid, ShipmentRow)>> {
        let rows = sqlx::query!(
            r#"select id, version, order_id, coalesce(status, '') as "status!", coalesce(lines, '[]')::text as "lines!",
                   carrier, tracking_number, coalesce(created_at, updated_at) as "created_at!", updated_at
               from shipments where id = any($1)"#,
            keys,
        )
        .fetch_all(connection)
        .await?;
        let rows = rows.into_iter().map(|row| {
            let (carrier, tracking_number) = (row.carrier, row.tracking_number);
            let parcel = row.order_id.map(|order_id| Parcel {
                order_id,
                status: row.status.into(),
                lines: row.lines.into(),
                carrier: carrier.map(Into::into),
                tracking_number: tracking_number.map(Into::into),
                created_at: row.created_at,
            });
            let shipment = ShipmentRow {
                version: row.version,
                parcel,
                updated_at: row.updated_at,
            };
            (row.id, shipment)
        });
        Ok(rows.collect())
    }

    async fn update(
        connection: &mut PgConnection,
        rows: &[(Uuid, ShipmentRow)],
    ) -> sqlx::Result<()> {
        let ids: Vec<Uuid> = rows.iter().map(|(id, _)| *id).collect();
        let versions: Vec<i32> = rows.iter().map(|(_, row)| row.version).collect();
        let parcels = || rows.iter().map(|(_, row)| row.parcel.as_ref());
        let orders: Vec<_> = parcels().map(|parcel| Some(parcel?.order_id)).collect();
        let statuses: Vec<_> = parcels().map(|parcel| Some(&*parcel?.status)).collect();
        let lines: Vec<_> = parcels().map(|parcel| Some(&*parcel?.lines)).collect();
        let carriers: Vec<_> = parcels().map(|parcel| parcel?.carrier.as_deref()).collect();
        let tracking_numbers: Vec<_> = parcels()
            .map(|parcel| parcel?.tracking_number.as_deref())
            .collect();
        let created: Vec<_> = parcels().map(|parcel| Some(parcel?.created_at)).collect();
        let updated: Vec<_> = rows.iter().map(|(_, row)| row.updated_at).collect();
        sqlx::query!(
            "update shipments s
             set version = r.version, order_id = r.order_id, status = r.status, lines = r.lines::json, carrier = r.carrier,
                 tracking_number = r.tracking_number, created_at = r.created_at, updated_at = r.updated_at
             from unnest($1::uuid[], $2::integer[], $3::uuid[], $4::text[], $5::text[], $6::text[], $7::text[],
                     $8::timestamptz[], $9::timestamptz[])
                 as r (id, version, order_id, status, lines, carrier, tracking_number, created_at, updated_at)
             where s.id = r.id",
            &ids,
            &versions,
            &orders as &[Option<Uuid>],
            &statuses as &[Option<&str>],
            &lines as &[Option<&str>],
            &carriers as &[Option<&str>],
            &tracking_numbers as &[Option<&str>],
            &created as &[Option<_>],
            &updated,
        )
        .execute(connection)
        .await?;
        Ok(())
    }

    fn copy(id: &Uuid, row: &ShipmentRow, to: &mut CopyBuffer) {
        row.copy(*id, to);
    }
}
