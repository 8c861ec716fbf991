//! `GET /v1/products/{sku}`.

use axum::{extract::State, http::StatusCode, response::Response};
use runtime::{entity_tag::IfNoneMatch, extract::ApiPath, problem::Problem};
use sqlx::{Error, PgConnection};

use crate::{
    condition::ConditionHeaders,
    database::Database,
    min_position::{MinPosition, WaitHeaders},
    products::{
        PROJECTION,
        shape::{Product, Sku},
    },
    snapshot::{self, Read},
};

/// Finds a product.
#[utoipa::path(
    get,
    path = "/v1/products/{sku}",
    params(("sku" = String, Path), WaitHeaders, ConditionHeaders),
    responses(
        (status = 200, body = Product, headers(
            ("etag" = String, description = "The version of the product, for `If-Match` on its commands; that of its stock follows after a dot"),
        )),
        (status = 304, description = "It is still what `if-none-match` names"),
        (status = 400, description = "`invalid-id`, `invalid-query`, `invalid-position`", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "`product-not-found`", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "`not-yet-visible`, `projection-parked`, `unavailable`", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(crate) async fn find_product(
    State(database): State<Database>,
    ApiPath(sku): ApiPath<Sku>,
    min: MinPosition,
    known: IfNoneMatch,
) -> Result<Response, Problem> {
    let product = snapshot::read(&database, BySku(sku.clone()), &min).await?;
    let product = product.ok_or_else(|| {
        Problem::new(
            StatusCode::NOT_FOUND,
            "product-not-found",
            "There is no such product",
        )
        .detail(format_args!("no product has the SKU {}", sku.0))
    })?;
    Ok(known.answer(&product.tag(), product))
}

#[derive(Clone)]
struct BySku(Sku);

impl Read for BySku {
    type Answer = Option<Product>;

    const PROJECTION: &'static str = PROJECTION;

    fn parked_as(&self) -> Option<String> {
        Some(self.0.0.clone())
    }

    async fn run(&self, connection: &mut PgConnection) -> Result<Self::Answer, Error> {
        let Sku(sku) = &self.0;
        select_products!("and sku = $1", sku)
            .fetch_optional(connection)
            .await
    }
}
