//! The live runner: keeps up, shares with a second one, recovers, and gives up only where it must.

use std::time::{Duration, Instant};

use dev::postgres::Relay;
use domain::topics;
use event_store::{log::Log, partition_for};
use runtime::health::Readiness;
use tokio::{sync::watch, task::JoinHandle};
use uuid::Uuid;

use super::{
    World, eventually,
    parking::{append, cancelled, records},
    rebuilding::rebuild_orders,
    shop::{EVENTS_OF_THREE, Shop},
};
use crate::{
    Database, Orders, Projection, ProjectionName, ProjectorError, operate, rebuild,
    rebuild::Options,
};

const WHAT_TO_TYPE: &str = "type: offset-zero rebuild orders";

pub(super) struct Runner {
    pub(super) readiness: Readiness,
    stop: watch::Sender<bool>,
    task: JoinHandle<Result<(), ProjectorError>>,
}

impl Runner {
    pub(super) fn start<L: Log>(world: &World, shop: &Shop<L>) -> Self {
        let readiness = Readiness::new(ProjectionName::ALL.map(ProjectionName::as_str));
        let (stop, stopping) = watch::channel(false);
        let (log, database, checks) = (shop.log.clone(), world.database.clone(), readiness.clone());
        let task =
            tokio::spawn(async move { crate::run(&log, &database, &checks, &stopping).await });
        Self {
            readiness,
            stop,
            task,
        }
    }

    /// Waits until orders are not well, for such a reason.
    async fn ails(&self, is_such: impl Fn(&str) -> bool) {
        eventually("orders ail for that reason", async || {
            let failing = self.readiness.failing();
            let orders = failing.iter().find(|(name, _)| *name == Orders::NAME);
            orders.is_some_and(|(_, reason)| is_such(reason))
        })
        .await;
    }

    pub(super) async fn stop(self) {
        self.stop.send_replace(true);
        self.task.await.expect("does not panic").expect("ends well");
    }
}

/// Waits until the live version has so many rows.
pub(super) async fn rows_reach(world: &World, schema: &str, count: i64) {
    eventually("rows", async || {
        world
            .number(&format!("select count(*) from {schema}.orders"))
            .await
            == count
    })
    .await;
}

/// Waits until the live version holds all events of what [`Shop::trade`] has done with so many orders.
pub(super) async fn trade_reaches(world: &World, schema: &str, orders: i64) {
    eventually("all events", async || {
        world
            .number(&format!("select sum(version)::bigint from {schema}.orders"))
            .await
            == orders / 3 * EVENTS_OF_THREE
    })
    .await;
}

#[tokio::test]
async fn keeps_up_and_stops_when_told() {
    let (world, shop) = (World::new().await, Shop::open(2));
    let runner = Runner::start(&world, &shop);
    eventually("ready", async || runner.readiness.is_ready()).await;
    shop.trade(12).await;
    rows_reach(&world, "orders_1", 12).await;
    let lag = "select sum(end_offset - next_offset)::bigint from offset_zero.checkpoints where next_offset > 0";
    eventually("no lag", async || world.number(lag).await == 0).await;
    runner.stop().await;
}

/// As where the other machine vanishes: no connection is closed, and nothing is answered any more.
#[tokio::test]
async fn connections_that_vanish_are_given_up() {
    let (mut world, shop) = (World::new().await, Shop::open(2));
    let relay = Relay::to(&world.url).await;
    let relayed = Database::new(&relay.url).expect("a URL");
    world.database = relayed.answering_within(Duration::from_secs(2));
    let runner = Runner::start(&world, &shop);
    shop.trade(12).await;
    rows_reach(&world, "orders_1", 12).await;
    relay.lose();
    shop.trade(12).await;
    rows_reach(&world, "orders_1", 24).await;
    eventually("ready", async || runner.readiness.is_ready()).await;
    runner.stop().await;
}

/// As what Postgres refuses of what a bug of ours has it write.
#[tokio::test]
async fn what_fails_over_and_over_is_tried_less_and_less_often() {
    let (world, shop) = (World::new().await, Shop::open(1));
    let runner = Runner::start(&world, &shop);
    shop.trade(3).await;
    trade_reaches(&world, "orders_1", 3).await;
    world
        .execute("alter table orders_1.orders add check (version < 0) not valid")
        .await;
    // Whoever begins to feed moves it.
    let epoch =
        "select epoch from offset_zero.checkpoints where name = 'orders' and topic = 'OrderEvents'";
    let (before, begun) = (world.number(epoch).await, Instant::now());
    shop.trade(1).await;
    eventually("tries", async || world.number(epoch).await >= before + 6).await;
    // 0.1 + 0.2 + 0.4 + 0.8 + 1 + 1.
    assert!(begun.elapsed() > Duration::from_secs(3));
    runner.stop().await;
}

