//! `POST /v1/orders/{id}/pay`.

use axum::extract::State;
use domain::{
    ids::PaymentId,
    order::{OrderCommand, PayOrder},
    text::Text,
};
use runtime::{
    extract::{ApiJson, ApiPath},
    object,
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
    validation::{MoneyBody, Validation},
};

/// A payment in full. It has no `Debug`: the payment method is for nobody to see.
#[derive(Deserialize, Serialize, ToSchema)]
#[schema(as = PayOrder)]
#[serde(deny_unknown_fields)]
pub(crate) struct PayOrderBody {
    /// A gateway's token; stored sealed only.
    #[schema(min_length = 1, max_length = 255, example = "tok_visa")]
    payment_method: String,
    /// What the customer expects to pay; refused where the order costs something else.
    #[serde(
        default,
        deserialize_with = "object::optional",
        skip_serializing_if = "Option::is_none"
    )]
    amount: Option<MoneyBody>,
}

/// Pays an order in full.
#[utoipa::path(
    post,
    path = "/v1/orders/{id}/pay",
    tag = "orders",
    params(("id" = Uuid, Path), CommandHeaders),
    request_body = PayOrderBody,
    responses(
        (status = 200, body = CommandAnswer, headers(
            ("etag" = String, description = "The version, for `If-Match`"),
            ("x-position" = String, description = "Where it is in the log, for `x-min-position`"),
            ("idempotency-replayed" = Option<bool>, description = "`true` where this is the first answer again"),
        )),
        (status = 400, description = "`malformed-json`, `invalid-id`, `invalid-idempotency-key`, `invalid-if-match`", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "`order-not-found`", body = Problem, content_type = "application/problem+json"),
        (status = 409, description = "`order-already-paid`, `payment-in-progress`, `order-cancelled`, `order-not-payable`, `amount-mismatch`, `too-many-payments`", body = Problem, content_type = "application/problem+json"),
        (status = 412, description = "`version-mismatch`", body = Problem, content_type = "application/problem+json"),
        (status = 422, description = "`validation-failed`, `currency-mismatch`, `idempotency-key-reused`", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "`unavailable`: not applied; `outcome-unknown`: perhaps", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(crate) async fn pay_order(
    State(service): State<OrderService>,
    ApiPath(id): ApiPath<Uuid>,
    intake: Intake,
    ApiJson(body): ApiJson<PayOrderBody>,
) -> Result<Answered, Problem> {
    let mut validation = Validation::default();
    let method: Option<Text<255>> =
        validation.parse(format_args!("/payment_method"), &body.payment_method);
    let amount = match &body.amount {
        Some(amount) => validation.money(format_args!("/amount"), amount).map(Some),
        None => Some(None),
    };
    let (Some(method), Some(amount)) = (method, amount) else {
        return Err(validation.into_problem());
    };
    let path = format!("/v1/orders/{id}/pay");
    let command_id = intake.command_id(&path, &path);
    let payment_id = PaymentId::of(command_id);
    let command = OrderCommand::Pay(PayOrder {
        order_id: id.into(),
        payment_id,
        method: service.payment_key.seal(method.as_str(), payment_id),
        amount,
        paid_at: intake.received_at,
    });
    // Its hash lies in the log for ever, and methods could be tried out against it.
    let body = PayOrderBody {
        payment_method: service.payment_key.fingerprint(method.as_str(), payment_id),
        ..body
    };
    let received = Received {
        intake,
        command_id,
        correlation_id: id,
        actor: ANONYMOUS.into(),
        body: &body,
    };
    execute(&service.store, command, received).await
}
