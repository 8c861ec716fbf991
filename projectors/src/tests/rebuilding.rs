//! A rebuild gives the same rows, and nobody notices.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use domain::topics;
use event_store::log::Log;
use sqlx::{AssertSqlSafe, Connection, PgConnection};
use tokio::task::JoinHandle;

use super::{
    World, eventually,
    feeding::{one_by_one, open_version, step},
    running::{Runner, rows_reach, trade_reaches},
    shop::{EVENTS_OF_THREE, MESSAGES_OF_THREE, Shop},
};
use crate::{
    Orders, Projection, ProjectionName, ProjectorError, Report,
    feed::Feed,
    live::origin_of,
    operate::drop_version,
    rebuild,
    rebuild::{Options, Start, candidate::Candidate, close},
};

/// What the projection reads of three orders.
const READ_OF_THREE: u64 = (EVENTS_OF_THREE + MESSAGES_OF_THREE).unsigned_abs();

pub(super) async fn rebuild_orders<L: Log>(
    world: &World,
    shop: &Shop<L>,
) -> Result<Report, ProjectorError> {
    rebuild(
        ProjectionName::Orders,
        &shop.log,
        &world.database,
        Options::default(),
    )
    .await
}

#[tokio::test]
async fn gives_row_for_row_the_live_table() {
    let world = World::new().await;
    rebuild_and_compare(&world, &Shop::open(2)).await;
}

#[tokio::test]
async fn gives_row_for_row_the_live_table_on_kafka() {
    let world = World::new().await;
    rebuild_and_compare(&world, &Shop::on(world.kafka(2).await)).await;
}

async fn rebuild_and_compare<L: Log>(world: &World, shop: &Shop<L>) {
    let runner = Runner::start(world, shop);
    shop.trade(30).await;
    trade_reaches(world, "orders_1", 30).await;
    let report = rebuild_orders(world, shop).await.expect("rebuilds");
    assert_eq!(
        (report.version, report.replaced, report.resumed),
        (2, 1, false)
    );
    assert_eq!((report.events, report.rows), (10 * READ_OF_THREE, 30));
    assert_eq!(report.positions.len(), 2 * Orders::TOPICS.len());
    assert_eq!(world.rows("orders_2").await, world.rows("orders_1").await);

    shop.trade(3).await;
    trade_reaches(world, "orders_2", 33).await;
    let again = rebuild_orders(world, shop).await.expect("rebuilds again");
    assert_eq!(again.version, 3);
    assert_eq!(world.rows("orders_3").await, world.rows("orders_2").await);
    let indexes = "select count(*) from pg_indexes where schemaname = ";
    assert_eq!(
        world.number(&format!("{indexes} 'orders_3'")).await,
        world.number(&format!("{indexes} 'orders_1'")).await,
    );
    let lag = "select sum(c.end_offset - c.next_offset)::bigint from offset_zero.checkpoints c
        join offset_zero.projections p on p.name = c.name and p.live_version = c.version";
    eventually("no lag", async || world.number(lag).await == 0).await;
    runner.stop().await;
}

/// Reads, and reads again, until that is done; answers how often. No read may go back.
pub(super) async fn keep_reading(world: &World, done: &Arc<AtomicBool>) -> JoinHandle<u32> {
    let (mut connection, done) = (world.connect().await, Arc::clone(done));
    tokio::spawn(async move {
        let (mut last, mut reads) = (0, 0);
        while !done.load(Ordering::Relaxed) {
            let sum = read(&mut connection).await;
            assert!(sum >= last, "a read went back from {last} to {sum}");
            (last, reads) = (sum, reads + 1);
        }
        reads
    })
}

/// Each read in a snapshot of its own, as the query API does it.
pub(super) async fn read(connection: &mut PgConnection) -> i64 {
    let mut tx = connection
        .begin_with("begin isolation level repeatable read")
        .await
        .expect("begins");
    let live =
        "select schema_name from offset_zero.projections p join offset_zero.projection_versions v
        on v.name = p.name and v.version = p.live_version where p.name = 'orders'";
    let schema: String = sqlx::query_scalar(live)
        .fetch_one(&mut *tx)
        .await
        .expect("a live version");
    let sum = format!("select coalesce(sum(version), 0)::bigint from {schema}.orders");
    let sum = sqlx::query_scalar(AssertSqlSafe(sum))
        .fetch_one(&mut *tx)
        .await
        .expect("rows");
    tx.commit().await.expect("commits");
    sum
}