#[tokio::test]
async fn two_at_once_apply_each_event_once() {
    let (world, shop) = (World::new().await, Shop::open(2));
    let runners = [Runner::start(&world, &shop), Runner::start(&world, &shop)];
    shop.trade(60).await;
    trade_reaches(&world, "orders_1", 60).await;
    assert_eq!(
        world
            .number("select count(*) from offset_zero.projection_versions where name = 'orders'")
            .await,
        1
    );
    for runner in runners {
        // The rows say that one of them is at work; the other, and its other projections, may still be starting.
        eventually("ready", async || runner.readiness.is_ready()).await;
        runner.stop().await;
    }
}

/// Processes that show signs of life.
async fn alive(world: &World) -> i64 {
    world
        .number("select count(*) from offset_zero.projectors where seen_at > now() - interval '3 seconds'")
        .await
}

#[tokio::test]
async fn what_a_process_fed_the_others_take_over() {
    let (world, shop) = (World::new().await, Shop::open(2));
    let gone = Runner::start(&world, &shop);
    let stays = Runner::start(&world, &shop);
    eventually("two processes", async || alive(&world).await == 2).await;
    shop.trade(6).await;
    trade_reaches(&world, "orders_1", 6).await;
    // As kill -9 would: it takes no leave.
    gone.task.abort();
    shop.trade(6).await;
    trade_reaches(&world, "orders_1", 12).await;
    let known = "select count(*) from offset_zero.projectors";
    eventually("the other one is missed", async || {
        world.number(known).await == 1
    })
    .await;
    stays.stop().await;
    assert_eq!(world.number(known).await, 0, "it has taken leave");
}

#[tokio::test]
async fn a_projection_is_halted_and_goes_on_and_begins_anew() {
    let (world, shop) = (World::new().await, Shop::open(1));
    let runner = Runner::start(&world, &shop);
    shop.trade(3).await;
    trade_reaches(&world, "orders_1", 3).await;
    operate::pause(&world.database, ProjectionName::Orders)
        .await
        .expect("halts");
    shop.trade(3).await;
    let history = "select count(distinct order_id) from history_1.history";
    eventually("the others go on", async || {
        world.number(history).await == 6
    })
    .await;
    rows_reach(&world, "orders_1", 3).await;
    operate::resume(&world.database, ProjectionName::Orders)
        .await
        .expect("resumes");
    trade_reaches(&world, "orders_1", 6).await;
    let live = operate::reset(&shop.log, &world.database, ProjectionName::Orders)
        .await
        .expect("resets");
    assert_eq!(live, 2);
    trade_reaches(&world, "orders_2", 6).await;
    assert_eq!(world.rows("orders_1").await, world.rows("orders_2").await);
    runner.stop().await;
}

#[tokio::test]
async fn a_log_out_of_reach_is_waited_for() {
    let (world, shop) = (World::new().await, Shop::open(1));
    shop.trade(3).await;
    shop.log.set_reachable(false);
    let runner = Runner::start(&world, &shop);
    runner.ails(|reason| reason != "starting").await;
    shop.log.set_reachable(true);
    eventually("ready", async || runner.readiness.is_ready()).await;
    rows_reach(&world, "orders_1", 3).await;
    runner.stop().await;
}

/// Three orders that were fed, a statement that was executed then, and who feeds them after it.
async fn started_again_after(partitions: i32, statement: &str) -> (World, Shop, Runner) {
    let (world, shop) = (World::new().await, Shop::open(partitions));
    shop.trade(3).await;
    let runner = Runner::start(&world, &shop);
    rows_reach(&world, "orders_1", 3).await;
    runner.stop().await;
    world.execute(statement).await;
    let runner = Runner::start(&world, &shop);
    (world, shop, runner)
}

