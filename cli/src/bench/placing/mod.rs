//! Placing orders over HTTP, beside a bare prototype, in few partitions and many, and the same commands through `cqrs-es`.

mod cqrs_es;
mod partitions;
mod table;

use std::{net::SocketAddr, path::Path, sync::Arc, time::Duration};

use anyhow::Result;
use dev::{
    deployment::{Server, Wiring},
    stack::StackOptions,
};
use hyper::StatusCode;

use self::{cqrs_es::CqrsEs, partitions::Partitioned};
pub use self::{cqrs_es::find as find_cqrs_es, table::Placed};
use super::{
    load::{self, Measured, Pair, Shot, Until},
    orders, raw, start_beside,
};
use crate::{args::Target, running::Running};

/// Connections at which placing orders is measured.
const CONNECTIONS: [usize; 3] = [1, 64, 256];
/// From so many on, the same commands go through cqrs-es, too.
const CQRS_ES_FROM: usize = 64;
/// A broker that has just started compiles itself for a while.
const WARM_UP: Duration = Duration::from_secs(20);
const RAW_MESSAGES: u32 = 500_000;
const RAW_TOPIC: &str = "BenchRaw";

/// Everything about placing orders.
struct Placing {
    record_bytes: usize,
    /// Messages a second of the raw producer.
    raw_produced: f64,
    /// Each number of connections; from [`CQRS_ES_FROM`] on with as many commands in flight through cqrs-es.
    placed: Vec<(Pair, Option<CqrsEs>)>,
    partitioned: Vec<Partitioned>,
}

/// On a stack of its own.
pub async fn measure(asked: &Target, seconds: u64) -> Result<Placed> {
    Running::with(StackOptions::benchmark(), asked, async |running| {
        stop_read_side(running).await?;
        partitions::open_shop(&running.command_api.url).await?;
        Ok(Placed::from(place_orders(running, seconds).await?))
    })
    .await
}

/// Each side is measured by itself: the read side would take its share of the processors from one of the two that place orders.
async fn stop_read_side(running: &Arc<Running>) -> Result<()> {
    let running = Arc::clone(running);
    tokio::task::spawn_blocking(move || {
        running.query_api.service.stop()?;
        running.projectors.service.stop()
    })
    .await??;
    Ok(())
}

async fn place_orders(running: &Arc<Running>, seconds: u64) -> Result<Placing> {
    let starting = Arc::clone(running);
    let (bare, prototype) = tokio::task::spawn_blocking(move || {
        let bare = without_policies(&starting)?;
        Ok::<_, anyhow::Error>((bare, start_prototype(&starting, &starting.wiring)?))
    })
    .await??;
    let addresses = [
        raw::address_of(&bare.url)?,
        raw::address_of(&prototype.url)?,
    ];
    eprintln!("warming up");
    for address in addresses {
        place(address, 64, Until::Elapsed(WARM_UP)).await?;
    }

    eprintln!("raw idempotent producer");
    let record_bytes = orders::record_bytes();
    let kafka = running.target().kafka.config();
    let topic = format!("{}{RAW_TOPIC}", kafka.namespace);
    let raw_produced = tokio::task::spawn_blocking(move || {
        raw::create_topic(&kafka, &topic, 1)?;
        raw::produce(&kafka, &topic, RAW_MESSAGES, record_bytes)
    })
    .await??;

    let mut placed = Vec::new();
    for connections in CONNECTIONS {
        eprintln!("placing orders at {connections} connections");
        let pair = measure_pair(addresses, connections, seconds).await?;
        let cqrs_es = match connections >= CQRS_ES_FROM {
            true => Some(cqrs_es::measure(running, connections, seconds).await?),
            false => None,
        };
        placed.push((pair, cqrs_es));
    }
    tokio::task::spawn_blocking(move || {
        bare.service.stop()?;
        prototype.service.stop()
    })
    .await??;
    Ok(Placing {
        record_bytes,
        raw_produced,
        placed,
        partitioned: partitions::measure(running, seconds).await?,
    })
}

async fn measure_pair(
    addresses: [SocketAddr; 2],
    connections: usize,
    seconds: u64,
) -> Result<Pair> {
    let place = async |address, until| place(address, connections, until).await;
    Pair::measure(addresses, seconds, place).await
}

/// The command API anew, with nothing but commands to do: what follows from each would take its share of the processors.
pub fn without_policies(running: &Running) -> Result<Server> {
    running.command_api.service.stop()?;
    start_without_policies(&running.wiring)
}

fn start_without_policies(wiring: &Wiring) -> Result<Server> {
    let server = wiring.command_api_of(&[], None, &["--no-policies"])?;
    server.wait_ready()?;
    Ok(server)
}

fn start_prototype(running: &Running, wiring: &Wiring) -> Result<Server> {
    let partitions = wiring.partitions.to_string();
    let flags = [
        "--kafka-brokers",
        &wiring.brokers,
        "--namespace",
        &wiring.namespace,
        "--partitions",
        &partitions,
    ];
    start_beside(
        "prototype",
        &flags,
        wiring.properties(),
        Path::new(&running.logs()),
    )
}

/// Places orders as fast as they are answered.
async fn place(address: SocketAddr, connections: usize, until: Until) -> Result<Measured> {
    let next = |number| {
        Shot::post(
            "/v1/orders".to_owned(),
            orders::body(number),
            StatusCode::CREATED,
        )
    };
    load::run(address, connections, until, next, |_, _| ()).await
}
