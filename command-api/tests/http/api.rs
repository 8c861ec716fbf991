//! One API over one log, and how to talk to it.

use std::time::Duration;

use axum::{
    Router,
    body::{Body, to_bytes},
    http::{HeaderMap, Method, Request, StatusCode},
};
use chrono::Utc;
use command_api::{Catalogue, Services, router};
use domain::{
    Context,
    cart::Carts,
    order::Orders,
    payment::Payments,
    product::Products,
    shipping::Shipments,
    topics::{self, ORDER_EVENTS},
};
use event_store::{
    EventStore, PartitionStatus, StartAt, StoreConfig,
    log::{Log, Member, Reader},
    memory::MemoryLog,
};
use runtime::{health::Readiness, http, telemetry::Metrics};
use serde_json::{Value, json};
use tokio::time::Instant;
use tower::ServiceExt;
use uuid::Uuid;

pub(crate) const TOPICS: [&str; 7] = topics::ALL;
pub(crate) const PARTITIONS: i32 = 4;
/// Long enough for a takeover on a busy machine.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// A key, or none.
pub(crate) type Key<'a> = Option<&'a str>;

/// The services, without their policies.
pub(crate) struct Api {
    pub(crate) log: MemoryLog,
    pub(crate) router: Router,
    pub(crate) products: EventStore<Products>,
    pub(crate) orders: EventStore<Orders>,
    pub(crate) payments: EventStore<Payments>,
    pub(crate) shipments: EventStore<Shipments>,
    pub(crate) catalogue: Catalogue,
}

/// A record of the log.
#[derive(Debug, PartialEq)]
pub(crate) struct Event {
    pub(crate) position: String,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) payload: Value,
}

#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Value,
}

impl Api {
    /// A fresh log, services on it that serve, and what the example order asks for in the catalogue.
    pub(crate) async fn start() -> Self {
        let api = Self::open(MemoryLog::new(&TOPICS, PARTITIONS)).await;
        for (sku, amount) in [("TEA-EARL-GREY", 1_999), ("MUG-BLUE", 1_499)] {
            let created = api.create(sku, amount, "EUR").await;
            assert_eq!(created.status, StatusCode::CREATED, "{created:?}");
        }
        api.follow().await;
        api
    }

    /// As another process does that takes over.
    pub(crate) async fn restart(log: MemoryLog) -> Self {
        let api = Self::open(log).await;
        api.follow().await;
        api
    }

    /// The services; their catalogue is not read yet.
    pub(crate) async fn open(log: MemoryLog) -> Self {
        let (products, carts, orders, payments, shipments) = tokio::join!(
            store::<Products>(&log),
            store::<Carts>(&log),
            store::<Orders>(&log),
            store::<Payments>(&log),
            store::<Shipments>(&log),
        );
        let catalogue = Catalogue::default();
        let services = Services {
            products: Some(products.clone().into()),
            carts: Some(carts.into()),
            orders: Some(orders.clone().into()),
            payments: Some(payments.clone().into()),
            shipments: Some(shipments.clone().into()),
            catalogue: catalogue.clone(),
            ..Services::development()
        };
        Self {
            router: app(services),
            log,
            products,
            orders,
            payments,
            shipments,
            catalogue,
        }
    }

    /// Reads the catalogue, to its end.
    pub(crate) async fn follow(&self) {
        self.catalogue.follow(&self.log).expect("a thread");
        let deadline = Instant::now() + PATIENCE;
        while !self.catalogue.is_caught_up() {
            assert!(Instant::now() < deadline, "the catalogue is not caught up");
            tokio::task::yield_now().await;
        }
    }

    pub(crate) async fn send(&self, request: Request<Body>) -> Answer {
        send(&self.router, request).await
    }

    pub(crate) async fn post(&self, path: &str, key: Key<'_>, body: &Value) -> Answer {
        self.send(post(path, key, body)).await
    }

    pub(crate) async fn put(&self, path: &str, key: Key<'_>, body: &Value) -> Answer {
        let mut request = post(path, key, body);
        *request.method_mut() = Method::PUT;
        self.send(request).await
    }