/// Whatever has become of the log, the version says so and what to type, and a rebuild cures it.
async fn diverges_and_is_cured(damage: &str) {
    let damaged = format!("update offset_zero.checkpoints set {damage} where name = 'orders'");
    let (world, shop, runner) = started_again_after(1, &damaged).await;
    runner
        .ails(|reason| reason.contains("diverged") && reason.contains(WHAT_TO_TYPE))
        .await;
    let diverged = "select count(*) from offset_zero.projection_versions where state = 'diverged'";
    assert_eq!(world.number(diverged).await, 1);
    neither_halts_nor_goes_on(&world).await;
    let options = Options::default();
    let report = rebuild(ProjectionName::Orders, &shop.log, &world.database, options)
        .await
        .expect("rebuilds");
    assert!(!report.verification.is_equal(), "{report}");
    eventually("ready", async || runner.readiness.is_ready()).await;
    shop.trade(1).await;
    rows_reach(&world, "orders_2", 4).await;
    runner.stop().await;
}

/// As nothing that has failed does; a rebuild is what it needs.
async fn neither_halts_nor_goes_on(world: &World) {
    for refused in [
        operate::pause(&world.database, ProjectionName::Orders).await,
        operate::resume(&world.database, ProjectionName::Orders).await,
    ] {
        let refused = refused.expect_err("it has failed").to_string();
        assert!(refused.contains(WHAT_TO_TYPE), "{refused}");
    }
    let paused = "select count(*) from offset_zero.projections where paused";
    assert_eq!(world.number(paused).await, 0);
}

#[tokio::test]
async fn a_log_with_another_event_there_is_told() {
    diverges_and_is_cured("last_event_id = gen_random_uuid()").await;
}

#[tokio::test]
async fn a_log_that_was_cut_back_is_told() {
    diverges_and_is_cured("next_offset = next_offset + 1000000").await;
}

#[tokio::test]
async fn a_log_of_another_cluster_is_told() {
    diverges_and_is_cured("cluster_id = 'another'").await;
}

#[tokio::test]
async fn a_version_of_other_topics_or_fewer_partitions_waits_to_be_rebuilt() {
    for lacked in ["topic = 'PaymentEvents'", "partition = 1"] {
        let lacking =
            format!("delete from offset_zero.checkpoints where {lacked} and name = 'orders'");
        let (world, shop, runner) = started_again_after(2, &lacking).await;
        runner.ails(|reason| reason.contains(WHAT_TO_TYPE)).await;
        rebuild_orders(&world, &shop).await.expect("rebuilds");
        eventually("ready", async || runner.readiness.is_ready()).await;
        runner.stop().await;
    }
}

/// Of all topics, before anything lay in them.
#[tokio::test]
async fn partitions_that_are_added_are_noticed_and_fed_after_a_rebuild() {
    const ORDERS: i64 = 8;
    let (world, shop) = (World::new().await, Shop::open(1));
    let runner = Runner::start(&world, &shop);
    eventually("ready", async || runner.readiness.is_ready()).await;
    for topic in topics::ALL {
        shop.log.add_partitions(topic, 1);
    }
    runner
        .ails(|reason| reason.contains("lacks partitions") && reason.contains(WHAT_TO_TYPE))
        .await;

    rebuild_orders(&world, &shop).await.expect("rebuilds");
    for _ in 0..ORDERS {
        let id = Uuid::now_v7();
        let mut records = records(id);
        for record in &mut records {
            record.partition = partition_for(id.to_string().as_bytes(), 2);
        }
        append(&shop, &records);
    }
    eventually("those of both partitions are cancelled", async || {
        cancelled(&world, "orders_2").await == ORDERS
    })
    .await;
    runner.stop().await;
}

/// Whoever starts refuses such topics, too.
#[tokio::test]
async fn a_topic_that_was_given_more_partitions_than_others_stops_who_reads_it() {
    let (world, shop) = (World::new().await, Shop::open(1));
    shop.trade(3).await;
    let runner = Runner::start(&world, &shop);
    rows_reach(&world, "orders_1", 3).await;
    shop.log.add_partitions(topics::PAYMENT_EVENTS, 1);
    runner
        .ails(|reason| {
            reason.contains("PaymentEvents: it has 2 partitions")
                && reason.contains("docs/operating.md")
        })
        .await;
    // Others go on.
    shop.stock(1).await;
    let products = "select count(*) from products_1.products";
    eventually("a product", async || world.number(products).await == 1).await;
    runner.stop().await;
}
