//! How an order service starts again whose log is long: with its state store and without, beside raw consumption.

mod standby;

use std::{
    fmt::{self, Write},
    path::Path,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, ensure};
use dev::deployment::{Server, ServiceOutput, Wiring};
use domain::{order::Orders, topics::ORDER_EVENTS};
use event_store::{
    EventStore, PartitionStatus, Rehydration, StateConfig, StoreConfig,
    kafka::{Durability, KafkaLog, TopicSpec},
};
use serde::Serialize;

use self::standby::TakenOver;
use super::{
    made_up::{self, Then},
    memory, on_a_stack, raw,
};
use crate::{args::Target, site::Site};

/// One of the largest there can be: all orders are in it.
const PARTITIONS: i32 = 1;
/// Far longer than any start may take.
const PATIENCE: Duration = Duration::from_secs(600);

/// What a start took.
#[derive(Debug, Serialize)]
pub struct Restarted {
    orders: u64,
    events: u64,
    /// Records a second, looking at nothing.
    raw_consume_rate: f64,
    /// Records a second into an empty store.
    rehydrate_rate: f64,
    /// Records a second into memory.
    in_memory_rate: f64,
    /// From opening the store to the partition being served.
    restart_seconds: f64,
    /// Records read by that.
    restart_records: u64,
    /// The most that a process of the order service has held which read all of it into an empty store.
    filling_mib: f64,
    /// One that has started with its store.
    process_mib: f64,
    process_seconds: f64,
    taken_over: TakenOver,
}

/// On a stack of its own, so that the log holds these orders and nothing else.
pub async fn measure(asked: &Target, orders: u64) -> Result<Restarted> {
    eprintln!("starting Kafka");
    on_a_stack(asked, async |site| measure_on(site, orders).await).await
}

async fn measure_on(site: &Site, orders: u64) -> Result<Restarted> {
    let scratch = site.stack.scratch().context("a fresh stack")?;
    let folder = scratch.path().join("state");
    // As processes that are given the folder have it.
    let state = StateConfig {
        namespace: site.namespace.clone(),
        ..StateConfig::new(&folder)
    };
    let config = site.target(PARTITIONS).kafka.config();
    let log = KafkaLog::connect(&config)?;
    log.ensure_topics(&[
        TopicSpec::events(ORDER_EVENTS, PARTITIONS, Durability::DEVELOPMENT),
        TopicSpec::ownership(PARTITIONS, Durability::DEVELOPMENT),
    ])
    .await?;
    eprintln!("making up {orders} orders");
    let writing = log.clone();
    let write = move || made_up::write(&writing, PARTITIONS, orders, Then::Cancelled);
    tokio::task::spawn_blocking(write).await??;

    eprintln!("reading them raw");
    let consuming = config.clone();
    let raw = tokio::task::spawn_blocking(move || raw::consume(&consuming, ORDER_EVENTS));
    let (events, raw_consume_rate) = raw.await??;
    eprintln!("starting without a store");
    let in_memory = restart(&log, None).await?;
    eprintln!("starting with an empty store");
    let rehydrated = restart(&log, Some(&state)).await?;
    eprintln!("starting with the store");
    let restarted = restart(&log, Some(&state)).await?;
    ensure!(
        restarted.from_store,
        "the store was not taken: {restarted:?}"
    );
    let wiring = wiring(site, &folder)?;
    eprintln!("starting processes with an empty store, and with one that is full");
    let other = folder.with_extension("of-a-process");
    let (_, filling_mib) = process(&wiring, &other).await?;
    let (process_seconds, process_mib) = process(&wiring, &other).await?;
    eprintln!("killing an owner beside its standby");
    let known = made_up::id_of(0).into();
    let taken_over = standby::measure(&wiring, &folder, known).await?;
    Ok(Restarted {
        orders,
        events,
        raw_consume_rate,
        rehydrate_rate: rate(&rehydrated),
        in_memory_rate: rate(&in_memory),
        restart_seconds: restarted.elapsed.as_secs_f64(),
        restart_records: restarted.records,
        filling_mib,
        process_mib,
        process_seconds,
        taken_over,
    })
}

