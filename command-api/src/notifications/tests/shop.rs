//! Orders over a log in memory, and the notification service beside them.

use std::{path::PathBuf, sync::Arc, time::Duration};

use chrono::{DateTime, TimeDelta, Utc};
use domain::{
    Context,
    ids::{LineId, OrderId},
    money::Money,
    notification::{NotificationEvent, Notifications, WebhookUrl},
    order::{CancelOrder, OrderCommand, OrderLine, OrderLines, Orders, PlaceOrder},
    personal::{Contact, ShippingAddress},
    topics::{INVENTORY_EVENTS, NOTIFICATION_EVENTS, ORDER_EVENTS, PAYMENT_EVENTS},
};
use event_store::{
    BatchLimits, CommandMetadata, EventStore, PartitionStatus, Request, StartAt, StoreConfig,
    log::Log, memory::MemoryLog, run_policy,
};
use tempfile::TempDir;
use tokio::{sync::watch, task::JoinSet, time::Instant};
use uuid::Uuid;

use crate::notifications::{
    Beginning, Delivering, Mailer, Planning, WebhookSender,
    testing::{secret, sender},
};

pub(super) const TOPICS: [&str; 4] = [
    ORDER_EVENTS,
    INVENTORY_EVENTS,
    PAYMENT_EVENTS,
    NOTIFICATION_EVENTS,
];
pub(super) const PARTITIONS: i32 = 2;
/// Long enough for takeovers on a busy machine.
const PATIENCE: Duration = Duration::from_secs(30);

/// Orders, and who wants to hear of them.
pub(super) struct Shop {
    pub(super) log: MemoryLog,
    orders: EventStore<Orders>,
    folder: TempDir,
}

/// The notification service at work.
pub(super) struct Service {
    store: EventStore<Notifications>,
    stop: watch::Sender<bool>,
    running: JoinSet<()>,
}

/// An hour ahead, so that nobody has to wait for what is tried again.
fn impatient() -> DateTime<Utc> {
    Utc::now() + TimeDelta::hours(1)
}

async fn open<C: Context>(log: &MemoryLog, clock: fn() -> DateTime<Utc>) -> EventStore<C> {
    let log = log.clone();
    let config = StoreConfig {
        clock,
        ..StoreConfig::default()
    };
    let start = tokio::task::spawn_blocking(move || EventStore::start(&log, &config));
    let store = start.await.expect("no panic").expect("the store starts");
    until("every writer is ready", || {
        let status = store.status();
        status
            .iter()
            .all(|status| *status == PartitionStatus::Ready)
    })
    .await;
    store
}

async fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !holds() {
        assert!(Instant::now() < deadline, "not in time: {what}");
        tokio::task::yield_now().await;
    }
}

impl Shop {
    pub(super) async fn open() -> Self {
        let log = MemoryLog::new(&TOPICS, PARTITIONS);
        Self {
            orders: open(&log, Utc::now).await,
            folder: tempfile::tempdir().expect("a folder"),
            log,
        }
    }

    pub(super) fn mails(&self) -> PathBuf {
        self.folder.path().to_owned()
    }

    async fn execute(&self, command: OrderCommand) {
        let id = Uuid::now_v7();
        let metadata = CommandMetadata {
            command_id: id,
            command_hash: id,
            correlation_id: id,
            causation_id: id,
            actor: "test".into(),
            time: Utc::now(),
            traceparent: None,
            expected_version: None,
        };
        let answer = self.orders.execute(Request { command, metadata }).await;
        answer.expect("the command is accepted");
    }

