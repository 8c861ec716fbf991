//! `offset-zero bench`: the whole system on this machine, beside what Kafka and Postgres do on it without us.
//!
//! Everything is measured in one run, since machines differ and shared ones are noisy: the ratios are what to compare.

mod bare_reads;
mod cqrs_es;
mod journey;
mod lag;
mod load;
mod log_speed;
mod made_up;
mod memory;
mod orders;
mod partitions;
mod prototype;
mod raw;
mod reads;
mod rebuild;
mod report;
mod restart;

use std::{sync::Arc, time::Duration};

use anyhow::{Context, Result, bail};
use dev::{
    deployment::{Server, Wiring},
    process::Output,
    services::Service,
    stack::StackOptions,
};
use domain::topics::ORDER_EVENTS;
use hyper::StatusCode;

use self::{
    cqrs_es::CqrsEs,
    load::{Measured, Shot, Until},
    partitions::Partitioned,
    report::{Others, Report},
};
use crate::{
    args::{BenchOptions, Target},
    running::Running,
};

/// Connections at which placing orders is measured.
const CONNECTIONS: [usize; 3] = [1, 64, 256];
/// From so many on, the same commands go through cqrs-es, too.
const CQRS_ES_FROM: usize = 64;
/// A broker that has just started compiles itself for a while.
const WARM_UP: Duration = Duration::from_secs(20);
const RAW_MESSAGES: u32 = 500_000;
const RAW_TOPIC: &str = "BenchRaw";

/// Runs all benchmarks and prints the table.
pub async fn run(options: &BenchOptions, json: bool) -> Result<()> {
    if cfg!(debug_assertions) {
        bail!("benchmarks of a debug build mean nothing: run `make bench`");
    }
    if let Some(orders) = options.restart {
        let restarted = restart::measure(orders).await?;
        println!("{}", serde_json::to_string_pretty(&restarted)?);
        return Ok(());
    }
    if let Some(orders) = options.rebuild_of {
        let measured = log_speed::measure(orders, options.seconds).await?;
        match json {
            true => println!("{}", serde_json::to_string_pretty(&measured)?),
            false => println!("{}", measured.markdown()),
        }
        return Ok(());
    }
    cqrs_es::find()?;
    eprintln!("starting Kafka and Postgres");
    let start = || Running::start(StackOptions::benchmark(), None, None);
    let running = Arc::new(
        tokio::task::spawn_blocking(start)
            .await
            .context("starting the stack")??,
    );
    let measured = measure(&running, options).await;
    let running = Arc::into_inner(running).context("everything measured has ended")?;
    tokio::task::spawn_blocking(move || running.stop()).await??;
    let report = measured?;
    match json {
        true => println!("{}", serde_json::to_string_pretty(&report)?),
        false => println!("{report}"),
    }
    if let Some(path) = &options.out {
        std::fs::write(path, report.markdown())
            .with_context(|| format!("writing {}", path.display()))?;
    }
    Ok(())
}

/// Is the prototype that is measured beside the system.
pub async fn prototype(target: &Target, port: u16) -> Result<()> {
    prototype::serve(target.kafka(), target.partitions, port).await
}

/// Is the bare select that is measured beside the query API.
pub async fn bare_reads(target: &Target, schema: &str, port: u16) -> Result<()> {
    bare_reads::serve(&target.database_url, schema, port).await
}

/// How many orders a second the system takes, and how many the prototype does.
struct Pair {
    ours: Measured,
    prototype: Measured,
}

/// Everything about placing orders.
struct Placing {
    record_bytes: usize,
    /// Messages a second of the raw producer.
    raw_produced: f64,
    /// Each number of connections; from [`CQRS_ES_FROM`] on with as many commands in flight through cqrs-es.
    placed: Vec<(Pair, Option<CqrsEs>)>,
    partitioned: Vec<Partitioned>,
}

async fn measure(running: &Arc<Running>, options: &BenchOptions) -> Result<Report> {
    if options.placing {
        stop_read_side(running).await?;
        partitions::open_shop(&running.command_api.url).await?;
        let placing = place_orders(running, options.seconds).await?;
        return Ok(Report::new(placing, None));
    }
    eprintln!("following orders from cart to stock");
    let journeys = journey::measure(running).await?;
    stop_read_side(running).await?;
    let placing = place_orders(running, options.seconds).await?;
    let others = Others {
        journeys,
        rebuilt: rebuild::measure(options.orders, options.seconds).await?,
        log_speed: log_speed::measure(options.made_up, options.seconds).await?,
    };
    Ok(Report::new(placing, Some(others)))
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
    let brokers = running.wiring.brokers.clone();
    let raw_produced = tokio::task::spawn_blocking(move || {
        raw::create_topic(&brokers, RAW_TOPIC, 1)?;
        raw::produce(&brokers, RAW_TOPIC, RAW_MESSAGES, record_bytes)
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

/// The two in turn, twice, so that a machine that gets slower meanwhile is slower for both.
async fn measure_pair(
    [ours, prototype]: [std::net::SocketAddr; 2],
    connections: usize,
    seconds: u64,
) -> Result<Pair> {
    let turn = Until::Elapsed(Duration::from_secs(seconds) / 2);
    let mut pair = Pair {
        ours: place(ours, connections, turn).await?,
        prototype: place(prototype, connections, turn).await?,
    };
    pair.ours.add(&place(ours, connections, turn).await?)?;
    pair.prototype
        .add(&place(prototype, connections, turn).await?)?;
    Ok(pair)
}

/// The command API anew, with nothing but commands to do: what follows from each would take its share of the processors.
fn without_policies(running: &Running) -> Result<Server> {
    running.command_api.service.stop()?;
    start_without_policies(&running.wiring)
}

fn start_without_policies(wiring: &Wiring) -> Result<Server> {
    let server = wiring.command_api_of(&[], None, &["--no-policies"])?;
    server.wait_ready()?;
    Ok(server)
}

fn start_prototype(running: &Running, wiring: &Wiring) -> Result<Server> {
    let port = dev::ports::free()?;
    let arguments = [
        "bench",
        "--prototype",
        &port.to_string(),
        "--kafka-brokers",
        &wiring.brokers,
        "--namespace",
        &wiring.namespace,
        "--partitions",
        &wiring.partitions.to_string(),
    ]
    .map(str::to_owned);
    let log = std::path::PathBuf::from(running.logs()).join(format!("prototype-{port}.log"));
    let server = Server {
        service: Service::spawn("offset-zero", arguments, NO_VARIABLES, Output::File(log))?,
        url: format!("http://127.0.0.1:{port}"),
    };
    server.wait_ready()?;
    Ok(server)
}

const NO_VARIABLES: [(&str, &str); 0] = [];

/// Places orders as fast as they are answered.
async fn place(
    address: std::net::SocketAddr,
    connections: usize,
    until: Until,
) -> Result<Measured> {
    let next = |number| {
        Shot::post(
            "/v1/orders".to_owned(),
            orders::body(number),
            StatusCode::CREATED,
        )
    };
    load::run(address, connections, until, next, |_, _| ()).await
}

/// The topic whose events the read side is measured on.
const MEASURED_TOPIC: &str = ORDER_EVENTS;
