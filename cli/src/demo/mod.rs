//! `offset-zero demo`: the whole stack on fresh data, orders through it, a read model rebuilt, and all gone again.

mod buying;
mod paying;
mod telling;

use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use dev::stack::StackOptions;
use projectors::args::RebuildArgs;
use serde_json::{Value, json};

use crate::{
    client::{Answer, get_at},
    operate,
    running::Running,
};

/// How long what goes on by itself may take.
const PATIENCE: Duration = Duration::from_secs(90);
/// The simulated carrier does not need longer for each step.
const CARRIER_DELAY: Duration = Duration::from_millis(500);

/// Runs the demo on topics of so many partitions; everything it starts has ended when it returns.
pub async fn run(partitions: i32) -> Result<()> {
    let begun = Instant::now();
    step("starting Kafka and Postgres on fresh data and free ports");
    let start = move || {
        let delay = Some(CARRIER_DELAY);
        Running::start(StackOptions::fresh(), partitions, None, delay)
    };
    let starting = tokio::task::spawn_blocking(start);
    let running = starting.await.context("starting the stack")??;
    println!("   command API  {}", running.command_api.url);
    println!("   query API    {}", running.query_api.url);
    println!("   gateway      {} (simulated)", running.gateway.url);
    println!("   Kafka        {}", running.wiring.brokers);
    if !running.wiring.namespace.is_empty() {
        println!(
            "   namespace    {} (its topics will remain)",
            running.wiring.namespace
        );
    }
    println!("   Postgres     {}", running.wiring.database_url);
    println!("   logs         {}", running.logs());
    let told = journey(&running).await;
    step("stopping everything");
    let stopped = tokio::task::spawn_blocking(move || running.stop()).await?;
    told.and(stopped)?;
    println!(
        "\ndone in {:.1} s; nothing is left running",
        begun.elapsed().as_secs_f64()
    );
    Ok(())
}

async fn journey(running: &Running) -> Result<()> {
    let stocked = buying::stock_the_shop(running).await?;
    let order = buying::check_out(running, &stocked).await?;
    paying::pay(running, &order).await?;
    paying::follow_to_delivery(running, &order).await?;
    telling::history(running, &order).await?;
    telling::mails(running, &order).await?;
    buying::be_refused(running).await?;
    paying::be_declined_and_pay_again(running).await?;
    paying::cancel_after_payment(running).await?;
    paying::time_out(running).await?;
    telling::books(running).await?;
    rebuild(running, &order).await
}

async fn rebuild(running: &Running, order: &str) -> Result<()> {
    // Nothing more will happen to it.
    let before = wait_for_status(running, order, "completed").await?;
    step("rebuilding the read model from offset zero, while the old one serves");
    let wanted = RebuildArgs {
        names: vec!["orders".to_owned()],
        verify: true,
        ..RebuildArgs::default()
    };
    operate::rebuild(&running.target(), &wanted, false).await?;
    let after = get_at(&order_url(running, order), "").await?;
    ensure!(
        after.body == before.body,
        "the rebuilt row must equal the old one"
    );
    println!("   the rebuilt row is equal to the old one");
    let projections = get_at(&format!("{}/v1/projections", running.query_api.url), "").await?;
    println!("{}", serde_json::to_string_pretty(&projections.body)?);
    Ok(())
}

fn order_url(running: &Running, order: &str) -> String {
    format!("{}/v1/orders/{order}", running.query_api.url)
}

async fn wait_for_status(running: &Running, order: &str, status: &str) -> Result<Answer> {
    wait_for(&order_url(running, order), |order| {
        order.text("status") == status
    })
    .await
}

/// Reads until the answer is as wanted: what follows from a command is not covered by its position.
async fn wait_for(url: &str, wanted: impl Fn(&Answer) -> bool) -> Result<Answer> {
    let begun = Instant::now();
    loop {
        let last = get_at(url, "").await;
        match last {
            Ok(answer) if wanted(&answer) => return Ok(answer),
            Ok(answer) if begun.elapsed() > PATIENCE => bail!("{url} stays {}", answer.body),
            Err(error) if begun.elapsed() > PATIENCE => return Err(error),
            Ok(_) | Err(_) => tokio::time::sleep(Duration::from_millis(20)).await,
        }
    }
}

fn step(what: &str) {
    println!("\n== {what}");
}

fn show(answer: &Answer) {
    let replayed = match answer.header("idempotency-replayed") {
        "" => String::new(),
        value => format!("  idempotency-replayed: {value}"),
    };
    println!("   {} {}", answer.status, answer.body);
    println!("   x-position: {}{replayed}", answer.header("x-position"));
}

fn delivery() -> Value {
    json!({
        "shipping_address": {
            "name": "Ada Lovelace", "line1": "12 St James's Square",
            "postal_code": "SW1Y 4JH", "city": "London", "country": "GB"
        },
        "contact": {"email": "ada@example.com"}
    })
}