#[tokio::test(flavor = "multi_thread")]
async fn reads_neither_fail_nor_go_back() {
    let (world, shop) = (World::new().await, Arc::new(Shop::open(2)));
    let runner = Runner::start(&world, &shop);
    shop.trade(9).await;
    rows_reach(&world, "orders_1", 9).await;

    let done = Arc::new(AtomicBool::new(false));
    let reader = keep_reading(&world, &done).await;
    let (buyer, buying) = (Arc::clone(&shop), Arc::clone(&done));
    let buyer = tokio::spawn(async move {
        let mut orders = 9;
        while !buying.load(Ordering::Relaxed) {
            orders += buyer.trade(3).await.len();
        }
        orders
    });
    for version in 2..=4 {
        let report = rebuild_orders(&world, &shop).await.expect("rebuilds");
        assert_eq!(report.version, version);
        assert!(report.verification.is_equal(), "{report}");
    }
    done.store(true, Ordering::Relaxed);
    assert!(reader.await.expect("no read failed") > 10);
    let orders = i64::try_from(buyer.await.expect("buys")).expect("few");
    trade_reaches(&world, "orders_4", orders).await;
    runner.stop().await;
}

#[tokio::test]
async fn a_second_rebuild_is_refused() {
    let (world, shop) = (World::new().await, Shop::open(1));
    shop.trade(3).await;
    let mut other = world.connect().await;
    sqlx::raw_sql("select pg_advisory_lock(hashtext('offset_zero.rebuild'), hashtext('orders'))")
        .execute(&mut other)
        .await
        .expect("locks");
    let error = rebuild_orders(&world, &shop).await.expect_err("refused");
    assert!(
        matches!(error, ProjectorError::RebuildRunning { .. }),
        "{error}"
    );
    close(other).await;
    rebuild_orders(&world, &shop).await.expect("rebuilds");
}

/// A reset does not keep rebuilds out: it is to help at once.
#[tokio::test]
async fn whoever_loses_the_race_for_a_version_is_told_to_try_again() {
    let (world, shop) = (World::new().await, Shop::open(1));
    rebuild_orders(&world, &shop)
        .await
        .expect("versions 1 and 2");
    let mut other = world.connect().await;
    let mut winner = other.begin().await.expect("begins");
    let begun =
        "insert into offset_zero.projection_versions (name, version, schema_name, state, shape)
                 values ('orders', 3, 'orders_3', 'retired', 1)";
    let begun = sqlx::raw_sql(begun).execute(&mut *winner).await;
    begun.expect("as a reset does");
    let winning = async {
        let waiting =
            "select count(*) from pg_locks where not granted and locktype = 'transactionid'
             and pid in (select pid from pg_stat_activity where datname = current_database())";
        eventually("the loser waits", async || world.number(waiting).await == 1).await;
        winner.commit().await.expect("commits");
    };
    let (lost, ()) = tokio::join!(rebuild_orders(&world, &shop), winning);
    let error = lost.expect_err("there is a version 3");
    assert!(
        matches!(error, ProjectorError::VersionTaken { version: 3, .. }),
        "{error:?}"
    );
    let again = rebuild_orders(&world, &shop).await.expect("rebuilds");
    assert_eq!(again.version, 4);
}

/// What a rebuild has just begun, and the connection that keeps others out.
pub(super) async fn begun<P: Projection>(world: &World, shop: &Shop) -> (PgConnection, Candidate) {
    let origin = origin_of::<P, _>(&shop.log).await.expect("answers");
    let mut registry = world.database.connect().await.expect("connects");
    let candidate = Candidate::prepare::<P, _>(&mut registry, &shop.log, &origin, &Start::Zero)
        .await
        .expect("prepares");
    (registry, candidate)
}

