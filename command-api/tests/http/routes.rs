//! Which routes there are, and how they are described.

use axum::{
    body::Body,
    http::{Method, Request},
};
use command_api::{OpeningStore, Services};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::api::{Answer, app, example_order, post, send, signed};

async fn ask(services: Services, method: Method, path: &str) -> Answer {
    let request = Request::builder().method(method).uri(path);
    let request = request.body(Body::empty()).expect("a request");
    send(&app(services), request).await
}

/// All services, none of which is open yet.
fn all() -> Services {
    Services {
        products: Some(OpeningStore::default()),
        carts: Some(OpeningStore::default()),
        orders: Some(OpeningStore::default()),
        payments: Some(OpeningStore::default()),
        shipments: Some(OpeningStore::default()),
        ..Services::development()
    }
}

const PRODUCT_ROUTES: &[&str] = &[
    "/v1/products",
    "/v1/products/TEA/reprice",
    "/v1/products/TEA/discontinue",
    "/v1/stock/TEA/receive",
];
const CART_ROUTES: &[&str] = &["/v1/carts", "/v1/carts/1/items/TEA", "/v1/carts/1/checkout"];
const ORDER_ROUTES: &[&str] = &[
    "/v1/orders",
    "/v1/orders/1/pay",
    "/v1/orders/1/cancel",
    "/v1/orders/1/resume",
];
const PAYMENT_ROUTES: &[&str] = &["/v1/payments/webhook"];
const SHIPMENT_ROUTES: &[&str] = &[
    "/v1/shipments/1/dispatch",
    "/v1/shipments/1/deliver",
    "/v1/shipments/1/fail",
];

#[tokio::test]
async fn routes_of_services_that_run_elsewhere_are_not_served() {
    let without = |leave: fn(&mut Services)| {
        let mut services = all();
        leave(&mut services);
        services
    };
    let routes = [
        (without(|all| all.products = None), PRODUCT_ROUTES),
        (without(|all| all.carts = None), CART_ROUTES),
        (without(|all| all.orders = None), ORDER_ROUTES),
        (without(|all| all.payments = None), PAYMENT_ROUTES),
        (without(|all| all.shipments = None), SHIPMENT_ROUTES),
    ];
    for (services, elsewhere) in &routes {
        for path in routes.iter().flat_map(|(_, paths)| *paths) {
            let answer = ask(services.clone(), Method::POST, path).await;
            let is_not_served = answer.problem() == (404, "route-not-served");
            assert_eq!(
                is_not_served,
                elsewhere.contains(path),
                "{path}: {answer:?}"
            );
        }
    }
}

#[tokio::test]
async fn other_routes_and_methods_are_problems() {
    let unknown = ask(all(), Method::POST, "/v1/orders/1/eat").await;
    assert_eq!(unknown.problem(), (404, "route-not-found"));
    let read = ask(all(), Method::GET, "/v1/orders").await;
    assert_eq!(read.problem(), (405, "method-not-allowed"));
    assert_eq!(read.header("allow"), "POST");
}

#[tokio::test]
async fn a_store_that_is_not_open_yet_is_unavailable() {
    let router = app(all());
    let product = json!({"sku": "TEA", "name": "Tea", "price": {"amount": 1, "currency": "EUR"}});
    for (path, body) in [
        ("/v1/products", product),
        ("/v1/carts", json!({})),
        ("/v1/orders", example_order()),
    ] {
        let answer = send(&router, post(path, None, &body)).await;
        assert_eq!(answer.problem(), (503, "unavailable"), "{path}");
    }
}

