//! What a customer notices while the product service is down: nothing should be.

use std::time::Instant;

use anyhow::Result;
use dev::deployment::Server;
use serde::Serialize;

use super::{check_out, decided::Decided, filled_cart};
use crate::{bench::load::Latencies, running::Running};

const CHECKOUTS: u64 = 1_000;

/// Checkouts with and without the product service.
#[derive(Debug, Serialize)]
pub struct Outage {
    pub checkouts: u64,
    pub usual: Latency,
    pub without: Latency,
    /// From the start of the service that was away to the last order's decision.
    pub made_good_seconds: f64,
}

#[derive(Debug, Serialize)]
pub struct Latency {
    pub p50_ms: f64,
    pub p99_ms: f64,
}

/// Measures both, on services in processes of their own.
pub async fn measure(running: &Running, position: &str, decided: &Decided) -> Result<Outage> {
    eprintln!("checking out while the product service is down");
    running.command_api.service.stop()?;
    let product = start(running, &["product"])?;
    let others = start(running, &["cart", "order"])?;
    let before = decided.count();
    let usual = check_out_many(&others.url, "usual", position).await?;
    let all = before + usize::try_from(CHECKOUTS)?;
    decided
        .wait(|orders| (orders.len() >= all).then_some(()))
        .await?;

    product.service.kill()?;
    let without = check_out_many(&others.url, "without", position).await?;
    let begun = Instant::now();
    let product = start(running, &["product"])?;
    let all = all + usize::try_from(CHECKOUTS)?;
    decided
        .wait(|orders| (orders.len() >= all).then_some(()))
        .await?;
    let made_good = begun.elapsed();
    for server in [product, others] {
        server.service.stop()?;
    }
    Ok(Outage {
        checkouts: CHECKOUTS,
        usual,
        without,
        made_good_seconds: made_good.as_secs_f64(),
    })
}

fn start(running: &Running, services: &[&str]) -> Result<Server> {
    let server = running.wiring.command_api_of(services, None, &[])?;
    server.wait_ready()?;
    Ok(server)
}

/// One after the other; each of a cart of its own, and only the checkout counts.
async fn check_out_many(api: &str, name: &str, position: &str) -> Result<Latency> {
    let mut latencies = Latencies::new()?;
    for number in 0..CHECKOUTS {
        let cart = filled_cart(api, &format!("{name}-{number}"), position).await?;
        let begun = Instant::now();
        check_out(&cart).await?;
        latencies.record(begun.elapsed())?;
    }
    Ok(Latency {
        p50_ms: latencies.quantile_ms(0.5),
        p99_ms: latencies.quantile_ms(0.99),
    })
}
