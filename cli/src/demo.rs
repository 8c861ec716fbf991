//! `offset-zero demo`: the whole stack on fresh data, one order through it, the read model rebuilt, and all gone again.

use std::time::Instant;

use anyhow::{Context, Result, ensure};
use dev::stack::StackOptions;
use serde_json::{Value, json};

use crate::{
    client::{Answer, get_at, post},
    operate,
    running::Running,
};

/// Runs the demo; everything it starts has ended when it returns.
pub async fn run() -> Result<()> {
    let begun = Instant::now();
    step("starting Kafka and Postgres on fresh data and free ports");
    let running = tokio::task::spawn_blocking(|| Running::start(StackOptions::fresh(), None))
        .await
        .context("starting the stack")??;
    println!("   command API  {}", running.command_api.url);
    println!("   query API    {}", running.query_api.url);
    println!("   Kafka        {}", running.wiring.brokers);
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
    let orders = format!("{}/v1/orders", running.command_api.url);
    step("placing an order: POST /v1/orders");
    let placed = post(&orders, "demo-order-1", &example_order()).await?;
    show(&placed);
    let id = placed.text("id").to_owned();

    step("the same request again, as after a lost answer");
    let again = post(&orders, "demo-order-1", &example_order()).await?;
    show(&again);
    ensure!(again.text("id") == id, "a retry must give the same order");

    step("paying it: POST /v1/orders/{id}/pay");
    let pay = json!({"payment_method": "tok_visa", "amount": {"amount": 5_497, "currency": "EUR"}});
    let paid = post(&format!("{orders}/{id}/pay"), "demo-pay-1", &pay).await?;
    show(&paid);

    step("its status: GET /v1/orders/{id}, as of that position");
    let status_url = format!("{}/v1/orders/{id}", running.query_api.url);
    let before = get_at(&status_url, paid.header("x-position")).await?;
    println!("{}", serde_json::to_string_pretty(&before.body)?);
    ensure!(before.text("status") == "paid", "the order must be paid");

    step("rebuilding the read model from offset zero, while the old one serves");
    operate::rebuild(&running.target(), &["orders".to_owned()], false).await?;
    let after = get_at(&status_url, paid.header("x-position")).await?;
    ensure!(
        after.body == before.body,
        "the rebuilt row must equal the old one"
    );
    println!("   the rebuilt row is equal to the old one");
    let projections = get_at(&format!("{}/v1/projections", running.query_api.url), "").await?;
    println!("{}", serde_json::to_string_pretty(&projections.body)?);
    Ok(())
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

fn example_order() -> Value {
    json!({
        "customer_id": "ada",
        "lines": [
            {"sku": "TEA-EARL-GREY", "quantity": 2, "unit_price": {"amount": 1_999, "currency": "EUR"}},
            {"sku": "MUG-BLUE", "quantity": 1, "unit_price": {"amount": 1_499, "currency": "EUR"}}
        ],
        "shipping_address": {
            "name": "Ada Lovelace", "line1": "12 St James's Square",
            "postal_code": "SW1Y 4JH", "city": "London", "country": "GB"
        },
        "contact": {"email": "ada@example.com"}
    })
}
