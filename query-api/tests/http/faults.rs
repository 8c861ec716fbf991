//! Postgres away, clients away.

use std::time::{Duration, Instant};

use dev::postgres::Relay;
use futures::future::join_all;
use query_api::{Database, Streams};
use runtime::{health::Readiness, http, telemetry::Metrics};
use tokio::task::spawn_blocking;

use crate::world::{Answer, NativePostgres, Order, World, send};

const PATIENCE: Duration = Duration::from_secs(30);
/// A read is answered within six seconds, whatever happens to its connection.
const READ_LIMIT: Duration = Duration::from_secs(8);
/// And a stop waits for two.
const CLOSE_LIMIT: Duration = Duration::from_secs(4);

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

/// A world and a router that has one connection to it, which can be lost without a word.
struct Lossy {
    world: World,
    relay: Relay,
    database: Database,
    router: axum::Router,
}

impl Lossy {
    async fn new() -> Self {
        let world = World::new().await;
        let relay = Relay::to(&world.url).await;
        let database = Database::new(&relay.url, 1).expect("a valid URL");
        let api = query_api::router(database.clone(), Streams::default());
        Self {
            router: http::app(api, Readiness::new([]), Metrics::default()),
            world,
            relay,
            database,
        }
    }

    async fn get(&self, uri: &str) -> Answer {
        send(self.router.clone(), "GET", uri, &[]).await
    }

    /// Reads, and does something while Postgres is at it, which goes on only afterwards.
    async fn get_meanwhile(&self, uri: &str, meanwhile: impl AsyncFnOnce()) -> Answer {
        let mut writer = self.world.pool.begin().await.expect("begun");
        let lock = "lock table orders_1.orders, offset_zero.checkpoints in access exclusive mode";
        sqlx::raw_sql(lock)
            .execute(&mut *writer)
            .await
            .expect("locked");
        let meanwhile = async {
            let deadline = Instant::now() + PATIENCE;
            while !self.is_reader_waiting().await {
                assert!(Instant::now() < deadline, "nobody reads");
                tokio::time::sleep(Duration::from_millis(2)).await;
            }
            meanwhile().await;
            writer.rollback().await.expect("unlocked");
        };
        let (answer, ()) = tokio::join!(self.get(uri), meanwhile);
        answer
    }

    async fn is_reader_waiting(&self) -> bool {
        let waiting =
            "select exists (select from pg_locks l join pg_database d on d.oid = l.database
             where not l.granted and d.datname = current_database())";
        let waiting = sqlx::query_scalar(waiting).fetch_one(&self.world.pool);
        waiting.await.expect("asked")
    }
}

/// One read is a statement, one a transaction, and one of no projection.
#[tokio::test]
async fn a_connection_that_dies_silently_is_given_up() {
    let order = Order::placed_at("2026-01-02T03:04:05Z");
    let by_id = format!("/v1/orders/{}", order.id);
    let reads = [&*by_id, "/v1/orders", "/v1/projections"].map(async |uri| {
        let lossy = Lossy::new().await;
        lossy.world.insert(&order).await;
        let begun = Instant::now();
        let answer = lossy.get_meanwhile(uri, async || lossy.relay.lose());
        answer.await.problem(503, "unavailable");
        assert!(begun.elapsed() < READ_LIMIT, "{:?}", begun.elapsed());
        // There is no other connection, and the one that is lost would never end.
        eventually(&lossy.router, uri, 200).await;
    });
    join_all(reads).await;
}

#[tokio::test]
async fn a_connection_that_dies_as_it_is_given_back_is_given_up() {
    let lossy = Lossy::new().await;
    let uri = "/v1/projections";
    // From now on it is one answer.
    lossy.get(uri).await.json();
    let answer = lossy.get_meanwhile(uri, async || lossy.relay.lose_after_answer());
    answer.await.json();
    eventually(&lossy.router, uri, 200).await;
}

/// Of a pool that is busy nobody is told that Postgres is away.
#[tokio::test]
async fn a_connection_that_is_in_use_is_waited_for_in_vain() {
    let lossy = Lossy::new().await;
    // From now on both are read over the one connection.
    lossy.get("/v1/orders").await.json();
    let answer = lossy.get_meanwhile("/v1/projections", async || {
        let refused = lossy.get("/v1/orders").await;
        let problem = refused.problem(503, "unavailable");
        let detail = "no connection to the database could be had in time";
        assert_eq!(problem["detail"], detail);
    });
    answer.await.json();
}

#[tokio::test]
async fn a_stop_does_not_wait_for_a_dead_connection() {
    let lossy = Lossy::new().await;
    let answer = lossy.get_meanwhile("/v1/projections", async || {
        lossy.relay.lose();
        let begun = Instant::now();
        lossy.database.close().await;
        assert!(begun.elapsed() < CLOSE_LIMIT, "{:?}", begun.elapsed());
    });
    answer.await.problem(503, "unavailable");
}
