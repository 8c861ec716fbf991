//! `POST /v1/orders/{id}/resume`.

use axum::extract::State;
use domain::order::{OrderCommand, ResumeOrder};
use runtime::{
    extract::{ApiPath, OptionalJson},
    problem::Problem,
};
use uuid::Uuid;

use super::{OrderService, execute};
use crate::{
    answer::{Answered, CommandAnswer},
    execute::{ANONYMOUS, NoMembers, Received},
    intake::{CommandHeaders, Intake},
};

/// Has a stuck order go on; for operators.
#[utoipa::path(
    post,
    path = "/v1/orders/{id}/resume",
    tag = "orders",
    params(("id" = Uuid, Path), CommandHeaders),
    responses(
        (status = 200, body = CommandAnswer, headers(
            ("etag" = String, description = "The version, for `If-Match`"),
            ("x-position" = String, description = "Where it is in the log, for `x-min-position`"),
            ("idempotency-replayed" = Option<bool>, description = "`true` where this is the first answer again"),
        )),
        (status = 400, description = "`malformed-json`, `invalid-id`, `invalid-idempotency-key`, `invalid-if-match`", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "`order-not-found`", body = Problem, content_type = "application/problem+json"),
        (status = 409, description = "`order-not-stuck`", body = Problem, content_type = "application/problem+json"),
        (status = 412, description = "`version-mismatch`", body = Problem, content_type = "application/problem+json"),
        (status = 422, description = "`validation-failed`, `idempotency-key-reused`", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "`unavailable`: not applied; `outcome-unknown`: perhaps", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(crate) async fn resume_order(
    State(service): State<OrderService>,
    ApiPath(id): ApiPath<Uuid>,
    intake: Intake,
    OptionalJson(body): OptionalJson<NoMembers>,
) -> Result<Answered, Problem> {
    let path = format!("/v1/orders/{id}/resume");
    let command = OrderCommand::Resume(ResumeOrder {
        order_id: id.into(),
        stock_due_at: intake.received_at + service.deadlines.stock_within,
        resumed_at: intake.received_at,
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
