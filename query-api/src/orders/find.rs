//! `GET /v1/orders/{id}`, now or as it was.

use axum::{extract::State, response::Response};
use chrono::{DateTime, Utc};
use runtime::{
    entity_tag::IfNoneMatch,
    extract::{ApiPath, ApiQuery},
    problem::Problem,
};
use serde::Deserialize;
use sqlx::{Error, PgConnection};
use utoipa::IntoParams;
use uuid::Uuid;

use crate::{
    condition::ConditionHeaders,
    database::Database,
    integer,
    min_position::{MinPosition, WaitHeaders},
    orders::{
        PROJECTION, not_found,
        past::{self, Moment},
        shape::Order,
    },
    snapshot::{self, Read},
};

/// When; now, unless told.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct Parameters {
    /// As it last was at this version, from 1: just before the next one, or now.
    #[serde(default, deserialize_with = "integer::read")]
    #[param(minimum = 1)]
    at_version: Option<i64>,
    /// As it was at this time (RFC 3339); not together with `at_version`.
    at_time: Option<DateTime<Utc>>,
}

/// Finds an order, as it is or as it was.
///
/// The past is a projection of its own (`history`), which may be a moment ahead of the present or behind it; `x-min-position` waits for the
/// one that is read. A version that the present has come to already is waited for as well, and so is the past of an order that is shown
/// already, as long as `prefer` says.
#[utoipa::path(
    get,
    path = "/v1/orders/{id}",
    params(
        ("id" = Uuid, Path),
        Parameters,
        WaitHeaders,
        ConditionHeaders,
    ),
    responses(
        (status = 200, body = Order, headers(
            ("etag" = String, description = "The version of the order, for `If-Match` on its commands; how far its payments and shipments have been seen follows after dots"),
        )),
        (status = 304, description = "It is still what `if-none-match` names"),
        (status = 400, description = "`invalid-id`, `invalid-query`, `invalid-position`", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "`order-not-found`, also where it was not placed by then; `version-not-found`", body = Problem, content_type = "application/problem+json"),
        (status = 422, description = "`validation-failed`", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "`not-yet-visible`, `projection-parked`, `unavailable`", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(crate) async fn find_order(
    State(database): State<Database>,
    ApiPath(id): ApiPath<Uuid>,
    ApiQuery(parameters): ApiQuery<Parameters>,
    min: MinPosition,
    known: IfNoneMatch,
) -> Result<Response, Problem> {
    let order = match parameters.moment()? {
        Some(moment) => past::find(&database, id, moment, &min).await?,
        None => {
            let order = snapshot::read(&database, ById(id), &min).await?;
            order.ok_or_else(|| not_found(id))?
        }
    };
    Ok(known.answer(&order.tag(), order))
}

impl Parameters {
    fn moment(&self) -> Result<Option<Moment>, Problem> {
        let invalid =
            |pointer, code, detail| Err(Problem::validation().error(pointer, code, detail));
        match (self.at_version, self.at_time) {
            (Some(_), Some(_)) => invalid("/at_time", "invalid-value", "excludes at_version"),
            (Some(..=0), None) => invalid("/at_version", "out-of-range", "has to be at least 1"),
            (Some(version), None) => Ok(Some(Moment::Version(version))),
            (None, time) => Ok(time.map(Moment::Time)),
        }
    }
}

#[derive(Clone)]
struct ById(Uuid);

impl Read for ById {
    type Answer = Option<Order>;

    const PROJECTION: &'static str = PROJECTION;

    fn parked_as(&self) -> Option<String> {
        Some(self.0.to_string())
    }

    async fn run(&self, connection: &mut PgConnection) -> Result<Self::Answer, Error> {
        select_orders!("and id = $1", self.0)
            .fetch_optional(connection)
            .await
    }
}
