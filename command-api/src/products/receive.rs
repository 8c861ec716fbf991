//! `POST /v1/stock/{sku}/receive`.

use axum::extract::State;
use domain::{
    product::{
        ProductCommand,
        stock::{ReceiveStock, StockCommand},
    },
    quantity::Units,
};
use runtime::{
    extract::{ApiJson, ApiPath},
    problem::Problem,
};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{ProductService, execute};
use crate::{
    answer::{Answered, CommandAnswer},
    execute::{ANONYMOUS, Received},
    intake::{CommandHeaders, Intake},
    validation::{SkuSegment, Validation},
};

/// How many have come in.
#[derive(Deserialize, Serialize, ToSchema)]
#[schema(as = ReceiveStock)]
#[serde(deny_unknown_fields)]
pub(crate) struct ReceiveStockBody {
    #[schema(minimum = 1, maximum = 1_000_000_000, example = 100)]
    quantity: i64,
}

/// Takes goods into stock.
///
/// Without an `Idempotency-Key`, whoever is told `outcome-unknown` cannot find out whether they are counted.
#[utoipa::path(
    post,
    path = "/v1/stock/{sku}/receive",
    tag = "products",
    params(("sku" = String, Path), CommandHeaders),
    request_body = ReceiveStockBody,
    responses(
        (status = 200, body = CommandAnswer, headers(
            ("etag" = String, description = "The version, for `If-Match`"),
            ("x-position" = String, description = "Where it is in the log, for `x-min-position`"),
            ("idempotency-replayed" = Option<bool>, description = "`true` where this is the first answer again"),
        )),
        (status = 400, description = "`malformed-json`, `invalid-id`, `invalid-idempotency-key`, `invalid-if-match`", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "`product-not-found`", body = Problem, content_type = "application/problem+json"),
        (status = 412, description = "`version-mismatch`", body = Problem, content_type = "application/problem+json"),
        (status = 422, description = "`validation-failed`, `idempotency-key-reused`", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "`unavailable`: not applied; `outcome-unknown`: perhaps", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(crate) async fn receive_stock(
    State(service): State<ProductService>,
    ApiPath(SkuSegment(sku)): ApiPath<SkuSegment>,
    intake: Intake,
    ApiJson(body): ApiJson<ReceiveStockBody>,
) -> Result<Answered, Problem> {
    let mut validation = Validation::default();
    let quantity = Units::try_from(body.quantity);
    let Some(quantity) = validation.check(format_args!("/quantity"), quantity) else {
        return Err(validation.into_problem());
    };
    let path = format!("/v1/stock/{sku}/receive");
    let command_id = intake.command_id(&path, &path);
    let command = StockCommand::Receive(ReceiveStock {
        sku: sku.clone(),
        quantity,
        received_at: intake.received_at,
    });
    let received = Received {
        intake,
        command_id,
        correlation_id: command_id.as_uuid(),
        actor: ANONYMOUS.into(),
        body: &body,
    };
    execute(
        &service.store,
        ProductCommand::Stock(command),
        &sku,
        received,
    )
    .await
}
