//! The route table, and its description.

use axum::{
    Router,
    routing::{any, post, put},
};
use domain::{
    cart::Carts,
    notification::Notifications,
    order::{OrderPolicy, Orders},
    payment::Payments,
    product::Products,
    shipping::Shipments,
};
use runtime::{
    docs::docs,
    problem::{FieldError, Problem},
    signature::Secret,
};
use utoipa::OpenApi;

use crate::{
    Catalogue, OpeningStore,
    carts::{self, CartService},
    described::Common,
    orders::{self, OrderService},
    payments::{self, PaymentKey, PaymentService},
    peers, problems,
    products::{self, ProductService},
    shipments,
};

/// What the services that this process runs work with.
#[derive(Clone)]
pub struct Services {
    /// The product service's store, where it is run here.
    pub products: Option<OpeningStore<Products>>,
    /// The cart service's store, where it is run here.
    pub carts: Option<OpeningStore<Carts>>,
    /// The order service's store, where it is run here.
    pub orders: Option<OpeningStore<Orders>>,
    /// The payment service's store, where it is run here.
    pub payments: Option<OpeningStore<Payments>>,
    /// The shipping service's store, where it is run here.
    pub shipments: Option<OpeningStore<Shipments>>,
    /// The notification service's store, where it is run here.
    pub notifications: Option<OpeningStore<Notifications>>,
    /// Where carts and orders look prices up, and products which keys have been used.
    pub catalogue: Catalogue,
    /// How long orders wait for what.
    pub deadlines: OrderPolicy,
    /// What orders seal payment methods with, and payments open.
    pub payment_key: PaymentKey,
    /// What the gateway signs its webhooks with.
    pub webhook_secret: Secret,
    /// What processes of this deployment sign the commands with that they hand on to each other.
    pub peer_secret: Secret,
}

impl Services {
    /// None of them, with secrets that anybody can read: what a test begins with.
    #[must_use]
    pub fn development() -> Self {
        Self {
            products: None,
            carts: None,
            orders: None,
            payments: None,
            shipments: None,
            notifications: None,
            catalogue: Catalogue::default(),
            deadlines: OrderPolicy::default(),
            payment_key: PaymentKey::DEVELOPMENT,
            webhook_secret: payments::development_secret(),
            peer_secret: payments::development_secret(),
        }
    }
}

/// All routes of the API; [`runtime::http::app`] adds health, metrics and what all servers answer alike.
pub fn router(services: Services) -> Router {
    let internal = Router::new()
        .route(peers::PATH, post(peers::receive_command))
        .with_state(services.clone());
    let Services {
        products,
        carts,
        orders,
        payments,
        shipments,
        notifications: _,
        catalogue,
        deadlines,
        payment_key,
        webhook_secret,
        peer_secret: _,
    } = services;
    let products = products.map(|store| ProductService {
        store,
        catalogue: catalogue.clone(),
    });
    let carts = carts.map(|store| CartService {
        store,
        catalogue: catalogue.clone(),
    });
    let orders = orders.map(|store| OrderService {
        store,
        catalogue,
        deadlines,
        payment_key,
    });
    let payments = payments.map(|store| PaymentService {
        store,
        secret: webhook_secret,
    });
    product_routes(products)
        .merge(cart_routes(carts))
        .merge(order_routes(orders))
        .merge(payment_routes(payments))
        .merge(shipment_routes(shipments))
        .merge(internal)
        .merge(docs(Description::openapi()))
}

fn product_routes(service: Option<ProductService>) -> Router {
    let Some(service) = service else {
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
        .with_state(service)
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

fn payment_routes(service: Option<PaymentService>) -> Router {
    let Some(service) = service else {
        return not_served(&["/v1/payments/{*rest}"]);
    };
    Router::new()
        .route(
            "/v1/payments/webhook",
            post(payments::receive_payment_event),
        )
        .with_state(service)
}

fn shipment_routes(store: Option<OpeningStore<Shipments>>) -> Router {
    let Some(store) = store else {
        return not_served(&["/v1/shipments/{*rest}"]);
    };
    Router::new()
        .route(
            "/v1/shipments/{id}/dispatch",
            post(shipments::dispatch_shipment),
        )
        .route(
            "/v1/shipments/{id}/deliver",
            post(shipments::deliver_shipment),
        )
        .route("/v1/shipments/{id}/fail", post(shipments::fail_shipment))
        .with_state(store)
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
        payments::receive_payment_event,
        shipments::dispatch_shipment,
        shipments::deliver_shipment,
        shipments::fail_shipment,
    ),
    components(schemas(Problem, FieldError)),
    modifiers(&Common)
)]
struct Description;
