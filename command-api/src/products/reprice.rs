//! `POST /v1/products/{sku}/reprice`.

use axum::extract::State;
use domain::product::{
    ProductCommand,
    catalogue::{CatalogueCommand, RepriceProduct},
};
use runtime::{
    extract::{ApiJson, ApiPath},
    object,
    problem::Problem,
};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{ProductService, execute};
use crate::{
    answer::{Answered, CommandAnswer},
    execute::{ANONYMOUS, Received},
    intake::{CommandHeaders, Intake},
    validation::{MoneyBody, SkuSegment, Validation},
};

/// What it costs from now on.
#[derive(Deserialize, Serialize, ToSchema)]
#[schema(as = RepriceProduct)]
#[serde(deny_unknown_fields)]
pub(crate) struct RepriceProductBody {
    #[serde(deserialize_with = "object::one")]
    price: MoneyBody,
}

/// Changes a product's price, for what is ordered from now on.
#[utoipa::path(
    post,
    path = "/v1/products/{sku}/reprice",
    tag = "products",
    params(("sku" = String, Path), CommandHeaders),
    request_body = RepriceProductBody,
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
pub(crate) async fn reprice_product(
    State(service): State<ProductService>,
    ApiPath(SkuSegment(sku)): ApiPath<SkuSegment>,
    intake: Intake,
    ApiJson(body): ApiJson<RepriceProductBody>,
) -> Result<Answered, Problem> {
    let mut validation = Validation::default();
    let Some(price) = validation.money(format_args!("/price"), &body.price) else {
        return Err(validation.into_problem());
    };
    let path = format!("/v1/products/{sku}/reprice");
    let command_id = intake.command_id(&path, &path);
    let command = CatalogueCommand::Reprice(RepriceProduct {
        sku: sku.clone(),
        price,
        repriced_at: intake.received_at,
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
        ProductCommand::Catalogue(command),
        &sku,
        received,
    )
    .await
}
