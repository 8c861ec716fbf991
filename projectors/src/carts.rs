//! Carts as customers see them: one row a cart, out of CartEvents.

pub(crate) mod row;

use domain::topics::CART_EVENTS;
use event_store::Recorded;
use sqlx::{PgConnection, types::Json};
use uuid::Uuid;

use self::row::{CartRow, CartView, Item};
use crate::{
    copy::{CopyBuffer, json},
    projection::{Projection, RecordKey},
};

/// The read model behind `GET /v1/carts/{id}`.
#[derive(Debug, Clone, Copy)]
pub struct Carts;

impl Projection for Carts {
    const NAME: &'static str = "carts";
    const TOPICS: &'static [&'static str] = &[CART_EVENTS];
    const TABLES: &'static str = include_str!("carts/tables.sql");
    const INDEXES: &'static str = include_str!("carts/indexes.sql");
    const SHAPE: i32 = 2;
    const INTO: &'static str = "carts (id, customer_id, status, version, items, totals, order_id)";

    type Event = CartView;
    type Key = Uuid;
    type Row = CartRow;

    fn key(event: &Recorded<CartView>) -> Option<Uuid> {
        event.event.cart_id().map(domain::ids::CartId::as_uuid)
    }

    fn record_key(event: &Recorded<CartView>) -> Option<RecordKey<'_>> {
        Self::key(event).map(RecordKey::Id)
    }

    /// The table is always asked, so that what was applied before changes nothing.
    fn begin(_: &Recorded<CartView>) -> Result<Option<CartRow>, String> {
        Ok(None)
    }

    fn blank() -> Option<CartRow> {
        Some(CartRow::default())
    }

    fn apply(row: &mut CartRow, event: &Recorded<CartView>) -> Result<(), String> {
        row.apply(event)
    }

    async fn load(
        connection: &mut PgConnection,
        keys: &[Uuid],
    ) -> sqlx::Result<Vec<(Uuid, CartRow)>> {
        let rows = sqlx::query!(
            r#"select id, customer_id, status, version, items as "items: Json<Vec<Item>>", order_id
               from carts where id = any($1)"#,
            keys,
        )
        .fetch_all(connection)
        .await?;
        let rows = rows.into_iter().map(|row| {
            let Json(items) = row.items;
            let cart = CartRow {
                customer_id: row.customer_id.map(Into::into),
                status: row.status.into(),
                version: row.version,
                items,
                order_id: row.order_id,
            };
            (row.id, cart)
        });
        Ok(rows.collect())
    }

    async fn update(connection: &mut PgConnection, rows: &[(Uuid, CartRow)]) -> sqlx::Result<()> {
        let ids: Vec<Uuid> = rows.iter().map(|(id, _)| *id).collect();
        let carts = || rows.iter().map(|(_, cart)| cart);
        let customers: Vec<_> = carts().map(|cart| cart.customer_id.as_deref()).collect();
        let statuses: Vec<&str> = carts().map(|cart| &*cart.status).collect();
        let versions: Vec<i32> = carts().map(|cart| cart.version).collect();
        let items: Vec<_> = carts().map(|cart| json(&cart.items)).collect();
        let totals: Vec<_> = carts()
            .map(|cart| cart.totals().as_ref().map(json))
            .collect();
        let orders: Vec<Option<Uuid>> = carts().map(|cart| cart.order_id).collect();
        sqlx::query!(
            "update carts c
             set customer_id = r.customer_id, status = r.status, version = r.version, items = r.items::json,
                 totals = r.totals::json, order_id = r.order_id
             from unnest($1::uuid[], $2::text[], $3::text[], $4::integer[], $5::text[], $6::text[], $7::uuid[])
                 as r (id, customer_id, status, version, items, totals, order_id)
             where c.id = r.id",
            &ids,
            &customers as &[Option<&str>],
            &statuses as &[&str],
            &versions,
            &items as &[Box<str>],
            &totals as &[Option<Box<str>>],
            &orders as &[Option<Uuid>],
        )
        .execute(connection)
        .await?;
        Ok(())
    }

    fn copy(id: &Uuid, cart: &CartRow, to: &mut CopyBuffer) {
        cart.copy(*id, to);
    }
}
