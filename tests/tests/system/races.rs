//! Clients that race each other, and clients that go away.

use std::collections::HashMap;

use domain::order::OrderEvent;
use reqwest::Method;
use serde_json::json;
use system_tests::{
    Client, Journal, Money, Stock,
    client::{order, payment},
    shop,
};
use tokio::{io::AsyncWriteExt, net::TcpStream, task::JoinSet};
use uuid::Uuid;

use crate::{blocking, wait_for_event, world};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_100_concurrent_pays_one_succeeds() {
    let world = std::sync::Arc::new(world().await);
    let server = {
        let world = std::sync::Arc::clone(&world);
        blocking(move || world.command_api(None)).await
    };
    let client = Client::new(&server.url);
    shop::fill(&client).await;
    let id = client.placed("ada").await;
    let mut pays = JoinSet::new();
    for _ in 0..100 {
        let (client, path) = (client.clone(), format!("/v1/orders/{id}/pay"));
        let key = Uuid::now_v7().to_string();
        pays.spawn(async move {
            client
                .post(&path, &key, &payment())
                .await
                .expect("an answer")
        });
    }
    let mut counts: HashMap<u16, u32> = HashMap::new();
    for answer in pays.join_all().await {
        // The first one may come while stock is still being checked; it is kept then.
        let refused = ["order-already-paid", "payment-in-progress"].contains(&answer.code());
        assert!(answer.status == 200 || refused, "{answer:?}");
        *counts.entry(answer.status).or_default() += 1;
    }
    assert_eq!(counts, HashMap::from([(200, 1), (409, 99)]));
    Stock::at_rest(&world.log()).await;
    // A payment that was kept is asked for when the stock is there: not before that is there anything to wait for.
    wait_for_event(&world, &id, |event| matches!(event, OrderEvent::Paid(_))).await;
    Money::at_rest(&world.log(), &world.wiring.gateway_url).await;
    let journal = Journal::read(&world.log()).await;
    let paid = journal.events_of(&id);
    let paid = paid
        .iter()
        .filter(|event| matches!(event.event, OrderEvent::Paid(_)));
    assert_eq!(paid.count(), 1);
    blocking(move || drop(server)).await;
}

/// The connection is closed as soon as the request is written: the order is placed all the same.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_that_disconnects_cancels_nothing() {
    let world = std::sync::Arc::new(world().await);
    let server = {
        let world = std::sync::Arc::clone(&world);
        blocking(move || world.command_api(None)).await
    };
    let client = Client::new(&server.url);
    shop::fill(&client).await;
    let address = server.url.trim_start_matches("http://").to_owned();
    let keys: Vec<String> = (0..20).map(|_| Uuid::now_v7().to_string()).collect();
    for key in &keys {
        let body = order("ada").to_string();
        let request = format!(
            "POST /v1/orders HTTP/1.1\r\nhost: {address}\r\ncontent-type: application/json\r\nidempotency-key: {key}\r\ncontent-length: {}\r\n\r\n{body}",
            body.len()
        );
        let mut stream = TcpStream::connect(&address).await.expect("connected");
        stream.write_all(request.as_bytes()).await.expect("written");
        drop(stream);
    }
    for key in &keys {
        let again = client
            .post("/v1/orders", key, &order("ada"))
            .await
            .expect("an answer");
        assert_eq!(again.status, 201, "{again:?}");
    }
    // Whether it was carried out before the retry or by it, it is there once.
    assert_eq!(Journal::read(&world.log()).await.placed().len(), keys.len());
    blocking(move || drop(server)).await;
}

/// Nothing that is refused at the edge reaches the log. (The edge's own tests go through every case.)
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bad_input_appends_nothing() {
    let world = std::sync::Arc::new(world().await);
    let server = {
        let world = std::sync::Arc::clone(&world);
        blocking(move || world.command_api(None)).await
    };
    let client = Client::new(&server.url);
    shop::fill(&client).await;
    let with = |pointer: &str, value: serde_json::Value| {
        let mut body = order("ada");
        *body.pointer_mut(pointer).expect("there") = value;
        body
    };
    let mut unknown = order("ada");
    unknown["surprise"] = json!(1);
    let absurd = 9_007_199_254_740_991_i64;
    let bad = [
        (unknown, 422, "/surprise"),
        (
            with("/lines/0/quantity", json!(0)),
            422,
            "/lines/0/quantity",
        ),
        (
            with("/lines/1/quantity", json!(100_001)),
            422,
            "/lines/1/quantity",
        ),
        (
            with("/lines/1/sku", json!("nothing of ours")),
            422,
            "/lines/1/sku",
        ),
        (
            with("/lines/1/sku", json!("NOTHING-OF-OURS")),
            422,
            "/lines/1/sku",
        ),
        (
            with("/lines/0/unit_price/currency", json!("USD")),
            409,
            "/lines/0/unit_price",
        ),
        (
            with("/lines/1/unit_price/amount", json!(absurd + 1)),
            422,
            "/lines/1/unit_price",
        ),
        (with("/lines", json!([])), 422, "/lines"),
        (
            with("/shipping_address/country", json!("Britain")),
            422,
            "/shipping_address/country",
        ),
    ];
    for (body, status, pointer) in bad {
        let answer = client
            .send(Method::POST, "/v1/orders", &[], Some(&body))
            .await
            .expect("an answer");
        assert_eq!(answer.status, status, "{answer:?}");
        assert!(!answer.code().is_empty(), "{answer:?}");
        assert_eq!(answer.header("content-type"), "application/problem+json");
        let errors = answer.body["errors"]
            .as_array()
            .cloned()
            .unwrap_or_default();
        let found = errors.iter().filter_map(|error| error["pointer"].as_str());
        assert!(
            found.into_iter().any(|found| found.starts_with(pointer)),
            "{pointer}: {answer:?}"
        );
    }
    let no_uuid = client
        .send(Method::POST, "/v1/orders/42/pay", &[], Some(&payment()))
        .await;
    assert_eq!(no_uuid.expect("an answer").status, 400);
    assert!(Journal::read(&world.log()).await.events.is_empty());
    blocking(move || drop(server)).await;
}
