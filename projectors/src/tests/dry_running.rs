//! A dry run says what a rebuild would change, and leaves no trace.

use domain::topics::ORDER_EVENTS;
use event_store::{log::Log, partition_for};

use super::{
    World, eventually,
    running::Runner,
    shop::Shop,
    verifying::{WrongOrders, cancelled, feed},
};
use crate::{
    History, Orders, ProjectionName, ProjectorError,
    rebuild::{Comparison, Difference, DryRun, Options, Verification, dry_run},
};

async fn run(
    world: &World,
    shop: &Shop,
    name: ProjectionName,
    options: Options,
    partitions: &[i32],
) -> Result<DryRun, ProjectorError> {
    dry_run(name, &shop.log, &world.database, options, partitions).await
}

fn compared(found: DryRun) -> Comparison {
    match found.verification {
        Verification::Compared(comparison) => comparison,
        Verification::Skipped(reason) => panic!("skipped: {reason}"),
    }
}

/// All that a rebuild could have touched.
async fn everything(world: &World) -> Vec<String> {
    let mut all = world.rows("orders_1").await;
    let registered = "select v::text from offset_zero.projection_versions v
        union all select c::text from offset_zero.checkpoints c
        union all select d::text from offset_zero.dead_letters d
        union all select p::text from offset_zero.projections p
        union all select nspname::text from pg_namespace where nspname not like 'pg\\_%'
        order by 1";
    all.extend(world.texts(registered).await);
    all
}

#[tokio::test]
async fn what_a_bug_has_touched_is_listed_and_nothing_is_changed() {
    let (world, shop) = (World::new().await, Shop::open(2));
    let ids = shop.trade(30).await;
    feed::<WrongOrders>(&world, &shop).await;
    let before = everything(&world).await;
    let found = run(
        &world,
        &shop,
        ProjectionName::Orders,
        Options::default(),
        &[],
    )
    .await
    .expect("runs");
    assert!(!found.is_equal(), "{found}");
    let found = compared(found);
    assert_eq!((found.rows, found.differing), (30, 10));
    assert_eq!(found.differences, cancelled(&ids));
    assert_eq!(everything(&world).await, before);
}

#[tokio::test]
async fn of_one_partition_only_its_rows_are_compared() {
    let (world, shop) = (World::new().await, Shop::open(2));
    let ids = shop.trade(30).await;
    feed::<WrongOrders>(&world, &shop).await;
    let mut rows = 0;
    for partition in 0..2 {
        let options = Options::default();
        let found = run(&world, &shop, ProjectionName::Orders, options, &[partition])
            .await
            .expect("runs");
        let found = compared(found);
        let is_there = |difference: &Difference| {
            let id = difference.key[0].as_str().expect("an id");
            partition_for(id.as_bytes(), 2) == partition
        };
        let mut expected = cancelled(&ids);
        expected.retain(is_there);
        assert_eq!(found.differences, expected);
        rows += found.rows;
    }
    assert_eq!(rows, 30);
}

#[tokio::test]
async fn live_goes_on_meanwhile() {
    let (world, shop) = (World::new().await, Shop::open(2));
    let runner = Runner::start(&world, &shop);
    eventually("ready", async || runner.readiness.is_ready()).await;
    let mut rows = 0;
    while rows < 60 {
        rows += shop.trade(6).await.len() as u64;
        let options = Options::default();
        let found = run(&world, &shop, ProjectionName::Orders, options, &[])
            .await
            .expect("runs");
        assert!(found.is_equal(), "{found}");
        assert!(compared(found).rows <= rows);
    }
    runner.stop().await;
}

#[tokio::test]
async fn from_elsewhere_it_compares_what_follows() {
    let (world, shop) = (World::new().await, Shop::open(1));
    shop.trade(6).await;
    feed::<History>(&world, &shop).await;
    world
        .execute("update history_1.history set actor = 'wrong'")
        .await;
    let end = shop.log.end_offset(ORDER_EVENTS, 0).expect("answers");
    let middle = end / 2;
    let touched = format!(
        "select count(*) from history_1.history where topic = '{ORDER_EVENTS}' and position >= {middle}"
    );
    let options = Options {
        start: format!("{ORDER_EVENTS}/0@{middle}")
            .parse()
            .expect("a start"),
        ..Options::default()
    };
    let found = run(&world, &shop, ProjectionName::History, options, &[])
        .await
        .expect("runs");
    let touched = world.number(&touched).await;
    assert!(touched > 0);
    assert_eq!(compared(found).differing, touched.unsigned_abs());
}

#[tokio::test]
async fn without_anything_to_compare_with_it_says_so() {
    let (world, shop) = (World::new().await, Shop::open(1));
    shop.trade(3).await;
    let refused = async |partitions: &[i32], reason: &str| {
        let options = Options::default();
        let error = run(&world, &shop, ProjectionName::Orders, options, partitions)
            .await
            .expect_err(reason);
        assert!(error.to_string().contains(reason), "{error}");
    };
    refused(&[], "no version is live").await;
    feed::<Orders>(&world, &shop).await;
    refused(&[1], "there is no partition 1").await;
    shop.log.truncate(ORDER_EVENTS, 0, 1);
    refused(&[], "holds more than the log does").await;
    for state in ["failed", "diverged"] {
        let failed = format!(
            "update offset_zero.projection_versions set state = '{state}', error = 'a test'"
        );
        world.execute(&failed).await;
        refused(&[], "not compared: the live version has failed").await;
    }
}