    /// Sends a request that must have seen a position.
    pub(crate) async fn send_after(&self, position: &str, mut request: Request<Body>) -> Answer {
        let headers = request.headers_mut();
        headers.insert("x-min-position", position.parse().expect("a value"));
        let wait = format!("wait={}", PATIENCE.as_secs());
        headers.insert("prefer", wait.parse().expect("a value"));
        self.send(request).await
    }

    pub(crate) async fn create(&self, sku: &str, amount: i64, currency: &str) -> Answer {
        let price = json!({"amount": amount, "currency": currency});
        let body = json!({"sku": sku, "name": "A thing", "price": price});
        self.post("/v1/products", None, &body).await
    }

    /// Changes the catalogue, and waits until carts and orders know of it.
    pub(crate) async fn change(&self, path: &str, body: &Value) -> Answer {
        let changed = self.post(path, None, body).await;
        assert!(changed.status.is_success(), "{changed:?}");
        // Nobody's cart: it is priced first, and then not found.
        let path = format!("/v1/carts/{}/items/MUG-BLUE", Uuid::nil());
        let mut request = post(&path, None, &json!({"quantity": 1}));
        *request.method_mut() = Method::PUT;
        let seen = self.send_after(changed.header("x-position"), request).await;
        assert!(seen.status.is_client_error(), "{seen:?}");
        changed
    }

    /// Adds a product that carts and orders know of.
    pub(crate) async fn sell(&self, sku: &str, amount: i64, currency: &str) {
        let price = json!({"amount": amount, "currency": currency});
        let body = json!({"sku": sku, "name": "A thing", "price": price});
        self.change("/v1/products", &body).await;
    }

    /// Opens a cart and gives its path.
    pub(crate) async fn open_cart(&self) -> String {
        let opened = self
            .post("/v1/carts", None, &json!({"customer_id": "ada"}))
            .await;
        assert_eq!(opened.status, StatusCode::CREATED, "{opened:?}");
        format!("/v1/carts/{}", opened.id())
    }

    /// Places the example order and gives its id.
    pub(crate) async fn place(&self) -> String {
        let placed = self.post("/v1/orders", None, &example_order()).await;
        assert_eq!(placed.status, StatusCode::CREATED, "{placed:?}");
        placed.id().to_owned()
    }

    pub(crate) async fn pay(&self, id: &str, key: Key<'_>) -> Answer {
        let path = format!("/v1/orders/{id}/pay");
        self.post(&path, key, &json!({"payment_method": "tok_visa"}))
            .await
    }

    pub(crate) async fn cancel(&self, id: &str, key: Key<'_>) -> Answer {
        let path = format!("/v1/orders/{id}/cancel");
        self.post(&path, key, &json!({})).await
    }

    /// Everything that happened to orders, partition by partition.
    pub(crate) fn events(&self) -> Vec<Event> {
        self.events_in(ORDER_EVENTS)
    }

    /// Everything in a topic, partition by partition.
    pub(crate) fn events_in(&self, topic: &str) -> Vec<Event> {
        let starts: Vec<_> = (0..PARTITIONS)
            .map(|partition| StartAt {
                topic: topic.into(),
                partition,
                next_offset: 0,
            })
            .collect();
        let mut reader = self.log.reader(&starts).expect("a reader");
        let mut next = || {
            let read = reader.poll(Duration::ZERO, |record| Event {
                position: format!("{}/{}@{}", record.topic, record.partition, record.offset),
                headers: record
                    .headers()
                    .map(|(name, value)| {
                        (name.to_owned(), String::from_utf8_lossy(value).into_owned())
                    })
                    .collect(),
                payload: serde_json::from_slice(record.payload).expect("JSON"),
            });
            read.expect("a record")
        };
        std::iter::from_fn(&mut next).collect()
    }

    /// Names of orders' events, in order where all are of one order.
    pub(crate) fn event_names(&self) -> Vec<String> {
        self.event_names_in(ORDER_EVENTS)
    }

    pub(crate) fn event_names_in(&self, topic: &str) -> Vec<String> {
        let events = self.events_in(topic);
        events
            .iter()
            .map(|e| e.header("ce_type").to_owned())
            .collect()
    }
}

