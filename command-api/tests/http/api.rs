//! One API over one log, and how to talk to it.

use std::time::Duration;

use axum::{
    Router,
    body::{Body, to_bytes},
    http::{HeaderMap, Request, StatusCode},
};
use command_api::{Stores, router};
use domain::topics::ORDER_EVENTS;
use event_store::{
    EventStore, PartitionStatus, StartAt, StoreConfig,
    log::{Log, Reader},
    memory::MemoryLog,
};
use runtime::{health::Readiness, http, telemetry::Metrics};
use serde_json::{Value, json};
use tokio::time::Instant;
use tower::ServiceExt;

const PARTITIONS: i32 = 4;
/// Long enough for a takeover on a busy machine.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// A key, or none.
pub(crate) type Key<'a> = Option<&'a str>;

pub(crate) struct Api {
    pub(crate) log: MemoryLog,
    pub(crate) router: Router,
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
    /// A fresh log, and a store on it that serves.
    pub(crate) async fn start() -> Self {
        let log = MemoryLog::new(&[ORDER_EVENTS], PARTITIONS);
        Self::restart(log).await
    }

    /// As another process does that takes over.
    pub(crate) async fn restart(log: MemoryLog) -> Self {
        let opened = log.clone();
        let start = move || EventStore::start(&opened, &StoreConfig::default());
        let store = tokio::task::spawn_blocking(start).await;
        let store = store.expect("it does not panic").expect("the store starts");
        let deadline = Instant::now() + PATIENCE;
        while store.status().iter().any(|s| *s != PartitionStatus::Ready) {
            assert!(Instant::now() < deadline, "still {:?}", store.status());
            tokio::task::yield_now().await;
        }
        let stores = Stores {
            orders: Some(store.into()),
        };
        Self {
            router: app(stores),
            log,
        }
    }

    pub(crate) async fn send(&self, request: Request<Body>) -> Answer {
        send(&self.router, request).await
    }

    pub(crate) async fn post(&self, path: &str, key: Key<'_>, body: &Value) -> Answer {
        self.send(post(path, key, body)).await
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

    /// Everything in the log, partition by partition.
    pub(crate) fn events(&self) -> Vec<Event> {
        let starts: Vec<_> = (0..PARTITIONS)
            .map(|partition| StartAt {
                topic: ORDER_EVENTS.into(),
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

    /// Names of the events, in order; all of one order.
    pub(crate) fn event_names(&self) -> Vec<String> {
        let events = self.events();
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

pub(crate) fn app(stores: Stores) -> Router {
    http::app(router(stores), Readiness::new([]), Metrics::default())
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
