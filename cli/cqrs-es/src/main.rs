//! Places orders through the crate cqrs-es and its Postgres store, in process, as fast as they are answered: what
//! `make bench` sets beside placing them over HTTP. Prints what it measured as one line of JSON.

mod order;

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, ensure};
use clap::Parser;
use cqrs_es::{Query, persist::GenericQuery};
use domain::{ids::OrderId, order::PlaceOrder};
use hdrhistogram::Histogram;
use postgres_es::{PostgresCqrs, PostgresViewRepository, postgres_cqrs};
use serde::Serialize;
use sqlx::{PgPool, postgres::PgPoolOptions};
use tokio::task::JoinSet;
use uuid::Uuid;

use crate::order::{OrderView, PlacedOrder};

/// As the crate's `db/init.sql` has them. A scratch database: what is there is dropped.
const TABLES: &str = "
    drop table if exists events, order_view;
    create table events (
        aggregate_type text not null,
        aggregate_id text not null,
        sequence bigint check (sequence >= 0) not null,
        event_type text not null,
        event_version text not null,
        payload json not null,
        metadata json not null,
        primary key (aggregate_type, aggregate_id, sequence)
    );
    create table order_view (
        view_id text not null,
        version bigint check (version >= 0) not null,
        payload json not null,
        primary key (view_id)
    );";
/// The order that our own benchmark places, as the command API hands it on.
const ORDER: &str = r#"{
    "order_id": "00000000-0000-0000-0000-000000000000",
    "customer_id": "customer-12345",
    "lines": [
        {
            "line_id": "2e6f8b83-5002-5386-831c-78a214d2dd1f", "sku": "TEA-EARL-GREY", "quantity": 2,
            "unit_price": {"amount": 1999, "currency": "EUR"}
        },
        {
            "line_id": "0e2bcf4b-09dd-5628-aa99-3304c2dffb92", "sku": "MUG-BLUE", "quantity": 1,
            "unit_price": {"amount": 1499, "currency": "EUR"}
        }
    ],
    "shipping_address": {
        "name": "Ada Lovelace", "line1": "12 St James's Square", "postal_code": "SW1Y 4JH", "city": "London",
        "country": "GB"
    },
    "contact": null,
    "placed_at": "2026-05-28T20:26:40.123456Z"
}"#;
/// Until connections are open and statements prepared.
const WARM_UP: Duration = Duration::from_secs(1);

/// Places orders through cqrs-es.
#[derive(Debug, Clone, Parser)]
struct Args {
    /// A scratch database: its tables are dropped.
    #[arg(long, env = "DATABASE_URL", hide_env_values = true)]
    database_url: String,
    /// Commands in flight.
    #[arg(long, default_value_t = 64)]
    concurrency: usize,
    /// Connections to Postgres.
    #[arg(long, default_value_t = 32)]
    pool: u32,
    /// Seconds with a view, and as many without.
    #[arg(long, default_value_t = 5.0)]
    seconds: f64,
}

/// What was measured.
#[derive(Debug, Serialize)]
struct Measured {
    concurrency: usize,
    pool: u32,
    without_view: Figures,
    with_view: Figures,
}

/// What placing orders took.
#[derive(Debug, Serialize)]
struct Figures {
    commands_per_second: f64,
    p50_ms: f64,
    p99_ms: f64,
}

#[tokio::main]
async fn main() -> Result<()> {
    let args = Args::parse();
    let pool = PgPoolOptions::new()
        .min_connections(args.pool)
        .max_connections(args.pool)
        .connect(&args.database_url)
        .await
        .context("connecting to Postgres")?;
    let measured = Measured {
        concurrency: args.concurrency,
        pool: args.pool,
        without_view: measure(&pool, false, &args).await?,
        with_view: measure(&pool, true, &args).await?,
    };
    println!("{}", serde_json::to_string(&measured)?);
    Ok(())
}

/// On tables of its own; afterwards each command's event, and its view, must be there.
async fn measure(pool: &PgPool, with_view: bool, args: &Args) -> Result<Figures> {
    sqlx::raw_sql(TABLES).execute(pool).await?;
    let mut queries: Vec<Box<dyn Query<PlacedOrder>>> = Vec::new();
    if with_view {
        let views =
            PostgresViewRepository::<OrderView, PlacedOrder>::new("order_view", pool.clone());
        queries.push(Box::new(GenericQuery::new(Arc::new(views))));
    }
    let cqrs = Arc::new(postgres_cqrs(pool.clone(), queries, ()));
    let (warm, _) = place(&cqrs, args.concurrency, WARM_UP).await?;
    let (latencies, elapsed) = place(
        &cqrs,
        args.concurrency,
        Duration::from_secs_f64(args.seconds),
    )
    .await?;

    let placed = i64::try_from(warm.len() + latencies.len())?;
    let events: i64 = sqlx::query_scalar("select count(*) from events")
        .fetch_one(pool)
        .await?;
    let views: i64 = sqlx::query_scalar("select count(*) from order_view")
        .fetch_one(pool)
        .await?;
    ensure!(events == placed, "{events} events of {placed} commands");
    // The crate drops the error of a view that cannot be written.
    let expected = if with_view { placed } else { 0 };
    ensure!(views == expected, "{views} views of {placed} commands");
    let quantile_ms = |quantile| latencies.value_at_quantile(quantile) as f64 / 1_000.0;
    Ok(Figures {
        commands_per_second: latencies.len() as f64 / elapsed.as_secs_f64(),
        p50_ms: quantile_ms(0.5),
        p99_ms: quantile_ms(0.99),
    })
}

/// How long each took, in microseconds, and all of them.
async fn place(
    cqrs: &Arc<PostgresCqrs<PlacedOrder>>,
    concurrency: usize,
    limit: Duration,
) -> Result<(Histogram<u64>, Duration)> {
    let order: PlaceOrder = serde_json::from_str(ORDER)?;
    let begun = Instant::now();
    let mut tasks = JoinSet::new();
    for _ in 0..concurrency {
        let (cqrs, order) = (Arc::clone(cqrs), order.clone());
        tasks.spawn(async move {
            let mut latencies = Histogram::<u64>::new_with_bounds(1, 60_000_000, 3)?;
            while begun.elapsed() < limit {
                let sent = Instant::now();
                let order_id = OrderId::from(Uuid::now_v7());
                let command = PlaceOrder {
                    order_id,
                    ..order.clone()
                };
                cqrs.execute(&order_id.to_string(), command).await?;
                latencies.record(u64::try_from(sent.elapsed().as_micros())?)?;
            }
            Ok::<_, anyhow::Error>(latencies)
        });
    }
    let mut latencies = Histogram::new_with_bounds(1, 60_000_000, 3)?;
    while let Some(ended) = tasks.join_next().await {
        latencies.add(&ended??)?;
    }
    Ok((latencies, begun.elapsed()))
}
