//! What metrics say of a projection's live version.

use super::World;
use crate::{
    Orders, ProjectionName,
    live::standing::{Standing, standings},
    operate,
    registry::{self, Origin},
};

async fn of_orders(world: &World) -> Standing {
    let standings = standings(&mut world.connect().await).await.expect("rows");
    let [orders] = standings.as_slice() else {
        panic!("none but orders has a live version: {standings:?}");
    };
    orders.clone()
}

#[tokio::test]
async fn a_projection_that_has_diverged_or_parked_or_is_fed_by_nobody_shows_it() {
    let world = World::new().await;
    let origin = Origin {
        cluster_id: "a cluster".to_owned(),
        partitions: 2,
    };
    registry::ensure_live::<Orders>(&mut world.connect().await, &origin)
        .await
        .expect("begins");
    let orders = of_orders(&world).await;
    assert_eq!((orders.has_failed, orders.dead_letters), (false, 0));
    assert!(orders.unfed_seconds < 600.0, "{orders:?}");

    world
        .execute(
            "update offset_zero.projection_versions set state = 'diverged';
             update offset_zero.checkpoints set updated_at = now() - interval '1 hour' where partition = 1;
             insert into offset_zero.dead_letters (name, version, topic, partition, \"offset\", key)
             values ('orders', 1, 'OrderEvents', 0, 7, 'an order')",
        )
        .await;
    let orders = of_orders(&world).await;
    assert_eq!((orders.has_failed, orders.dead_letters), (true, 1));
    assert!(orders.unfed_seconds >= 3_600.0, "{orders:?}");

    operate::pause(&world.database, ProjectionName::Orders)
        .await
        .expect("halts");
    let orders = of_orders(&world).await;
    assert!(orders.unfed_seconds < 600.0, "{orders:?}");
}
