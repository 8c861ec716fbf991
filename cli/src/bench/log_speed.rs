//! How fast a rebuild goes through a log, beside raw consumption, COPY and index build of the same rows.

use std::{
    fmt,
    process::{Command, Stdio},
    time::Duration,
};

use anyhow::{Context, Result, ensure};
use dev::{
    deployment::{ServiceOutput, Wiring},
    services::KAFKA_PROPERTIES,
};
use event_store::kafka::KafkaLog;
use projectors::{Orders, Projection};
use serde::Serialize;
use serde_json::Value;

use super::{
    MEASURED_TOPIC,
    made_up::{self, Then},
    memory, on_a_stack, raw,
    reads::{self, Reads},
};
use crate::{
    args::Target,
    running::PARTITIONS,
    site::{Site, spelled},
};

/// The projection that is measured.
pub const MEASURED: &str = Orders::NAME;
/// How often a child's memory is looked at.
const LOOK: Duration = Duration::from_millis(50);

/// What was measured; the raw side is what Kafka and Postgres need for the same rows.
#[derive(Debug, Serialize)]
pub struct LogSpeed {
    orders: u64,
    events: u64,
    /// As the first, from a tenth of the orders, on a stack of its own.
    tenth: Rebuilt,
    /// Compared with nothing: the live version was empty.
    first: Rebuilt,
    /// Compared with all rows of the first.
    verified: Rebuilt,
    /// Every projection, one after the other, each compared with nothing but the orders.
    all: Rebuilt,
    raw_consume_seconds: f64,
    raw_copy_seconds: f64,
    raw_index_seconds: f64,
    reads: Reads,
}

/// One rebuild, in a process of its own.
#[derive(Debug, Serialize)]
pub struct Rebuilt {
    seconds: f64,
    events_per_second: f64,
    peak_mib: f64,
}

impl LogSpeed {
    /// As a part of the report.
    pub fn write(&self, text: &mut dyn fmt::Write) -> fmt::Result {
        writeln!(
            text,
            "\n## Rebuilding at the speed of the log\n\n```text\n{self}```"
        )?;
        self.reads.write(text)
    }

    fn raw_seconds(&self) -> f64 {
        self.raw_consume_seconds + self.raw_copy_seconds + self.raw_index_seconds
    }
}

impl fmt::Display for LogSpeed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let raw = self.raw_seconds();
        writeln!(f, "{} orders, {} events", self.orders, self.events)?;
        writeln!(
            f,
            "raw: consumed in {:.2} s, copied in {:.2} s, indexed in {:.2} s: {raw:.2} s, {:.0} events/s",
            self.raw_consume_seconds,
            self.raw_copy_seconds,
            self.raw_index_seconds,
            self.events as f64 / raw
        )?;
        for (name, rebuilt) in [
            ("rebuilt", &self.first),
            ("rebuilt and verified", &self.verified),
            ("every read model", &self.all),
        ] {
            writeln!(
                f,
                "{name}: {:.2} s, {:.0} events/s, {:.2} times raw; at most {:.0} MiB",
                rebuilt.seconds,
                rebuilt.events_per_second,
                rebuilt.seconds / raw,
                rebuilt.peak_mib
            )?;
        }
        writeln!(
            f,
            "a tenth of the events: {:.2} s; all of them took {:.1} times as long",
            self.tenth.seconds,
            self.first.seconds / self.tenth.seconds
        )
    }
}

/// On stacks of their own; reads take so many seconds.
pub async fn measure(asked: &Target, orders: u64, seconds: u64) -> Result<LogSpeed> {
    let few = orders.div_ceil(10);
    let tenth = on_a_stack(asked, async |site| {
        let target = make_up(site, few).await?;
        let rebuild = move || rebuild(MEASURED, &target);
        Ok(tokio::task::spawn_blocking(rebuild).await??.0)
    });
    let tenth = tenth.await?;
    on_a_stack(asked, async |site| {
        measure_on(site, orders, seconds, tenth).await
    })
    .await
}

