//! Whole journeys: from a checkout to an order that awaits payment, through all services.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use anyhow::{Context, Result, ensure};
use domain::{order::OrderEvent, topics::ORDER_EVENTS};
use event_store::{BatchLimits, StartAt, kafka::KafkaLog, log::Log};
use hdrhistogram::Histogram;
use hyper::StatusCode;
use serde::Serialize;
use serde_json::json;
use tokio::task::JoinHandle;

use super::{
    load::{self, Shot, Until},
    orders, raw,
};
use crate::{
    client::{post, put_at},
    running::Running,
};

const SINGLE: u64 = 200;
/// Not counted: the broker has just started.
const WARM_UP: u64 = 100;
const MANY: u64 = 3_000;
const CONNECTIONS: usize = 64;
const PATIENCE: Duration = Duration::from_secs(180);
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
}

/// Creates what [`orders::body`] buys; answers where in the log that is.
pub async fn fill_shop(api: &str) -> Result<String> {
    let mut position = String::new();
    for (sku, price) in [("TEA-EARL-GREY", 1_999), ("MUG-BLUE", 1_499)] {
        let product =
            json!({"sku": sku, "name": sku, "price": {"amount": price, "currency": "EUR"}});
        let created = post(&format!("{api}/v1/products"), sku, &product).await?;
        created.header("x-position").clone_into(&mut position);
        let received = json!({"quantity": PIECES});
        post(&format!("{api}/v1/stock/{sku}/receive"), sku, &received).await?;
    }
    Ok(position)
}

/// Measures journeys one at a time, and then many at once.
pub async fn measure(running: &Running) -> Result<Journeys> {
    let api = running.command_api.url.clone();
    let position = fill_shop(&api).await?;
    let confirmed = Confirmed::follow(running)?;
    let mut latencies = Histogram::<u64>::new_with_bounds(1, 60_000_000, 3)?;
    for number in 0..WARM_UP + SINGLE {
        let elapsed = one(&api, number, &position, &confirmed).await?;
        if number >= WARM_UP {
            latencies.record(u64::try_from(elapsed.as_micros())?)?;
        }
    }
    let before = confirmed.count();
    let address = raw::address_of(&api)?;
    let next = |number| Shot {
        path: "/v1/orders".to_owned(),
        body: orders::body(number),
        expected: StatusCode::CREATED,
    };
    let begun = Instant::now();
    load::run(address, CONNECTIONS, Until::Sent(MANY), next, |_, _| ()).await?;
    let all = usize::try_from(MANY)?;
    confirmed
        .wait(|orders| orders.len() >= before + all)
        .await?;
    let elapsed = begun.elapsed();
    let ms = |quantile| latencies.value_at_quantile(quantile) as f64 / 1_000.0;
    Ok(Journeys {
        single: SINGLE,
        p50_ms: ms(0.5),
        p90_ms: ms(0.9),
        p99_ms: ms(0.99),
        connections: CONNECTIONS,
        many: MANY,
        rate: MANY as f64 / elapsed.as_secs_f64(),
    })
}

/// How long one takes, from the checkout on.
async fn one(api: &str, number: u64, position: &str, confirmed: &Confirmed) -> Result<Duration> {
    let key = format!("journey-{number}");
    let cart = post(
        &format!("{api}/v1/carts"),
        &key,
        &json!({"customer_id": "ada"}),
    )
    .await?;
    let cart = format!("{api}/v1/carts/{}", cart.text("id"));
    let item = json!({"quantity": 1});
    put_at(&format!("{cart}/items/TEA-EARL-GREY"), position, &item).await?;
    let delivery = json!({
        "shipping_address": {
            "name": "Ada Lovelace", "line1": "12 St James's Square",
            "postal_code": "SW1Y 4JH", "city": "London", "country": "GB"
        }
    });
    let begun = Instant::now();
    let bought = post(&format!("{cart}/checkout"), &key, &delivery).await?;
    let order_id = bought.text("order_id").to_owned();
    let at = confirmed
        .wait(|orders| orders.contains_key(&order_id))
        .await?
        .remove(&order_id);
    Ok(at.context("it was just there")?.duration_since(begun))
}

/// When each order was confirmed, as a reader of the topic sees it.
struct Confirmed {
    orders: Arc<Mutex<HashMap<String, Instant>>>,
    following: JoinHandle<Result<()>>,
}

impl Confirmed {
    fn follow(running: &Running) -> Result<Self> {
        let log = KafkaLog::connect(&running.target().kafka())?;
        let starts = (0..running.wiring.partitions).map(|partition| StartAt {
            topic: ORDER_EVENTS.into(),
            partition,
            next_offset: 0,
        });
        let starts: Vec<_> = starts.collect();
        ensure!(
            log.partitions(ORDER_EVENTS)? == running.wiring.partitions,
            "all partitions are read"
        );
        let mut subscription = log.subscribe::<OrderEvent>(&starts, BatchLimits::default())?;
        let orders = Arc::new(Mutex::new(HashMap::new()));
        let seen = Arc::clone(&orders);
        let following = tokio::spawn(async move {
            loop {
                let batch = subscription.next_batch().await?;
                let now = Instant::now();
                let mut seen = seen.lock().unwrap_or_else(PoisonError::into_inner);
                for recorded in batch.events {
                    if let OrderEvent::Confirmed(event) = recorded.event {
                        seen.insert(event.order_id.to_string(), now);
                    }
                }
            }
        });
        Ok(Self { orders, following })
    }

    fn count(&self) -> usize {
        self.orders
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .len()
    }

    /// Waits until it is so, and answers what is known then.
    async fn wait(
        &self,
        wanted: impl Fn(&HashMap<String, Instant>) -> bool,
    ) -> Result<HashMap<String, Instant>> {
        let begun = Instant::now();
        loop {
            {
                let orders = self.orders.lock().unwrap_or_else(PoisonError::into_inner);
                if wanted(&orders) {
                    return Ok(orders.clone());
                }
                ensure!(
                    begun.elapsed() < PATIENCE,
                    "only {} orders were confirmed",
                    orders.len()
                );
            }
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }
}

impl Drop for Confirmed {
    fn drop(&mut self) {
        self.following.abort();
    }
}
