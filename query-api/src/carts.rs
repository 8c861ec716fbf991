//! `GET /v1/carts/{id}`, as the projection `carts` has them.

use axum::{extract::State, http::StatusCode, response::Response};
use runtime::{
    entity_tag::{EntityTag, IfNoneMatch},
    extract::ApiPath,
    problem::Problem,
};
use serde::Serialize;
use sqlx::{Error, PgConnection};
use utoipa::ToSchema;
use uuid::Uuid;

use crate::{
    condition::ConditionHeaders,
    database::Database,
    json::{Money, Totals, Unparsed},
    min_position::{MinPosition, WaitHeaders},
    snapshot::{self, Read},
};

/// A cart.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Cart {
    id: Uuid,
    /// The client's own string; null where a guest opened it.
    #[schema(required)]
    customer_id: Option<String>,
    #[schema(value_type = CartStatus)]
    status: String,
    /// In the order in which they were first put in.
    #[schema(value_type = Vec<CartItem>)]
    items: Unparsed,
    /// Null while nothing is in it: what costs nothing has no currency.
    #[schema(value_type = Option<Totals>, required)]
    totals: Option<Unparsed>,
    /// The order that it became.
    #[schema(required)]
    order_id: Option<Uuid>,
    /// Counts the cart's events; shown as `ETag`.
    #[serde(skip)]
    version: i32,
}

/// Whether it can still be filled.
#[derive(ToSchema)]
#[schema(rename_all = "snake_case")]
#[expect(dead_code, reason = "describes text in a column")]
pub(crate) enum CartStatus {
    Open,
    CheckedOut,
}

/// So many of one article.
#[derive(ToSchema)]
#[expect(dead_code, reason = "describes JSON in a column")]
pub(crate) struct CartItem {
    sku: String,
    quantity: i64,
    unit_price: Money,
    total: Money,
}

/// Finds a cart.
#[utoipa::path(
    get,
    path = "/v1/carts/{id}",
    params(("id" = Uuid, Path), WaitHeaders, ConditionHeaders),
    responses(
        (status = 200, body = Cart, headers(
            ("etag" = String, description = "The version of the cart, for `If-Match` on its commands"),
        )),
        (status = 304, description = "It is still what `if-none-match` names"),
        (status = 400, description = "`invalid-id`, `invalid-query`, `invalid-position`", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "`cart-not-found`", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "`not-yet-visible`, `projection-parked`, `unavailable`", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(crate) async fn find_cart(
    State(database): State<Database>,
    ApiPath(id): ApiPath<Uuid>,
    min: MinPosition,
    known: IfNoneMatch,
) -> Result<Response, Problem> {
    let cart = snapshot::read(&database, ById(id), &min).await?;
    let cart = cart.ok_or_else(|| {
        Problem::new(
            StatusCode::NOT_FOUND,
            "cart-not-found",
            "There is no such cart",
        )
        .detail(format_args!("no cart has the id {id}"))
    })?;
    Ok(known.answer(&EntityTag::of_version(cart.version), cart))
}

#[derive(Clone)]
struct ById(Uuid);

impl Read for ById {
    type Answer = Option<Cart>;

    const PROJECTION: &'static str = "carts";

    fn parked_as(&self) -> Option<String> {
        Some(self.0.to_string())
    }

    async fn run(&self, connection: &mut PgConnection) -> Result<Self::Answer, Error> {
        sqlx::query_as!(
            Cart,
            r#"select id, customer_id, status, items as "items: _", totals as "totals: _", order_id, version
               from carts where id = $1"#,
            self.0,
        )
        .fetch_optional(connection)
        .await
    }
}
