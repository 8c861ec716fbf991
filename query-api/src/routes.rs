//! The route table, and its description.

use axum::{Router, extract::FromRef, middleware, routing::get};
use runtime::{
    docs::docs,
    extract::ApiQuery,
    problem::{FieldError, Problem},
};
use serde::Deserialize;
use utoipa::OpenApi;

use crate::{
    Database, Streams, carts, notifications, orders, payments, products, projections, sales,
    shipments,
};

/// What handlers share.
#[derive(Clone)]
struct Shared {
    database: Database,
    streams: Streams,
}

impl FromRef<Shared> for Database {
    fn from_ref(shared: &Shared) -> Self {
        shared.database.clone()
    }
}

impl FromRef<Shared> for Streams {
    fn from_ref(shared: &Shared) -> Self {
        shared.streams.clone()
    }
}

/// The query of a route that takes no parameters.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct NoParameters {}

/// All routes of the API; [`runtime::http::app`] adds health, metrics and what all servers answer alike.
pub fn router(database: Database, streams: Streams) -> Router {
    Router::new()
        .route("/v1/orders/{id}/events", get(orders::events::follow_order))
        .route("/v1/products/{sku}", get(products::find::find_product))
        .route("/v1/carts/{id}", get(carts::find_cart))
        .route("/v1/payments/{id}", get(payments::find_payment))
        .route("/v1/shipments/{id}", get(shipments::find_shipment))
        .route("/v1/projections", get(projections::list_projections))
        // Of those so far; the others say themselves which they take.
        .route_layer(middleware::from_extractor::<ApiQuery<NoParameters>>())
        .route("/v1/orders", get(orders::list::list_orders))
        .route("/v1/orders/{id}", get(orders::find::find_order))
        .route(
            "/v1/orders/{id}/history",
            get(orders::history::list_history),
        )
        .route("/v1/products", get(products::list::list_products))
        .route("/v1/notifications", get(notifications::list_notifications))
        .route("/v1/sales/daily", get(sales::list_sales_daily))
        .with_state(Shared { database, streams })
        .merge(docs(Description::openapi()))
}

#[derive(OpenApi)]
#[openapi(
    info(
        title = "Offset Zero: query API",
        description = "Reads of what the projectors have written. Every error is a problem (RFC 9457); \
                       every response carries `x-request-id`."
    ),
    paths(
        orders::find::find_order,
        orders::list::list_orders,
        orders::history::list_history,
        orders::events::follow_order,
        products::find::find_product,
        products::list::list_products,
        carts::find_cart,
        payments::find_payment,
        shipments::find_shipment,
        notifications::list_notifications,
        sales::list_sales_daily,
        projections::list_projections
    ),
    components(schemas(Problem, FieldError))
)]
struct Description;
