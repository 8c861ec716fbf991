//! The read side: orders placed and paid, the table built from offset zero, and whether it is the same.

use std::{
    fmt::{self, Write},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use anyhow::{Context, Result, ensure};
use dev::stack::StackOptions;
use event_store::kafka::KafkaLog;
use hyper::StatusCode;
use hyper::body::Bytes;
use projectors::{
    Database, ProjectionName,
    rebuild::{Options, Show},
};
use serde::Serialize;
use sqlx::{Connection, PgConnection};

use super::{
    MEASURED_TOPIC, journey,
    lag::{self, Lags},
    load::{self, Shot, Until},
    memory, orders,
    placing::without_policies,
    raw,
};
use crate::{args::Target, client::get, running::Running};

const LOADERS: usize = 64;
/// How long the live projection may take to catch up with the load.
const CATCH_UP: Duration = Duration::from_secs(300);

/// What the read side measured.
#[derive(Debug, Serialize)]
pub struct Rebuilt {
    pub orders: u64,
    pub events: u64,
    /// Events a second, from the first read to the swap.
    pub rebuild_rate: f64,
    pub rebuild_seconds: f64,
    /// Reading the same records and looking at nothing.
    pub raw_consume_rate: f64,
    pub raw_consume_seconds: f64,
    /// Copying the same rows into a bare table.
    pub raw_copy_seconds: f64,
    /// Reads of the query API while it was rebuilt; none failed.
    pub reads_meanwhile: u64,
    pub rows_differing: i64,
    /// The command API's memory with all orders open.
    pub writer_mib: f64,
    pub lags: Lags,
}

/// On a stack of its own, so that the log holds these orders and nothing else.
pub async fn measure(asked: &Target, count: u64, seconds: u64, warm_up: u64) -> Result<Rebuilt> {
    Running::with(StackOptions::benchmark(), asked, async |running| {
        measure_on(running, count, seconds, warm_up).await
    })
    .await
}

async fn measure_on(
    running: &Arc<Running>,
    count: u64,
    seconds: u64,
    warm_up: u64,
) -> Result<Rebuilt> {
    let starting = Arc::clone(running);
    journey::fill_shop(&running.command_api.url).await?;
    let bare = tokio::task::spawn_blocking(move || without_policies(&starting)).await??;
    let address = raw::address_of(&bare.url)?;
    eprintln!("placing {count} orders");
    let ids = place_all(address, count).await?;
    let writer_mib = memory::resident_mib(bare.service.process().pid())?;
    eprintln!("paying {count} orders");
    let example = ids.first().context("an order")?.clone();
    pay_all(address, ids).await?;
    wait_for_live(running, count).await?;
    tokio::task::spawn_blocking(move || bare.service.stop()).await??;

    eprintln!("rebuilding");
    let reading = Reading::start(&running.query_api.url, &example)?;
    let log = KafkaLog::connect(&running.target().kafka.config())?;
    let database = Database::new(&running.wiring.database_url)?;
    let options = Options {
        show: Show::detect(),
        require_equal: true,
        ..Options::default()
    };
    let report = projectors::rebuild(ProjectionName::Orders, &log, &database, options).await?;
    let reads_meanwhile = reading.stop().await?;

    let url = &running.wiring.database_url;
    let rows_differing = differing(url, report.replaced, report.version).await?;
    ensure!(
        rows_differing == 0,
        "{rows_differing} rows differ after the rebuild"
    );
    let config = running.target().kafka.config();
    let consumed = tokio::task::spawn_blocking(move || raw::consume(&config, MEASURED_TOPIC));
    let (records, raw_consume_rate) = consumed.await??;
    let raw_copy_seconds = raw::copy(url, &format!("orders_{}.orders", report.version)).await?;
    Ok(Rebuilt {
        orders: count,
        events: report.events,
        rebuild_rate: report.events_per_second,
        rebuild_seconds: report.seconds,
        raw_consume_rate,
        raw_consume_seconds: records as f64 / raw_consume_rate,
        raw_copy_seconds,
        reads_meanwhile,
        rows_differing,
        writer_mib,
        lags: lag::measure(running, seconds, warm_up).await?,
    })
}

impl Rebuilt {
    /// As a part of the report.
    pub fn write(&self, text: &mut dyn Write) -> fmt::Result {
        let raw_seconds = self.raw_consume_seconds + self.raw_copy_seconds;
        writeln!(
            text,
            "\n## Rebuilding the order read model from offset zero\n"
        )?;
        writeln!(
            text,
            "{} orders placed and paid, {} events. The raw side reads the same records and looks at nothing, then \
             copies the same rows into a bare table. Both tables were compared row for row: {} rows differ. {} reads \
             of the query API meanwhile, none failed.\n",
            self.orders, self.events, self.rows_differing, self.reads_meanwhile
        )?;
        writeln!(
            text,
            "| what | events/s | seconds | of raw |\n|---|---:|---:|---:|"
        )?;
        writeln!(
            text,
            "| raw consumption | {:.0} | {:.2} | |",
            self.raw_consume_rate, self.raw_consume_seconds
        )?;
        writeln!(
            text,
            "| raw COPY of the rows | | {:.2} | |",
            self.raw_copy_seconds
        )?;
        let raw_rate = self.events as f64 / raw_seconds;
        writeln!(
            text,
            "| raw consumption, then COPY | {raw_rate:.0} | {raw_seconds:.2} | 1 |"
        )?;
        writeln!(
            text,
            "| rebuild, indexes and swap included | {:.0} | {:.2} | {:.2} |",
            self.rebuild_rate,
            self.rebuild_seconds,
            self.rebuild_rate / raw_rate
        )?;
        writeln!(text, "\n## Memory\n")?;
        writeln!(
            text,
            "The command API held {} open orders in {:.0} MiB of resident memory.",
            self.orders, self.writer_mib
        )?;
        self.lags.write(text)
    }
}

async fn place_all(address: std::net::SocketAddr, count: u64) -> Result<Vec<String>> {
    let ids = Arc::new(Mutex::new(Vec::new()));
    let next = |number| {
        Shot::post(
            "/v1/orders".to_owned(),
            orders::body(number),
            StatusCode::CREATED,
        )
    };
    let seen = {
        let ids = Arc::clone(&ids);
        move |_, body: Bytes| {
            let answer: serde_json::Value = serde_json::from_slice(&body).unwrap_or_default();
            let id = answer["id"].as_str().unwrap_or_default().to_owned();
            ids.lock().unwrap_or_else(PoisonError::into_inner).push(id);
        }
    };
    load::run(address, LOADERS, Until::Sent(count), next, seen).await?;
    let mut ids = ids.lock().unwrap_or_else(PoisonError::into_inner);
    Ok(std::mem::take(&mut *ids))
}

async fn pay_all(address: std::net::SocketAddr, ids: Vec<String>) -> Result<()> {
    let count = ids.len() as u64;
    let next = move |number: u64| {
        let id = &ids[usize::try_from(number).unwrap_or_default()];
        let path = format!("/v1/orders/{id}/pay");
        Shot::post(path, orders::PAYMENT.to_owned(), StatusCode::OK)
    };
    load::run(address, LOADERS, Until::Sent(count), next, |_, _| ()).await?;
    Ok(())
}

async fn wait_for_live(running: &Running, count: u64) -> Result<()> {
    let begun = Instant::now();
    let mut connection = PgConnection::connect(&running.wiring.database_url).await?;
    loop {
        let paid: i64 =
            sqlx::query_scalar("select count(*) from orders_1.orders where version = 2")
                .fetch_one(&mut connection)
                .await?;
        if u64::try_from(paid)? == count {
            return Ok(());
        }
        ensure!(
            begun.elapsed() < CATCH_UP,
            "the live projection has {paid} of {count} orders"
        );
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

async fn differing(url: &str, old: i32, new: i32) -> Result<i64> {
    let statement = format!(
        "select count(*) from (
            (select o::text from orders_{old}.orders o except all select n::text from orders_{new}.orders n)
            union all
            (select n::text from orders_{new}.orders n except all select o::text from orders_{old}.orders o)
         ) difference"
    );
    let mut connection = PgConnection::connect(url).await?;
    Ok(sqlx::query_scalar(sqlx::AssertSqlSafe(statement))
        .fetch_one(&mut connection)
        .await?)
}

/// Reads an order over and over; the first read that fails ends it.
struct Reading {
    stopping: Arc<AtomicBool>,
    task: tokio::task::JoinHandle<Result<()>>,
    reads: Arc<AtomicU64>,
}

impl Reading {
    fn start(url: &str, order_id: &str) -> Result<Self> {
        let stopping = Arc::new(AtomicBool::new(false));
        let reads = Arc::new(AtomicU64::new(0));
        let url = format!("{url}/v1/orders/{order_id}");
        let (stop, counted) = (Arc::clone(&stopping), Arc::clone(&reads));
        let task = tokio::spawn(async move {
            while !stop.load(Ordering::Acquire) {
                get(&url).await?;
                counted.fetch_add(1, Ordering::Relaxed);
                // Enough to see a failure, too little to be the load.
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
            Ok(())
        });
        Ok(Self {
            stopping,
            task,
            reads,
        })
    }

    async fn stop(self) -> Result<u64> {
        self.stopping.store(true, Ordering::Release);
        self.task
            .await?
            .context("a read failed during the rebuild")?;
        Ok(self.reads.load(Ordering::Relaxed))
    }
}
