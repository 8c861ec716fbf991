//! A rebuild from offset zero: row for row the same table, and no read fails meanwhile.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use domain::{
    order::OrderEvent,
    shipping::ShippingEvent,
    topics::{ORDER_EVENTS, PAYMENT_EVENTS, SHIPPING_EVENTS},
};
use event_store::{kafka::KafkaLog, log::Log};
use sqlx::{Connection, PgConnection};
use system_tests::{Client, Money, Stock, World, client::payment, journal::read_topic, shop};
use tokio::task::JoinSet;
use uuid::Uuid;

use crate::{PATIENCE, blocking, doctor::offset_zero, everything, wait_for, world};

const ORDERS: usize = 400;
const CLIENTS: usize = 16;
const REBUILDS: i32 = 3;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_rebuild_gives_the_same_rows_while_reads_go_on() {
    let world = Arc::new(world().await);
    let (command_api, read_side) = everything(&world).await;
    let commands = Client::new(&command_api.url);
    let queries = Client::new(&read_side.1.url);
    shop::fill(&commands).await;
    let positions = place_and_pay(&commands).await;
    let example = commands.placed("reader").await;
    wait_until_visible(&queries, &positions).await;
    let log = world.log();
    Stock::at_rest(&log).await;
    Money::at_rest(&log, &world.wiring.gateway_url).await;
    wait_until_packed(&log).await;
    wait_until_visible(&queries, &ends(&log)).await;

    let before = rows(&world, &live_schema(&queries).await).await;
    let reading = Reading::start(&queries, &example);
    for _ in 0..REBUILDS {
        let world = Arc::clone(&world);
        blocking(move || world.wiring.rebuild("orders"))
            .await
            .expect("the rebuild ends well");
    }
    let reads = reading.stop().await;
    assert!(reads > 0, "reads must have gone on");

    let schema = live_schema(&queries).await;
    assert_eq!(schema, format!("orders_{}", REBUILDS + 1));
    assert_eq!(rows(&world, &schema).await, before, "row for row the same");
    // The new version is live in every sense: it takes up what comes next.
    let next = commands
        .post("/v1/orders", "after", &system_tests::client::order("ada"))
        .await
        .expect("an answer");
    let path = format!("/v1/orders/{}", next.id());
    let seen = queries.get_at(&path, next.header("x-position")).await;
    assert_eq!(seen.expect("an answer").status, 200);
    // Nothing rewrites its row after that.
    wait_for(&queries, &path, |order| {
        order["status"] == "awaiting_payment"
    })
    .await;

    assert_eq!(dry_run(&world, &[]).await, Some(0));
    falsify(&world, &schema, next.id()).await;
    assert_eq!(dry_run(&world, &[]).await, Some(1));
    assert_eq!(dry_run(&world, &["--partition", "99"]).await, Some(2));
    blocking(move || drop((command_api, read_side))).await;
}

/// How a dry run of the orders' rebuild ends.
async fn dry_run(world: &Arc<World>, more: &[&str]) -> Option<i32> {
    let arguments = [&["rebuild", "orders", "--dry-run"], more].concat();
    offset_zero(world, &arguments).await.status.code()
}

/// Changes a row behind the projector's back.
async fn falsify(world: &World, schema: &str, order: &str) {
    let mut connection = PgConnection::connect(&world.wiring.database_url)
        .await
        .expect("connected");
    let statement =
        format!("update {schema}.orders set total_amount = total_amount + 1 where id = $1::uuid");
    let falsified = sqlx::query(sqlx::AssertSqlSafe(statement))
        .bind(order)
        .execute(&mut connection)
        .await;
    assert_eq!(falsified.expect("it is changed").rows_affected(), 1);
}

