//! `POST /v1/shipments/{id}/dispatch`.

use axum::extract::State;
use domain::{
    shipping::{RequestDispatch, Shipments, ShippingCommand},
    text::Text,
};
use runtime::{
    extract::{ApiPath, OptionalJson},
    problem::Problem,
};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use super::execute;
use crate::{
    OpeningStore,
    answer::{Answered, CommandAnswer},
    intake::{CommandHeaders, Intake},
    validation::Validation,
};

/// Who takes the goods.
#[derive(Debug, Default, Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct DispatchBody {
    /// Who.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(min_length = 1, max_length = 100)]
    carrier: Option<String>,
    /// The carrier's name for the shipment.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(min_length = 1, max_length = 100)]
    tracking_number: Option<String>,
}

/// Asks the order whether packed goods may leave; one that did not arrive leaves once more.
#[utoipa::path(
    post,
    path = "/v1/shipments/{id}/dispatch",
    tag = "shipments",
    params(("id" = Uuid, Path), CommandHeaders),
    request_body = DispatchBody,
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
    OptionalJson(body): OptionalJson<DispatchBody>,
) -> Result<Answered, Problem> {
    let mut validation = Validation::default();
    let mut read = |pointer: &str, text: Option<&String>| match text {
        Some(text) => validation
            .parse::<Text<100>>(format_args!("{pointer}"), text)
            .map(Some),
        None => Some(None),
    };
    let carrier = read("/carrier", body.carrier.as_ref());
    let tracking_number = read("/tracking_number", body.tracking_number.as_ref());
    let (Some(carrier), Some(tracking_number)) = (carrier, tracking_number) else {
        return Err(validation.into_problem());
    };
    let command = ShippingCommand::RequestDispatch(RequestDispatch {
        shipment_id: id.into(),
        carrier,
        tracking_number,
        requested_at: intake.received_at,
    });
    execute(&store, "dispatch", intake, &body, command).await
}
