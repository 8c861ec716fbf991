//! `GET /v1/shipments/{id}`, as the projection `shipments` has them.

use axum::{extract::State, http::StatusCode, response::Response};
use chrono::{DateTime, Utc};
use runtime::{
    entity_tag::{EntityTag, IfNoneMatch},
    extract::ApiPath,
    problem::Problem,
};
use serde::Serialize;
use sqlx::{Error, PgConnection};
use utoipa::ToSchema;
use uuid::Uuid;

use crate::{
    condition::ConditionHeaders,
    database::Database,
    json::Unparsed,
    min_position::{MinPosition, WaitHeaders},
    snapshot::{self, Read},
};

/// A shipment.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Shipment {
    id: Uuid,
    order_id: Uuid,
    #[schema(value_type = ShipmentStatus)]
    status: String,
    #[schema(value_type = Vec<ShipmentLine>)]
    lines: Unparsed,
    /// Who takes it.
    #[schema(required)]
    carrier: Option<String>,
    /// The carrier's name for it.
    #[schema(required)]
    tracking_number: Option<String>,
    created_at: DateTime<Utc>,
    updated_at: DateTime<Utc>,
    /// Counts the shipment's events; shown as `ETag`.
    #[serde(skip)]
    version: i32,
}

/// Where a shipment stands.
#[derive(ToSchema)]
#[schema(rename_all = "snake_case")]
#[expect(dead_code, reason = "describes text in a column")]
pub(crate) enum ShipmentStatus {
    Created,
    DispatchRequested,
    Dispatched,
    Failed,
    Delivered,
    Cancelled,
}

/// So many of one line of the order.
#[derive(ToSchema)]
#[expect(dead_code, reason = "describes JSON in a column")]
pub(crate) struct ShipmentLine {
    line_id: Uuid,
    sku: String,
    quantity: i64,
    /// Where from.
    #[schema(example = "main")]
    location: String,
}

/// Finds a shipment; there is one once its order is paid.
#[utoipa::path(
    get,
    path = "/v1/shipments/{id}",
    params(("id" = Uuid, Path), WaitHeaders, ConditionHeaders),
    responses(
        (status = 200, body = Shipment, headers(
            ("etag" = String, description = "The version of the shipment, for `If-Match` on its commands"),
        )),
        (status = 304, description = "It is still what `if-none-match` names"),
        (status = 400, description = "`invalid-id`, `invalid-query`, `invalid-position`", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "`shipment-not-found`", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "`not-yet-visible`, `projection-parked`, `unavailable`", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(crate) async fn find_shipment(
    State(database): State<Database>,
    ApiPath(id): ApiPath<Uuid>,
    min: MinPosition,
    known: IfNoneMatch,
) -> Result<Response, Problem> {
    let shipment = snapshot::read(&database, ById(id), &min).await?;
    let shipment = shipment.ok_or_else(|| {
        Problem::new(
            StatusCode::NOT_FOUND,
            "shipment-not-found",
            "There is no such shipment",
        )
        .detail(format_args!("no shipment has the id {id}"))
    })?;
    Ok(known.answer(&EntityTag::of_version(shipment.version), shipment))
}

#[derive(Clone)]
struct ById(Uuid);

impl Read for ById {
    type Answer = Option<Shipment>;

    const PROJECTION: &'static str = "shipments";

    fn parked_as(&self) -> Option<String> {
        Some(self.0.to_string())
    }

    async fn run(&self, connection: &mut PgConnection) -> Result<Self::Answer, Error> {
        sqlx::query_as!(
            Shipment,
            r#"
            select id, order_id as "order_id!", status as "status!", lines as "lines!: _", carrier, tracking_number,
                   created_at as "created_at!", updated_at, version
            from shipments
            where id = $1 and order_id is not null
            "#,
            self.0,
        )
        .fetch_optional(connection)
        .await
    }
}