/// What fills it, event by event.
async fn filling(world: &World, shop: &Shop, candidate: &Candidate) -> Feed<Orders> {
    let version = &candidate.version;
    let connection = world
        .database
        .connect_to_fill(&version.schema)
        .await
        .expect("connects");
    let opened = open_version(world, shop, version, connection, one_by_one()).await;
    opened.expect("opens")
}

#[tokio::test]
async fn goes_on_where_a_killed_one_left_off() {
    let (world, shop) = (World::new().await, Shop::open(1));
    shop.trade(6).await;
    let (registry, candidate) = begun::<Orders>(&world, &shop).await;
    let number = candidate.version.number;
    let mut feed = filling(&world, &shop, &candidate).await;
    for _ in 0..5 {
        step(&mut feed).await.expect("applies");
    }
    close(registry).await;

    let report = rebuild_orders(&world, &shop).await.expect("rebuilds");
    assert!(report.resumed);
    assert_eq!(
        (report.version, report.events),
        (number, 2 * READ_OF_THREE - 5)
    );
    assert!(
        matches!(step(&mut feed).await, Err(ProjectorError::Superseded)),
        "the killed one was not quite dead"
    );
    rebuild_orders(&world, &shop).await.expect("rebuilds again");
    assert_eq!(world.rows("orders_3").await, world.rows("orders_2").await);
}

/// As one whose lock went with its connection, while what feeds it goes on.
#[tokio::test]
async fn a_stray_writes_nothing_to_a_later_version_of_its_number() {
    let (world, shop) = (World::new().await, Shop::open(1));
    shop.trade(3).await;
    let (registry, candidate) = begun::<Orders>(&world, &shop).await;
    let mut stray = filling(&world, &shop, &candidate).await;
    close(registry).await;
    let number = candidate.version.number;
    drop_version(&world.database, Orders::NAME, number)
        .await
        .expect("drops what was given up");
    let (_registry, later) = begun::<Orders>(&world, &shop).await;
    assert_eq!(later.version, candidate.version);
    assert!(matches!(
        step(&mut stray).await,
        Err(ProjectorError::Superseded)
    ));
    assert!(world.rows(&later.version.schema).await.is_empty());
}

/// Its rows may be wrong, though they are of the same shape. One that did not say who it was may have been any.
#[tokio::test]
async fn what_another_program_has_begun_is_begun_anew() {
    let (world, shop) = (World::new().await, Shop::open(1));
    shop.trade(3).await;
    for with in ["ZERO", "ZERO by another"] {
        let (registry, candidate) = begun::<Orders>(&world, &shop).await;
        let with = format!(
            "update offset_zero.projection_versions set rebuilt_from = '{with}' where version = {}",
            candidate.version.number
        );
        world.execute(&with).await;
        close(registry).await;
        let report = rebuild_orders(&world, &shop).await.expect("rebuilds");
        assert!(!report.resumed, "{with}");
    }
}

/// It would be swapped in without the others.
#[tokio::test]
async fn what_was_begun_of_fewer_partitions_is_begun_anew() {
    let (world, shop) = (World::new().await, Shop::open(1));
    let (registry, _) = begun::<Orders>(&world, &shop).await;
    close(registry).await;
    for topic in topics::ALL {
        shop.log.add_partitions(topic, 1);
    }
    let report = rebuild_orders(&world, &shop).await.expect("rebuilds");
    assert!(!report.resumed);
    assert_eq!(report.positions.len(), 2 * Orders::TOPICS.len());
}

/// As where the log was lost, and made anew with fewer partitions.
#[tokio::test]
async fn a_log_of_fewer_partitions_is_rebuilt_from() {
    let (world, before) = (World::new().await, Shop::open(2));
    let runner = Runner::start(&world, &before);
    before.trade(6).await;
    trade_reaches(&world, "orders_1", 6).await;
    runner.stop().await;
    let now = Shop::open(1);
    now.trade(3).await;
    let report = rebuild_orders(&world, &now).await.expect("rebuilds");
    assert_eq!((report.replaced, report.rows), (1, 3));
}

#[test]
fn an_unknown_name_is_refused_with_those_there_are() {
    let error = "order".parse::<ProjectionName>().expect_err("unknown");
    assert!(error.to_string().contains("orders"), "{error}");
}