#[tokio::test]
async fn the_api_describes_itself() {
    let description = ask(all(), Method::GET, "/openapi.json").await.body;
    let paths = description["paths"].as_object().expect("paths");
    let expected = [
        "/v1/carts",
        "/v1/carts/{id}/checkout",
        "/v1/carts/{id}/items/{sku}",
        "/v1/orders",
        "/v1/orders/{id}/cancel",
        "/v1/orders/{id}/pay",
        "/v1/orders/{id}/resume",
        "/v1/payments/webhook",
        "/v1/products",
        "/v1/products/{sku}/discontinue",
        "/v1/products/{sku}/reprice",
        "/v1/shipments/{id}/deliver",
        "/v1/shipments/{id}/dispatch",
        "/v1/shipments/{id}/fail",
        "/v1/stock/{sku}/receive",
    ];
    assert_eq!(paths.keys().collect::<Vec<_>>(), expected);
    let post = &paths["/v1/orders"]["post"];
    assert_eq!(post["parameters"][0]["name"], "idempotency-key");
    assert_eq!(post["parameters"][0]["in"], "header");
    assert_eq!(post["parameters"][1]["name"], "if-match");
    for (path, operations) in paths.iter().filter(|(path, _)| !path.contains("webhook")) {
        let operation = operations.get("post").or(operations.get("put"));
        let responses = &operation.expect("a command")["responses"];
        let success = responses.get("200").or(responses.get("201"));
        let headers = &success.expect("a success")["headers"];
        assert!(headers["etag"].is_object(), "{path}");
        assert!(responses["412"].is_object(), "{path}");
        for status in ["408", "413", "415"] {
            let problem = &responses[status]["content"]["application/problem+json"];
            assert!(problem.is_object(), "{path}: {status}");
        }
        let malformed = responses["400"]["description"].as_str().expect("a text");
        assert!(malformed.contains("`invalid-position`"), "{path}");
    }
    let problem = &post["responses"]["422"]["content"]["application/problem+json"];
    assert_eq!(problem["schema"]["$ref"], "#/components/schemas/Problem");
    assert_ne!(description["components"]["schemas"]["Money"], Value::Null);

    let page = ask(all(), Method::GET, "/docs/").await;
    assert!(page.status.is_success());
    let nothing = ask(all(), Method::GET, "/docs/nothing").await;
    assert_eq!(nothing.problem(), (404, "route-not-found"));
}

#[tokio::test]
async fn bodies_are_described_as_required_where_they_are() {
    let router = app(all());
    let description = ask(all(), Method::GET, "/openapi.json").await.body;
    let mut optional = Vec::new();
    for (path, operations) in description["paths"].as_object().expect("paths") {
        let uri = path.replace("{id}", &Uuid::nil().to_string());
        let uri = uri.replace("{sku}", "TEA");
        for (method, operation) in operations.as_object().expect("operations") {
            let method: Method = method.to_uppercase().parse().expect("a method");
            let body = &operation["requestBody"];
            let without = send(&router, signed(&method, &uri, "")).await;
            let is_refused = without.status.is_client_error();
            assert_eq!(body["required"] == true, is_refused, "{path}: {without:?}");
            if body.is_null() {
                continue;
            }
            if body["required"] == false {
                optional.push(path.as_str());
            }
            let schema = &body["content"]["application/json"]["schema"];
            let is_one = schema["$ref"].is_string() || schema["type"].is_string();
            assert!(is_one, "{path}: {body}");
            let null = send(&router, signed(&method, &uri, "null")).await;
            assert!(null.status.is_client_error(), "{path}: {null:?}");
        }
    }
    let expected = [
        "/v1/carts",
        "/v1/orders/{id}/cancel",
        "/v1/shipments/{id}/deliver",
        "/v1/shipments/{id}/dispatch",
        "/v1/shipments/{id}/fail",
    ];
    assert_eq!(optional, expected);
    let schema = "/paths/~1v1~1carts/post/requestBody/content/application~1json/schema/$ref";
    let schema = description.pointer(schema).expect("a schema");
    assert_eq!(schema, "#/components/schemas/OpenCart");
    let carriage = &description["components"]["schemas"]["CarriageBody"];
    assert_eq!(carriage["type"], "object");
}
