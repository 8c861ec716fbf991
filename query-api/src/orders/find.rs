//! `GET /v1/orders/{id}`.

use axum::{extract::State, response::Response};
use runtime::{entity_tag::IfNoneMatch, extract::ApiPath, problem::Problem};
use sqlx::{Error, PgConnection};
use uuid::Uuid;

use crate::{
    condition::ConditionHeaders,
    database::Database,
    min_position::{MinPosition, WaitHeaders},
    orders::{PROJECTION, not_found, shape::Order},
    snapshot::{self, Read},
};

/// Finds an order.
#[utoipa::path(
    get,
    path = "/v1/orders/{id}",
    params(
        ("id" = Uuid, Path),
        WaitHeaders,
        ConditionHeaders,
    ),
    responses(
        (status = 200, body = Order, headers(
            ("etag" = String, description = "The version of the order, for `If-Match` on its commands; how far its payments and shipments have been seen follows after dots"),
        )),
        (status = 304, description = "It is still what `if-none-match` names"),
        (status = 400, description = "`invalid-id`, `invalid-position`", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "`order-not-found`", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "`not-yet-visible`, `projection-parked`, `unavailable`", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(crate) async fn find_order(
    State(database): State<Database>,
    ApiPath(id): ApiPath<Uuid>,
    min: MinPosition,
    known: IfNoneMatch,
) -> Result<Response, Problem> {
    let order = snapshot::read(&database, ById(id), &min).await?;
    let order = order.ok_or_else(|| not_found(id))?;
    Ok(known.answer(&order.tag(), order))
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
