//! Whoever moves several checkpoints locks them in one order; a deadlock all the same is a lock that is not had.

use event_store::BatchLimits;
use sqlx::{AssertSqlSafe, Connection};

use super::{World, eventually, shop::Shop, verifying::feed, waiting::WAITING};
use crate::{
    Orders, Projection, ProjectionName, ProjectorError, feed::Feed, live::origin_of, operate,
    registry,
};

/// The first by its key, and the last as the table lies.
const FIRST: &str = "(name, topic, partition) = ('orders', 'OrderEvents', 0)";

#[tokio::test]
async fn a_feed_locks_its_checkpoints_in_the_order_of_their_keys() {
    let (world, shop) = (World::new().await, Shop::open(2));
    let mut registry = world.database.connect().await.expect("connects");
    let origin = origin_of::<Orders, _>(&shop.log).await.expect("answers");
    let version = registry::ensure_live::<Orders>(&mut registry, &origin).await;
    let version = version.expect("creates");
    let held = registry::checkpoints(&mut registry, Orders::NAME, version.number, &[0, 1]).await;
    let mut held = held.expect("there are some");
    held.reverse();
    let connection = world.database.connect_to(&version.schema).await;
    let mut connection = connection.expect("connects");
    // As where the planner knows how small the table is.
    sqlx::raw_sql("set enable_indexscan = off; set enable_bitmapscan = off")
        .execute(&mut connection)
        .await
        .expect("sets");
    let limits = BatchLimits::default();
    let feed = Feed::<Orders>::open(&shop.log, &origin, connection, &version, held, limits).await;
    let mut feed = feed.expect("opens");
    let ends = feed.ask_ends(&shop.log).await.expect("ends");

    let move_it = format!("update offset_zero.checkpoints set updated_at = now() where {FIRST}");
    world.execute(&move_it).await;
    let mut other = world.connect().await;
    let mut tx = other.begin().await.expect("begins");
    let lock = format!("select from offset_zero.checkpoints where {FIRST} for update");
    let locked = sqlx::raw_sql(AssertSqlSafe(lock)).execute(&mut *tx);
    locked.await.expect("locks");
    let crossing = async {
        eventually("the feed waits", async || world.number(WAITING).await == 1).await;
        let all = "select from offset_zero.checkpoints where name = 'orders' for update nowait";
        let locked = sqlx::raw_sql(all).execute(&mut *tx).await;
        locked.expect("it waits for the first, and holds no other");
        tx.rollback().await.expect("lets go");
    };
    let (noted, ()) = tokio::join!(feed.note_ends(ends), crossing);
    assert_eq!(noted.expect("it goes on"), 0);
}

#[tokio::test]
async fn a_deadlock_is_told_as_a_lock() {
    let (world, shop) = (World::new().await, Shop::open(1));
    feed::<Orders>(&world, &shop).await;
    let mut other = world.connect().await;
    // It is not the one that looks for it.
    let first = "set deadlock_timeout = '1min'; begin;
        select from offset_zero.checkpoints where name = 'orders' for update";
    let held = sqlx::raw_sql(first).execute(&mut other).await;
    held.expect("locks checkpoints");
    let crossing = async {
        eventually("it waits", async || world.number(WAITING).await == 1).await;
        let then = "select from offset_zero.projections where name = 'orders' for update; rollback";
        let held = sqlx::raw_sql(then).execute(&mut other).await;
        held.expect("has what the other held");
    };
    let pausing = operate::pause(&world.database, ProjectionName::Orders);
    let (paused, ()) = tokio::join!(pausing, crossing);
    let error = paused.expect_err("Postgres ends one of the two");
    assert!(matches!(error, ProjectorError::Locked(_)), "{error:?}");
}
