//! A version that was replaced is brought up to the log, and takes its place again.

use sqlx::Connection;
use uuid::Uuid;

use super::{
    World, eventually,
    parking::{append, records},
    rebuilding::{begun, rebuild_orders},
    running::{Runner, trade_reaches},
    shop::Shop,
};
use crate::{
    NotDropped, Orders, Projection, ProjectionName, ProjectorError, Report,
    operate::drop_version,
    parking::MAX_CAUSES,
    rebuild,
    rebuild::{Options, Verification, close},
};

const KEPT: &str = "select count(*) from offset_zero.projection_versions where state = 'retired' and error is null";

async fn back_to(world: &World, shop: &Shop, version: i32) -> Result<Report, ProjectorError> {
    let options = Options {
        back_to: Some(version),
        ..Options::default()
    };
    rebuild(ProjectionName::Orders, &shop.log, &world.database, options).await
}

#[tokio::test]
async fn what_was_replaced_catches_up_and_goes_live_again() {
    let (world, shop) = (World::new().await, Shop::open(2));
    let runner = Runner::start(&world, &shop);
    shop.trade(6).await;
    trade_reaches(&world, "orders_1", 6).await;
    rebuild_orders(&world, &shop).await.expect("rebuilds");
    shop.trade(3).await;
    trade_reaches(&world, "orders_2", 9).await;
    world
        .execute("update orders_2.orders set stuck = true")
        .await;

    let report = back_to(&world, &shop, 1).await.expect("goes back");
    assert_eq!((report.version, report.replaced), (1, 2));
    assert!(report.went_back && !report.resumed);
    assert_eq!(report.rows, 3, "nothing is made anew");
    match report.verification {
        Verification::Compared(found) => assert_eq!(found.differing, 9),
        Verification::Skipped(reason) => panic!("skipped: {reason}"),
    }
    shop.trade(3).await;
    trade_reaches(&world, "orders_1", 12).await;
    runner.stop().await;

    let anew = rebuild_orders(&world, &shop).await.expect("rebuilds");
    assert_eq!((anew.version, anew.replaced), (3, 1));
    assert_eq!(world.rows("orders_3").await, world.rows("orders_1").await);
}

#[tokio::test]
async fn where_there_is_no_way_back_it_says_why_and_changes_nothing() {
    let (world, shop) = (World::new().await, Shop::open(1));
    shop.trade(3).await;
    rebuild_orders(&world, &shop).await.expect("rebuilds");
    let (registry, unfinished) = begun::<Orders>(&world, &shop).await;
    close(registry).await;
    let of_first = "update offset_zero.projection_versions set";
    let checkpoints = "update offset_zero.checkpoints set cluster_id =";
    let first = "where name = 'orders' and version = 1";
    for (version, change, reason, undo) in [
        (7, "select 1", "there is none", "select 1"),
        (2, "select 1", "it is live", "select 1"),
        (
            unfinished.version.number,
            "select 1",
            "it was never live",
            "select 1",
        ),
        (
            1,
            &*format!("{of_first} shape = shape + 1 {first}"),
            "another shape",
            &*format!("{of_first} shape = shape - 1 {first}"),
        ),
        (
            1,
            &*format!("{checkpoints} 'x' || cluster_id {first}"),
            "another log",
            &*format!("{checkpoints} substr(cluster_id, 2) {first}"),
        ),
        (
            1,
            &*format!("{of_first} error = 'too many' {first}"),
            "had failed before it was replaced: too many",
            &*format!("{of_first} error = null {first}"),
        ),
    ] {
        world.execute(change).await;
        let error = back_to(&world, &shop, version).await.expect_err(reason);
        assert!(
            matches!(error, ProjectorError::NoWayBack { .. }) && error.to_string().contains(reason),
            "{error}"
        );
        world.execute(undo).await;
    }
    assert_eq!(world.number(KEPT).await, 1);
    back_to(&world, &shop, 1)
        .await
        .expect("nothing is in the way");
}

/// Another program may well be able to go back to it.
#[tokio::test]
async fn what_cannot_be_brought_up_is_kept() {
    let (world, shop) = (World::new().await, Shop::open(1));
    rebuild_orders(&world, &shop).await.expect("rebuilds");
    for _ in 0..=MAX_CAUSES {
        let mut records = records(Uuid::now_v7());
        records[1].payload = b"{".to_vec();
        append(&shop, &records);
    }
    for go in ["once", "and again"] {
        let error = back_to(&world, &shop, 1).await.expect_err(go);
        assert!(matches!(error, ProjectorError::Failed(_)), "{error}");
        assert_eq!(world.number(KEPT).await, 1, "{go}");
    }
    rebuild_orders(&world, &shop).await.expect_err("fails, too");
    assert_eq!(world.number(KEPT).await, 1, "a rebuild clears it away");
}

#[tokio::test]
async fn what_is_brought_up_is_not_dropped_meanwhile() {
    let (world, shop) = (World::new().await, Shop::open(1));
    shop.trade(3).await;
    rebuild_orders(&world, &shop).await.expect("rebuilds");
    let mut other = world.connect().await;
    let mut holding = other.begin().await.expect("begins");
    let hold =
        "select from offset_zero.checkpoints where name = 'orders' and version = 2 for update";
    let held = sqlx::raw_sql(hold).execute(&mut *holding).await;
    held.expect("holds the swap up");
    let dropping = async {
        let locked = "select count(*) from pg_locks
            where locktype = 'advisory' and classid = hashtext('offset_zero.back')::oid
                and database = (select oid from pg_database where datname = current_database())";
        eventually("on the way", async || world.number(locked).await == 1).await;
        let refused = drop_version(&world.database, Orders::NAME, 1).await;
        holding.rollback().await.expect("lets go");
        refused.expect_err("refused").to_string()
    };
    let (returned, refused) = tokio::join!(back_to(&world, &shop, 1), dropping);
    assert!(
        refused.contains(&NotDropped::Building.to_string()),
        "{refused}"
    );
    returned.expect("goes back");
    drop_version(&world.database, Orders::NAME, 2)
        .await
        .expect("drops what was replaced");
}
