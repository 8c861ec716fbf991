//! `POST /v1/products/{sku}/discontinue`.

use axum::extract::State;
use domain::product::{
    ProductCommand,
    catalogue::{CatalogueCommand, DiscontinueProduct},
};
use runtime::{
    extract::{ApiPath, OptionalJson},
    problem::Problem,
};

use super::{ProductService, execute};
use crate::{
    answer::{Answered, CommandAnswer},
    execute::{ANONYMOUS, NoMembers, Received},
    intake::{CommandHeaders, Intake},
    validation::SkuSegment,
};

/// Offers a product no longer: no cart and no order takes it any more. What lies in carts already can still be bought, for as long as
/// there is stock, which stays there.
#[utoipa::path(
    post,
    path = "/v1/products/{sku}/discontinue",
    tag = "products",
    params(("sku" = String, Path), CommandHeaders),
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
pub(crate) async fn discontinue_product(
    State(service): State<ProductService>,
    ApiPath(SkuSegment(sku)): ApiPath<SkuSegment>,
    intake: Intake,
    OptionalJson(body): OptionalJson<NoMembers>,
) -> Result<Answered, Problem> {
    let path = format!("/v1/products/{sku}/discontinue");
    let command_id = intake.command_id(&path, &path);
    let command = CatalogueCommand::Discontinue(DiscontinueProduct {
        sku: sku.clone(),
        discontinued_at: intake.received_at,
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
