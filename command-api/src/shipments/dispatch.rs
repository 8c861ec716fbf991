//! `POST /v1/shipments/{id}/dispatch`.

use axum::extract::State;
use domain::shipping::{Carriage, RequestDispatch, Shipments, ShippingCommand};
use runtime::{
    extract::{ApiPath, OptionalJson},
    problem::Problem,
};
use uuid::Uuid;

use super::{carriage::CarriageBody, execute};
use crate::{
    OpeningStore,
    answer::{Answered, CommandAnswer},
    intake::{CommandHeaders, Intake},
};

/// Asks the order whether packed goods may leave; what did not arrive (`/fail`) leaves once more, and nobody is asked again.
#[utoipa::path(
    post,
    path = "/v1/shipments/{id}/dispatch",
    tag = "shipments",
    params(("id" = Uuid, Path), CommandHeaders),
    request_body = Option<CarriageBody>,
    responses(
        (status = 200, body = CommandAnswer, headers(
            ("etag" = String, description = "The version, for `If-Match`"),
            ("x-position" = String, description = "Where it is in the log, for `x-min-position`"),
            ("idempotency-replayed" = Option<bool>, description = "`true` where this is the first answer again"),
        )),
        (status = 400, description = "`malformed-json`, `invalid-id`, `invalid-idempotency-key`, `invalid-if-match`", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "`shipment-not-found`", body = Problem, content_type = "application/problem+json"),
        (status = 409, description = "`shipment-already-dispatched`, `shipment-already-delivered`, `shipment-cancelled`", body = Problem, content_type = "application/problem+json"),
        (status = 412, description = "`version-mismatch`", body = Problem, content_type = "application/problem+json"),
        (status = 422, description = "`validation-failed`, `idempotency-key-reused`", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "`unavailable`: not applied; `outcome-unknown`: perhaps", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(crate) async fn dispatch_shipment(
    State(store): State<OpeningStore<Shipments>>,
    ApiPath(id): ApiPath<Uuid>,
    intake: Intake,
    OptionalJson(body): OptionalJson<CarriageBody>,
) -> Result<Answered, Problem> {
    let Carriage {
        carrier,
        tracking_number,
    } = body.parse()?;
    let command = ShippingCommand::RequestDispatch(RequestDispatch {
        shipment_id: id.into(),
        carrier,
        tracking_number,
        requested_at: intake.received_at,
    });
    execute(&store, "dispatch", intake, &body, command).await
}
