//! `POST /v1/orders/{id}/cancel`.

use axum::extract::State;
use domain::order::{CancelOrder, OrderCommand};
use runtime::{
    extract::{ApiPath, OptionalJson},
    problem::Problem,
};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use super::{OrderService, execute};
use crate::{
    answer::{Answered, CommandAnswer},
    execute::{ANONYMOUS, Received},
    intake::{CommandHeaders, Intake},
    validation::Validation,
};

/// Why an order is called off. May be absent.
#[derive(Default, Deserialize, Serialize, ToSchema)]
#[schema(as = CancelOrder)]
#[serde(deny_unknown_fields)]
pub(crate) struct CancelOrderBody {
    /// In the customer's words.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(min_length = 1, max_length = 500, example = "changed my mind")]
    reason: Option<String>,
}

/// Cancels an order; one that is paid is refunded.
#[utoipa::path(
    post,
    path = "/v1/orders/{id}/cancel",
    tag = "orders",
    params(("id" = Uuid, Path), CommandHeaders),
    request_body = Option<CancelOrderBody>,
    responses(
        (status = 200, body = CommandAnswer, headers(
            ("etag" = String, description = "The version, for `If-Match`"),
            ("x-position" = String, description = "Where it is in the log, for `x-min-position`"),
            ("idempotency-replayed" = Option<bool>, description = "`true` where this is the first answer again"),
        )),
        (status = 400, description = "`malformed-json`, `invalid-id`, `invalid-idempotency-key`, `invalid-if-match`", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "`order-not-found`", body = Problem, content_type = "application/problem+json"),
        (status = 409, description = "`order-already-shipped`, `order-cancelled`, `order-ended`", body = Problem, content_type = "application/problem+json"),
        (status = 412, description = "`version-mismatch`", body = Problem, content_type = "application/problem+json"),
        (status = 422, description = "`validation-failed`, `idempotency-key-reused`", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "`unavailable`: not applied; `outcome-unknown`: perhaps", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(crate) async fn cancel_order(
    State(service): State<OrderService>,
    ApiPath(id): ApiPath<Uuid>,
    intake: Intake,
    OptionalJson(body): OptionalJson<CancelOrderBody>,
) -> Result<Answered, Problem> {
    let mut validation = Validation::default();
    let reason = validation.parse_optional(format_args!("/reason"), body.reason.as_deref());
    let Some(reason) = reason else {
        return Err(validation.into_problem());
    };
    let path = format!("/v1/orders/{id}/cancel");
    let command = OrderCommand::Cancel(CancelOrder {
        order_id: id.into(),
        reason,
        cancelled_at: intake.received_at,
    });
    let received = Received {
        command_id: intake.command_id(&path, &path),
        correlation_id: id,
        actor: ANONYMOUS.into(),
        body: &body,
        intake,
    };
    execute(&service.store, command, received).await
}
