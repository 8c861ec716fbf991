//! A version is dropped once nobody needs it.

use super::{
    World,
    rebuilding::{begun, rebuild_orders},
    shop::Shop,
};
use crate::{
    NotDropped, Orders, Projection, ProjectorError, operate::drop_version, rebuild::close,
};

#[tokio::test]
async fn an_old_version_is_kept_until_it_is_dropped() {
    let (world, shop) = (World::new().await, Shop::open(1));
    shop.trade(3).await;
    for (retired, told) in [
        (1, "version 1 is kept;"),
        (2, "version 2 is kept, and 1 before it"),
    ] {
        let report = rebuild_orders(&world, &shop).await.expect("rebuilds");
        assert_eq!(report.retired, retired);
        assert!(report.to_string().contains(told), "{report}");
    }
    assert_eq!(world.rows("orders_2").await, world.rows("orders_3").await);
    let drop = async |version| drop_version(&world.database, Orders::NAME, version).await;
    for (version, reason) in [(3, NotDropped::Live), (4, NotDropped::Unknown)] {
        let error = drop(version).await.expect_err("refused");
        assert!(error.to_string().contains(&reason.to_string()), "{error}");
    }
    drop(2).await.expect("drops");
    let schemas = "select count(*) from pg_namespace where nspname like 'orders\\__'";
    assert_eq!(world.number(schemas).await, 2, "1 and 3");
}

#[tokio::test]
async fn a_projection_of_another_release_is_dropped_once_nobody_feeds_it() {
    let (world, shop) = (World::new().await, Shop::open(1));
    rebuild_orders(&world, &shop).await.expect("rebuilds");
    // As one that was called otherwise would have left them.
    world
        .execute(
            "insert into offset_zero.projections (name) values ('parcels');
             insert into offset_zero.projection_versions
                select (jsonb_populate_record(v, '{\"name\": \"parcels\", \"schema_name\": \"parcels_2\"}')).*
                from offset_zero.projection_versions v where (name, version) = ('orders', 2);
             insert into offset_zero.checkpoints
                select (jsonb_populate_record(c, '{\"name\": \"parcels\"}')).*
                from offset_zero.checkpoints c where (name, version) = ('orders', 2);
             update offset_zero.checkpoints set updated_at = now() where name = 'parcels';
             update offset_zero.projections set live_version = 2 where name = 'parcels';
             alter schema orders_1 rename to parcels_2",
        )
        .await;
    let drop = async || drop_version(&world.database, "parcels", 2).await;
    let error = drop().await.expect_err("refused");
    let reason = NotDropped::Fed.to_string();
    assert!(error.to_string().contains(&reason), "{error}");
    world
        .execute("update offset_zero.checkpoints set updated_at = now() - interval '1 minute' where name = 'parcels'")
        .await;
    drop().await.expect("drops");
    let left = "select count(*) from offset_zero.projections where name = 'parcels'";
    assert_eq!(world.number(left).await, 0);
    let schema = "select count(*) from pg_namespace where nspname = 'parcels_2'";
    assert_eq!(world.number(schema).await, 0);
}

#[tokio::test]
async fn a_version_that_is_being_built_is_not_dropped() {
    let (world, shop) = (World::new().await, Shop::open(1));
    let (registry, _) = begun::<Orders>(&world, &shop).await;
    let error = drop_version(&world.database, Orders::NAME, 2)
        .await
        .expect_err("refused");
    assert!(
        error
            .to_string()
            .contains(&NotDropped::Building.to_string()),
        "{error}"
    );
    close(registry).await;
    drop_version(&world.database, Orders::NAME, 2)
        .await
        .expect("drops what was given up");
}

#[tokio::test]
async fn a_projection_that_nobody_has_ever_had_is_unknown() {
    let world = World::new().await;
    let error = drop_version(&world.database, "order", 1).await;
    let error = error.expect_err("there is none");
    assert!(
        matches!(error, ProjectorError::UnknownProjection { .. }),
        "{error}"
    );
}
