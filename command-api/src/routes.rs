//! The route table, and its description.

use axum::{
    Router,
    routing::{any, post},
};
use domain::order::Orders;
use runtime::problem::{FieldError, Problem};
use utoipa::OpenApi;
use utoipa_swagger_ui::SwaggerUi;

use crate::{OpeningStore, orders, problems};

/// The stores of the services that this process runs.
#[derive(Clone, Default)]
pub struct Stores {
    /// The order service's, where it is run here.
    pub orders: Option<OpeningStore<Orders>>,
}

/// All routes of the API; [`runtime::http::app`] adds health, metrics and what all servers answer alike.
pub fn router(stores: Stores) -> Router {
    let orders = match stores.orders {
        Some(store) => Router::new()
            .route("/v1/orders", post(orders::place_order))
            .route("/v1/orders/{id}/pay", post(orders::pay_order))
            .route("/v1/orders/{id}/cancel", post(orders::cancel_order))
            .with_state(store),
        None => not_served(&["/v1/orders", "/v1/orders/{*rest}"]),
    };
    orders.merge(SwaggerUi::new("/docs").url("/openapi.json", Description::openapi()))
}

/// Routes of a service that other processes run.
fn not_served(paths: &[&str]) -> Router {
    let answer = || any(async || problems::route_not_served());
    paths
        .iter()
        .fold(Router::new(), |router, path| router.route(path, answer()))
}

#[derive(OpenApi)]
#[openapi(
    info(
        title = "Offset Zero: command API",
        description = "Commands. A success means that what happened is in the log, at `x-position`. \
                       Every error is a problem (RFC 9457); every response carries `x-request-id`."
    ),
    paths(orders::place_order, orders::pay_order, orders::cancel_order),
    components(schemas(Problem, FieldError))
)]
struct Description;
