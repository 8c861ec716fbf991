//! `GET /v1/orders/{id}/history`: oldest first.

use axum::{Json, extract::State};
use chrono::{DateTime, Utc};
use runtime::{
    extract::{ApiPath, ApiQuery},
    problem::Problem,
};
use serde::{Deserialize, Serialize};
use sqlx::{Error, PgConnection};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use crate::{
    database::Database,
    integer,
    json::Unparsed,
    min_position::{MinPosition, WaitHeaders},
    orders::past::{self, FIRST_VERSION},
    page::{self, SortKey},
    snapshot::{self, Read},
};

/// How much of it.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct Parameters {
    /// At most so many.
    #[serde(default, deserialize_with = "integer::read")]
    #[param(minimum = 1, maximum = 200, default = 50)]
    limit: Option<i64>,
    /// `next_cursor` of the page before.
    cursor: Option<String>,
}

/// An event of the order's journey, whichever service it happened in.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct HistoryItem {
    id: Uuid,
    #[schema(example = "OrderPlaced")]
    r#type: String,
    /// Of the payload's shape.
    type_version: i32,
    /// The aggregate that it happened to, e.g. `order-<id>` or `stock-<sku>`.
    stream: String,
    /// Its place in that stream, from 1.
    version: i32,
    /// Its place in the log.
    #[schema(example = "OrderEvents/3@1234")]
    position: String,
    time: DateTime<Utc>,
    /// The journey: the order's id.
    correlation_id: Uuid,
    /// Its direct parent: an event, or the client's command.
    causation_id: Uuid,
    /// Who asked.
    actor: String,
    /// The payload, with null for what is personal, and without payment methods.
    #[schema(value_type = Object)]
    data: Unparsed,
    #[serde(skip)]
    place: i32,
}

/// A page of an order's history.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct HistoryItems {
    items: Vec<HistoryItem>,
    /// Leads to the next page; null on the last.
    #[schema(required)]
    next_cursor: Option<String>,
}

/// Lists the events of an order's journey across services, the oldest first, each with its cause.
///
/// Those of an order that `GET /v1/orders/{id}` shows already, and this list does not, are waited for, as long as `prefer` says.
#[utoipa::path(
    get,
    path = "/v1/orders/{id}/history",
    params(("id" = Uuid, Path), Parameters, WaitHeaders),
    responses(
        (status = 200, body = HistoryItems),
        (status = 400, description = "`invalid-id`, `invalid-query`, `invalid-cursor`, `invalid-position`", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "`order-not-found`", body = Problem, content_type = "application/problem+json"),
        (status = 422, description = "`validation-failed`", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "`not-yet-visible`, `projection-parked`, `unavailable`", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(crate) async fn list_history(
    State(database): State<Database>,
    ApiPath(order_id): ApiPath<Uuid>,
    ApiQuery(parameters): ApiQuery<Parameters>,
    min: MinPosition,
) -> Result<Json<HistoryItems>, Problem> {
    let list = format!("history of {order_id}");
    let page = Page {
        order_id,
        limit: page::limit(parameters.limit)?,
        after: page::after(parameters.cursor.as_deref(), &list)?,
    };
    let (limit, is_first) = (page.limit, page.after.is_none());

    let mut items = snapshot::read(&database, page.clone(), &min).await?;
    if items.is_empty() && is_first {
        // An order without events is none, unless they are yet to come.
        past::read(&database, order_id, FIRST_VERSION, &min).await?;
        items = snapshot::read(&database, page, &MinPosition::none()).await?;
    }
    let next_cursor = page::cut(&mut items, limit, &list, |item| Key {
        time: item.time,
        place: item.place,
        id: item.id,
    });
    Ok(Json(HistoryItems { items, next_cursor }))
}

/// Topics share no order but time; events of one decision have the same time, and their place in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Key {
    time: DateTime<Utc>,
    place: i32,
    id: Uuid,
}

impl SortKey for Key {
    fn to_bytes(&self) -> Vec<u8> {
        let micros = self.time.timestamp_micros().to_be_bytes();
        let place = self.place.to_be_bytes();
        [micros.as_slice(), &place, self.id.as_bytes()].concat()
    }

    fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let (micros, rest) = bytes.split_first_chunk::<8>()?;
        let (place, id) = rest.split_first_chunk::<4>()?;
        Some(Self {
            time: page::time(*micros)?,
            place: i32::from_be_bytes(*place),
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
    type Answer = Vec<HistoryItem>;

    const PROJECTION: &'static str = "history";

    // What an order has to do with carts and stock lies under their keys.
    const IS_OF_MANY: bool = true;

    fn parked_as(&self) -> Option<String> {
        Some(self.order_id.to_string())
    }

    async fn run(&self, connection: &mut PgConnection) -> Result<Self::Answer, Error> {
        sqlx::query_as!(
            HistoryItem,
            r#"
            select event_id as id, type, type_version, stream, version,
                   format('%s/%s@%s', topic, partition, position) as "position!",
                   time, correlation_id, causation_id, actor, data as "data: _", place
            from history
            where order_id = $1
              and ($2::timestamptz is null or (time, place, event_id) > ($2, $3::integer, $4::uuid))
            order by time, place, event_id
            limit $5
            "#,
            self.order_id,
            self.after.map(|key| key.time),
            self.after.map(|key| key.place),
            self.after.map(|key| key.id),
            self.limit + 1,
        )
        .fetch_all(connection)
        .await
    }
}
