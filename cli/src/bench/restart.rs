//! How an order service starts again whose log is long: with its state store and without, beside raw consumption.

use std::{
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use anyhow::{Context, Result, anyhow, ensure};
use chrono::{DateTime, Utc};
use dev::{
    deployment::{ServiceOutput, Wiring},
    stack::{Stack, StackOptions},
};
use domain::{
    ids::OrderId,
    order::{CancelOrder, OrderCommand, Orders},
    topics::ORDER_EVENTS,
};
use event_store::{
    CommandMetadata, EventStore, PartitionStatus, Rehydration, Request, StateConfig, StoreConfig,
    kafka::{Durability, KafkaConfig, KafkaLog, TopicSpec},
};
use serde::Serialize;
use uuid::Uuid;

use super::{memory, orders, raw};

/// One of the largest there can be: all orders are in it.
const PARTITIONS: i32 = 1;
/// Orders that are on their way together; so large are transactions, about.
const AT_ONCE: usize = 1_000;
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
    /// A process of the order service that has started with its store.
    process_mib: f64,
    process_seconds: f64,
}

/// On a stack of its own, so that the log holds these orders and nothing else.
pub async fn measure(orders: u64) -> Result<Restarted> {
    eprintln!("starting Kafka");
    let start = || Stack::start(StackOptions::benchmark());
    let stack = tokio::task::spawn_blocking(start).await??;
    let measured = measure_on(&stack, orders).await;
    tokio::task::spawn_blocking(move || stack.stop()).await??;
    measured
}

async fn measure_on(stack: &Stack, orders: u64) -> Result<Restarted> {
    let folder = stack
        .scratch()
        .context("a fresh stack")?
        .path()
        .join("state");
    let config = KafkaConfig::new(stack.brokers());
    let log = KafkaLog::connect(&config)?;
    log.ensure_topics(&[
        TopicSpec::events(ORDER_EVENTS, PARTITIONS, Durability::DEVELOPMENT),
        TopicSpec::ownership(PARTITIONS, Durability::DEVELOPMENT),
    ])
    .await?;
    eprintln!("placing and cancelling {orders} orders");
    let (store, _) = serve(&log, Some(&folder)).await?;
    fill(&store, orders).await?;
    ensure!(store.stop(PATIENCE).await, "the writer does not end");

    eprintln!("reading them raw");
    let consuming = config.clone();
    let raw = tokio::task::spawn_blocking(move || raw::consume(&consuming, ORDER_EVENTS));
    let (events, raw_consume_rate) = raw.await??;
    eprintln!("starting with the store");
    let restarted = restart(&log, Some(&folder)).await?;
    ensure!(
        restarted.from_store,
        "the store was not taken: {restarted:?}"
    );
    eprintln!("starting a process with the store");
    let (process_seconds, process_mib) = process(stack, &folder).await?;
    eprintln!("starting without a store");
    let in_memory = restart(&log, None).await?;
    eprintln!("starting with an empty store");
    std::fs::remove_dir_all(&folder).context("removing the store")?;
    let rehydrated = restart(&log, Some(&folder)).await?;
    ensure!(!rehydrated.from_store, "the store was not removed");
    Ok(Restarted {
        orders,
        events,
        raw_consume_rate,
        rehydrate_rate: rate(&rehydrated),
        in_memory_rate: rate(&in_memory),
        restart_seconds: restarted.elapsed.as_secs_f64(),
        restart_records: restarted.records,
        process_mib,
        process_seconds,
    })
}

fn rate(rehydration: &Rehydration) -> f64 {
    rehydration.records as f64 / rehydration.elapsed.as_secs_f64()
}

async fn restart(log: &KafkaLog, folder: Option<&Path>) -> Result<Rehydration> {
    let (store, rehydration) = serve(log, folder).await?;
    ensure!(store.stop(PATIENCE).await, "the writer does not end");
    Ok(rehydration)
}

async fn serve(log: &KafkaLog, folder: Option<&Path>) -> Result<(EventStore<Orders>, Rehydration)> {
    let config = StoreConfig {
        state: folder.map(StateConfig::new),
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

/// A process of its own, since this one has held much before: seconds until it is ready, and its memory then.
async fn process(stack: &Stack, folder: &Path) -> Result<(f64, f64)> {
    let wiring = Wiring {
        brokers: stack.brokers(),
        database_url: String::new(),
        namespace: String::new(),
        partitions: PARTITIONS,
        gateway_url: "http://127.0.0.1:9".to_owned(),
        output: ServiceOutput::Folder(folder.parent().context("a folder")?.to_owned()),
    };
    let folder = folder.to_string_lossy().into_owned();
    let run = move || -> Result<(f64, f64)> {
        let begun = Instant::now();
        let flags = ["--no-policies", "--state-dir", &folder];
        let server = wiring.command_api_of(&["order"], None, &flags)?;
        server.wait_ready()?;
        let elapsed = begun.elapsed().as_secs_f64();
        let mib = memory::resident_mib(server.service.process().pid())?;
        server.service.stop()?;
        Ok((elapsed, mib))
    };
    tokio::task::spawn_blocking(run).await?
}

/// Places and cancels so many orders.
async fn fill(store: &EventStore<Orders>, orders: u64) -> Result<()> {
    let left = Arc::new(AtomicU64::new(orders));
    let shoppers: Vec<_> = (0..AT_ONCE)
        .map(|_| {
            let (store, left) = (store.clone(), Arc::clone(&left));
            let take = move |left: u64| left.checked_sub(1);
            tokio::spawn(async move {
                while left
                    .fetch_update(Ordering::AcqRel, Ordering::Acquire, take)
                    .is_ok()
                {
                    let order_id = OrderId::from(Uuid::now_v7());
                    for command in [orders::place(order_id, 1, now())?, cancel(order_id)] {
                        let accepted = store.execute(request(command)).await;
                        accepted.map_err(|refusal| anyhow!("{refusal}"))?;
                    }
                }
                Ok::<_, anyhow::Error>(())
            })
        })
        .collect();
    for shopper in shoppers {
        shopper.await??;
    }
    Ok(())
}

fn request(command: OrderCommand) -> Request<Orders> {
    let id = Uuid::now_v7();
    Request {
        command,
        metadata: CommandMetadata {
            command_id: id,
            command_hash: id,
            correlation_id: id,
            causation_id: id,
            actor: "bench".into(),
            time: now(),
            expected_version: None,
            traceparent: Some("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01".into()),
        },
    }
}

fn now() -> DateTime<Utc> {
    std::time::SystemTime::now().into()
}

fn cancel(order_id: OrderId) -> OrderCommand {
    OrderCommand::Cancel(CancelOrder {
        order_id,
        reason: None,
        cancelled_at: now(),
    })
}
