//! A projector of a newer shape beside one of an older: reads go on, it takes over when it has caught up, and there is no way back by
//! accident.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use runtime::health::Readiness;
use sqlx::Connection;
use tokio::{sync::watch, task::JoinHandle};

use super::{
    World,
    altered::Altered,
    eventually,
    rebuilding::{begun, keep_reading, rebuild_orders},
    running::trade_reaches,
    shop::Shop,
};
use crate::{
    Orders, Projection, ProjectionName, ProjectorError,
    live::{Live, membership::Membership},
    operate,
    rebuild::close,
    registry,
};

/// Orders with a column more.
struct NewOrders;

impl Altered for NewOrders {
    const TABLES: &'static str = concat!(
        include_str!("../orders/tables.sql"),
        "alter table orders add column channel text not null default 'web';"
    );
    const SHAPE: i32 = Orders::SHAPE + 1;
}

/// A process that feeds nothing but orders.
struct Deployed {
    readiness: Readiness,
    stop: watch::Sender<bool>,
    task: JoinHandle<()>,
}

impl Deployed {
    fn start<P: Projection>(world: &World, shop: &Shop) -> Self {
        let readiness = Readiness::new([P::NAME]);
        let (stop, mut stopping) = watch::channel(false);
        let membership = Arc::new(Membership::new([(P::NAME, P::SHAPE)].into()));
        let name = ProjectionName::Orders;
        let database = world.database.clone();
        let live = Live::new(
            &shop.log,
            &database,
            &readiness,
            &stopping,
            &membership,
            &Arc::default(),
            name,
        );
        let task = tokio::spawn(async move {
            tokio::join!(live.run::<P>(), membership.keep(&database, &mut stopping));
        });
        Self {
            readiness,
            stop,
            task,
        }
    }

    /// Whether a reason for which it is not ready has these words.
    fn says(&self, words: &str) -> bool {
        let failing = self.readiness.failing();
        failing.iter().any(|(_, reason)| reason.contains(words))
    }

    async fn is_ready(&self) {
        eventually("ready", async || self.readiness.is_ready()).await;
    }

    async fn stop(self) {
        self.stop.send_replace(true);
        self.task.await.expect("does not panic");
    }
}

const LIVE: &str = "select live_version::bigint from offset_zero.projections where name = 'orders'";
const LOCK: &str = "select pg_advisory_lock(hashtext('offset_zero.rebuild'), hashtext('orders'))";

/// For somebody's transaction to end.
const WAITING: &str =
    "select count(*) from pg_locks where not granted and locktype = 'transactionid'
    and pid in (select pid from pg_stat_activity where datname = current_database())";

async fn alive(world: &World, count: i64) {
    let alive = "select count(*) from offset_zero.projectors where shapes <> '{}'";
    eventually("signs of life", async || world.number(alive).await == count).await;
}

/// All that whoever feeds an older version, or this one wrongly, would change.
async fn places(world: &World, version: i32) -> Vec<String> {
    let places = format!(
        "select (topic, partition, next_offset, epoch)::text from offset_zero.checkpoints
         where name = 'orders' and version = {version} order by 1"
    );
    world.texts(&places).await
}

#[tokio::test(flavor = "multi_thread")]
async fn the_newer_takes_over_and_the_older_stops() {
    let (world, shop) = (World::new().await, Shop::open(2));
    let old = Deployed::start::<Orders>(&world, &shop);
    shop.trade(9).await;
    trade_reaches(&world, "orders_1", 9).await;

    // Held up, so that what goes on meanwhile is seen.
    let mut busy = world.connect().await;
    sqlx::raw_sql(LOCK).execute(&mut busy).await.expect("locks");
    let new = Deployed::start::<NewOrders>(&world, &shop);
    alive(&world, 2).await;
    eventually("says what it waits for", async || {
        new.says("is being filled beside it")
    })
    .await;
    shop.trade(9).await;
    trade_reaches(&world, "orders_1", 18).await;
    old.is_ready().await;

    let done = Arc::new(AtomicBool::new(false));
    let reader = keep_reading(&world, &done).await;
    busy.close().await.expect("lets go of the lock");
    eventually("takes over", async || world.number(LIVE).await == 2).await;
    new.is_ready().await;
    shop.trade(9).await;
    trade_reaches(&world, "orders_2", 27).await;
    done.store(true, Ordering::Relaxed);
    assert!(reader.await.expect("no read failed") > 1);

    // The older one has nothing to do, and is well.
    old.is_ready().await;
    let left = places(&world, 1).await;
    shop.trade(3).await;
    trade_reaches(&world, "orders_2", 30).await;
    assert_eq!(places(&world, 1).await, left);
    old.stop().await;
    new.stop().await;
    let channels = "select count(*) from orders_2.orders where channel = 'web'";
    assert_eq!(world.number(channels).await, 30);
}

#[tokio::test]
async fn an_older_one_that_comes_back_writes_nothing() {
    let (world, shop) = (World::new().await, Shop::open(2));
    let new = Deployed::start::<NewOrders>(&world, &shop);
    shop.trade(6).await;
    trade_reaches(&world, "orders_1", 6).await;
    new.stop().await;
    let left = places(&world, 1).await;

    let old = Deployed::start::<Orders>(&world, &shop);
    old.is_ready().await;
    shop.trade(3).await;
    for error in [
        rebuild_orders(&world, &shop).await.err(),
        operate::reset(&shop.log, &world.database, ProjectionName::Orders)
            .await
            .err(),
    ] {
        assert!(
            matches!(
                error,
                Some(ProjectorError::OtherShape {
                    live: <NewOrders as Projection>::SHAPE,
                    made: Orders::SHAPE,
                    ..
                })
            ),
            "{error:?}"
        );
    }
    assert_eq!(places(&world, 1).await, left);
    assert_eq!(world.number(LIVE).await, 1);

    // Nor does it get a share of what the newer ones feed.
    let new = Deployed::start::<NewOrders>(&world, &shop);
    trade_reaches(&world, "orders_1", 9).await;
    new.stop().await;
    old.stop().await;
}