impl Event {
    pub(crate) fn header(&self, name: &str) -> &str {
        let header = self.headers.iter().find(|(known, _)| known == name);
        header.map_or("", |(_, value)| value)
    }
}

impl Answer {
    pub(crate) fn header(&self, name: &str) -> &str {
        let value = self.headers.get(name).map(|value| value.to_str());
        value.transpose().expect("text").unwrap_or_default()
    }

    pub(crate) fn id(&self) -> &str {
        self.body["id"].as_str().expect("an id")
    }

    pub(crate) fn is_replayed(&self) -> bool {
        self.header("idempotency-replayed") == "true"
    }

    /// Status and code of a problem, which has what every problem has.
    #[track_caller]
    pub(crate) fn problem(&self) -> (u16, &str) {
        let status = self.status.as_u16();
        assert_eq!(
            self.header("content-type"),
            "application/problem+json",
            "{self:?}"
        );
        assert_eq!(self.body["status"], status, "{self:?}");
        assert!(!self.header("x-request-id").is_empty());
        if status == 503 {
            assert!(self.header("retry-after").parse::<u32>().expect("seconds") > 0);
        }
        (status, self.body["code"].as_str().expect("a code"))
    }

    /// Pointers and codes of its errors.
    pub(crate) fn errors(&self) -> Vec<(&str, &str)> {
        let errors = self.body["errors"]
            .as_array()
            .map_or(&[][..], Vec::as_slice);
        errors
            .iter()
            .map(|error| {
                let pointer = error["pointer"].as_str().expect("a pointer");
                (pointer, error["code"].as_str().expect("a code"))
            })
            .collect()
    }
}

/// A service's store, when it serves.
async fn store<C: Context>(log: &MemoryLog) -> EventStore<C> {
    let opened = log.clone();
    // Of several with one name, the last is the process that came back, and has it all.
    let member = Member {
        name: Some("command-api".to_owned()),
        ..StoreConfig::default().member
    };
    let config = StoreConfig {
        member,
        ..StoreConfig::default()
    };
    let start = move || EventStore::start(&opened, &config);
    let store = tokio::task::spawn_blocking(start).await;
    let store = store.expect("it does not panic").expect("the store starts");
    let deadline = Instant::now() + PATIENCE;
    while store.status().iter().any(|s| *s != PartitionStatus::Ready) {
        assert!(Instant::now() < deadline, "still {:?}", store.status());
        tokio::task::yield_now().await;
    }
    store
}

pub(crate) fn app(services: Services) -> Router {
    http::app(router(services), Readiness::new([]), Metrics::default())
}

pub(crate) async fn send(router: &Router, request: Request<Body>) -> Answer {
    let response = router.clone().oneshot(request).await.expect("infallible");
    let (parts, body) = response.into_parts();
    let body = to_bytes(body, usize::MAX).await.expect("a body");
    Answer {
        status: parts.status,
        headers: parts.headers,
        body: serde_json::from_slice(&body).unwrap_or_default(),
    }
}

pub(crate) fn post(path: &str, key: Key<'_>, body: &Value) -> Request<Body> {
    let mut request = Request::post(path).header("content-type", "application/json");
    if let Some(key) = key {
        request = request.header("idempotency-key", key);
    }
    request.body(body.to_string().into()).expect("a request")
}

/// With a body as it is; signed, for the route that asks for that.
pub(crate) fn signed(method: &Method, path: &str, body: &str) -> Request<Body> {
    let secret = Services::development().webhook_secret;
    let request = Request::builder().method(method).uri(path);
    let mut request = request.header("content-type", "application/json");
    for (name, value) in secret.headers("event", Utc::now(), body.as_bytes()) {
        request = request.header(name, value);
    }
    request.body(body.to_owned().into()).expect("a request")
}

/// 2 x 19.99 + 14.99 = 54.97 euros.
pub(crate) fn example_order() -> Value {
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

/// The example order with other lines, at whatever they cost.
pub(crate) fn order_for(lines: &[(&str, i64)]) -> Value {
    let lines = lines
        .iter()
        .map(|(sku, quantity)| json!({"sku": sku, "quantity": quantity}));
    let mut order = example_order();
    order["lines"] = lines.collect();
    order
}
