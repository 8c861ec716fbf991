//! What customers and webhooks were told: one row a message, out of NotificationEvents.

pub(crate) mod row;

use domain::topics::NOTIFICATION_EVENTS;
use event_store::Recorded;
use sqlx::PgConnection;
use uuid::Uuid;

use self::row::{NotificationRow, NotificationView, Subject};
use crate::{
    copy::CopyBuffer,
    projection::{Projection, RecordKey},
};

/// The read model behind `GET /v1/notifications`.
#[derive(Debug, Clone, Copy)]
pub struct Notifications;

impl Projection for Notifications {
    const NAME: &'static str = "notifications";
    const TOPICS: &'static [&'static str] = &[NOTIFICATION_EVENTS];
    const TABLES: &'static str = include_str!("notifications/tables.sql");
    const INDEXES: &'static str = include_str!("notifications/indexes.sql");
    const INTO: &'static str = "
        notifications (id, version, order_id, channel, template, created_at, status, tries, reason, updated_at)";

    type Event = NotificationView;
    type Key = Uuid;
    type Row = NotificationRow;

    fn key(event: &Recorded<NotificationView>) -> Option<Uuid> {
        event.event.notification_id()
    }

    fn record_key(event: &Recorded<NotificationView>) -> Option<RecordKey<'_>> {
        event.event.order_id().map(RecordKey::Id)
    }

    /// The table is always asked, so that what was applied before changes nothing.
    fn begin(_: &Recorded<NotificationView>) -> Result<Option<NotificationRow>, String> {
        Ok(None)
    }

    fn blank() -> Option<NotificationRow> {
        Some(NotificationRow::default())
    }

    fn apply(row: &mut NotificationRow, event: &Recorded<NotificationView>) -> Result<(), String> {
        row.apply(event)
    }

    async fn load(
        connection: &mut PgConnection,
        keys: &[Uuid],
    ) -> sqlx::Result<Vec<(Uuid, NotificationRow)>> {
        let rows = sqlx::query!(
            r#"select id, version, order_id, coalesce(channel, '') as "channel!", coalesce(template, '') as "template!",
                   coalesce(created_at, updated_at) as "created_at!", status, tries, reason, updated_at
               from notifications where id = any($1)"#,
            keys,
        )
        .fetch_all(connection)
        .await?;
        let rows = rows.into_iter().map(|row| {
            let subject = row.order_id.map(|order_id| Subject {
                order_id,
                channel: row.channel.into(),
                template: row.template.into(),
                created_at: row.created_at,
            });
            let notification = NotificationRow {
                version: row.version,
                subject,
                status: row.status.into(),
                tries: row.tries,
                reason: row.reason.map(Into::into),
                updated_at: row.updated_at,
            };
            (row.id, notification)
        });
        Ok(rows.collect())
    }

    async fn update(
        connection: &mut PgConnection,
        rows: &[(Uuid, NotificationRow)],
    ) -> sqlx::Result<()> {
        let ids: Vec<Uuid> = rows.iter().map(|(id, _)| *id).collect();
        let notifications = || rows.iter().map(|(_, row)| row);
        let versions: Vec<i32> = notifications().map(|row| row.version).collect();
        let subjects = || notifications().map(|row| row.subject.as_ref());
        let orders: Vec<_> = subjects().map(|of| Some(of?.order_id)).collect();
        let channels: Vec<_> = subjects().map(|of| Some(&*of?.channel)).collect();
        let templates: Vec<_> = subjects().map(|of| Some(&*of?.template)).collect();
        let created: Vec<_> = subjects().map(|of| Some(of?.created_at)).collect();
        let statuses: Vec<&str> = notifications().map(|row| &*row.status).collect();
        let tries: Vec<i32> = notifications().map(|row| row.tries).collect();
        let reasons: Vec<_> = notifications().map(|row| row.reason.as_deref()).collect();
        let updated: Vec<_> = notifications().map(|row| row.updated_at).collect();
        sqlx::query!(
            "update notifications n
             set version = r.version, order_id = r.order_id, channel = r.channel, template = r.template,
                 created_at = r.created_at, status = r.status, tries = r.tries, reason = r.reason, updated_at = r.updated_at
             from unnest($1::uuid[], $2::integer[], $3::uuid[], $4::text[], $5::text[], $6::timestamptz[], $7::text[],
                     $8::integer[], $9::text[], $10::timestamptz[])
                 as r (id, version, order_id, channel, template, created_at, status, tries, reason, updated_at)
             where n.id = r.id",
            &ids,
            &versions,
            &orders as &[Option<Uuid>],
            &channels as &[Option<&str>],
            &templates as &[Option<&str>],
            &created as &[Option<_>],
            &statuses as &[&str],
            &tries,
            &reasons as &[Option<&str>],
            &updated,
        )
        .execute(connection)
        .await?;
        Ok(())
    }

    fn copy(id: &Uuid, row: &NotificationRow, to: &mut CopyBuffer) {
        row.copy(*id, to);
    }
}
