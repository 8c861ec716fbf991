//! Orders as customers see them: one row an order, out of its own events, its payments' and its shipments'.
//!
//! The three come in no promised order: each has columns of its own, and a row begins with whichever comes first. Until the
//! order's own first event comes, it is not placed, and is not shown.

pub(crate) mod change;
mod following;
pub(crate) mod row;
pub(crate) mod view;

use domain::topics::{ORDER_EVENTS, PAYMENT_EVENTS, SHIPPING_EVENTS};
use event_store::Recorded;
use sqlx::{PgConnection, types::Json};
use uuid::Uuid;

use self::{
    change::{PaymentError, Placed},
    following::{Billing, Parcel, Parcels, Payment},
    row::{Journey, OrderRow},
    view::OrderView,
};
use crate::{
    copy::{CopyBuffer, json},
    projection::{Projection, RecordKey},
};

/// The read model behind `GET /v1/orders`.
#[derive(Debug, Clone, Copy)]
pub struct Orders;

impl Projection for Orders {
    const NAME: &'static str = "orders";
    const TOPICS: &'static [&'static str] = &[ORDER_EVENTS, PAYMENT_EVENTS, SHIPPING_EVENTS];
    const TABLES: &'static str = include_str!("orders/tables.sql");
    const INDEXES: &'static str = include_str!("orders/indexes.sql");
    const SHAPE: i32 = 3;
    const INTO: &'static str = "
        orders (id, customer_id, status, stuck, version, currency, items_amount, total_amount, lines,
            last_payment_error, shipping_address, placed_at, payment, payment_attempt, payment_next_offset, shipments,
            shipping_next_offset, updated_at)";

    type Event = OrderView;
    type Key = Uuid;
    type Row = OrderRow;

    fn key(event: &Recorded<OrderView>) -> Option<Uuid> {
        event.event.order_id(event)
    }

    fn record_key(event: &Recorded<OrderView>) -> Option<RecordKey<'_>> {
        Self::key(event).map(RecordKey::Id)
    }

    /// No event is surely the first: another topic's may have been.
    fn begin(_: &Recorded<OrderView>) -> Result<Option<OrderRow>, String> {
        Ok(None)
    }

    fn blank() -> Option<OrderRow> {
        Some(OrderRow::default())
    }

    fn apply(row: &mut OrderRow, event: &Recorded<OrderView>) -> Result<(), String> {
        row.apply(event)
    }

    async fn load(
        connection: &mut PgConnection,
        keys: &[Uuid],
    ) -> sqlx::Result<Vec<(Uuid, OrderRow)>> {
        let rows = sqlx::query!(
            r#"select id, status, stuck, version, last_payment_error as "last_payment_error: Json<PaymentError>",
                   payment as "payment: Json<Payment>", payment_attempt, payment_next_offset,
                   shipments as "shipments: Json<Vec<Parcel>>", shipping_next_offset, updated_at
               from orders where id = any($1)"#,
            keys,
        )
        .fetch_all(connection)
        .await?;
        let rows = rows.into_iter().map(|row| {
            let Json(shipments) = row.shipments;
            let order = OrderRow {
                placed: None,
                journey: Journey {
                    status: row.status.map(Into::into),
                    stuck: row.stuck,
                    version: row.version,
                    last_payment_error: row.last_payment_error.map(|Json(error)| error),
                },
                billing: Billing {
                    payment: row.payment.map(|Json(payment)| payment),
                    attempt: row.payment_attempt,
                    next_offset: row.payment_next_offset,
                },
                parcels: Parcels {
                    shipments,
                    next_offset: row.shipping_next_offset,
                },
                updated_at: row.updated_at,
            };
            (row.id, order)
        });
        Ok(rows.collect())
    }

    async fn update(connection: &mut PgConnection, rows: &[(Uuid, OrderRow)]) -> sqlx::Result<()> {
        follow(connection, rows).await?;
        let placed = rows
            .iter()
            .filter_map(|(id, row)| Some((*id, row.placed.as_ref()?)));
        let placed: Vec<(Uuid, &Placed)> = placed.collect();
        match placed.is_empty() {
            true => Ok(()),
            false => place(connection, &placed).await,
        }
    }

    fn copy(id: &Uuid, row: &OrderRow, to: &mut CopyBuffer) {
        row.copy(*id, to);
    }
}

