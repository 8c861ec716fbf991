//! When each order's stock was decided, as a reader of the topic sees it.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use anyhow::{Result, ensure};
use domain::{order::OrderEvent, topics::ORDER_EVENTS};
use event_store::{BatchLimits, StartAt, kafka::KafkaLog, log::Log};
use tokio::task::JoinHandle;

use crate::running::Running;

const PATIENCE: Duration = Duration::from_secs(180);

/// The orders that await payment or were rejected, and when that was seen.
pub struct Decided {
    orders: Arc<Mutex<HashMap<String, Instant>>>,
    following: JoinHandle<Result<()>>,
}

impl Decided {
    /// Reads all orders from offset zero on, until it is dropped.
    pub fn follow(running: &Running) -> Result<Self> {
        let log = KafkaLog::connect(&running.target().kafka.config())?;
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
                    let order_id = match recorded.event {
                        OrderEvent::Confirmed(event) => event.order_id,
                        OrderEvent::Rejected(event) => event.order_id,
                        _ => continue,
                    };
                    seen.insert(order_id.to_string(), now);
                }
            }
        });
        Ok(Self { orders, following })
    }

    /// How many there are.
    pub fn count(&self) -> usize {
        self.orders
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .len()
    }

    /// Waits for what is looked for in them.
    pub async fn wait<T>(
        &self,
        wanted: impl Fn(&HashMap<String, Instant>) -> Option<T>,
    ) -> Result<T> {
        let begun = Instant::now();
        loop {
            {
                let orders = self.orders.lock().unwrap_or_else(PoisonError::into_inner);
                if let Some(found) = wanted(&orders) {
                    return Ok(found);
                }
                ensure!(
                    begun.elapsed() < PATIENCE,
                    "only {} orders were decided",
                    orders.len()
                );
            }
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }
}

impl Drop for Decided {
    fn drop(&mut self) {
        self.following.abort();
    }
}
