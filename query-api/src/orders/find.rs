//! `GET /v1/orders/{id}`.

use axum::{Json, extract::State};
use runtime::{extract::ApiPath, problem::Problem};
use sqlx::{Error, PgConnection};
use uuid::Uuid;

use crate::{
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
    order.map(Json).ok_or_else(|| not_found(id))
}

#[derive(Clone)]
struct ById(Uuid);

impl Read for ById {
    type Answer = Option<Order>;

    const PROJECTION: &'static str = PROJECTION;

    async fn run(&self, connection: &mut PgConnection) -> Result<Self::Answer, Error> {
        select_orders!("and id = $1", self.0)
            .fetch_optional(connection)
            .await
    }
}
