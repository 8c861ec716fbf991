//! Postgres away, clients away.

use std::time::{Duration, Instant};

use query_api::{Database, Streams};
use runtime::{health::Readiness, http, telemetry::Metrics};
use tokio::task::spawn_blocking;

use crate::world::{Answer, NativePostgres, World, send};

const PATIENCE: Duration = Duration::from_secs(30);

/// Asks until the answer has this status.
async fn eventually(router: &axum::Router, uri: &str, status: u16) -> Answer {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let answer = send(router.clone(), "GET", uri, &[]).await;
        if answer.status == status {
            return answer;
        }
        assert!(Instant::now() < deadline, "{uri} still answers {answer:?}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn recovers_from_an_absent_postgres() {
    let native = spawn_blocking(NativePostgres::start)
        .await
        .expect("started");
    let url = native.postgres.url("postgres");
    World::at(&url).await.register().await;

    let database = Database::new(&url, 4).expect("a valid URL");
    let readiness = Readiness::new(["postgres"]);
    tokio::spawn(database.clone().keep_checking(readiness.clone()));
    let router = http::app(
        query_api::router(database, Streams::default()),
        readiness,
        Metrics::default(),
    );
    eventually(&router, "/health/ready", 200).await;
    send(router.clone(), "GET", "/v1/orders", &[]).await.json();

    let native = spawn_blocking(move || native.postgres.stop().map(|()| native)).await;
    let mut native = native.expect("no panic").expect("stopped");
    let began = Instant::now();
    let answer = send(router.clone(), "GET", "/v1/orders", &[]).await;
    answer.problem(503, "unavailable");
    assert!(answer.headers.contains_key("retry-after"));
    assert!(
        began.elapsed() < Duration::from_secs(4),
        "{:?}",
        began.elapsed()
    );
    let answer = eventually(&router, "/health/ready", 503).await;
    let problem = answer.problem(503, "not-ready");
    assert_eq!(problem["errors"][0]["pointer"], "/checks/postgres");
    send(router.clone(), "GET", "/health/live", &[])
        .await
        .json();

    let native = spawn_blocking(move || native.postgres.restart().map(|()| native)).await;
    let _native = native.expect("no panic").expect("restarted");
    eventually(&router, "/v1/orders", 200).await;
    eventually(&router, "/health/ready", 200).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn clients_that_leave_take_no_connection_with_them() {
    let world = World::new().await;
    for microseconds in 0..300 {
        let request = world.get("/v1/orders");
        let _ = tokio::time::timeout(Duration::from_micros(microseconds * 10), request).await;
    }
    for _ in 0..20 {
        world.get("/v1/orders").await.json();
    }
}
