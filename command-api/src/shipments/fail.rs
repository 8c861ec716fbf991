//! `POST /v1/shipments/{id}/fail`.

use axum::extract::State;
use domain::shipping::{FailShipment, Shipments, ShippingCommand};
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

/// Tells that a shipment did not arrive.
///
/// Nobody sends it once more by themselves, nor does the carrier of `make up`: whoever has the goods again posts `/dispatch`. The order
/// stays `shipped` meanwhile.
#[utoipa::path(
    post,
    path = "/v1/shipments/{id}/fail",
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
        (status = 409, description = "`shipment-not-dispatched`, `shipment-already-delivered`, `shipment-cancelled`, `carriage-mismatch`", body = Problem, content_type = "application/problem+json"),
        (status = 412, description = "`version-mismatch`", body = Problem, content_type = "application/problem+json"),
        (status = 422, description = "`validation-failed`, `idempotency-key-reused`", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "`unavailable`: not applied; `outcome-unknown`: perhaps", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(crate) async fn fail_shipment(
    State(store): State<OpeningStore<Shipments>>,
    ApiPath(id): ApiPath<Uuid>,
    intake: Intake,
    OptionalJson(body): OptionalJson<CarriageBody>,
) -> Result<Answered, Problem> {
    let command = ShippingCommand::Fail(FailShipment {
        shipment_id: id.into(),
        carriage: body.parse()?,
        failed_at: intake.received_at,
    });
    execute(&store, "fail", intake, &body, command).await
}