impl Restarted {
    /// As a part of the report.
    pub fn write(&self, text: &mut dyn Write) -> fmt::Result {
        writeln!(
            text,
            "\n## Starting again\n\n\
             {} orders, placed and cancelled, {} events, all in one partition. With its state store the partition was served after \
             {:.2} s, having read {} records; a process of the order service was ready after {:.2} s and held {:.0} MiB. One \
             that had to fill its store first held {:.0} MiB at most.\n\n\
             | without a store | records/s | of raw |\n|---|---:|---:|",
            self.orders,
            self.events,
            self.restart_seconds,
            self.restart_records,
            self.process_seconds,
            self.process_mib,
            self.filling_mib
        )?;
        for (what, rate) in [
            ("raw consumption", self.raw_consume_rate),
            ("rehydrated into memory", self.in_memory_rate),
            ("rehydrated into an empty store", self.rehydrate_rate),
        ] {
            let of_raw = rate / self.raw_consume_rate;
            writeln!(text, "| {what} | {rate:.0} | {of_raw:.2} |")?;
        }
        let taken_over = &self.taken_over;
        writeln!(
            text,
            "\nThe owner was killed with -9 beside a standby, which gave its first answer {:.1} s later; for {:.0} s of \
             them the group waited for the owner.",
            taken_over.seconds, taken_over.session_timeout_seconds
        )
    }
}

fn rate(rehydration: &Rehydration) -> f64 {
    rehydration.records as f64 / rehydration.elapsed.as_secs_f64()
}

async fn restart(log: &KafkaLog, state: Option<&StateConfig>) -> Result<Rehydration> {
    let (store, rehydration) = serve(log, state).await?;
    ensure!(store.stop(PATIENCE).await, "the writer does not end");
    Ok(rehydration)
}

async fn serve(
    log: &KafkaLog,
    state: Option<&StateConfig>,
) -> Result<(EventStore<Orders>, Rehydration)> {
    let config = StoreConfig {
        state: state.cloned(),
        ..StoreConfig::default()
    };
    let log = log.clone();
    let start = move || EventStore::<Orders>::start(&log, &config);
    let store = tokio::task::spawn_blocking(start).await??;
    let begun = Instant::now();
    while store.status() != [PartitionStatus::Ready] {
        ensure!(begun.elapsed() < PATIENCE, "still {:?}", store.status());
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let rehydration = store.rehydrations().into_iter().next().flatten();
    Ok((store, rehydration.context("it has been taken over")?))
}

fn wiring(site: &Site, folder: &Path) -> Result<Wiring> {
    Ok(Wiring {
        brokers: site.stack.brokers(),
        kafka_properties: site.kafka_properties(),
        database_url: String::new(),
        namespace: site.namespace.clone(),
        partitions: PARTITIONS,
        gateway_url: "http://127.0.0.1:9".to_owned(),
        output: ServiceOutput::Folder(folder.parent().context("a folder")?.to_owned()),
    })
}

/// A process of its own, since this one has held much before: seconds until it is ready, and the most that it has held.
async fn process(wiring: &Wiring, folder: &Path) -> Result<(f64, f64)> {
    let (wiring, folder) = (wiring.clone(), folder.to_owned());
    let run = move || -> Result<(f64, f64)> {
        let begun = Instant::now();
        let server = start(&wiring, &folder, &[])?;
        let elapsed = begun.elapsed().as_secs_f64();
        let mib = memory::peak_mib(server.service.process().pid())?;
        server.service.stop()?;
        Ok((elapsed, mib))
    };
    tokio::task::spawn_blocking(run).await?
}

/// An order service with its state in that folder.
fn start(wiring: &Wiring, folder: &Path, flags: &[&str]) -> Result<Server> {
    let folder = folder.to_string_lossy();
    let own = ["--no-policies", "--state-dir", &folder];
    let server = wiring.command_api_of(&["order"], None, &[&own, flags].concat())?;
    server.service.wait_ready(&server.url, PATIENCE)?;
    Ok(server)
}
