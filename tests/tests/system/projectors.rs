//! Two processes of projectors, killed with -9 over and over, Postgres and the broker killed under them, while an operator rebuilds,
//! resets and halts what they feed: every row of what is live in the end is what the log says.
//!
//! `OFFSET_ZERO_KILLS` (200) processes are killed.

mod operator;

use std::{
    env,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use dev::stack::{Stack, StackOptions};
use domain::topics::{ORDER_EVENTS, PAYMENT_EVENTS, SHIPPING_EVENTS};
use event_store::{kafka::KafkaLog, log::Log};
use sqlx::{Connection, PgConnection};
use system_tests::{
    Client, World,
    client::{order, payment},
    fold, shop,
};
use tokio::task::JoinSet;
use uuid::Uuid;

use self::operator::Operator;
use crate::{PATIENCE, blocking, wait_for_status};

const KILLS: usize = 200;
/// Between two kills, at most: 200 take some 40 seconds.
const MAX_DELAY_MS: u64 = 256;
const CLIENTS: usize = 4;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rows_equal_the_fold_of_the_log_whatever_was_killed() {
    let stack = blocking(|| Stack::start(StackOptions::fresh()))
        .await
        .expect("the stack starts");
    if stack.kafka().is_none() || stack.postgres().is_none() {
        println!("skipped: this stack is not ours to break");
        return;
    }
    let (mut stack, world, command_api, mut projectors) = blocking(move || {
        let world = Arc::new(World::on(&stack));
        let command_api = world.command_api(None);
        world.wiring.migrate().expect("the database is migrated");
        let start = || world.wiring.projectors(None).expect("the projectors start");
        let projectors = [start(), start()];
        (stack, world, command_api, projectors)
    })
    .await;
    shop::fill(&Client::new(&command_api.url)).await;
    let trading = Trading::start(&command_api.url);
    let operator = Operator::start(&world);
    let kills = kills();
    for round in 0..kills {
        // Printed to repeat it.
        let delay = Duration::from_millis(fastrand::u64(..MAX_DELAY_MS));
        println!("round {round}: killed after {delay:?}");
        tokio::time::sleep(delay).await;
        stack = disturb(stack, round, kills).await;
        let (world, number) = (Arc::clone(&world), round % projectors.len());
        projectors = blocking(move || {
            projectors[number].service.kill().expect("killed");
            projectors[number] = world.wiring.projectors(None).expect("the projectors start");
            projectors
        })
        .await;
    }
    operator.stop().await;
    trading.stop(kills).await;
    let commands = Client::new(&command_api.url);
    wait_for_status(&commands, "/health/ready", 200).await;
    // From here on nothing is appended any more.
    blocking(move || command_api.service.stop())
        .await
        .expect("stops");
    let log = world.log();
    let mut connection = PgConnection::connect(&world.wiring.database_url)
        .await
        .expect("connected");
    let live = live_version(&mut connection).await;
    // Read first: then the markers of everything are written, and the end stands still.
    let expected = fold::orders(&log).await;
    wait_until_applied(&mut connection, live, &log).await;
    let found = fold::orders_in(&mut connection, &format!("orders_{live}")).await;
    assert!(expected.len() > kills, "{} orders", expected.len());
    for (id, row) in &expected {
        assert_eq!(found.get(id), Some(row), "{id}");
    }
    assert_eq!(found.len(), expected.len(), "and no other rows");
    let parked: i64 = sqlx::query_scalar("select count(*) from offset_zero.dead_letters")
        .fetch_one(&mut connection)
        .await
        .expect("counted");
    assert_eq!(parked, 0);
    blocking(move || drop((projectors, stack))).await;
}

fn kills() -> usize {
    let kills = env::var("OFFSET_ZERO_KILLS").ok();
    kills.map_or(KILLS, |kills| {
        kills.parse().expect("OFFSET_ZERO_KILLS is a number")
    })
}

/// Once Postgres, and once the broker, is killed and started again.
async fn disturb(mut stack: Stack, round: usize, kills: usize) -> Stack {
    blocking(move || {
        if round == kills / 3 {
            stack.postgres().expect("native").kill().expect("killed");
            stack
                .postgres_mut()
                .expect("native")
                .restart()
                .expect("restarted");
        }
        if round == kills * 2 / 3 {
            stack.kafka().expect("native").kill().expect("killed");
            stack
                .kafka_mut()
                .expect("native")
                .restart()
                .expect("restarted");
        }
        stack
    })
    .await
}

/// Orders placed and paid, as far as they are answered.
struct Trading {
    stopping: Arc<AtomicBool>,
    placed: Arc<AtomicUsize>,
    tasks: JoinSet<()>,
}

impl Trading {
    fn start(url: &str) -> Self {
        let stopping = Arc::new(AtomicBool::new(false));
        let placed = Arc::new(AtomicUsize::new(0));
        let mut tasks = JoinSet::new();
        for _ in 0..CLIENTS {
            let (client, stop) = (Client::new(url), Arc::clone(&stopping));
            let placed = Arc::clone(&placed);
            tasks.spawn(async move {
                while !stop.load(Ordering::Acquire) {
                    trade(&client, &placed).await;
                }
            });
        }
        Self {
            stopping,
            placed,
            tasks,
        }
    }

    /// Stops when there was enough to look at; a busy machine takes a while.
    async fn stop(self, enough: usize) {
        let deadline = Instant::now() + PATIENCE;
        while self.placed.load(Ordering::Acquire) <= enough {
            assert!(Instant::now() < deadline, "there are too few orders");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        self.stopping.store(true, Ordering::Release);
        self.tasks.join_all().await;
    }
}

async fn trade(client: &Client, count: &AtomicUsize) {
    let key = Uuid::now_v7().to_string();
    let placed = client.post("/v1/orders", &key, &order("ada")).await;
    // While the broker is away, nothing is.
    let Some(placed) = placed.ok().filter(|answer| answer.status == 201) else {
        return tokio::time::sleep(Duration::from_millis(50)).await;
    };
    count.fetch_add(1, Ordering::AcqRel);
    let path = format!("/v1/orders/{}/pay", placed.id());
    let key = Uuid::now_v7().to_string();
    drop(client.post(&path, &key, &payment()).await);
}

async fn live_version(connection: &mut PgConnection) -> i32 {
    let live = "select live_version from offset_zero.projections where name = 'orders'";
    sqlx::query_scalar(live)
        .fetch_one(connection)
        .await
        .expect("there is one")
}

/// Until a version holds all that the log does, to which at most the marker of a transaction is added meanwhile.
async fn wait_until_applied(connection: &mut PgConnection, version: i32, log: &KafkaLog) {
    let begun = Instant::now();
    loop {
        let reached: i64 = sqlx::query_scalar(
            "select sum(next_offset)::bigint from offset_zero.checkpoints where name = 'orders' and version = $1",
        )
        .bind(version)
        .fetch_one(&mut *connection)
        .await
        .expect("read");
        // Asked for afterwards, so that no partition is ahead of its end and makes up for another.
        let end = end(log);
        if reached == end {
            return;
        }
        assert!(begun.elapsed() < PATIENCE, "{reached} of {end} are applied");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// The ends of all that orders are projected from, added up.
fn end(log: &KafkaLog) -> i64 {
    let mut end = 0;
    for topic in [ORDER_EVENTS, PAYMENT_EVENTS, SHIPPING_EVENTS] {
        for partition in 0..log.partitions(topic).expect("the log answers") {
            end += log.end_offset(topic, partition).expect("the log answers");
        }
    }
    end
}
