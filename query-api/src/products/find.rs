//! `GET /v1/products/{sku}`.

use axum::{Json, extract::State, http::StatusCode};
use runtime::{extract::ApiPath, problem::Problem};
use sqlx::{Error, PgConnection};

use crate::{
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
    params(("sku" = String, Path), WaitHeaders),
    responses(
        (status = 200, body = Product),
        (status = 400, description = "`invalid-id`, `invalid-position`", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "`product-not-found`", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "`not-yet-visible`, `unavailable`", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(crate) async fn find_product(
    State(database): State<Database>,
    ApiPath(sku): ApiPath<Sku>,
    min: MinPosition,
) -> Result<Json<Product>, Problem> {
    let product = snapshot::read(&database, BySku(sku.clone()), &min).await?;
    product.map(Json).ok_or_else(|| {
        Problem::new(
            StatusCode::NOT_FOUND,
            "product-not-found",
            "There is no such product",
        )
        .detail(format_args!("no product has the SKU {}", sku.0))
    })
}

#[derive(Clone)]
struct BySku(Sku);

impl Read for BySku {
    type Answer = Option<Product>;

    const PROJECTION: &'static str = PROJECTION;

    async fn run(&self, connection: &mut PgConnection) -> Result<Self::Answer, Error> {
        let Sku(sku) = &self.0;
        select_products!("and sku = $1", sku)
            .fetch_optional(connection)
            .await
    }
}