/// Places orders and pays every second one; answers the last positions.
async fn place_and_pay(commands: &Client) -> Vec<String> {
    let mut tasks = JoinSet::new();
    for client in 0..CLIENTS {
        let commands = commands.clone();
        tasks.spawn(async move {
            let mut last = String::new();
            for number in 0..ORDERS / CLIENTS {
                let id = commands.placed(&format!("customer-{client}")).await;
                if number % 2 == 0 {
                    let key = Uuid::now_v7().to_string();
                    let paid = commands
                        .post(&format!("/v1/orders/{id}/pay"), &key, &payment())
                        .await;
                    paid.expect("an answer")
                        .header("x-position")
                        .clone_into(&mut last);
                }
            }
            last
        });
    }
    tasks.join_all().await
}

/// The last positions of everything that the orders are made of.
fn ends(log: &KafkaLog) -> Vec<String> {
    let mut ends = Vec::new();
    for topic in [ORDER_EVENTS, PAYMENT_EVENTS, SHIPPING_EVENTS] {
        for partition in 0..log.partitions(topic).expect("the log answers") {
            let end = log.end_offset(topic, partition).expect("the log answers");
            ends.push(format!("{topic}/{partition}@{}", end - 1));
        }
    }
    ends
}

/// A paid order is packed by itself: until then its row still changes.
async fn wait_until_packed(log: &KafkaLog) {
    let begun = Instant::now();
    loop {
        let shipments = read_topic::<ShippingEvent>(log, SHIPPING_EVENTS).await;
        let orders = read_topic::<OrderEvent>(log, ORDER_EVENTS).await;
        let packed = shipments
            .iter()
            .filter(|recorded| matches!(recorded.event, ShippingEvent::Created(_)));
        let paid = orders
            .iter()
            .filter(|recorded| matches!(recorded.event, OrderEvent::Paid(_)));
        let (packed, paid) = (packed.count(), paid.count());
        if packed == paid {
            return;
        }
        assert!(begun.elapsed() < PATIENCE, "{packed} of {paid} are packed");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

async fn wait_until_visible(queries: &Client, positions: &[String]) {
    let seen = queries
        .get_at("/v1/orders?limit=1", &positions.join(","))
        .await
        .expect("an answer");
    assert_eq!(seen.status, 200, "{seen:?}");
}

/// Reads one order over and over; every answer has to be the order.
struct Reading {
    stopping: Arc<AtomicBool>,
    task: tokio::task::JoinHandle<u64>,
}

impl Reading {
    fn start(queries: &Client, order_id: &str) -> Self {
        let stopping = Arc::new(AtomicBool::new(false));
        let (queries, path, stop) = (
            queries.clone(),
            format!("/v1/orders/{order_id}"),
            Arc::clone(&stopping),
        );
        let task = tokio::spawn(async move {
            let mut reads = 0;
            while !stop.load(Ordering::Acquire) {
                for path in [path.as_str(), "/v1/orders?customer_id=reader"] {
                    let answer = queries.get(path).await.expect("an answer");
                    assert_eq!(answer.status, 200, "after {reads} reads: {answer:?}");
                    reads += 1;
                }
            }
            reads
        });
        Self { stopping, task }
    }

    async fn stop(self) -> u64 {
        self.stopping.store(true, Ordering::Release);
        self.task.await.expect("every read succeeds")
    }
}

async fn live_schema(queries: &Client) -> String {
    let answer = queries.get("/v1/projections").await.expect("an answer");
    let items = answer.body["items"].as_array().expect("a list").clone();
    let live = items
        .iter()
        .find(|item| item["name"] == "orders" && item["state"] == "live");
    format!("orders_{}", live.expect("one is live")["version"])
}

/// Every row as text, in a fixed order.
async fn rows(world: &World, schema: &str) -> Vec<String> {
    let mut connection = PgConnection::connect(&world.wiring.database_url)
        .await
        .expect("connected");
    let statement = format!("select orders::text from {schema}.orders order by id");
    sqlx::query_scalar(sqlx::AssertSqlSafe(statement))
        .fetch_all(&mut connection)
        .await
        .expect("the rows are read")
}
