//! The gateway's HTTP.

use std::io;
use std::sync::Arc;

use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use runtime::extract::{ApiJson, ApiPath};
use runtime::problem::Problem;
use serde::Deserialize;
use serde_json::json;

use super::books::Unacceptable;
use super::desk::{Desk, NoOutcome};
use super::request::{Money, OrderId, PaymentId, Reference, Request, RequestId, Text, Work};

const IDEMPOTENCY_KEY: &str = "idempotency-key";

/// The whole route table.
pub(super) fn router(desk: Arc<Desk>) -> Router {
    Router::new()
        .route("/v1/authorisations", post(take::<Authorise>))
        .route("/v1/captures", post(take::<Capture>))
        .route("/v1/voids", post(take::<Void>))
        .route("/v1/refunds", post(take::<Refund>))
        .route("/v1/requests/{request_id}", get(find))
        .route("/books", get(books))
        .with_state(desk)
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Authorise {
    request_id: RequestId,
    payment_id: PaymentId,
    order_id: OrderId,
    amount: Money,
    payment_method: Text,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Capture {
    request_id: RequestId,
    payment_id: PaymentId,
    order_id: OrderId,
    reference: Reference,
    amount: Money,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Void {
    request_id: RequestId,
    payment_id: PaymentId,
    order_id: OrderId,
    authorisation: RequestId,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Refund {
    request_id: RequestId,
    payment_id: PaymentId,
    order_id: OrderId,
    reference: Reference,
    amount: Money,
}

impl From<Authorise> for Request {
    fn from(body: Authorise) -> Self {
        Self {
            request_id: body.request_id,
            payment_id: body.payment_id,
            order_id: body.order_id,
            work: Work::Authorise {
                amount: body.amount,
                payment_method: body.payment_method,
            },
        }
    }
}

impl From<Capture> for Request {
    fn from(body: Capture) -> Self {
        Self {
            request_id: body.request_id,
            payment_id: body.payment_id,
            order_id: body.order_id,
            work: Work::Capture {
                reference: body.reference,
                amount: body.amount,
            },
        }
    }
}

impl From<Void> for Request {
    fn from(body: Void) -> Self {
        Self {
            request_id: body.request_id,
            payment_id: body.payment_id,
            order_id: body.order_id,
            work: Work::Void {
                authorisation: body.authorisation,
            },
        }
    }
}

impl From<Refund> for Request {
    fn from(body: Refund) -> Self {
        Self {
            request_id: body.request_id,
            payment_id: body.payment_id,
            order_id: body.order_id,
            work: Work::Refund {
                reference: body.reference,
                amount: body.amount,
            },
        }
    }
}

async fn take<B: Into<Request>>(
    State(desk): State<Arc<Desk>>,
    headers: HeaderMap,
    ApiJson(body): ApiJson<B>,
) -> Response {
    let request: Request = body.into();
    let key = headers.get(IDEMPOTENCY_KEY);
    if key.is_none_or(|key| key.as_bytes() != request.request_id.0.as_str().as_bytes()) {
        return Problem::new(
            StatusCode::BAD_REQUEST,
            "invalid-idempotency-key",
            "The header idempotency-key has to be the request_id",
        )
        .into_response();
    }
    match desk.take(&request).await {
        Ok(record) => Json(record.told()).into_response(),
        Err(no_outcome) => refuse(no_outcome),
    }
}

async fn find(
    State(desk): State<Arc<Desk>>,
    ApiPath(request_id): ApiPath<RequestId>,
) -> Result<Response, Problem> {
    let record = desk.find(&request_id).ok_or_else(|| {
        Problem::new(
            StatusCode::NOT_FOUND,
            "request-not-found",
            "The gateway knows no such request",
        )
    })?;
    Ok(Json(record.told()).into_response())
}

async fn books(State(desk): State<Arc<Desk>>) -> Response {
    Json(json!({ "payments": desk.payments() })).into_response()
}

fn refuse(no_outcome: NoOutcome) -> Response {
    match no_outcome {
        NoOutcome::Unacceptable(Unacceptable::KeyReused) => Problem::new(
            StatusCode::UNPROCESSABLE_ENTITY,
            "idempotency-key-reused",
            "The request_id was used for another request",
        )
        .into_response(),
        NoOutcome::Unacceptable(Unacceptable::Full) => Problem::new(
            StatusCode::SERVICE_UNAVAILABLE,
            "books-full",
            "The simulated gateway takes no more requests",
        )
        .into_response(),
        NoOutcome::Fails => Problem::new(
            StatusCode::INTERNAL_SERVER_ERROR,
            "simulated-failure",
            "The payment method fails twice before it works",
        )
        .into_response(),
        NoOutcome::NeverAnswered => no_answer(),
        NoOutcome::Journal(error) => Problem::internal(error).into_response(),
    }
}

/// Closes the connection without a byte: hyper gives up on a response whose body fails before anything was written.
fn no_answer() -> Response {
    let broken = futures::stream::once(async { Err::<Vec<u8>, _>(io::Error::other("no answer")) });
    (StatusCode::GATEWAY_TIMEOUT, Body::from_stream(broken)).into_response()
}
