//! `GET /v1/orders`: newest first.

use axum::{Json, extract::State};
use chrono::{DateTime, Datelike, TimeDelta, Timelike, Utc};
use runtime::{extract::ApiQuery, problem::Problem};
use serde::{Deserialize, Serialize, de::IntoDeserializer, de::value};
use sqlx::{Error, PgConnection};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use crate::{
    database::Database,
    integer,
    min_position::{MinPosition, WaitHeaders},
    orders::{
        PROJECTION,
        shape::{Order, Status},
    },
    page::{self, SortKey},
    snapshot::{self, Read},
};

const MAX_CUSTOMER_ID_LENGTH: usize = 128;

/// Which orders, and how many of them.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct Parameters {
    /// Only this customer's.
    customer_id: Option<String>,
    /// Only those that stand here.
    #[param(value_type = Option<Status>)]
    status: Option<String>,
    /// Only those that need an operator; with `false`, only those that do not.
    stuck: Option<bool>,
    /// Only those placed then or later.
    placed_from: Option<DateTime<Utc>>,
    /// Only those placed before.
    placed_to: Option<DateTime<Utc>>,
    /// At most so many.
    #[serde(default, deserialize_with = "integer::read")]
    #[param(minimum = 1, maximum = 200, default = 50)]
    limit: Option<i64>,
    /// `next_cursor` of the page before, with the same filter.
    cursor: Option<String>,
}

/// A page of orders.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Orders {
    items: Vec<Order>,
    /// Leads to the next page; null on the last.
    #[schema(required)]
    next_cursor: Option<String>,
}

/// Lists orders, the newest first.
#[utoipa::path(
    get,
    path = "/v1/orders",
    params(
        Parameters,
        WaitHeaders,
    ),
    responses(
        (status = 200, body = Orders),
        (status = 400, description = "`invalid-query`, `invalid-cursor`, `invalid-position`", body = Problem, content_type = "application/problem+json"),
        (status = 422, description = "`validation-failed`", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "`not-yet-visible`, `projection-parked`, `unavailable`", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(crate) async fn list_orders(
    State(database): State<Database>,
    ApiQuery(parameters): ApiQuery<Parameters>,
    min: MinPosition,
) -> Result<Json<Orders>, Problem> {
    parameters.validate()?;
    let filter = parameters.filter();
    let page = Page::of(parameters, &filter)?;
    let limit = page.limit;

    let mut items = snapshot::read(&database, page, &min).await?;
    let next_cursor = page::cut(&mut items, limit, &filter, |order| Key {
        placed_at: order.placed_at,
        id: order.id,
    });
    Ok(Json(Orders { items, next_cursor }))
}

impl Parameters {
    fn validate(&self) -> Result<(), Problem> {
        let mut problem = page::check_limit(Problem::validation(), self.limit);
        if let Some(status) = &self.status {
            let known = Status::deserialize(status.as_str().into_deserializer());
            if let Err::<_, value::Error>(error) = known {
                problem = problem.error("/status", "invalid-value", error);
            }
        }
        if let Some(id) = &self.customer_id {
            let is_printable = !id.chars().any(char::is_control);
            if !is_printable || !(1..=MAX_CUSTOMER_ID_LENGTH).contains(&id.chars().count()) {
                let detail =
                    format_args!("has to be 1 to {MAX_CUSTOMER_ID_LENGTH} printable characters");
                problem = problem.error("/customer_id", "invalid-value", detail);
            }
        }
        for (pointer, time) in [
            ("/placed_from", self.placed_from),
            ("/placed_to", self.placed_to),
        ] {
            // What RFC 3339 can say; Postgres cannot hold all that chrono can.
            if time.is_some_and(|time| !(0..=9999).contains(&time.year())) {
                problem = problem.error(pointer, "out-of-range", "the year has to be 0 to 9999");
            }
        }
        problem.if_any()
    }

    /// What tells this list from others, whatever its page. Cursors in the hands of clients die where it changes: so a filter that has
    /// come later says nothing where it is not used.
    fn filter(&self) -> String {
        let mut filter = format!(
            "{:?}",
            (
                &self.customer_id,
                &self.status,
                self.placed_from,
                self.placed_to
            )
        );
        if let Some(stuck) = self.stuck {
            filter += &format!(" stuck: {stuck}");
        }
        filter
    }
}

/// The newest first; the id tells those of the same moment apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Key {
    placed_at: DateTime<Utc>,
    id: Uuid,
}

impl SortKey for Key {
    fn to_bytes(&self) -> Vec<u8> {
        let micros = self.placed_at.timestamp_micros().to_be_bytes();
        [micros.as_slice(), self.id.as_bytes()].concat()
    }

    fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let (micros, id) = bytes.split_first_chunk::<8>()?;
        Some(Self {
            placed_at: page::time(*micros)?,
            id: Uuid::from_slice(id).ok()?,
        })
    }
}

#[derive(Clone)]
struct Page {
    customer_id: Option<String>,
    status: Option<String>,
    stuck: Option<bool>,
    placed_from: Option<DateTime<Utc>>,
    placed_to: Option<DateTime<Utc>>,
    after: Option<Key>,
    limit: i64,
}

impl Page {
    fn of(parameters: Parameters, filter: &str) -> Result<Self, Problem> {
        Ok(Self {
            after: page::after(parameters.cursor.as_deref(), filter)?,
            customer_id: parameters.customer_id,
            status: parameters.status,
            stuck: parameters.stuck,
            placed_from: parameters.placed_from.map(to_micros),
            placed_to: parameters.placed_to.map(to_micros),
            limit: parameters.limit.unwrap_or(page::DEFAULT_LIMIT),
        })
    }
}

/// The first microsecond that is not before this time: rows have whole ones, and of a bound the rest would be cut off.
fn to_micros(time: DateTime<Utc>) -> DateTime<Utc> {
    match time.nanosecond() % 1_000 {
        0 => time,
        beyond => time + TimeDelta::nanoseconds(i64::from(1_000 - beyond)),
    }
}

impl Read for Page {
    type Answer = Vec<Order>;

    const PROJECTION: &'static str = PROJECTION;

    // Which index serves depends on which filters are null; the one of stuck orders serves only where it is they who are asked for.
    const IS_PLANNED: bool = true;

    const IS_OF_MANY: bool = true;

    async fn run(&self, connection: &mut PgConnection) -> Result<Self::Answer, Error> {
        select_orders!(
            r#"
              and ($1::text is null or customer_id = $1)
              and ($2::text is null or status = $2)
              and ($3::boolean is null or stuck = $3)
              and ($4::timestamptz is null or placed_at >= $4)
              and ($5::timestamptz is null or placed_at < $5)
              and ($6::timestamptz is null or (placed_at, id) < ($6, $7::uuid))
            order by placed_at desc, id desc
            limit $8
            "#,
            self.customer_id.as_deref(),
            self.status.as_deref(),
            self.stuck,
            self.placed_from,
            self.placed_to,
            self.after.map(|key| key.placed_at),
            self.after.map(|key| key.id),
            self.limit + 1,
        )
        .fetch_all(connection)
        .await
    }
}
