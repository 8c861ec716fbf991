//! Reports of outcomes: signed, twice on purpose, and again until they are taken.

use std::sync::Arc;
use std::time::Duration;

use chrono::Utc;
use reqwest::header::CONTENT_TYPE;
use serde_json::json;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot, watch};
use uuid::Uuid;

use super::WebhookTarget;
use super::request::{Outcome, Record, Work};
use crate::error::{Error, Result};

/// Events that are not delivered yet; one more is dropped.
const MAX_EVENTS: usize = 4_096;
/// Deliveries that are on their way at once.
const MAX_CONNECTIONS: usize = 64;
const DELIVERY_TIMEOUT: Duration = Duration::from_secs(5);
/// When the second delivery of an event begins.
const REPEATED_AFTER: Duration = Duration::from_millis(200);
/// Doubled each time: eight retries take 64 seconds.
const FIRST_RETRY_AFTER: Duration = Duration::from_millis(250);
const MAX_RETRIES: u32 = 8;

/// Where reports go.
#[derive(Debug, Clone)]
pub(super) struct Webhooks {
    client: reqwest::Client,
    target: WebhookTarget,
    events: Arc<Semaphore>,
    connections: Arc<Semaphore>,
    stopping: watch::Receiver<bool>,
}

/// An event as it is sent, the same bytes every time.
struct Event {
    id: String,
    body: Vec<u8>,
    /// Its place among those that are not delivered yet.
    _slot: OwnedSemaphorePermit,
}

impl Webhooks {
    pub(super) fn new(target: WebhookTarget, stopping: watch::Receiver<bool>) -> Result<Self> {
        let client = reqwest::Client::builder().timeout(DELIVERY_TIMEOUT);
        Ok(Self {
            client: client
                .build()
                .map_err(|source| Error::HttpClient { source })?,
            target,
            events: Arc::new(Semaphore::new(MAX_EVENTS)),
            connections: Arc::new(Semaphore::new(MAX_CONNECTIONS)),
            stopping,
        })
    }

    /// Begins to deliver the event of an outcome, if it has one; the receiver hears when it was tried once.
    pub(super) fn report(&self, record: &Record) -> Option<oneshot::Receiver<()>> {
        let kind = event_type(record)?;
        let id = format!("evt_{}", Uuid::now_v7().simple());
        let Ok(slot) = Arc::clone(&self.events).try_acquire_owned() else {
            tracing::warn!(id, kind, "too many events wait for delivery: dropped");
            return None;
        };
        let body = json!({
            "id": id,
            "type": kind,
            "created_at": record.recorded_at,
            "data": record.told(),
        });
        let event = Arc::new(Event {
            id,
            body: body.to_string().into_bytes(),
            _slot: slot,
        });
        let (tried, first_try) = oneshot::channel();
        self.spawn(Arc::clone(&event), Duration::ZERO, Some(tried));
        self.spawn(event, REPEATED_AFTER, None);
        Some(first_try)
    }

    fn spawn(&self, event: Arc<Event>, after: Duration, tried: Option<oneshot::Sender<()>>) {
        let webhooks = self.clone();
        tokio::spawn(async move {
            let mut stopping = webhooks.stopping.clone();
            tokio::select! {
                _ = stopping.wait_for(|stopping| *stopping) => {}
                () = webhooks.deliver(&event, after, tried) => {}
            }
        });
    }

    async fn deliver(
        &self,
        event: &Event,
        after: Duration,
        mut tried: Option<oneshot::Sender<()>>,
    ) {
        tokio::time::sleep(after).await;
        let mut retry_after = FIRST_RETRY_AFTER;
        for retries in 0..=MAX_RETRIES {
            let result = self.send(event).await;
            if let Some(tried) = tried.take() {
                // Whoever waited may have gone.
                let _ = tried.send(());
            }
            match result {
                Ok(()) => return,
                Err(reason) if retries == MAX_RETRIES => {
                    tracing::warn!(id = event.id, retries, reason, "gave up on a webhook");
                }
                Err(reason) => {
                    tracing::debug!(id = event.id, retries, reason, "webhook was not taken");
                    tokio::time::sleep(retry_after).await;
                    retry_after *= 2;
                }
            }
        }
    }

    async fn send(&self, event: &Event) -> std::result::Result<(), String> {
        let connection = self.connections.acquire().await;
        let _connection = connection.map_err(|error| error.to_string())?;
        // Each try has a time of its own: a late one would look like an old one sent again.
        let secret = &self.target.secret;
        let headers = secret.headers(&event.id, Utc::now(), &event.body);
        let mut request = self
            .client
            .post(&self.target.url)
            .header(CONTENT_TYPE, "application/json");
        for (name, value) in headers {
            request = request.header(name, value);
        }
        let request = request.body(event.body.clone());
        let response = request.send().await.map_err(|error| error.to_string())?;
        match response.status() {
            status if status.is_success() => Ok(()),
            status => Err(format!("answered {status}")),
        }
    }
}

/// There is none for a refused void or refund: whoever has lost that answer has to ask for the request.
fn event_type(record: &Record) -> Option<&'static str> {
    match (&record.outcome, &record.request.work) {
        (Outcome::Authorised { .. }, _) => Some("authorisation.authorised"),
        (Outcome::Declined(_), _) => Some("authorisation.declined"),
        (Outcome::Captured { .. }, _) => Some("capture.captured"),
        (Outcome::Refused(_), Work::Capture { .. }) => Some("capture.refused"),
        (Outcome::Voided { .. }, _) => Some("void.voided"),
        (Outcome::Refunded { .. }, _) => Some("refund.refunded"),
        (Outcome::Refused(_), _) => None,
    }
}
