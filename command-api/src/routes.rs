//! The route table, and its description.

use axum::{
    Router,
    routing::{any, post, put},
};
use domain::{
    cart::Carts,
    order::{OrderPolicy, Orders},
    product::Products,
};
use runtime::problem::{FieldError, Problem};
use utoipa::OpenApi;
use utoipa_swagger_ui::SwaggerUi;

use crate::{
    Catalogue, OpeningStore,
    carts::{self, CartService},
    orders::{self, OrderService},
    problems, products,
};

/// What the services that this process runs work with.
#[derive(Clone, Default)]
pub struct Services {
    /// The product service's store, where it is run here.
    pub products: Option<OpeningStore<Products>>,
    /// The cart service's store, where it is run here.
    pub carts: Option<OpeningStore<Carts>>,
    /// The order service's store, where it is run here.
    pub orders: Option<OpeningStore<Orders>>,
    /// Where carts and orders look prices up.
    pub catalogue: Catalogue,
    /// How long orders wait for what.
    pub deadlines: OrderPolicy,
}

/// All routes of the API; [`runtime::http::app`] adds health, metrics and what all servers answer alike.
pub fn router(services: Services) -> Router {
    let Services {
        products,
        carts,
        orders,
        catalogue,
        deadlines,
    } = services;
    let carts = carts.map(|store| CartService {
        store,
        catalogue: catalogue.clone(),
    });
    let orders = orders.map(|store| OrderService {
        store,
        catalogue,
        deadlines,
    });
    product_routes(products)
        .merge(cart_routes(carts))
        .merge(order_routes(orders))
        .merge(SwaggerUi::new("/docs").url("/openapi.json", Description::openapi()))
}

fn product_routes(store: Option<OpeningStore<Products>>) -> Router {
    let Some(store) = store else {
        return not_served(&["/v1/products", "/v1/products/{*rest}", "/v1/stock/{*rest}"]);
    };
    Router::new()
        .route("/v1/products", post(products::create_product))
        .route(
            "/v1/products/{sku}/reprice",
            post(products::reprice_product),
        )
        .route(
            "/v1/products/{sku}/discontinue",
            post(products::discontinue_product),
        )
        .route("/v1/stock/{sku}/receive", post(products::receive_stock))
        .with_state(store)
}

fn cart_routes(service: Option<CartService>) -> Router {
    let Some(service) = service else {
        return not_served(&["/v1/carts", "/v1/carts/{*rest}"]);
    };
    Router::new()
        .route("/v1/carts", post(carts::open_cart))
        .route("/v1/carts/{id}/items/{sku}", put(carts::set_cart_item))
        .route("/v1/carts/{id}/checkout", post(carts::check_out_cart))
        .with_state(service)
}

fn order_routes(service: Option<OrderService>) -> Router {
    let Some(service) = service else {
        return not_served(&["/v1/orders", "/v1/orders/{*rest}"]);
    };
    Router::new()
        .route("/v1/orders", post(orders::place_order))
        .route("/v1/orders/{id}/pay", post(orders::pay_order))
        .route("/v1/orders/{id}/cancel", post(orders::cancel_order))
        .route("/v1/orders/{id}/resume", post(orders::resume_order))
        .with_state(service)
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
                       Every error is a problem (RFC 9457); every response carries `x-request-id`. \
                       A process answers the routes of the services that it runs, others by `route-not-served`."
    ),
    paths(
        products::create_product,
        products::reprice_product,
        products::discontinue_product,
        products::receive_stock,
        carts::open_cart,
        carts::set_cart_item,
        carts::check_out_cart,
        orders::place_order,
        orders::pay_order,
        orders::cancel_order,
        orders::resume_order,
    ),
    components(schemas(Problem, FieldError))
)]
struct Description;
