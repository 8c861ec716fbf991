//! `POST /v1/payments/webhook`.

use axum::{extract::State, http::HeaderMap};
use chrono::Utc;
use domain::{
    ids::RequestIdentity,
    payment::{PaymentCommand, PaymentStatus, RecordOutcome},
};
use runtime::{
    extract::{ApiBytes, parse_object},
    problem::Problem,
};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::{PaymentService, gateway::ToldRequest};
use crate::{
    answer::{Answered, CommandAnswer},
    execute::{self, Received},
    intake::Intake,
    problems,
};

const PATH: &str = "/v1/payments/webhook";
const GATEWAY: &str = "gateway";

/// What the gateway tells by itself.
#[derive(Debug, Deserialize)]
struct PaymentWebhook {
    data: Box<RawValue>,
}

/// The signed bytes are what is hashed: a repetition is the same, byte by byte.
#[derive(Serialize)]
struct Told<'a>(&'a RawValue);

/// Takes what the gateway tells of a payment; the same event again changes nothing.
#[utoipa::path(
    post,
    path = "/v1/payments/webhook",
    tag = "payments",
    request_body(content = String, description = "The gateway's event, signed as Standard Webhooks says", content_type = "application/json"),
    params(
        ("webhook-id" = String, Header, description = "The event's id, the same in every delivery"),
        ("webhook-timestamp" = String, Header, description = "Unix seconds, at most 5 minutes from now"),
        ("webhook-signature" = String, Header, description = "`v1,<base64 of HMAC-SHA256>`; several are separated by spaces"),
    ),
    responses(
        (status = 200, body = CommandAnswer),
        (status = 400, description = "`malformed-json`", body = Problem, content_type = "application/problem+json"),
        (status = 401, description = "`invalid-signature`", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "`payment-not-found`: perhaps not yet", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "`unavailable`: not applied; `outcome-unknown`: perhaps", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(crate) async fn receive_payment_event(
    State(service): State<PaymentService>,
    headers: HeaderMap,
    intake: Intake,
    ApiBytes(body): ApiBytes,
) -> Result<Answered, Problem> {
    let verified = service.secret.verify(&headers, &body, Utc::now());
    let webhook_id = verified.map_err(|error| problems::invalid_signature(&error))?;
    let told: PaymentWebhook = read(&body)?;
    let request: ToldRequest = read(told.data.get().as_bytes())?;
    let outcome = request.told.outcome(request.operation).ok_or_else(|| {
        problems::malformed_webhook(&format!("no outcome is `{}`", request.told.status))
    })?;
    let identity = RequestIdentity {
        principal: GATEWAY,
        method: "POST",
        path: PATH,
        key: webhook_id.as_str(),
    };
    let command = PaymentCommand::Record(RecordOutcome {
        payment_id: request.payment_id,
        order_id: request.order_id,
        request_id: request.request_id,
        operation: request.operation,
        outcome,
        learnt_at: intake.received_at,
    });
    let received = Received {
        command_id: identity.command_id(),
        correlation_id: request.order_id.as_uuid(),
        actor: GATEWAY.into(),
        body: &Told(&told.data),
        intake,
    };
    let accepted = execute::execute(&service.store, command, received).await?;
    let status = accepted.status.map_or("none", PaymentStatus::as_str);
    Ok(Answered::new(request.payment_id, status, &accepted))
}

fn read<'a, T: Deserialize<'a>>(body: &'a [u8]) -> Result<T, Problem> {
    parse_object(body).map_err(|error| problems::malformed_webhook(&error))
}