/// So many orders, placed and paid, in a log and beside a database that hold nothing else; answers where that is.
async fn make_up(site: &Site, orders: u64) -> Result<Target> {
    let target = site.target(PARTITIONS);
    projectors::migrate(&target.database_url).await?;
    let log = KafkaLog::connect(&target.kafka.config())?;
    log.ensure_topics(&target.topic_specs()).await?;
    eprintln!("making up {orders} orders");
    let write = move || made_up::write(&log, PARTITIONS, orders, Then::Paid);
    tokio::task::spawn_blocking(write).await??;
    Ok(target)
}

async fn measure_on(site: &Site, orders: u64, seconds: u64, tenth: Rebuilt) -> Result<LogSpeed> {
    let target = make_up(site, orders).await?;
    let (config, url) = (target.kafka.config(), target.database_url.clone());
    let rebuild = move |what| rebuild(what, &target);
    let (first, verified, all, events) = tokio::task::spawn_blocking(move || -> Result<_> {
        let (first, reports) = rebuild(MEASURED)?;
        let report = &reports[0];
        let (verified, again) = rebuild(MEASURED)?;
        let again = &again[0];
        ensure!(
            again["verification"]["compared"]["rows"] == report["rows"]
                && again["verification"]["compared"]["differing"] == 0,
            "the two rebuilds differ: {again}"
        );
        let (all, _) = rebuild("--all")?;
        Ok((
            first,
            verified,
            all,
            report["events"].as_u64().context("a count")?,
        ))
    })
    .await??;
    let consumed = tokio::task::spawn_blocking(move || raw::consume(&config, MEASURED_TOPIC));
    let (records, rate) = consumed.await??;
    let raw_copy_seconds = raw::copy(&url, "orders_3.orders").await?;
    let raw_index_seconds = raw::index(&url, Orders::INDEXES).await?;
    let scratch = site.stack.scratch().context("a fresh stack")?;
    let folder = scratch.path().to_owned();
    let wiring = Wiring {
        brokers: site.stack.brokers(),
        kafka_properties: site.kafka_properties(),
        database_url: url,
        namespace: site.namespace.clone(),
        partitions: PARTITIONS,
        gateway_url: String::new(),
        output: ServiceOutput::Folder(folder.clone()),
    };
    Ok(LogSpeed {
        orders,
        events,
        tenth,
        first,
        verified,
        all,
        raw_consume_seconds: records as f64 / rate,
        raw_copy_seconds,
        raw_index_seconds,
        reads: reads::measure(&wiring, &folder, seconds).await?,
    })
}

/// By this very program, so that its memory is its own: of one projection, or `--all`. Also answers the reports.
pub fn rebuild(what: &str, target: &Target) -> Result<(Rebuilt, Value)> {
    let properties = spelled(&target.kafka.properties);
    let mut child = Command::new(std::env::current_exe()?)
        .args(["rebuild", what, "--json"])
        .args(["--kafka-brokers", &target.kafka.brokers])
        .args(["--namespace", &target.kafka.namespace])
        // No flags: the arguments of a process are for all to read.
        .env("DATABASE_URL", &target.database_url)
        .env_remove(KAFKA_PROPERTIES)
        .envs((!properties.is_empty()).then_some((KAFKA_PROPERTIES, properties)))
        .stdout(Stdio::piped())
        .spawn()?;
    let mut peak_mib = 0.0;
    while child.try_wait()?.is_none() {
        // One that has just ended has none any more.
        peak_mib = memory::peak_mib(child.id().cast_signed()).unwrap_or(peak_mib);
        std::thread::sleep(LOOK);
    }
    let output = child.wait_with_output()?;
    ensure!(
        output.status.success(),
        "the rebuild failed: {}",
        output.status
    );
    let reports: Value = serde_json::from_slice(&output.stdout)?;
    let each = reports.as_array().context("an array of reports")?;
    let sum = |name: &'static str| -> Result<f64> {
        let figures = each
            .iter()
            .map(|report| report[name].as_f64().context(name));
        figures.sum()
    };
    let seconds = sum("seconds")?;
    let rebuilt = Rebuilt {
        seconds,
        events_per_second: sum("events")? / seconds,
        peak_mib,
    };
    Ok((rebuilt, reports))
}
