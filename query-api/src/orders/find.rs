//! `GET /v1/orders/{id}`.

use axum::{Json, extract::State, http::StatusCode};
use runtime::{extract::ApiPath, problem::Problem};
use sqlx::{Error, PgConnection};
use uuid::Uuid;

use crate::{
    database::Database,
    min_position::MinPosition,
    orders::{PROJECTION, shape::Order},
    snapshot::{self, Read},
};

/// Finds an order.
#[utoipa::path(
    get,
    path = "/v1/orders/{id}",
    params(
        ("id" = Uuid, Path),
        ("x-min-position" = Option<String>, Header, description = "Wait until this was projected, e.g. `OrderEvents/3@1234`; several are separated by commas"),
        ("prefer" = Option<String>, Header, description = "`wait=N`: for at most N seconds; 2 unless told, 30 at most"),
    ),
    responses(
        (status = 200, body = Order),
        (status = 400, description = "`invalid-id`, `invalid-position`", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "`order-not-found`", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "`not-yet-visible`, `unavailable`", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(crate) async fn find_order(
    State(database): State<Database>,
    ApiPath(id): ApiPath<Uuid>,
    min: MinPosition,
) -> Result<Json<Order>, Problem> {
    let order = snapshot::read(&database, ById(id), &min).await?;
    order.map(Json).ok_or_else(|| {
        Problem::new(
            StatusCode::NOT_FOUND,
            "order-not-found",
            "There is no such order",
        )
        .detail(format_args!("no order has the id {id}"))
    })
}

#[derive(Clone)]
struct ById(Uuid);

impl Read for ById {
    type Answer = Option<Order>;

    const PROJECTION: &'static str = PROJECTION;

    async fn run(&self, connection: &mut PgConnection) -> Result<Self::Answer, Error> {
        select_orders!("where id = $1", self.0)
            .fetch_optional(connection)
            .await
    }
}
