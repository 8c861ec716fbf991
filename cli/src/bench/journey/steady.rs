//! How many journeys a second the services keep up with: orders come at a steady rate, whether or not they do.

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use anyhow::{Result, ensure};
use hyper::{Method, StatusCode};
use serde::Serialize;
use tokio::{
    sync::Mutex,
    task::JoinSet,
    time::{Instant, interval},
};

use super::decided::Decided;
use crate::bench::{load::Connection, orders};

const WINDOW: Duration = Duration::from_secs(15);
const CONNECTIONS: usize = 32;
/// Of what the burst reached.
const FIRST: f64 = 0.25;
const STEP: f64 = 1.25;
const MAX_STEPS: usize = 8;

/// One steady rate, and what was left undecided.
#[derive(Debug, Serialize)]
pub struct Step {
    /// Orders a second.
    pub rate: f64,
    /// Placed and not yet decided, half way and at the end.
    pub backlog_half: usize,
    pub backlog_end: usize,
}

impl Step {
    /// Whether the backlog is no more than what came within the last second.
    pub fn is_kept_up(&self) -> bool {
        (self.backlog_end as f64) < self.rate
    }
}

/// Raises the rate until it is too high.
pub async fn measure(address: SocketAddr, burst: f64, decided: &Decided) -> Result<Vec<Step>> {
    let mut steps = Vec::new();
    let mut rate = burst * FIRST;
    for _ in 0..MAX_STEPS {
        eprintln!("{rate:.0} orders a second");
        let step = at(address, rate, decided).await?;
        let is_kept_up = step.is_kept_up();
        steps.push(step);
        if !is_kept_up {
            break;
        }
        rate *= STEP;
    }
    Ok(steps)
}

async fn at(address: SocketAddr, rate: f64, decided: &Decided) -> Result<Step> {
    let before = decided.count();
    let placed = Arc::new(AtomicUsize::new(0));
    let begun = Instant::now();
    // Ticks that were missed come at once: who falls behind is not spared.
    let ticks = Arc::new(Mutex::new(interval(Duration::from_secs_f64(1.0 / rate))));
    let mut tasks = JoinSet::new();
    for _ in 0..CONNECTIONS {
        let mut connection = Connection::open(address).await?;
        let (ticks, placed) = (Arc::clone(&ticks), Arc::clone(&placed));
        tasks.spawn(async move {
            loop {
                ticks.lock().await.tick().await;
                if begun.elapsed() >= WINDOW {
                    return Ok::<(), anyhow::Error>(());
                }
                let number = placed.fetch_add(1, Ordering::Relaxed);
                let body = orders::body(u64::try_from(number)?);
                let (status, body) = connection.send(Method::POST, "/v1/orders", body).await?;
                ensure!(status == StatusCode::CREATED, "{status}: {body:?}");
            }
        });
    }
    let backlog = || {
        let placed = placed.load(Ordering::Relaxed);
        (before + placed).saturating_sub(decided.count())
    };
    tokio::time::sleep_until(begun + WINDOW / 2).await;
    let backlog_half = backlog();
    tokio::time::sleep_until(begun + WINDOW).await;
    let backlog_end = backlog();
    while let Some(ended) = tasks.join_next().await {
        ended??;
    }
    let all = before + placed.load(Ordering::Relaxed);
    decided
        .wait(|orders| (orders.len() >= all).then_some(()))
        .await?;
    Ok(Step {
        rate,
        backlog_half,
        backlog_end,
    })
}
