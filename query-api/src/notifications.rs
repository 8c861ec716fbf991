//! `GET /v1/notifications`: of one order, the oldest first, as the projection `notifications` has them.

use axum::{Json, extract::State};
use chrono::{DateTime, Utc};
use runtime::{extract::ApiQuery, problem::Problem};
use serde::{Deserialize, Serialize};
use sqlx::{Error, PgConnection};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use crate::{
    database::Database,
    integer,
    min_position::{MinPosition, WaitHeaders},
    page::{self, SortKey},
    snapshot::{self, Read},
};

/// Of which order, and how many of them.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct Parameters {
    /// The order that they are about.
    order_id: Uuid,
    /// At most so many.
    #[serde(default, deserialize_with = "integer::read")]
    #[param(minimum = 1, maximum = 200, default = 50)]
    limit: Option<i64>,
    /// `next_cursor` of the page before, with the same order.
    cursor: Option<String>,
}

/// One message to somebody about something.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Notification {
    id: Uuid,
    order_id: Uuid,
    #[schema(value_type = Channel)]
    channel: String,
    /// What it says.
    #[schema(value_type = Template)]
    template: String,
    #[schema(value_type = NotificationStatus)]
    status: String,
    /// How often it was tried.
    tries: i32,
    /// Why it was not sent; null where it was, or was not tried yet.
    #[schema(required)]
    reason: Option<String>,
    created_at: DateTime<Utc>,
    updated_at: DateTime<Utc>,
}

/// How it is sent.
#[derive(ToSchema)]
#[schema(rename_all = "snake_case")]
#[expect(dead_code, reason = "describes text in a column")]
pub(crate) enum Channel {
    Email,
    Webhook,
}

/// What it says.
#[derive(ToSchema)]
#[schema(rename_all = "snake_case")]
#[expect(dead_code, reason = "describes text in a column")]
pub(crate) enum Template {
    OrderConfirmation,
    Payment,
    Shipped,
    Delivered,
    Cancelled,
    Refunded,
}

/// Whether it was sent; what has failed is tried again, what was abandoned is not.
#[derive(ToSchema)]
#[schema(rename_all = "snake_case")]
#[expect(dead_code, reason = "describes text in a column")]
pub(crate) enum NotificationStatus {
    Requested,
    Sent,
    Failed,
    Abandoned,
}

/// A page of notifications.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Notifications {
    items: Vec<Notification>,
    /// Leads to the next page; null on the last.
    #[schema(required)]
    next_cursor: Option<String>,
}

/// Lists what was, or is to be, sent about an order, the oldest first; nothing where there is no such order.
#[utoipa::path(
    get,
    path = "/v1/notifications",
    params(Parameters, WaitHeaders),
    responses(
        (status = 200, body = Notifications),
        (status = 400, description = "`invalid-query`, `invalid-cursor`, `invalid-position`", body = Problem, content_type = "application/problem+json"),
        (status = 422, description = "`validation-failed`", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "`not-yet-visible`, `projection-parked`, `unavailable`", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(crate) async fn list_notifications(
    State(database): State<Database>,
    ApiQuery(parameters): ApiQuery<Parameters>,
    min: MinPosition,
) -> Result<Json<Notifications>, Problem> {
    let order_id = parameters.order_id;
    let list = format!("notifications of {order_id}");
    let page = Page {
        order_id,
        limit: page::limit(parameters.limit)?,
        after: page::after(parameters.cursor.as_deref(), &list)?,
    };
    let limit = page.limit;

    let mut items = snapshot::read(&database, page, &min).await?;
    let next_cursor = page::cut(&mut items, limit, &list, |item| Key {
        created_at: item.created_at,
        id: item.id,
    });
    Ok(Json(Notifications { items, next_cursor }))
}

/// The oldest first; the id tells those of the same moment apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Key {
    created_at: DateTime<Utc>,
    id: Uuid,
}

impl SortKey for Key {
    fn to_bytes(&self) -> Vec<u8> {
        let micros = self.created_at.timestamp_micros().to_be_bytes();
        [micros.as_slice(), self.id.as_bytes()].concat()
    }

    fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let (micros, id) = bytes.split_first_chunk::<8>()?;
        Some(Self {
            created_at: page::time(*micros)?,
            id: Uuid::from_slice(id).ok()?,
        })
    }
}

#[derive(Clone)]
struct Page {
    order_id: Uuid,
    after: Option<Key>,
    limit: i64,
}

impl Read for Page {
    type Answer = Vec<Notification>;

    const PROJECTION: &'static str = "notifications";

    fn parked_as(&self) -> Option<String> {
        Some(self.order_id.to_string())
    }

    async fn run(&self, connection: &mut PgConnection) -> Result<Self::Answer, Error> {
        sqlx::query_as!(
            Notification,
            r#"
            select id, order_id as "order_id!", channel as "channel!", template as "template!", status, tries, reason,
                   created_at as "created_at!", updated_at
            from notifications
            where order_id = $1
              and ($2::timestamptz is null or (created_at, id) > ($2, $3::uuid))
            order by created_at, id
            limit $4
            "#,
            self.order_id,
            self.after.map(|key| key.created_at),
            self.after.map(|key| key.id),
            self.limit + 1,
        )
        .fetch_all(connection)
        .await
    }
}
