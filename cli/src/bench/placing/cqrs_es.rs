//! The same commands through the crate cqrs-es and its Postgres store, without HTTP: a program of its own
//! (`cli/cqrs-es/`), since that crate stands on another sqlx than ours.

use std::{
    path::{Path, PathBuf},
    process::Command,
    sync::Arc,
    time::Duration,
};

use anyhow::{Context, Result, anyhow, ensure};
use dev::process::{Output, Process, Spec};
use serde::{Deserialize, Serialize};

use crate::running::Running;

const PROGRAM: &str = "bench-cqrs-es";
/// Beyond what it measures: connecting, warming up, counting what it wrote.
const PATIENCE: Duration = Duration::from_secs(60);

/// What was measured.
#[derive(Debug, Serialize, Deserialize)]
pub struct CqrsEs {
    /// Commands in flight.
    pub concurrency: usize,
    /// Connections to Postgres.
    pub pool: u32,
    pub without_view: Commands,
    pub with_view: Commands,
}

#[derive(Debug, Serialize, Deserialize)]
pub struct Commands {
    pub commands_per_second: f64,
    pub p50_ms: f64,
    pub p99_ms: f64,
}

/// The program; looked for before minutes are spent on everything else.
pub fn find() -> Result<PathBuf> {
    let found = dev::services::binary(PROGRAM);
    // Its own cause tells how the workspace is built, which this is no part of.
    found.map_err(|_| anyhow!("{PROGRAM} is not built: type `make bench`, which builds it first"))
}

/// So many seconds in all, half of them with a view.
pub async fn measure(running: &Arc<Running>, concurrency: usize, seconds: u64) -> Result<CqrsEs> {
    eprintln!("placing orders through cqrs-es, {concurrency} at a time");
    let running = Arc::clone(running);
    tokio::task::spawn_blocking(move || run(&running, concurrency, seconds)).await?
}

fn run(running: &Running, concurrency: usize, seconds: u64) -> Result<CqrsEs> {
    let database = running.scratch_database()?;
    let log = Path::new(&running.logs()).join(format!("{PROGRAM}-{concurrency}.log"));
    let mut command = Command::new(find()?);
    command
        .args(["--concurrency", &concurrency.to_string()])
        .args(["--seconds", &(seconds as f64 / 2.0).to_string()])
        // Not a flag: the arguments of a process are for all to read.
        .env("DATABASE_URL", database.url());
    let output = Output::File(log.clone());
    let process = Process::spawn(Spec::new(PROGRAM, command, output))?;
    let ended = process.wait_exit(PATIENCE + Duration::from_secs(seconds));
    let text =
        std::fs::read_to_string(&log).with_context(|| format!("reading {}", log.display()))?;
    ensure!(
        ended.is_some_and(|status| status.success()),
        "{PROGRAM} failed: {text}"
    );
    let line = text.lines().last().unwrap_or_default();
    serde_json::from_str(line).with_context(|| format!("{PROGRAM} printed {text}"))
}
