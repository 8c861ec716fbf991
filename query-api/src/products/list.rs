//! `GET /v1/products`: by SKU.

use axum::{Json, extract::State};
use runtime::{extract::ApiQuery, problem::Problem};
use serde::{Deserialize, Serialize};
use sqlx::{Error, PgConnection};
use utoipa::{IntoParams, ToSchema};

use crate::{
    database::Database,
    integer,
    min_position::{MinPosition, WaitHeaders},
    page::{self, SortKey},
    products::{
        PROJECTION,
        shape::{Product, Sku},
    },
    snapshot::{self, Read},
};

/// There is one list of them.
const LIST: &str = "products";

/// How many products.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct Parameters {
    /// At most so many.
    #[serde(default, deserialize_with = "integer::read")]
    #[param(minimum = 1, maximum = 200, default = 50)]
    limit: Option<i64>,
    /// `next_cursor` of the page before.
    cursor: Option<String>,
}

/// A page of products.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Products {
    items: Vec<Product>,
    /// Leads to the next page; null on the last.
    #[schema(required)]
    next_cursor: Option<String>,
}

/// Lists products by SKU, those that are sold no longer included.
#[utoipa::path(
    get,
    path = "/v1/products",
    params(Parameters, WaitHeaders),
    responses(
        (status = 200, body = Products),
        (status = 400, description = "`invalid-query`, `invalid-cursor`, `invalid-position`", body = Problem, content_type = "application/problem+json"),
        (status = 422, description = "`validation-failed`", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "`not-yet-visible`, `projection-parked`, `unavailable`", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(crate) async fn list_products(
    State(database): State<Database>,
    ApiQuery(parameters): ApiQuery<Parameters>,
    min: MinPosition,
) -> Result<Json<Products>, Problem> {
    let page = Page {
        limit: page::limit(parameters.limit)?,
        after: page::after(parameters.cursor.as_deref(), LIST)?,
    };
    let limit = page.limit;

    let mut items = snapshot::read(&database, page, &min).await?;
    let next_cursor = page::cut(&mut items, limit, LIST, |product| Sku(product.sku.clone()));
    Ok(Json(Products { items, next_cursor }))
}

impl SortKey for Sku {
    fn to_bytes(&self) -> Vec<u8> {
        self.0.clone().into_bytes()
    }

    // One that somebody else has written may be of any form, and there is a next page all the same.
    fn from_bytes(bytes: &[u8]) -> Option<Self> {
        page::text(bytes).map(Self)
    }
}

#[derive(Clone)]
struct Page {
    after: Option<Sku>,
    limit: i64,
}

impl Read for Page {
    type Answer = Vec<Product>;

    const PROJECTION: &'static str = PROJECTION;

    // Whether there is a SKU to begin after decides whether the index can.
    const IS_PLANNED: bool = true;

    const IS_OF_MANY: bool = true;

    async fn run(&self, connection: &mut PgConnection) -> Result<Self::Answer, Error> {
        select_products!(
            r#"
              and ($1::text is null or sku > $1)
            order by sku
            limit $2
            "#,
            self.after.as_ref().map(|Sku(sku)| sku.as_str()),
            self.limit + 1,
        )
        .fetch_all(connection)
        .await
    }
}
