//! `offset-zero demo`: the whole stack on fresh data, orders through it, a read model rebuilt, and all gone again.

mod buying;
mod paying;
mod prose;
mod telling;

use std::{
    pin::pin,
    time::{Duration, Instant},
};

use anyhow::{Result, anyhow, bail, ensure};
use dev::{postgres::without_password, stack::StackOptions};
use event_store::kafka::KafkaLog;
use projectors::{
    Database, ProjectionName, Report,
    rebuild::{Options, Show},
};
use runtime::shutdown;
use serde_json::{Value, json};

use self::prose::Prose;
use crate::{
    args::Target,
    client::{Answer, get},
    output,
    running::Running,
    starting::started,
};

/// How long what goes on by itself may take.
const PATIENCE: Duration = Duration::from_secs(90);
/// The simulated carrier does not need longer for each step.
const CARRIER_DELAY: Duration = Duration::from_millis(500);

/// What the demo goes through, and where it tells of it.
pub struct Demo {
    running: Running,
    prose: Prose,
}

/// Runs the demo, or until Ctrl-C, SIGTERM or SIGHUP; everything it starts has ended when it returns.
pub async fn run(asked: &Target, json: bool) -> Result<()> {
    asked.given.refuse(&["namespace", "replication_factor"])?;
    let mut stop = pin!(shutdown::signal()?);
    let begun = Instant::now();
    let prose = Prose::beside(json);
    prose.step("taking Kafka and Postgres, with fresh data")?;
    let asked = asked.clone();
    let start = move || {
        let delay = Some(CARRIER_DELAY);
        Running::start(StackOptions::fresh(), &asked, None, delay)
    };
    let starting = tokio::task::spawn_blocking(start);
    let (running, is_stopping) = started(starting, stop.as_mut()).await?;
    let demo = Demo { running, prose };
    let interrupted = || Err(anyhow!("told to stop before the end"));
    let told = match is_stopping {
        true => interrupted(),
        false => tokio::select! {
            told = journey(&demo) => told,
            () = stop => interrupted(),
        },
    };
    // Where nobody reads it, the end says so.
    drop(prose.step("stopping everything"));
    let stopped = tokio::task::spawn_blocking(move || demo.running.stop()).await?;
    let (order, rebuilt) = told?;
    stopped?;
    let seconds = begun.elapsed().as_secs_f64();
    prose.say(format_args!(
        "\ndone in {seconds:.1} s; nothing is left running"
    ))?;
    if json {
        let done = json!({"ok": true, "seconds": seconds, "order_id": order, "rebuild": rebuilt});
        output::print(format_args!("{done}"))?;
    }
    Ok(())
}

fn introduce(Demo { running, prose }: &Demo) -> Result<()> {
    prose.say(format_args!("   command API  {}", running.command_api.url))?;
    prose.say(format_args!("   query API    {}", running.query_api.url))?;
    prose.say(format_args!(
        "   gateway      {} (simulated)",
        running.gateway.url
    ))?;
    prose.say(format_args!("   Kafka        {}", running.wiring.brokers))?;
    if !running.wiring.namespace.is_empty() {
        prose.say(format_args!(
            "   namespace    {} (its topics will remain)",
            running.wiring.namespace
        ))?;
    }
    prose.say(format_args!(
        "   Postgres     {}",
        without_password(&running.wiring.database_url)
    ))?;
    prose.say(format_args!("   logs         {}", running.logs()))
}

/// Answers the order that went well, and what the rebuild has done.
async fn journey(demo: &Demo) -> Result<(String, Report)> {
    introduce(demo)?;
    let stocked = buying::stock_the_shop(demo).await?;
    let order = buying::check_out(demo, &stocked).await?;
    paying::pay(demo, &order).await?;
    paying::follow_to_delivery(demo, &order).await?;
    telling::history(demo, &order).await?;
    telling::mails(demo, &order).await?;
    buying::be_refused(demo).await?;
    paying::be_declined_and_pay_again(demo).await?;
    paying::cancel_after_payment(demo).await?;
    paying::time_out(demo).await?;
    telling::books(demo).await?;
    let rebuilt = rebuild(demo, &order).await?;
    Ok((order, rebuilt))
}

async fn rebuild(demo: &Demo, order: &str) -> Result<Report> {
    // Nothing more will happen to it.
    let before = wait_for_status(demo, order, "completed").await?;
    let prose = demo.prose;
    prose.step("rebuilding the read model from offset zero, while the old one serves")?;
    let target = demo.running.target();
    let log = KafkaLog::connect(&target.kafka.config())?;
    let database = Database::new(&target.database_url)?;
    let options = Options {
        show: Show::detect(),
        require_equal: true,
        ..Options::default()
    };
    let report = projectors::rebuild(ProjectionName::Orders, &log, &database, options).await?;
    prose.say(format_args!("{report}"))?;
    let after = get(&order_url(demo, order)).await?;
    ensure!(
        after.body == before.body,
        "the rebuilt row must equal the old one"
    );
    prose.say(format_args!("   the rebuilt row is equal to the old one"))?;
    let projections = format!("{}/v1/projections", demo.running.query_api.url);
    let projections = get(&projections).await?.body;
    prose.say(format_args!("{projections:#}"))?;
    Ok(report)
}

fn order_url(demo: &Demo, order: &str) -> String {
    format!("{}/v1/orders/{order}", demo.running.query_api.url)
}

async fn wait_for_status(demo: &Demo, order: &str, status: &str) -> Result<Answer> {
    wait_for(&order_url(demo, order), |order| {
        order.text("status") == status
    })
    .await
}

/// Reads until the answer is as wanted: what follows from a command is not covered by its position.
async fn wait_for(url: &str, wanted: impl Fn(&Answer) -> bool) -> Result<Answer> {
    let begun = Instant::now();
    loop {
        let last = get(url).await;
        match last {
            Ok(answer) if wanted(&answer) => return Ok(answer),
            Ok(answer) if begun.elapsed() > PATIENCE => bail!("{url} stays {}", answer.body),
            Err(error) if begun.elapsed() > PATIENCE => return Err(error),
            Ok(_) | Err(_) => tokio::time::sleep(Duration::from_millis(20)).await,
        }
    }
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
