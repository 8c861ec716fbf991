//! Which routes there are, and how they are described.

use axum::{
    body::Body,
    http::{Method, Request},
};
use command_api::{OpeningStore, Stores};
use serde_json::Value;

use crate::api::{Answer, app, example_order, post, send};

async fn ask(stores: Stores, method: Method, path: &str) -> Answer {
    let request = Request::builder().method(method).uri(path);
    let request = request.body(Body::empty()).expect("a request");
    send(&app(stores), request).await
}

fn with_orders() -> Stores {
    Stores {
        orders: Some(OpeningStore::default()),
    }
}

#[tokio::test]
async fn routes_of_services_that_run_elsewhere_are_not_served() {
    for path in ["/v1/orders", "/v1/orders/1/pay", "/v1/orders/1/cancel"] {
        let answer = ask(Stores::default(), Method::POST, path).await;
        assert_eq!(answer.problem(), (404, "route-not-served"));
    }
}

#[tokio::test]
async fn other_routes_and_methods_are_problems() {
    let unknown = ask(with_orders(), Method::POST, "/v1/orders/1/eat").await;
    assert_eq!(unknown.problem(), (404, "route-not-found"));
    let read = ask(with_orders(), Method::GET, "/v1/orders").await;
    assert_eq!(read.problem(), (405, "method-not-allowed"));
    assert_eq!(read.header("allow"), "POST");
}

#[tokio::test]
async fn a_store_that_is_not_open_yet_is_unavailable() {
    let request = post("/v1/orders", None, &example_order());
    let answer = send(&app(with_orders()), request).await;
    assert_eq!(answer.problem(), (503, "unavailable"));
}

#[tokio::test]
async fn the_api_describes_itself() {
    let description = ask(with_orders(), Method::GET, "/openapi.json").await.body;
    let paths = description["paths"].as_object().expect("paths");
    let expected = [
        "/v1/orders",
        "/v1/orders/{id}/cancel",
        "/v1/orders/{id}/pay",
    ];
    assert_eq!(paths.keys().collect::<Vec<_>>(), expected);
    let post = &paths["/v1/orders"]["post"];
    assert_eq!(post["parameters"][0]["name"], "idempotency-key");
    assert_eq!(post["parameters"][0]["in"], "header");
    let problem = &post["responses"]["422"]["content"]["application/problem+json"];
    assert_eq!(problem["schema"]["$ref"], "#/components/schemas/Problem");
    assert_ne!(description["components"]["schemas"]["Money"], Value::Null);

    let page = ask(with_orders(), Method::GET, "/docs/").await;
    assert!(page.status.is_success());
}
