//! Applied once, whoever tries.

use event_store::{BatchLimits, log::Log};
use sqlx::PgConnection;

use super::{World, shop::Shop};
use crate::{
    Orders, Projection, ProjectorError,
    feed::Feed,
    live::origin_of,
    registry::{self, Version},
};

/// Feeds the live version.
pub(super) async fn open<P: Projection>(
    world: &World,
    shop: &Shop,
    limits: BatchLimits,
) -> Result<(Feed<P>, Version), ProjectorError> {
    let mut registry = world.database.connect().await?;
    let origin = origin_of::<P, _>(&shop.log).await?;
    let version = registry::ensure_live::<P>(&mut registry, &origin).await?;
    let connection = world.database.connect_to(&version.schema).await?;
    let feed = open_version(world, shop, &version, connection, limits).await?;
    Ok((feed, version))
}

/// Feeds a version, over a connection to its schema.
pub(super) async fn open_version<P: Projection>(
    world: &World,
    shop: &Shop,
    version: &Version,
    connection: PgConnection,
    limits: BatchLimits,
) -> Result<Feed<P>, ProjectorError> {
    let mut registry = world.database.connect().await?;
    let origin = origin_of::<P, _>(&shop.log).await?;
    let partitions: Vec<i32> = (0..origin.partitions).collect();
    let checkpoints =
        registry::checkpoints(&mut registry, P::NAME, version.number, &partitions).await?;
    Feed::open(&shop.log, &origin, connection, version, checkpoints, limits).await
}

/// Each event in a batch of its own.
pub(super) fn one_by_one() -> BatchLimits {
    BatchLimits {
        max_events: 1,
        ..BatchLimits::default()
    }
}

pub(super) async fn step<P: Projection>(feed: &mut Feed<P>) -> Result<u64, ProjectorError> {
    let batch = feed.next().await?;
    feed.absorb(batch).await?;
    feed.flush().await
}

/// Applies all that the log holds.
pub(super) async fn catch_up<P: Projection>(feed: &mut Feed<P>, shop: &Shop) {
    while look_at_ends(feed, shop).await > 0 {
        step(feed).await.expect("applies");
    }
}

async fn look_at_ends<P: Projection>(feed: &mut Feed<P>, shop: &Shop) -> i64 {
    let ends = feed.ask_ends(&shop.log).await.expect("ends");
    feed.note_ends(ends).await.expect("notes them")
}

#[tokio::test]
async fn what_was_applied_is_not_applied_again() {
    let (world, shop) = (World::new().await, Shop::open(1));
    shop.trade(9).await;
    let (mut first, version) = open::<Orders>(&world, &shop, BatchLimits::default())
        .await
        .expect("opens");
    let (mut second, _) = open::<Orders>(&world, &shop, BatchLimits::default())
        .await
        .expect("opens");
    catch_up(&mut first, &shop).await;
    let rows = world.rows(&version.schema).await;
    assert_eq!(rows.len(), 9);
    assert!(matches!(
        step(&mut second).await,
        Err(ProjectorError::Superseded)
    ));
    assert_eq!(world.rows(&version.schema).await, rows);
    let lag = "select sum(end_offset - next_offset)::bigint from offset_zero.checkpoints";
    assert_eq!(world.number(lag).await, 0, "control records are passed too");
}

#[tokio::test]
async fn ends_that_it_has_overtaken_meanwhile_are_no_setback() {
    let (world, shop) = (World::new().await, Shop::open(1));
    shop.trade(3).await;
    let (mut feed, _) = open::<Orders>(&world, &shop, BatchLimits::default())
        .await
        .expect("opens");
    let early = feed.ask_ends(&shop.log).await.expect("ends");
    shop.trade(3).await;
    catch_up(&mut feed, &shop).await;
    assert_eq!(feed.note_ends(early).await.expect("notes them"), 0);
    let lag = "select sum(end_offset - next_offset)::bigint from offset_zero.checkpoints";
    assert_eq!(world.number(lag).await, 0);
}

