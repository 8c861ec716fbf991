//! A rebuild is compared with the live version at the very same positions, and says what differs.

use domain::order::OrderEvent;
use event_store::{BatchLimits, Recorded, log::Log};
use uuid::Uuid;

use super::{
    World,
    altered::Altered,
    feeding::{catch_up, open},
    rebuilding::rebuild_orders,
    shop::Shop,
};
use crate::{
    Orders, Projection, ProjectionName, ProjectorError,
    orders::view::OrderView,
    rebuild,
    rebuild::{Comparison, Difference, Differing, Options, Verification},
};

/// The orders' projector with a bug: it overlooks that an order was cancelled.
pub(super) struct WrongOrders;

impl Altered for WrongOrders {
    fn alter(event: &Recorded<OrderView>) -> Recorded<OrderView> {
        let mut event = event.clone();
        if matches!(event.event, OrderView::Order(OrderEvent::Cancelled(_))) {
            event.event = OrderView::Other;
        }
        event
    }
}

/// Has the live version hold all that the log does.
pub(super) async fn feed<P: Projection>(world: &World, shop: &Shop) {
    let opened = open::<P>(world, shop, BatchLimits::default()).await;
    let (mut feed, _) = opened.expect("opens");
    catch_up(&mut feed, shop).await;
}

async fn rebuilt(
    world: &World,
    shop: &Shop,
    require_equal: bool,
) -> Result<Comparison, ProjectorError> {
    let options = Options {
        require_equal,
        ..Options::default()
    };
    let report = rebuild(ProjectionName::Orders, &shop.log, &world.database, options).await?;
    match report.verification {
        Verification::Compared(comparison) => Ok(comparison),
        Verification::Skipped(reason) => panic!("skipped: {reason}"),
    }
}

/// What a bug like that has touched of what [`Shop::trade`] has done.
pub(super) fn cancelled(ids: &[Uuid]) -> Vec<Difference> {
    let mut cancelled: Vec<Difference> = ids
        .iter()
        .skip(2)
        .step_by(3)
        .map(|id| Difference {
            table: "orders".to_owned(),
            key: vec![id.to_string().into()],
            row: Differing::Columns(
                [("status".to_owned(), ("paid".into(), "cancelled".into()))].into(),
            ),
        })
        .collect();
    cancelled.sort_by_key(|difference| difference.key[0].to_string());
    cancelled
}

#[tokio::test]
async fn exactly_the_rows_that_a_bug_has_touched_are_listed() {
    let (world, shop) = (World::new().await, Shop::open(2));
    let ids = shop.trade(30).await;
    feed::<WrongOrders>(&world, &shop).await;
    let cancelled = cancelled(&ids);

    let refused = rebuilt(&world, &shop, true).await.expect_err("refused");
    let ProjectorError::Differs {
        version: 2,
        verification,
        ..
    } = &refused
    else {
        panic!("{refused}");
    };
    let Verification::Compared(found) = &**verification else {
        panic!("{refused}");
    };
    assert_eq!((found.rows, found.differing), (30, 10));
    assert_eq!(found.differences, cancelled);
    let told = refused.to_string();
    for next in [
        "offset-zero rebuild orders",
        "offset-zero projections drop orders 2",
    ] {
        assert!(told.contains(next), "{told}");
    }
    let live = "select live_version from offset_zero.projections where name = 'orders'";
    assert_eq!(
        world.number(&format!("select ({live})::bigint")).await,
        1,
        "not swapped in"
    );

    let found = rebuilt(&world, &shop, false).await.expect("rebuilds");
    assert_eq!(found.differences, cancelled);
    assert_eq!(
        world.number(&format!("select ({live})::bigint")).await,
        2,
        "swapped in, in the place of the one that was refused"
    );
    let found = rebuilt(&world, &shop, true).await.expect("equal now");
    assert_eq!((found.rows, found.differing), (30, 0));
}