/// Writes what any event can change.
async fn follow(connection: &mut PgConnection, rows: &[(Uuid, OrderRow)]) -> sqlx::Result<()> {
    let ids: Vec<Uuid> = rows.iter().map(|(id, _)| *id).collect();
    let journeys = || rows.iter().map(|(_, row)| &row.journey);
    let statuses: Vec<_> = journeys()
        .map(|journey| journey.status.as_deref())
        .collect();
    let stuck: Vec<bool> = journeys().map(|journey| journey.stuck).collect();
    let versions: Vec<i32> = journeys().map(|journey| journey.version).collect();
    let errors: Vec<_> = journeys()
        .map(|journey| journey.last_payment_error.as_ref().map(json))
        .collect();
    let billings = || rows.iter().map(|(_, row)| &row.billing);
    let payments: Vec<_> = billings()
        .map(|billing| billing.payment.as_ref().map(json))
        .collect();
    let attempts: Vec<i32> = billings().map(|billing| billing.attempt).collect();
    let payment_offsets: Vec<i64> = billings().map(|billing| billing.next_offset).collect();
    let parcels = || rows.iter().map(|(_, row)| &row.parcels);
    let shipments: Vec<_> = parcels().map(|parcels| json(&parcels.shipments)).collect();
    let shipping_offsets: Vec<i64> = parcels().map(|parcels| parcels.next_offset).collect();
    let updated: Vec<_> = rows.iter().map(|(_, row)| row.updated_at).collect();
    sqlx::query!(
        "update orders o
         set status = r.status, stuck = r.stuck, version = r.version, last_payment_error = r.last_payment_error::json,
             payment = r.payment::json, payment_attempt = r.payment_attempt, payment_next_offset = r.payment_next_offset,
             shipments = r.shipments::json, shipping_next_offset = r.shipping_next_offset, updated_at = r.updated_at
         from unnest($1::uuid[], $2::text[], $3::boolean[], $4::integer[], $5::text[], $6::text[], $7::integer[],
                 $8::bigint[], $9::text[], $10::bigint[], $11::timestamptz[])
             as r (id, status, stuck, version, last_payment_error, payment, payment_attempt, payment_next_offset, shipments,
                 shipping_next_offset, updated_at)
         where o.id = r.id",
        &ids,
        &statuses as &[Option<&str>],
        &stuck,
        &versions,
        &errors as &[Option<Box<str>>],
        &payments as &[Option<Box<str>>],
        &attempts,
        &payment_offsets,
        &shipments as &[Box<str>],
        &shipping_offsets,
        &updated,
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// Writes what was fixed when they were placed, of the few orders that an event of another topic came before.
async fn place(connection: &mut PgConnection, rows: &[(Uuid, &Placed)]) -> sqlx::Result<()> {
    let ids: Vec<Uuid> = rows.iter().map(|(id, _)| *id).collect();
    let placed = || rows.iter().map(|(_, placed)| placed);
    let customers: Vec<&str> = placed().map(|placed| &*placed.customer_id).collect();
    let currencies: Vec<String> = placed()
        .map(|placed| placed.totals.total.currency().to_string())
        .collect();
    let items: Vec<i64> = placed()
        .map(|placed| placed.totals.items.amount())
        .collect();
    let totals: Vec<i64> = placed()
        .map(|placed| placed.totals.total.amount())
        .collect();
    let lines: Vec<&str> = placed().map(|placed| placed.lines.get()).collect();
    let addresses: Vec<&str> = placed()
        .map(|placed| placed.shipping_address.get())
        .collect();
    let times: Vec<_> = placed().map(|placed| placed.placed_at).collect();
    sqlx::query!(
        "update orders o
         set customer_id = r.customer_id, currency = r.currency, items_amount = r.items_amount,
             total_amount = r.total_amount, lines = r.lines::json, shipping_address = r.shipping_address::json,
             placed_at = r.placed_at
         from unnest($1::uuid[], $2::text[], $3::text[], $4::bigint[], $5::bigint[], $6::text[], $7::text[],
                 $8::timestamptz[])
             as r (id, customer_id, currency, items_amount, total_amount, lines, shipping_address, placed_at)
         where o.id = r.id",
        &ids,
        &customers as &[&str],
        &currencies,
        &items,
        &totals,
        &lines as &[&str],
        &addresses as &[&str],
        &times,
    )
    .execute(connection)
    .await?;
    Ok(())
}
