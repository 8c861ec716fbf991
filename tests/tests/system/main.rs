//! The system as its users meet it: real processes over real Kafka and Postgres.

mod benchmark;
mod checkout;
mod delivery;
mod disk;
mod doctor;
mod drain;
mod effects;
mod following;
mod journey;
mod kills;
mod outages;
mod owners;
mod projectors;
mod races;
mod rebuild;
mod resilience;
mod rolling;
mod stock;
mod tls;

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use dev::deployment::Server;
use domain::order::OrderEvent;
use serde_json::Value;
use system_tests::{Client, Journal, World};

/// A broker that is started again needs some seconds, and so does an owner that takes over anew.
const PATIENCE: Duration = Duration::from_secs(90);

/// Flags of an order service whose orders wait for their stock longer than any test takes, where a test has them wait.
const PATIENT: [&str; 2] = ["--stock-deadline", "3600"];

/// A test's world is made on a blocking thread: starting processes blocks.
async fn world() -> system_tests::World {
    blocking(system_tests::World::new).await
}

/// A command API with all services, then projectors and a query API: all of them ready.
async fn everything(world: &Arc<World>) -> (Server, (Server, Server)) {
    let world = Arc::clone(world);
    blocking(move || (world.command_api(None), world.read_side())).await
}

/// A command API that is ready, with these services; none means all.
async fn services(world: &Arc<World>, services: &'static [&'static str]) -> Server {
    let world = Arc::clone(world);
    blocking(move || world.services(services, None)).await
}

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    tokio::task::spawn_blocking(work).await.expect("no panic")
}

/// Polls until the path answers so.
async fn wait_for_status(client: &Client, path: &str, wanted: u16) {
    let begun = Instant::now();
    loop {
        let last = client.get(path).await;
        if last.as_ref().is_ok_and(|answer| answer.status == wanted) {
            return;
        }
        assert!(
            begun.elapsed() < PATIENCE,
            "{path}: {wanted} awaited, last {last:?}"
        );
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// Polls until the answer is as wanted, and gives it.
async fn wait_for(queries: &Client, path: &str, wanted: impl Fn(&Value) -> bool) -> Value {
    let begun = Instant::now();
    loop {
        let last = queries.get(path).await.expect("an answer");
        if last.status == 200 && wanted(&last.body) {
            return last.body;
        }
        assert!(begun.elapsed() < PATIENCE, "{path}: last {last:?}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// Polls the log until the order has such an event.
async fn wait_for_event(world: &World, order_id: &str, wanted: impl Fn(&OrderEvent) -> bool) {
    let begun = Instant::now();
    loop {
        let journal = Journal::read(&world.log()).await;
        let events = journal.events_of(order_id);
        if events.iter().any(|recorded| wanted(&recorded.event)) {
            return;
        }
        assert!(begun.elapsed() < PATIENCE, "{order_id}: {events:#?}");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}
