//! Payments as customers see them: one row a payment, out of PaymentEvents.
//!
//! One that was cancelled before it began has a row of nothing but a version, which is not shown.

pub(crate) mod row;

use domain::topics::PAYMENT_EVENTS;
use event_store::Recorded;
use sqlx::{PgConnection, types::Json};
use uuid::Uuid;

use self::row::{Begun, PaymentError, PaymentRow, PaymentView};
use crate::{
    copy::{CopyBuffer, json},
    projection::{Projection, RecordKey},
};

/// The read model behind `GET /v1/payments/{id}`.
#[derive(Debug, Clone, Copy)]
pub struct Payments;

impl Projection for Payments {
    const NAME: &'static str = "payments";
    const TOPICS: &'static [&'static str] = &[PAYMENT_EVENTS];
    const TABLES: &'static str = include_str!("payments/tables.sql");
    const INDEXES: &'static str = include_str!("payments/indexes.sql");
    const SHAPE: i32 = 2;
    const INTO: &'static str = "
        payments (id, version, order_id, attempt, status, currency, amount, captured, refunded, error, created_at,
            updated_at)";

    type Event = PaymentView;
    type Key = Uuid;
    type Row = PaymentRow;

    fn key(event: &Recorded<PaymentView>) -> Option<Uuid> {
        event.event.payment_id()
    }

    fn record_key(event: &Recorded<PaymentView>) -> Option<RecordKey<'_>> {
        event.event.order_id().map(RecordKey::Id)
    }

    /// No event is surely the first: what cancels a payment may come before what begins it.
    fn begin(_: &Recorded<PaymentView>) -> Result<Option<PaymentRow>, String> {
        Ok(None)
    }

    fn blank() -> Option<PaymentRow> {
        Some(PaymentRow::default())
    }

    fn apply(row: &mut PaymentRow, event: &Recorded<PaymentView>) -> Result<(), String> {
        row.apply(event)
    }

    async fn load(
        connection: &mut PgConnection,
        keys: &[Uuid],
    ) -> sqlx::Result<Vec<(Uuid, PaymentRow)>> {
        let rows = sqlx::query!(
            r#"select id, version, order_id, coalesce(attempt, 0) as "attempt!", coalesce(status, '') as "status!",
                   coalesce(currency, '') as "currency!", coalesce(amount, 0) as "amount!",
                   coalesce(captured, 0) as "captured!", coalesce(refunded, 0) as "refunded!",
                   error as "error: Json<PaymentError>", coalesce(created_at, updated_at) as "created_at!", updated_at
               from payments where id = any($1)"#,
            keys,
        )
        .fetch_all(connection)
        .await?;
        let rows = rows.into_iter().map(|row| {
            let begun = row.order_id.map(|order_id| Begun {
                order_id,
                attempt: row.attempt,
                status: row.status.into(),
                currency: row.currency.into(),
                amount: row.amount,
                captured: row.captured,
                refunded: row.refunded,
                error: row.error.map(|Json(error)| error),
                created_at: row.created_at,
            });
            let payment = PaymentRow {
                version: row.version,
                begun,
                updated_at: row.updated_at,
            };
            (row.id, payment)
        });
        Ok(rows.collect())
    }

    async fn update(
        connection: &mut PgConnection,
        rows: &[(Uuid, PaymentRow)],
    ) -> sqlx::Result<()> {
        let ids: Vec<Uuid> = rows.iter().map(|(id, _)| *id).collect();
        let versions: Vec<i32> = rows.iter().map(|(_, row)| row.version).collect();
        let begun = || rows.iter().map(|(_, row)| row.begun.as_ref());
        let orders: Vec<_> = begun().map(|begun| Some(begun?.order_id)).collect();
        let attempts: Vec<_> = begun().map(|begun| Some(begun?.attempt)).collect();
        let statuses: Vec<_> = begun().map(|begun| Some(&*begun?.status)).collect();
        let currencies: Vec<_> = begun().map(|begun| Some(&*begun?.currency)).collect();
        let amounts: Vec<_> = begun().map(|begun| Some(begun?.amount)).collect();
        let captured: Vec<_> = begun().map(|begun| Some(begun?.captured)).collect();
        let refunded: Vec<_> = begun().map(|begun| Some(begun?.refunded)).collect();
        let errors: Vec<_> = begun()
            .map(|begun| begun?.error.as_ref().map(json))
            .collect();
        let created: Vec<_> = begun().map(|begun| Some(begun?.created_at)).collect();
        let updated: Vec<_> = rows.iter().map(|(_, row)| row.updated_at).collect();
        sqlx::query!(
            "update payments p
             set version = r.version, order_id = r.order_id, attempt = r.attempt, status = r.status, currency = r.currency,
                 amount = r.amount, captured = r.captured, refunded = r.refunded, error = r.error::json,
                 created_at = r.created_at, updated_at = r.updated_at
             from unnest($1::uuid[], $2::integer[], $3::uuid[], $4::integer[], $5::text[], $6::text[], $7::bigint[],
                     $8::bigint[], $9::bigint[], $10::text[], $11::timestamptz[], $12::timestamptz[])
                 as r (id, version, order_id, attempt, status, currency, amount, captured, refunded, error, created_at,
                     updated_at)
             where p.id = r.id",
            &ids,
            &versions,
            &orders as &[Option<Uuid>],
            &attempts as &[Option<i32>],
            &statuses as &[Option<&str>],
            &currencies as &[Option<&str>],
            &amounts as &[Option<i64>],
            &captured as &[Option<i64>],
            &refunded as &[Option<i64>],
            &errors as &[Option<Box<str>>],
            &created as &[Option<_>],
            &updated,
        )
        .execute(connection)
        .await?;
        Ok(())
    }

    fn copy(id: &Uuid, row: &PaymentRow, to: &mut CopyBuffer) {
        row.copy(*id, to);
    }
}