/// As where the older one was the first to make a version, when both began at once, or an earlier state of the database came back.
#[tokio::test]
async fn what_turns_out_to_be_older_is_taken_over_too() {
    let (world, shop) = (World::new().await, Shop::open(2));
    let both = [
        Deployed::start::<NewOrders>(&world, &shop),
        Deployed::start::<NewOrders>(&world, &shop),
    ];
    shop.trade(6).await;
    trade_reaches(&world, "orders_1", 6).await;
    let older =
        "update offset_zero.projection_versions set shape = shape - 1 where name = 'orders'";
    world.execute(older).await;
    eventually("takes over", async || world.number(LIVE).await == 2).await;
    shop.trade(3).await;
    trade_reaches(&world, "orders_2", 9).await;
    for new in both {
        new.is_ready().await;
        new.stop().await;
    }
}

/// As by a reset, which no rebuild keeps out.
#[tokio::test]
async fn what_a_newer_one_makes_live_during_a_rebuild_stays_live() {
    let (world, shop) = (World::new().await, Shop::open(1));
    shop.trade(3).await;
    rebuild_orders(&world, &shop)
        .await
        .expect("versions 1 and 2");
    let mut other = world.connect().await;
    let mut newer = other.begin().await.expect("begins");
    let made = "select from offset_zero.projections where name = 'orders' for no key update;
        update offset_zero.projection_versions set shape = shape + 1 where name = 'orders' and version = 2";
    let made = sqlx::raw_sql(made).execute(&mut *newer).await;
    made.expect("as a newer program does");
    let ends = async {
        eventually("the rebuild waits", async || {
            world.number(WAITING).await == 1
        })
        .await;
        newer.commit().await.expect("commits");
    };
    let (rebuilt, ()) = tokio::join!(rebuild_orders(&world, &shop), ends);
    let error = rebuilt.expect_err("the live version is newer");
    assert!(
        matches!(error, ProjectorError::OtherShape { .. }),
        "{error:?}"
    );
    assert_eq!(world.number(LIVE).await, 2);
}

#[tokio::test]
async fn what_a_newer_one_has_begun_another_ends() {
    let (world, shop) = (World::new().await, Shop::open(1));
    let old = Deployed::start::<Orders>(&world, &shop);
    shop.trade(6).await;
    trade_reaches(&world, "orders_1", 6).await;
    let (registry, _) = begun::<NewOrders>(&world, &shop).await;
    close(registry).await;
    let created = "select created_at::text from offset_zero.projection_versions where name = 'orders' and version = 2";
    let created_at = world.texts(created).await;

    let both = [
        Deployed::start::<NewOrders>(&world, &shop),
        Deployed::start::<NewOrders>(&world, &shop),
    ];
    eventually("takes over", async || world.number(LIVE).await == 2).await;
    for new in both {
        new.is_ready().await;
        new.stop().await;
    }
    assert_eq!(world.texts(created).await, created_at, "it was resumed");
    let versions = "select count(*) from offset_zero.projection_versions where name = 'orders'";
    assert_eq!(world.number(versions).await, 2, "and by one of them only");
    old.stop().await;
}

#[tokio::test]
async fn what_has_failed_for_good_is_told_and_not_begun_anew_at_once() {
    let (world, shop) = (World::new().await, Shop::open(1));
    let old = Deployed::start::<Orders>(&world, &shop);
    shop.trade(6).await;
    trade_reaches(&world, "orders_1", 6).await;
    let (mut registry, candidate) = begun::<NewOrders>(&world, &shop).await;
    let number = candidate.version.number;
    let failed = registry::refuse(&mut registry, Orders::NAME, number, "the test says so").await;
    failed.expect("as whoever fills it does");
    close(registry).await;

    let new = Deployed::start::<NewOrders>(&world, &shop);
    eventually("says why", async || new.says("the test says so")).await;
    let failed =
        "select version::bigint from offset_zero.projection_versions where state = 'failed'";
    assert_eq!(world.number(failed).await, 2, "it is there to be looked at");
    assert_eq!(world.number(LIVE).await, 1);
    let later = "update offset_zero.projection_versions set updated_at = now() - interval '1 hour' where version = 2";
    world.execute(later).await;
    new.is_ready().await;
    assert_eq!(world.number(LIVE).await, 2);
    new.stop().await;
    old.stop().await;
}

/// Else each of the two would find nothing that has failed of its own, and begin anew, in turn for ever.
#[tokio::test]
async fn what_has_just_failed_of_another_program_is_kept() {
    let (world, shop) = (World::new().await, Shop::open(1));
    let of_another = "update offset_zero.projection_versions set rebuilt_from = 'ZERO by another' where version = 2";
    let later = "update offset_zero.projection_versions set updated_at = now() - interval '1 hour' where version = 2";
    let failed = "select count(*) from offset_zero.projection_versions where state = 'failed'";
    for (expected, then) in [(1, of_another), (2, later)] {
        let (mut registry, candidate) = begun::<NewOrders>(&world, &shop).await;
        let number = candidate.version.number;
        let refused = registry::refuse(&mut registry, Orders::NAME, number, "a test").await;
        refused.expect("as whoever fills it does");
        close(registry).await;
        assert_eq!(world.number(failed).await, expected);
        world.execute(then).await;
    }
    let (registry, _) = begun::<NewOrders>(&world, &shop).await;
    close(registry).await;
    assert_eq!(world.number(failed).await, 0, "its own, and what is old");
}
