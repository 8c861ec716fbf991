//! Orders as customers see them: one row an order, out of OrderEvents.

mod row;

use domain::{order::OrderEvent, topics::ORDER_EVENTS};
use event_store::Recorded;
use sqlx::{PgConnection, types::Json};
use uuid::Uuid;

use self::row::{Journey, OrderRow, Payment};
use crate::{copy::CopyBuffer, projection::Projection};

/// The read model behind `GET /v1/orders`.
#[derive(Debug, Clone, Copy)]
pub struct Orders;

impl Projection for Orders {
    const NAME: &'static str = "orders";
    const TOPICS: &'static [&'static str] = &[ORDER_EVENTS];
    const TABLES: &'static str = include_str!("orders/tables.sql");
    const INDEXES: &'static str = include_str!("orders/indexes.sql");
    const COPY: &'static str = "
        copy orders (id, customer_id, status, stuck, version, currency, items_amount, total_amount, lines, payment,
            last_payment_error, shipments, shipping_address, placed_at, updated_at)
        from stdin (format binary)";

    type Event = OrderEvent;
    type Key = Uuid;
    type Row = OrderRow;

    fn key(event: &Recorded<OrderEvent>) -> Option<Uuid> {
        match &event.event {
            // A message in another topic: no event of the order's stream.
            OrderEvent::InventoryCheck(_) => None,
            event => Some(event.order_id().as_uuid()),
        }
    }

    fn begin(event: &Recorded<OrderEvent>) -> Result<Option<OrderRow>, String> {
        row::begin(event)
    }

    fn apply(row: &mut OrderRow, event: &Recorded<OrderEvent>) -> Result<(), String> {
        row::apply(&mut row.journey, event)
    }

    async fn load(
        connection: &mut PgConnection,
        keys: &[Uuid],
    ) -> sqlx::Result<Vec<(Uuid, OrderRow)>> {
        let rows = sqlx::query!(
            r#"select id, status, stuck, version, payment as "payment: Json<Payment>", updated_at
               from orders where id = any($1)"#,
            keys,
        )
        .fetch_all(connection)
        .await?;
        let rows = rows.into_iter().map(|row| {
            let journey = Journey {
                status: row.status.into(),
                stuck: row.stuck,
                version: row.version,
                payment: row.payment.map(|Json(payment)| payment),
                updated_at: row.updated_at,
            };
            (
                row.id,
                OrderRow {
                    placed: None,
                    journey,
                },
            )
        });
        Ok(rows.collect())
    }

    async fn update(connection: &mut PgConnection, rows: &[(Uuid, OrderRow)]) -> sqlx::Result<()> {
        let ids: Vec<Uuid> = rows.iter().map(|(id, _)| *id).collect();
        let journeys = || rows.iter().map(|(_, row)| &row.journey);
        let statuses: Vec<&str> = journeys().map(|journey| &*journey.status).collect();
        let stuck: Vec<bool> = journeys().map(|journey| journey.stuck).collect();
        let versions: Vec<i32> = journeys().map(|journey| journey.version).collect();
        let payments: Vec<Option<Json<&Payment>>> = journeys()
            .map(|journey| journey.payment.as_ref().map(Json))
            .collect();
        let updated: Vec<_> = journeys().map(|journey| journey.updated_at).collect();
        sqlx::query!(
            "update orders o
             set status = r.status, stuck = r.stuck, version = r.version, payment = r.payment, updated_at = r.updated_at
             from unnest($1::uuid[], $2::text[], $3::boolean[], $4::integer[], $5::jsonb[], $6::timestamptz[])
                 as r (id, status, stuck, version, payment, updated_at)
             where o.id = r.id",
            &ids,
            &statuses as &[&str],
            &stuck,
            &versions,
            &payments as &[Option<Json<&Payment>>],
            &updated,
        )
        .execute(connection)
        .await?;
        Ok(())
    }

    fn copy(id: &Uuid, row: &OrderRow, to: &mut CopyBuffer) {
        row.copy(*id, to);
    }
}
