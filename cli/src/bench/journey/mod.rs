//! Whole journeys: from a checkout to an order that awaits payment, through all services.

mod decided;
mod outage;
mod steady;

use std::{
    fmt::{self, Write},
    time::{Duration, Instant},
};

use anyhow::Result;
use dev::stack::StackOptions;
use hyper::StatusCode;
use serde::Serialize;
use serde_json::json;

use self::decided::Decided;
pub use self::{outage::Outage, steady::Step};
use super::{
    load::{self, Latencies, Shot, Until},
    orders, raw,
};
use crate::{
    args::Target,
    client::{post, put_at},
    running::Running,
};

const SINGLE: u64 = 200;
/// Not counted: the broker has just started.
const WARM_UP: u64 = 100;
const MANY: u64 = 3_000;
const CONNECTIONS: usize = 64;
const PIECES: u64 = 100_000_000;

/// What journeys took.
#[derive(Debug, Serialize)]
pub struct Journeys {
    pub single: u64,
    pub p50_ms: f64,
    pub p90_ms: f64,
    pub p99_ms: f64,
    pub connections: usize,
    pub many: u64,
    pub rate: f64,
    /// Steady rates, each higher than the one before, until one was too high.
    pub steady: Vec<Step>,
    pub outage: Outage,
}

/// Creates what [`orders::body`] buys; answers where in the log that is, separated by commas.
pub async fn fill_shop(api: &str) -> Result<String> {
    let mut positions = Vec::new();
    for (sku, price) in [("TEA-EARL-GREY", 1_999), ("MUG-BLUE", 1_499)] {
        let product =
            json!({"sku": sku, "name": sku, "price": {"amount": price, "currency": "EUR"}});
        let created = post(&format!("{api}/v1/products"), sku, &product).await?;
        positions.push(created.header("x-position").to_owned());
        let received = json!({"quantity": PIECES});
        post(&format!("{api}/v1/stock/{sku}/receive"), sku, &received).await?;
    }
    Ok(positions.join(", "))
}

/// Measures journeys one at a time, many at once, at steady rates, and without the product service. On a stack of its own.
pub async fn measure(asked: &Target) -> Result<Journeys> {
    eprintln!("following orders from cart to stock");
    Running::with(StackOptions::benchmark(), asked, async |running| {
        measure_on(running).await
    })
    .await
}

async fn measure_on(running: &Running) -> Result<Journeys> {
    let api = running.command_api.url.clone();
    let position = fill_shop(&api).await?;
    let decided = Decided::follow(running)?;
    let mut latencies = Latencies::new()?;
    for number in 0..WARM_UP + SINGLE {
        let elapsed = one(&api, number, &position, &decided).await?;
        if number >= WARM_UP {
            latencies.record(elapsed)?;
        }
    }
    let before = decided.count();
    let address = raw::address_of(&api)?;
    let next = |number| {
        Shot::post(
            "/v1/orders".to_owned(),
            orders::body(number),
            StatusCode::CREATED,
        )
    };
    let begun = Instant::now();
    load::run(address, CONNECTIONS, Until::Sent(MANY), next, |_, _| ()).await?;
    let all = usize::try_from(MANY)?;
    decided
        .wait(|orders| (orders.len() >= before + all).then_some(()))
        .await?;
    let rate = MANY as f64 / begun.elapsed().as_secs_f64();
    let steady = steady::measure(address, rate, &decided).await?;
    let outage = outage::measure(running, &position, &decided).await?;
    Ok(Journeys {
        single: SINGLE,
        p50_ms: latencies.quantile_ms(0.5),
        p90_ms: latencies.quantile_ms(0.9),
        p99_ms: latencies.quantile_ms(0.99),
        connections: CONNECTIONS,
        many: MANY,
        rate,
        steady,
        outage,
    })
}

/// How long one takes, from the checkout on.
async fn one(api: &str, number: u64, position: &str, decided: &Decided) -> Result<Duration> {
    let cart = filled_cart(api, &format!("journey-{number}"), position).await?;
    let begun = Instant::now();
    let order_id = check_out(&cart).await?;
    let at = decided
        .wait(|orders| orders.get(&order_id).copied())
        .await?;
    Ok(at.duration_since(begun))
}

/// The address of a new cart with one thing in it.
async fn filled_cart(api: &str, key: &str, position: &str) -> Result<String> {
    let customer = json!({"customer_id": "ada"});
    let cart = post(&format!("{api}/v1/carts"), key, &customer).await?;
    let cart = format!("{api}/v1/carts/{}", cart.text("id"));
    let item = json!({"quantity": 1});
    put_at(&format!("{cart}/items/TEA-EARL-GREY"), position, &item).await?;
    Ok(cart)
}

/// The order that became of a cart.
async fn check_out(cart: &str) -> Result<String> {
    let delivery = json!({
        "shipping_address": {
            "name": "Ada Lovelace", "line1": "12 St James's Square",
            "postal_code": "SW1Y 4JH", "city": "London", "country": "GB"
        }
    });
    let bought = post(&format!("{cart}/checkout"), cart, &delivery).await?;
    Ok(bought.text("order_id").to_owned())
}

impl Journeys {
    /// As a part of the report.
    pub fn write(&self, text: &mut dyn Write) -> fmt::Result {
        writeln!(text, "\n## From cart to stock\n")?;
        writeln!(
            text,
            "From the checkout being sent to `OrderConfirmed` being readable (the order then awaits payment): six \
             transactions by three services, one after the other, all of them, the read side and this client on the \
             machine. One at a time: {:.0} ms median, {:.0} ms p90, {:.0} ms p99 of {}. At {} connections: {:.0} whole \
             journeys a second, from the first order placed to the last of {} confirmed.",
            self.p50_ms,
            self.p90_ms,
            self.p99_ms,
            self.single,
            self.connections,
            self.rate,
            self.many
        )?;
        writeln!(
            text,
            "\nAt steady rates of 15 s each, and how many were placed and not yet decided half way and at the end (kept up: no \
             more than came within the last second):\n\n\
             | orders/s | half way | at the end | kept up |\n|---:|---:|---:|---|"
        )?;
        for step in &self.steady {
            let kept_up = if step.is_kept_up() { "yes" } else { "no" };
            writeln!(
                text,
                "| {:.0} | {} | {} | {kept_up} |",
                step.rate, step.backlog_half, step.backlog_end
            )?;
        }
        let outage = &self.outage;
        writeln!(
            text,
            "\nProduct in a process of its own, {} checkouts with it and as many while it was dead, one at a time: {:.1} ms \
             median and {:.1} ms p99 with it, {:.1} ms and {:.1} ms without. {:.1} s after its restart began, all of them were \
             decided.",
            outage.checkouts,
            outage.usual.p50_ms,
            outage.usual.p99_ms,
            outage.without.p50_ms,
            outage.without.p99_ms,
            outage.made_good_seconds
        )
    }
}
