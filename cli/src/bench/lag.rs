//! How long after a command's answer its row is there to be read, while commands come at a steady rate: alone, and while the
//! table is rebuilt again and again.

use std::{
    fmt::{self, Write},
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use anyhow::{Context, Result, ensure};
use hyper::{Method, StatusCode};
use serde::Serialize;
use tokio::{
    sync::{Mutex, mpsc},
    task::JoinSet,
    time::{Instant, interval},
};

use super::{
    load::{Connection, Latencies},
    log_speed, orders,
    placing::without_policies,
    raw,
};
use crate::running::Running;

/// Commands a second, whether or not anything keeps up.
const RATE: u32 = 2_000;
/// More than are ever answered at once, or the load would wait for the answers and not come at its rate: with 32 of them, and an
/// answer every 23 ms, no more than 1,400 commands a second were ever sent.
const WRITERS: usize = 256;
/// Of so many commands, one's row is waited for; the others are the load.
const OF_COMMANDS: u64 = 10;
/// More than are ever waited for at once, as long as it goes well.
const READERS: usize = 64;
/// Postgres has to have noticed that the process of the one before is gone, and its lock with it.
const BETWEEN_REBUILDS: Duration = Duration::from_millis(500);
/// The process is new, and so is this load to the broker, which compiles its code while it runs: that took a third of a core
/// for half a minute, and what has fallen behind meanwhile has to be caught up with.
pub const WARM_UP_SECONDS: u64 = 75;

/// Both.
#[derive(Debug, Serialize)]
pub struct Lags {
    alone: Lag,
    /// Rebuilds that were begun meanwhile; all went live, the last perhaps after it.
    rebuilds: u64,
    while_rebuilt: Lag,
}

/// From the answer of a command to that of a read with `x-min-position`. A read that fails ends the benchmark.
#[derive(Debug, Serialize)]
pub struct Lag {
    /// Commands that were answered, a second.
    commands_per_second: f64,
    reads: u64,
    p50_ms: f64,
    p99_ms: f64,
}

/// On a stack with orders in it already, whose command API is stopped.
pub async fn measure(running: &Arc<Running>, seconds: u64, warm_up: u64) -> Result<Lags> {
    eprintln!("placing orders at a steady rate, and reading them");
    let starting = Arc::clone(running);
    let bare = tokio::task::spawn_blocking(move || without_policies(&starting)).await??;
    let addresses = [
        raw::address_of(&bare.url)?,
        raw::address_of(&running.query_api.url)?,
    ];
    at_rate(addresses, warm_up).await?;
    let alone = at_rate(addresses, seconds).await?;
    let measuring = tokio::spawn(at_rate(addresses, seconds));
    let mut rebuilds = 0;
    while !measuring.is_finished() {
        let target = running.target();
        let rebuild = move || log_speed::rebuild(log_speed::MEASURED, &target);
        tokio::task::spawn_blocking(rebuild).await??;
        rebuilds += 1;
        tokio::time::sleep(BETWEEN_REBUILDS).await;
    }
    let while_rebuilt = measuring.await??;
    tokio::task::spawn_blocking(move || bare.service.stop()).await??;
    Ok(Lags {
        alone,
        rebuilds,
        while_rebuilt,
    })
}

/// An order that was placed, where, and when that was answered.
struct Placed {
    path: String,
    position: String,
    answered: Instant,
}

async fn at_rate([commands, queries]: [SocketAddr; 2], seconds: u64) -> Result<Lag> {
    let window = Duration::from_secs(seconds);
    let begun = Instant::now();
    // Ticks that were missed come at once: who falls behind is not spared.
    let ticks = Arc::new(Mutex::new(interval(Duration::from_secs(1) / RATE)));
    let count = Arc::new(AtomicU64::new(0));
    // As many as are sampled at most: nobody has to wait for a place.
    let places = usize::try_from(u64::from(RATE) * seconds)?;
    let (placed, waiting) = mpsc::channel(places.max(1));
    let waiting = Arc::new(Mutex::new(waiting));
    let mut writers = JoinSet::new();
    for _ in 0..WRITERS {
        let connection = Connection::open(commands).await?;
        let (ticks, count, placed) = (Arc::clone(&ticks), Arc::clone(&count), placed.clone());
        writers.spawn(async move {
            let deadline = begun + window;
            place(connection, &ticks, deadline, &count, &placed).await
        });
    }
    drop(placed);
    let mut readers = JoinSet::new();
    for _ in 0..READERS {
        let connection = Connection::open(queries).await?;
        readers.spawn(read(connection, Arc::clone(&waiting)));
    }
    while let Some(ended) = writers.join_next().await {
        ended??;
    }
    let commands_per_second = count.load(Ordering::Relaxed) as f64 / begun.elapsed().as_secs_f64();
    let mut latencies = Latencies::new()?;
    while let Some(ended) = readers.join_next().await {
        latencies.add(&ended??)?;
    }
    Ok(Lag {
        commands_per_second,
        reads: latencies.count(),
        p50_ms: latencies.quantile_ms(0.5),
        p99_ms: latencies.quantile_ms(0.99),
    })
}

async fn place(
    mut connection: Connection,
    ticks: &Mutex<tokio::time::Interval>,
    deadline: Instant,
    count: &AtomicU64,
    placed: &mpsc::Sender<Placed>,
) -> Result<()> {
    loop {
        ticks.lock().await.tick().await;
        if Instant::now() >= deadline {
            return Ok(());
        }
        let number = count.fetch_add(1, Ordering::Relaxed);
        let body = orders::body(number);
        let answer = connection
            .ask(Method::POST, "/v1/orders", &[], body)
            .await?;
        ensure!(
            answer.status() == StatusCode::CREATED,
            "{}: {:?}",
            answer.status(),
            answer.body()
        );
        if !number.is_multiple_of(OF_COMMANDS) {
            continue;
        }
        let answered = Instant::now();
        let position = answer.headers().get("x-position").context("a position")?;
        let order: serde_json::Value = serde_json::from_slice(answer.body())?;
        let id = order["id"].as_str().context("an id")?;
        let sampled = Placed {
            path: format!("/v1/orders/{id}"),
            position: position.to_str()?.to_owned(),
            answered,
        };
        placed.send(sampled).await.context("somebody reads")?;
    }
}

async fn read(
    mut connection: Connection,
    waiting: Arc<Mutex<mpsc::Receiver<Placed>>>,
) -> Result<Latencies> {
    let mut latencies = Latencies::new()?;
    loop {
        let next = waiting.lock().await.recv().await;
        let Some(placed) = next else {
            return Ok(latencies);
        };
        let headers = [("x-min-position", &*placed.position), ("prefer", "wait=30")];
        let answer = connection
            .ask(Method::GET, &placed.path, &headers, String::new())
            .await?;
        ensure!(
            answer.status() == StatusCode::OK,
            "a read answered {}: {:?}",
            answer.status(),
            answer.body()
        );
        latencies.record(placed.answered.elapsed())?;
    }
}

impl Lags {
    /// As a part of the report.
    pub fn write(&self, text: &mut dyn Write) -> fmt::Result {
        writeln!(
            text,
            "\n## From a command's answer to the row\n\n\
             Orders placed at {RATE} a second, whether or not anything keeps up; one of {OF_COMMANDS} is then read with \
             `x-min-position`, and the time is that from the command's answer to the read's. No read failed; {} rebuilds were \
             begun in the second row's time, and ended.\n\n\
             | | commands/s | reads | p50 | p99 |\n|---|---:|---:|---:|---:|",
            self.rebuilds
        )?;
        for (what, lag) in [
            ("alone", &self.alone),
            ("while the table is rebuilt", &self.while_rebuilt),
        ] {
            writeln!(
                text,
                "| {what} | {:.0} | {} | {:.1} ms | {:.1} ms |",
                lag.commands_per_second, lag.reads, lag.p50_ms, lag.p99_ms
            )?;
        }
        Ok(())
    }
}
