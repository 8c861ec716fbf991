//! Reads while a rebuilt version takes over and the old one is dropped.

use std::{
    sync::atomic::{AtomicBool, AtomicI64, Ordering},
    time::Duration,
};

use futures::future::join_all;

use crate::world::{ALL, Order, PRODUCTS, World};

const SWAPS: i32 = 30;
const READERS: usize = 6;
const READS_OF_A_SWAP: i64 = 12;
const AT_A_POSITION: [(&str, &str); 2] =
    [("x-min-position", "OrderEvents/0@4"), ("prefer", "wait=0")];

/// Reads the order, one way or another; answers its version.
async fn version_of(world: &World, order: &Order, reader: usize) -> i64 {
    let uri = format!("/v1/orders/{}", order.id);
    match reader % 3 {
        0 => world.send("GET", &uri, &AT_A_POSITION).await.json()["version"].clone(),
        1 => world.get(&uri).await.json()["version"].clone(),
        _ => world.get("/v1/orders").await.json()["items"][0]["version"].clone(),
    }
    .as_i64()
    .expect("a version")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn reads_survive_swaps_and_never_go_back() {
    let world = World::new().await;
    let listening = tokio::spawn(world.database.clone().keep_listening());
    let order = Order::placed_at("2026-01-01T00:00:00Z");
    world.insert(&order).await;
    world
        .execute("update offset_zero.checkpoints set next_offset = 5")
        .await;
    let done = AtomicBool::new(false);
    // The newest that any of them has seen.
    let seen = AtomicI64::new(0);
    let reads = AtomicI64::new(0);

    let readers = join_all((0..READERS).map(async |reader| {
        while !done.load(Ordering::SeqCst) {
            let newest = seen.load(Ordering::SeqCst);
            let version = version_of(&world, &order, reader).await;
            assert!(version >= newest, "{version} after {newest}");
            seen.fetch_max(version, Ordering::SeqCst);
            reads.fetch_add(1, Ordering::SeqCst);
        }
    }));
    let swaps = async {
        for next in 2..SWAPS + 2 {
            go_live(&world, next).await;
            // So that each swap meets reads, and no drop comes sooner than a person could type it.
            let enough = reads.load(Ordering::SeqCst) + READS_OF_A_SWAP;
            while reads.load(Ordering::SeqCst) < enough {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
            drop_version(&world, next - 1).await;
        }
        done.store(true, Ordering::SeqCst);
    };
    tokio::join!(readers, swaps);
    assert_eq!(seen.into_inner(), i64::from(SWAPS) + 1);
    listening.abort();
}

#[tokio::test]
async fn what_goes_live_is_read_as_soon_as_it_is_told() {
    let world = World::new().await;
    let order = Order::placed_at("2026-01-01T00:00:00Z");
    world.insert(&order).await;
    let listening = tokio::spawn(world.database.clone().keep_listening());
    for next in 2..5 {
        go_live(&world, next).await;
        eventually_version(&world, &order, next).await;
    }
    // Whoever was not listening when it was told looks when it listens again.
    world
        .execute("select pg_terminate_backend(pid) from pg_stat_activity where datname = current_database() and query ilike 'listen%'")
        .await;
    go_live(&world, 5).await;
    eventually_version(&world, &order, 5).await;
    listening.abort();
}

#[tokio::test]
async fn a_read_that_finds_a_newer_version_takes_the_others_along() {
    let world = World::new().await;
    let order = Order::placed_at("2026-01-01T00:00:00Z");
    world.insert(&order).await;
    world
        .execute("update offset_zero.checkpoints set next_offset = 5")
        .await;
    assert_eq!(version_of(&world, &order, 1).await, 1);
    go_live(&world, 2).await;
    // Nobody listens here, and rows of the old version are those that were there at the swap.
    assert_eq!(version_of(&world, &order, 1).await, 1);
    assert_eq!(version_of(&world, &order, 0).await, 2);
    assert_eq!(version_of(&world, &order, 1).await, 2);
    // So does one that finds its table gone.
    go_live(&world, 3).await;
    drop_version(&world, 2).await;
    assert_eq!(version_of(&world, &order, 1).await, 3);
}

/// One look after the other would take longer than any of them may.
#[tokio::test]
async fn reads_that_find_nothing_live_look_together() {
    let world = World::with(&PRODUCTS).await;
    world
        .execute(
            "alter table offset_zero.projections rename to all_projections;
             create view offset_zero.projections as
             select known.* from offset_zero.all_projections known, pg_sleep(0.1)",
        )
        .await;
    let reads = join_all((0..50).map(|_| world.get("/v1/orders")));
    for answer in reads.await {
        let problem = answer.problem(503, "unavailable");
        let detail = problem["detail"].as_str().expect("a detail");
        assert!(
            detail.starts_with("no version of the projection orders"),
            "{detail}"
        );
    }
}

#[tokio::test]
async fn projections_name_no_table_alike() {
    let world = World::with_all(&ALL).await;
    let alike = "select coalesce(string_agg(tablename, ', '), '') from (
         select tablename from pg_tables where schemaname ~ '_1$' group by tablename having count(*) > 1) alike";
    let alike: String = sqlx::query_scalar(alike)
        .fetch_one(&world.pool)
        .await
        .expect("asked");
    assert_eq!(alike, "", "one `search_path` has to lead to all of them");
}

async fn eventually_version(world: &World, order: &Order, version: i32) {
    let deadline = std::time::Instant::now() + Duration::from_secs(30);
    while version_of(world, order, 1).await != i64::from(version) {
        assert!(
            std::time::Instant::now() < deadline,
            "version {version} is not read"
        );
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}

#[tokio::test]
async fn a_version_dropped_under_a_read_is_read_again() {
    let world = World::new().await;
    let order = Order::placed_at("2026-01-01T00:00:00Z");
    world.insert(&order).await;
    world.create_version(2, "ready").await;
    let copy = "insert into orders_2.orders select * from orders_1.orders";
    world.execute(copy).await;
    world
        .execute("update offset_zero.checkpoints set next_offset = 1")
        .await;

    // The lock stops the reader right after it has found version 1 live.
    let mut writer = world.pool.begin().await.expect("begun");
    let lock = "lock table offset_zero.checkpoints in access exclusive mode";
    sqlx::raw_sql(lock)
        .execute(&mut *writer)
        .await
        .expect("locked");
    let swap = async {
        let deadline = std::time::Instant::now() + Duration::from_secs(30);
        while !is_reader_waiting(&world).await {
            assert!(
                std::time::Instant::now() < deadline,
                "no read waits for the lock"
            );
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
        let swap =
            "update offset_zero.projections set live_version = 2; drop schema orders_1 cascade";
        sqlx::raw_sql(swap)
            .execute(&mut *writer)
            .await
            .expect("swapped");
        writer.commit().await.expect("committed");
    };
    let headers = [("x-min-position", "OrderEvents/0@0")];
    let (answer, ()) = tokio::join!(world.send("GET", "/v1/orders", &headers), swap);
    assert_eq!(answer.ids(), [order.id]);
}

async fn is_reader_waiting(world: &World) -> bool {
    let waiting = "select exists (select from pg_locks
         where not granted and relation = 'offset_zero.checkpoints'::regclass)";
    let waiting = sqlx::query_scalar(waiting).fetch_one(&world.pool).await;
    waiting.expect("asked")
}

/// As a rebuild does, where rows say which version they are of.
async fn go_live(world: &World, next: i32) {
    let last = next - 1;
    world.create_version(next, "ready").await;
    world
        .execute(&format!(
            "insert into orders_{next}.orders select * from orders_{last}.orders;
             update orders_{next}.orders set version = {next};
             update offset_zero.checkpoints set next_offset = 5 where version = {next};
             update offset_zero.projection_versions set state = 'live' where version = {next};
             update offset_zero.projections set live_version = {next};
             select pg_notify('offset_zero_live', 'orders')"
        ))
        .await;
}

pub(crate) async fn drop_version(world: &World, last: i32) {
    world
        .execute(&format!(
            "drop schema orders_{last} cascade;
             delete from offset_zero.projection_versions where version = {last}"
        ))
        .await;
}
