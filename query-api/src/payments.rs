//! `GET /v1/payments/{id}`, as the projection `payments` has them.

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
    json::{Money, Unparsed},
    min_position::{MinPosition, WaitHeaders},
    snapshot::{self, Read},
};

/// A payment.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Payment {
    id: Uuid,
    order_id: Uuid,
    /// The order's how many-th payment, from 1.
    attempt: i32,
    #[schema(value_type = PaymentStatus)]
    status: String,
    /// What was asked for.
    #[schema(value_type = Money)]
    amount: Unparsed,
    /// What was taken.
    #[schema(value_type = Money)]
    captured: Unparsed,
    /// What of that went back.
    #[schema(value_type = Money)]
    refunded: Unparsed,
    /// Why the gateway would not set the money aside, or hand it over; null where it did.
    #[schema(value_type = Option<GatewayError>, required)]
    error: Option<Unparsed>,
    /// Counts the payment's events.
    version: i32,
    created_at: DateTime<Utc>,
    updated_at: DateTime<Utc>,
}

/// Where a payment stands.
#[derive(ToSchema)]
#[schema(rename_all = "snake_case")]
#[expect(dead_code, reason = "describes text in a column")]
pub(crate) enum PaymentStatus {
    Pending,
    Authorised,
    Declined,
    Captured,
    Voiding,
    Voided,
    Refunded,
}

/// What the gateway has said.
#[derive(ToSchema)]
#[expect(dead_code, reason = "describes JSON in a column")]
pub(crate) struct GatewayError {
    code: String,
    detail: String,
}

/// Finds a payment.
#[utoipa::path(
    get,
    path = "/v1/payments/{id}",
    params(("id" = Uuid, Path), WaitHeaders, ConditionHeaders),
    responses(
        (status = 200, body = Payment, headers(
            ("etag" = String, description = "The version of the payment"),
        )),
        (status = 304, description = "It is still what `if-none-match` names"),
        (status = 400, description = "`invalid-id`, `invalid-query`, `invalid-position`", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "`payment-not-found`", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "`not-yet-visible`, `projection-parked`, `unavailable`", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(crate) async fn find_payment(
    State(database): State<Database>,
    ApiPath(id): ApiPath<Uuid>,
    min: MinPosition,
    known: IfNoneMatch,
) -> Result<Response, Problem> {
    let payment = snapshot::read(&database, ById(id), &min).await?;
    let payment = payment.ok_or_else(|| {
        Problem::new(
            StatusCode::NOT_FOUND,
            "payment-not-found",
            "There is no such payment",
        )
        .detail(format_args!("no payment has the id {id}"))
    })?;
    Ok(known.answer(&EntityTag::of_version(payment.version), payment))
}

#[derive(Clone)]
struct ById(Uuid);

impl Read for ById {
    type Answer = Option<Payment>;

    const PROJECTION: &'static str = "payments";

    fn parked_as(&self) -> Option<String> {
        Some(format!("payment-{}", self.0))
    }

    async fn run(&self, connection: &mut PgConnection) -> Result<Self::Answer, Error> {
        sqlx::query_as!(
            Payment,
            r#"
            select id, order_id as "order_id!", attempt as "attempt!", status as "status!",
                   json_build_object('amount', amount, 'currency', currency) as "amount!: _",
                   json_build_object('amount', captured, 'currency', currency) as "captured!: _",
                   json_build_object('amount', refunded, 'currency', currency) as "refunded!: _",
                   error as "error: _", version, created_at as "created_at!", updated_at
            from payments
            where id = $1 and order_id is not null
            "#,
            self.0,
        )
        .fetch_optional(connection)
        .await
    }
}