#[tokio::test]
async fn rows_of_one_side_only_are_listed() {
    let (world, shop) = (World::new().await, Shop::open(1));
    shop.trade(9).await;
    feed::<Orders>(&world, &shop).await;
    world.execute("update orders_1.orders set id = 'ffffffff-0000-0000-0000-000000000000' where version = 1 and id = (select min(id::text)::uuid from orders_1.orders)").await;
    let found = rebuilt(&world, &shop, false).await.expect("rebuilds");
    let kinds: Vec<&Differing> = found
        .differences
        .iter()
        .map(|difference| &difference.row)
        .collect();
    assert_eq!(kinds, [&Differing::Additional, &Differing::Missing]);
}

#[tokio::test]
async fn json_that_is_written_otherwise_is_listed() {
    let (world, shop) = (World::new().await, Shop::open(1));
    shop.trade(3).await;
    feed::<Orders>(&world, &shop).await;
    let count = "select count(*) from orders_1.orders where lines::text <> lines::jsonb::text";
    assert_eq!(world.number(count).await, 3, "as the projector wrote it");
    world
        .execute("update orders_1.orders set lines = lines::jsonb")
        .await;
    let found = rebuilt(&world, &shop, false).await.expect("rebuilds");
    assert_eq!((found.rows, found.differing), (3, 3));
    for difference in found.differences {
        let Differing::Columns(columns) = difference.row else {
            panic!("{difference}");
        };
        let names: Vec<&String> = columns.keys().collect();
        assert_eq!(names, ["lines"]);
    }
}

#[tokio::test]
async fn a_live_version_that_is_behind_is_compared_where_it_is() {
    let (world, shop) = (World::new().await, Shop::open(2));
    shop.trade(9).await;
    feed::<Orders>(&world, &shop).await;
    shop.trade(6).await;
    let found = rebuilt(&world, &shop, true)
        .await
        .expect("equal where the live one is");
    assert_eq!((found.rows, found.differing), (9, 0));
    assert_eq!(
        world.rows("orders_2").await.len(),
        15,
        "and then goes on to the end"
    );
    assert!(shop.log.cluster_id().is_ok());
}

#[tokio::test]
async fn a_live_version_that_cannot_be_compared_is_named() {
    let (world, shop) = (World::new().await, Shop::open(1));
    shop.trade(3).await;
    feed::<Orders>(&world, &shop).await;
    world
        .execute("update offset_zero.projection_versions set state = 'failed', error = 'test'")
        .await;
    let options = Options {
        require_equal: true,
        ..Options::default()
    };
    let refused = rebuild(ProjectionName::Orders, &shop.log, &world.database, options)
        .await
        .expect_err("not proven");
    assert!(
        refused.to_string().contains("the live version has failed"),
        "{refused}"
    );
    let report = rebuild_orders(&world, &shop)
        .await
        .expect("rebuilds all the same");
    assert!(!report.verification.is_equal());
}

#[tokio::test]
async fn what_was_not_compared_is_not_proven_equal() {
    let (world, shop) = (World::new().await, Shop::open(1));
    shop.trade(3).await;
    feed::<Orders>(&world, &shop).await;
    for table in [
        "alter table orders_1.orders add note text",
        "create table orders_1.notes (id integer primary key)",
    ] {
        world.execute(table).await;
    }
    let refused = rebuilt(&world, &shop, true).await.expect_err("not proven");
    let refused = refused.to_string();
    for told in ["not proven equal: 3 rows", "orders.note", "notes"] {
        assert!(refused.contains(told), "{told} is not in: {refused}");
    }
    let found = rebuilt(&world, &shop, false)
        .await
        .expect("rebuilds all the same");
    assert_eq!((found.rows, found.differing), (3, 0));
    assert_eq!(
        found.not_compared,
        ["notes", "orders.note"].map(str::to_owned).into()
    );
}
