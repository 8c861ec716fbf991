//! `offset-zero bench`: the whole system on this machine, beside what Kafka and Postgres do on it without us.
//!
//! Everything is measured in one run, since machines differ and shared ones are noisy: the ratios are what to compare.

mod load;
mod memory;
mod orders;
mod raw;
mod rebuild;
mod report;

use std::{sync::Arc, time::Duration};

use anyhow::{Context, Result, bail};
use dev::stack::StackOptions;
use domain::topics::ORDER_EVENTS;
use hyper::StatusCode;

use self::{
    load::{Measured, Shot, Until},
    report::Report,
};
use crate::{args::BenchOptions, running::Running};

/// Connections at which placing orders is measured.
const CONNECTIONS: [usize; 3] = [1, 64, 256];
const WARM_UP: Duration = Duration::from_secs(3);
const RAW_MESSAGES: u32 = 500_000;
const RAW_TOPIC: &str = "BenchRaw";

/// Runs all benchmarks and prints the table.
pub async fn run(options: &BenchOptions, json: bool) -> Result<()> {
    if cfg!(debug_assertions) {
        bail!("benchmarks of a debug build mean nothing: run `make bench`");
    }
    eprintln!("starting Kafka and Postgres");
    let start = || Running::start(StackOptions::benchmark(), None);
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

async fn measure(running: &Arc<Running>, options: &BenchOptions) -> Result<Report> {
    let address = raw::address_of(&running.command_api.url)?;
    eprintln!("warming up");
    place(address, 64, Until::Elapsed(WARM_UP)).await?;

    eprintln!("raw idempotent producer");
    let record_bytes = orders::record_bytes();
    let brokers = running.wiring.brokers.clone();
    let raw_produced = tokio::task::spawn_blocking(move || {
        raw::create_topic(&brokers, RAW_TOPIC)?;
        raw::produce(&brokers, RAW_TOPIC, RAW_MESSAGES, record_bytes)
    })
    .await??;

    let mut placed = Vec::new();
    for connections in CONNECTIONS {
        eprintln!("placing orders at {connections} connections");
        let limit = Duration::from_secs(options.seconds);
        placed.push(place(address, connections, Until::Elapsed(limit)).await?);
    }
    let rebuilt = rebuild::measure(options.orders).await?;
    Ok(Report::new(record_bytes, raw_produced, &placed, rebuilt))
}

/// Places orders as fast as they are answered.
async fn place(
    address: std::net::SocketAddr,
    connections: usize,
    until: Until,
) -> Result<Measured> {
    let next = |number| Shot {
        path: "/v1/orders".to_owned(),
        body: orders::body(number),
        expected: StatusCode::CREATED,
    };
    load::run(address, connections, until, next, |_, _| ()).await
}

/// The topic whose events the read side is measured on.
const MEASURED_TOPIC: &str = ORDER_EVENTS;
