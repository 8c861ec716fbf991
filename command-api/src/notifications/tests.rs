//! The whole way, over a log in memory: from what happens to an order to what its customer gets.

use std::{path::PathBuf, sync::Arc, time::Duration};

use axum::http::StatusCode;
use chrono::{DateTime, TimeDelta, Utc};
use domain::{
    Context,
    ids::OrderId,
    money::Money,
    notification::{NotificationEvent, Notifications, Template, WebhookUrl},
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

use super::{
    Beginning, Delivering, Mailer, Planning, WebhookSender,
    testing::{MailSink, Receiver, files, secret, sender},
};

const TOPICS: [&str; 4] = [
    ORDER_EVENTS,
    INVENTORY_EVENTS,
    PAYMENT_EVENTS,
    NOTIFICATION_EVENTS,
];
const PARTITIONS: i32 = 2;
/// Long enough for takeovers on a busy machine.
const PATIENCE: Duration = Duration::from_secs(30);

/// Orders, and who wants to hear of them.
struct Shop {
    log: MemoryLog,
    orders: EventStore<Orders>,
    folder: TempDir,
}

/// The notification service at work.
struct Service {
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
    async fn open() -> Self {
        let log = MemoryLog::new(&TOPICS, PARTITIONS);
        Self {
            orders: open(&log, Utc::now).await,
            folder: tempfile::tempdir().expect("a folder"),
            log,
        }
    }

    fn mails(&self) -> PathBuf {
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
        };
        let answer = self.orders.execute(Request { command, metadata }).await;
        answer.expect("the command is accepted");
    }

    async fn place(&self) -> OrderId {
        let order_id = OrderId::from(Uuid::now_v7());
        let price = Money::new(1_999, "EUR".parse().expect("a currency"));
        let line = OrderLine {
            line_id: domain::ids::LineId::of(order_id, 0),
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

    async fn cancel(&self, order_id: OrderId) {
        let command = CancelOrder {
            order_id,
            reason: None,
            cancelled_at: Utc::now(),
        };
        self.execute(OrderCommand::Cancel(command)).await;
    }

    async fn serve(&self, webhooks: Vec<WebhookUrl>) -> Service {
        let mailer = Mailer::folder(sender(), self.mails());
        self.serve_by(mailer, webhooks, false).await
    }

    async fn serve_by(&self, mailer: Mailer, webhooks: Vec<WebhookUrl>, history: bool) -> Service {
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
    async fn recorded(&self) -> Vec<NotificationEvent> {
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
    async fn ended(&self, count: usize) -> Vec<NotificationEvent> {
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
    async fn stop(mut self) {
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

/// Orders and templates of what was asked for.
fn requested(events: &[NotificationEvent]) -> Vec<(OrderId, Template)> {
    let requested = events.iter().filter_map(|event| match event {
        NotificationEvent::Requested(event) => Some((event.order_id, event.message.template)),
        NotificationEvent::ContactKept(_)
        | NotificationEvent::Deferred(_)
        | NotificationEvent::Sent(_)
        | NotificationEvent::Failed(_)
        | NotificationEvent::Due(_)
        | NotificationEvent::Abandoned(_) => None,
    });
    let mut requested: Vec<_> = requested.collect();
    requested.sort();
    requested
}

fn sorted<const N: usize>(mut told: [(OrderId, Template); N]) -> [(OrderId, Template); N] {
    told.sort();
    told
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_customer_is_mailed_and_a_system_told_until_it_listens() {
    let shop = Shop::open().await;
    let busy = [
        StatusCode::SERVICE_UNAVAILABLE,
        StatusCode::INTERNAL_SERVER_ERROR,
    ];
    let receiver = Receiver::start(&busy).await;
    let service = shop.serve(vec![receiver.url.clone()]).await;
    let order_id = shop.place().await;
    let events = shop.ended(2).await;

    let told = receiver.told();
    assert_eq!(told.len(), 3);
    let ids = told.iter().map(|(headers, body)| {
        let verified = secret().verify(headers, body, Utc::now());
        verified.expect("each is signed").to_string()
    });
    let mut ids: Vec<_> = ids.collect();
    ids.dedup();
    let names = events.iter().filter_map(NotificationEvent::to_send);
    let mails: Vec<_> = names
        .map(|(id, _)| id.to_string())
        .filter(|id| *id != ids[0])
        .collect();
    assert_eq!(ids.len(), 1, "it has the same name each time");
    assert_eq!(mails.len(), 1, "the mail was sent once");
    assert_eq!(files(&shop.mails()), [format!("{}.eml", mails[0])]);
    let mail = std::fs::read_to_string(shop.mails().join(format!("{}.eml", mails[0])));
    assert!(mail.expect("a mail").contains(&order_id.to_string()));
    let tries = events.iter().filter_map(|event| match event {
        NotificationEvent::Sent(event) => Some(event.tries),
        _ => None,
    });
    let mut tries: Vec<_> = tries.collect();
    tries.sort_unstable();
    assert_eq!(tries, [1, 3]);
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nobody_is_told_of_what_was_before_the_beginning() {
    let shop = Shop::open().await;
    let old = shop.place().await;
    let older = shop.place().await;
    shop.cancel(older).await;

    let service = shop.serve(vec![]).await;
    let new = shop.place().await;
    // Its customer is known, though the order is older than the service.
    shop.cancel(old).await;
    let first = sorted([
        (old, Template::Cancelled),
        (new, Template::OrderConfirmation),
    ]);
    assert_eq!(requested(&shop.ended(2).await), first);
    service.stop().await;

    let meanwhile = shop.place().await;
    let service = shop.serve(vec![]).await;
    let expected = sorted([first[0], first[1], (meanwhile, Template::OrderConfirmation)]);
    assert_eq!(requested(&shop.ended(3).await), expected);
    assert_eq!(files(&shop.mails()).len(), 3);
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_asks_for_history_is_told_of_it() {
    let shop = Shop::open().await;
    let old = shop.place().await;
    let mailer = Mailer::folder(sender(), shop.mails());
    let service = shop.serve_by(mailer, vec![], true).await;
    let expected = [(old, Template::OrderConfirmation)];
    assert_eq!(requested(&shop.ended(1).await), expected);
    service.stop().await;
}

/// As after a crash, when the places of both groups are lost: everything is read again, and nothing leaves again.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_read_again_is_not_sent_again() {
    let shop = Shop::open().await;
    let receiver = Receiver::start(&[]).await;
    let service = shop.serve(vec![receiver.url.clone()]).await;
    shop.place().await;
    let before = shop.ended(2).await;
    service.stop().await;
    for (group, topics) in [
        (<Planning as event_store::Reactor>::NAME, &TOPICS[..]),
        (<Delivering as event_store::Reactor>::NAME, &TOPICS[..]),
    ] {
        let starts = topics.iter().flat_map(|topic| {
            (0..PARTITIONS).map(|partition| StartAt {
                topic: (*topic).into(),
                partition,
                next_offset: 0,
            })
        });
        let starts: Vec<_> = starts.collect();
        shop.log.commit(group, &starts).expect("the log answers");
    }
    let names = files(&shop.mails());
    let written = |name: &String| {
        let metadata = std::fs::metadata(shop.mails().join(name)).expect("a file");
        metadata.modified().expect("a time")
    };
    let times: Vec<_> = names.iter().map(written).collect();

    let service = shop.serve(vec![receiver.url.clone()]).await;
    shop.place().await;
    let after = shop.ended(4).await;
    service.stop().await;
    assert_eq!(requested(&after).len(), requested(&before).len() + 2);
    assert_eq!(names.iter().map(written).collect::<Vec<_>>(), times);
    // A webhook may come again, under the name that it had.
    let ids = receiver.told().into_iter().map(|(headers, _)| {
        let id = headers["webhook-id"].to_str();
        id.expect("text").to_owned()
    });
    let ids: std::collections::BTreeSet<_> = ids.collect();
    assert_eq!(ids.len(), 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_mail_goes_by_the_server_or_is_given_up() {
    let shop = Shop::open().await;
    let sink = MailSink::start("250 welcome").await;
    let server = format!("smtp://{}", sink.address)
        .parse()
        .expect("a server");
    let service = shop
        .serve_by(Mailer::server(sender(), server), vec![], false)
        .await;
    let order_id = shop.place().await;
    shop.ended(1).await;
    assert!(sink.mails()[0].contains(&order_id.to_string()));
    service.stop().await;

    let service = shop.serve_by(Mailer::off(sender()), vec![], false).await;
    shop.place().await;
    let events = shop.ended(2).await;
    let given_up = events.iter().find_map(|event| match event {
        NotificationEvent::Abandoned(event) => Some((event.tries, event.reason.as_str())),
        _ => None,
    });
    assert_eq!(given_up, Some((1, "no mail transport is configured")));
    service.stop().await;
}

#[test]
fn a_beginning_is_kept_and_stood_for() {
    let shop = MemoryLog::new(&TOPICS, PARTITIONS);
    let establish = |history| Beginning::establish(&shop, PARTITIONS, history).expect("a log");
    let first = establish(false);
    assert_eq!(establish(false), first);
    assert_eq!(
        establish(true),
        first,
        "history is asked for at the first start"
    );

    let forgotten = MemoryLog::new(&TOPICS, PARTITIONS);
    let place = StartAt {
        topic: ORDER_EVENTS.into(),
        partition: 1,
        next_offset: 7,
    };
    let planning = <Planning as event_store::Reactor>::NAME;
    forgotten
        .commit(planning, &[place])
        .expect("the log answers");
    let stood_for = Beginning::establish(&forgotten, PARTITIONS, false).expect("a log");
    let noted = forgotten.committed("notification-beginning", ORDER_EVENTS, 1);
    assert_eq!(noted.expect("the log answers"), Some(7));
    assert_ne!(stood_for, first);

    forgotten.set_reachable(false);
    assert!(Beginning::establish(&forgotten, PARTITIONS, false).is_err());
}
