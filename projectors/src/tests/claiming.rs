//! Whoever feeds a version feeds the live one, however close a swap, a halt or a failure comes to its beginning.

use sqlx::{Connection, PgConnection};

use super::{World, eventually, shop::Shop};
use crate::{
    Orders, Projection, ProjectionName, ProjectorError,
    live::origin_of,
    operate,
    registry::{self, Version},
};

const PARTITIONS: [i32; 2] = [0, 1];

async fn reset(world: &World, shop: &Shop) -> i32 {
    let reset = operate::reset(&shop.log, &world.database, ProjectionName::Orders).await;
    reset.expect("resets")
}

async fn live(registry: &mut PgConnection, shop: &Shop) -> Version {
    let origin = origin_of::<Orders, _>(&shop.log).await.expect("the log");
    let live = registry::ensure_live::<Orders>(registry, &origin).await;
    live.expect("there is one")
}

/// Orders of which one version was just found to be live.
async fn found() -> (World, Shop, PgConnection, Version) {
    let (world, shop) = (World::new().await, Shop::open(2));
    let mut registry = world.database.connect().await.expect("connects");
    let found = live(&mut registry, &shop).await;
    (world, shop, registry, found)
}

async fn is_claimed(registry: &mut PgConnection, found: &Version) -> bool {
    let claimed = registry::claim_live(registry, Orders::NAME, found, &PARTITIONS).await;
    claimed.expect("Postgres answers").is_some()
}

async fn epochs(world: &World) -> Vec<String> {
    let epochs = "select format('%s %s %s %s', version, topic, partition, epoch) from offset_zero.checkpoints order by 1";
    world.texts(epochs).await
}

#[tokio::test]
async fn what_was_found_and_is_not_live_any_more_is_not_claimed() {
    let (world, shop, mut registry, found) = found().await;
    assert!(is_claimed(&mut registry, &found).await);

    reset(&world, &shop).await;
    let before = epochs(&world).await;
    assert!(!is_claimed(&mut registry, &found).await);
    assert_eq!(epochs(&world).await, before, "its owner is left alone");
    let found = live(&mut registry, &shop).await;
    assert!(is_claimed(&mut registry, &found).await);
}

#[tokio::test]
async fn what_was_halted_meanwhile_is_not_claimed() {
    let (world, _shop, mut registry, found) = found().await;
    let paused = operate::pause(&world.database, ProjectionName::Orders).await;
    paused.expect("halts");
    assert!(!is_claimed(&mut registry, &found).await);
    let resumed = operate::resume(&world.database, ProjectionName::Orders).await;
    resumed.expect("resumes");
    assert!(is_claimed(&mut registry, &found).await);
}

#[tokio::test]
async fn what_has_failed_meanwhile_is_not_claimed() {
    let (_world, _shop, mut registry, found) = found().await;
    let number = found.number;
    let left = registry::checkpoints(&mut registry, Orders::NAME, number, &PARTITIONS).await;
    let left = left.expect("Postgres answers");
    let error = ProjectorError::Diverged {
        reason: "the test says so".to_owned(),
    };
    let failed = registry::fail::<Orders>(&mut registry, number, &left, &error).await;
    assert!(matches!(failed, Ok(ProjectorError::Failed(_))));
    assert!(!is_claimed(&mut registry, &found).await);

    let late = registry::fail::<Orders>(&mut registry, number, &left, &error).await;
    assert!(matches!(late, Ok(ProjectorError::Superseded)));
}

/// As where its process was halted, or its machine was lost: nobody ends its session but Postgres.
#[tokio::test]
async fn a_feed_that_stands_still_within_a_transaction_is_no_obstacle() {
    let (world, _shop, mut registry, found) = found().await;
    let connections = [
        (world.database.connect_to_feed(&found.schema).await, false),
        (world.database.connect().await, true),
    ];
    for (still, has_to_say_so) in connections {
        let mut still = still.expect("connects");
        let mut tx = still.begin().await.expect("begins");
        if has_to_say_so {
            let said = registry::never_stand_still(&mut tx).await;
            said.expect("as whoever claims does");
        }
        let held = registry::claim(&mut tx, Orders::NAME, found.number, &PARTITIONS).await;
        held.expect("holds them");
        eventually("they are let go", async || {
            let claimed =
                registry::claim_live(&mut registry, Orders::NAME, &found, &PARTITIONS).await;
            matches!(claimed, Ok(Some(_)))
        })
        .await;
    }
}
