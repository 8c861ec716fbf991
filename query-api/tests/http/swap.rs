//! Reads while a rebuilt version takes over and the old one is dropped.

use std::{
    sync::atomic::{AtomicBool, Ordering},
    time::Duration,
};

use futures::future::join_all;

use crate::world::{Order, World};

const SWAPS: i32 = 30;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn reads_survive_swaps() {
    let world = World::new().await;
    let order = Order::placed_at("2026-01-01T00:00:00Z");
    world.insert(&order).await;
    world
        .execute("update offset_zero.checkpoints set next_offset = 5")
        .await;
    let done = AtomicBool::new(false);

    let readers = join_all((0..6).map(async |reader| {
        let uri = format!("/v1/orders/{}", order.id);
        let headers = [("x-min-position", "OrderEvents/0@4"), ("prefer", "wait=0")];
        let mut reads = 0;
        while !done.load(Ordering::Relaxed) {
            if reader % 2 == 0 {
                let answer = world.send("GET", &uri, &headers).await;
                assert_eq!(answer.json()["id"], order.id.to_string());
            } else {
                assert_eq!(world.get("/v1/orders").await.ids(), [order.id]);
            }
            reads += 1;
        }
        reads
    }));
    let swaps = async {
        for next in 2..SWAPS + 2 {
            swap(&world, next).await;
        }
        done.store(true, Ordering::Relaxed);
    };
    let (reads, ()) = tokio::join!(readers, swaps);
    assert!(reads.iter().all(|reads| *reads > SWAPS), "{reads:?}");
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
        while !is_reader_waiting(&world).await {
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

async fn swap(world: &World, next: i32) {
    let last = next - 1;
    world.create_version(next, "ready").await;
    world
        .execute(&format!(
            "insert into orders_{next}.orders select * from orders_{last}.orders;
             update offset_zero.checkpoints set next_offset = 5 where version = {next};
             update offset_zero.projection_versions set state = 'live' where version = {next};
             update offset_zero.projections set live_version = {next}"
        ))
        .await;
    // Under the eyes of those who have found it live; in practice it stays for a while.
    world
        .execute(&format!(
            "drop schema orders_{last} cascade;
             delete from offset_zero.projection_versions where version = {last}"
        ))
        .await;
}