#[tokio::test]
async fn all_its_partitions_are_moved_or_none() {
    const CLAIMED: i32 = 2;
    let (world, shop) = (World::new().await, Shop::open(4));
    shop.trade(40).await;
    let (mut feed, version) = open::<Orders>(&world, &shop, BatchLimits::default())
        .await
        .expect("opens");
    while feed.held() < 40 {
        let batch = feed.next().await.expect("reads");
        feed.absorb(batch).await.expect("folds");
    }
    let mut registry = world.database.connect().await.expect("connects");
    registry::claim(&mut registry, Orders::NAME, version.number, &[CLAIMED])
        .await
        .expect("claims");
    assert!(matches!(
        feed.flush().await,
        Err(ProjectorError::Superseded)
    ));
    assert_eq!(world.rows(&version.schema).await.len(), 0);
    let moved = "select count(*) from offset_zero.checkpoints where next_offset > 0";
    assert_eq!(world.number(moved).await, 0);

    let (mut feed, version) = open::<Orders>(&world, &shop, BatchLimits::default())
        .await
        .expect("opens again");
    catch_up(&mut feed, &shop).await;
    assert_eq!(world.rows(&version.schema).await.len(), 40);
    let behind = "select count(*) from offset_zero.checkpoints where next_offset < end_offset";
    assert_eq!(world.number(behind).await, 0);
}

#[tokio::test]
async fn what_it_holds_is_weighed_until_it_is_written() {
    let (world, shop) = (World::new().await, Shop::open(1));
    shop.trade(2).await;
    let limits = one_by_one();
    let (mut feed, _) = open::<Orders>(&world, &shop, limits).await.expect("opens");
    let mut last = feed.held_bytes();
    for _ in 0..2 {
        let batch = feed.next().await.expect("reads");
        let bytes = batch.bytes;
        feed.absorb(batch).await.expect("folds");
        assert!(bytes > 0);
        assert_eq!(feed.held_bytes(), last + bytes);
        last = feed.held_bytes();
    }
    feed.flush().await.expect("writes");
    assert_eq!(feed.held_bytes(), 0);
}

#[tokio::test]
async fn goes_on_from_the_checkpoint_in_batches_of_any_size() {
    let (world, shop) = (World::new().await, Shop::open(1));
    shop.trade(6).await;
    let limits = one_by_one();
    let (mut feed, _) = open::<Orders>(&world, &shop, limits).await.expect("opens");
    for _ in 0..4 {
        step(&mut feed).await.expect("applies");
    }
    drop(feed);
    let (mut feed, version) = open::<Orders>(&world, &shop, limits)
        .await
        .expect("opens again");
    catch_up(&mut feed, &shop).await;
    let statuses = "select count(*) from orders_1.orders where (status, version) in (('placed', 1), ('paid', 5), ('cancelled', 6))";
    assert_eq!(
        world.number(statuses).await,
        6,
        "{:?}",
        world.rows(&version.schema).await
    );
}

#[tokio::test]
async fn another_log_is_noticed() {
    let (world, shop) = (World::new().await, Shop::open(1));
    shop.trade(3).await;
    let (mut feed, _) = open::<Orders>(&world, &shop, BatchLimits::default())
        .await
        .expect("opens");
    catch_up(&mut feed, &shop).await;
    for damage in [
        "last_event_id = gen_random_uuid()",
        "next_offset = 1000000",
        "cluster_id = 'another'",
    ] {
        world
            .execute(&format!("update offset_zero.checkpoints set {damage}"))
            .await;
        let error = match open::<Orders>(&world, &shop, BatchLimits::default()).await {
            Ok((mut feed, _)) => step(&mut feed).await.expect_err(damage),
            Err(error) => error,
        };
        assert!(
            matches!(error, ProjectorError::Diverged { .. }),
            "{damage}: {error}"
        );
    }
    assert!(shop.log.cluster_id().is_ok());
}

#[tokio::test]
async fn a_database_without_tables_says_what_to_type() {
    let url = World::unmigrated().await;
    let database = crate::Database::new(&url).expect("a URL");
    let error = database
        .connect()
        .await
        .expect_err("not migrated")
        .to_string();
    assert!(error.contains("type: offset-zero migrate"), "{error}");
    let migrated = crate::migrate(&url).await.expect("migrates");
    assert!(migrated.0 > 0, "{migrated}");
    database.connect().await.expect("migrated");
    let migrated = crate::migrate(&url).await.expect("there is nothing to do");
    assert_eq!(migrated.0, 0, "{migrated}");
}