    pub(super) async fn place(&self) -> OrderId {
        let order_id = OrderId::from(Uuid::now_v7());
        let price = Money::new(1_999, "EUR".parse().expect("a currency"));
        let line = OrderLine {
            line_id: LineId::of(order_id, 0),
            sku: "TEA".parse().expect("a SKU"),
            quantity: 1.try_into().expect("a quantity"),
            unit_price: price.expect("a price"),
        };
        let email = "ada@example.com".parse().expect("an address");
        let command = PlaceOrder {
            order_id,
            customer_id: "ada".parse().expect("a name"),
            lines: OrderLines::new(vec![line]).expect("lines"),
            shipping_address: address(),
            contact: Some(Contact { email }),
            placed_at: Utc::now(),
        };
        self.execute(OrderCommand::Place(Box::new(command))).await;
        order_id
    }

    pub(super) async fn cancel(&self, order_id: OrderId) {
        let command = CancelOrder {
            order_id,
            reason: None,
            cancelled_at: Utc::now(),
        };
        self.execute(OrderCommand::Cancel(command)).await;
    }

    pub(super) async fn serve(&self, webhooks: Vec<WebhookUrl>) -> Service {
        let mailer = Mailer::folder(sender(), self.mails());
        self.serve_by(mailer, webhooks, false).await
    }

    pub(super) async fn serve_by(
        &self,
        mailer: Mailer,
        webhooks: Vec<WebhookUrl>,
        history: bool,
    ) -> Service {
        let beginning = Beginning::establish(&self.log, PARTITIONS, history);
        let planning = Planning::new(webhooks, beginning.expect("the log answers"));
        let delivering = Delivering::new(mailer, WebhookSender::new(secret()));
        let store = open::<Notifications>(&self.log, impatient).await;
        let (stop, stopped) = watch::channel(false);
        let mut running = JoinSet::new();
        let plan = run_policy(
            Arc::new(planning),
            self.log.clone(),
            store.clone(),
            stopped.clone(),
        );
        running.spawn(async { plan.await.expect("the log can be read") });
        let deliver = run_policy(
            Arc::new(delivering),
            self.log.clone(),
            store.clone(),
            stopped,
        );
        running.spawn(async { deliver.await.expect("the log can be read") });
        Service {
            store,
            stop,
            running,
        }
    }

    /// Everything in the service's topic.
    pub(super) async fn recorded(&self) -> Vec<NotificationEvent> {
        let mut events = Vec::new();
        for partition in 0..PARTITIONS {
            let end = self
                .log
                .end_offset(NOTIFICATION_EVENTS, partition)
                .expect("an end");
            let mut next = 0;
            let start = StartAt {
                topic: NOTIFICATION_EVENTS.into(),
                partition,
                next_offset: next,
            };
            let subscription = self.log.subscribe(&[start], BatchLimits::default());
            let mut subscription = subscription.expect("it can be read");
            while next < end {
                let batch = subscription.next_batch().await.expect("a batch");
                next = batch
                    .progress
                    .first()
                    .map_or(next, |progress| progress.next_offset);
                events.extend(batch.events.into_iter().map(|recorded| recorded.event));
            }
        }
        events
    }

    /// Waits until so many messages have left, or were given up.
    pub(super) async fn ended(&self, count: usize) -> Vec<NotificationEvent> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let events = self.recorded().await;
            let ended = events.iter().filter(|event| {
                matches!(
                    event,
                    NotificationEvent::Sent(_) | NotificationEvent::Abandoned(_)
                )
            });
            if ended.count() >= count {
                return events;
            }
            assert!(Instant::now() < deadline, "not {count} in {events:?}");
            tokio::task::yield_now().await;
        }
    }
}

impl Service {
    pub(super) async fn stop(mut self) {
        self.stop.send(true).expect("somebody listens");
        while let Some(ended) = self.running.join_next().await {
            ended.expect("no panic");
        }
        assert!(self.store.stop(PATIENCE).await);
    }
}

fn address() -> ShippingAddress {
    ShippingAddress {
        name: "Ada Lovelace".parse().expect("a name"),
        line1: "12 St James's Square".parse().expect("a line"),
        line2: None,
        postal_code: "SW1Y 4JH".parse().expect("a code"),
        city: "London".parse().expect("a city"),
        country: "GB".parse().expect("a country"),
    }
}
