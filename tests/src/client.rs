//! A client of both APIs that takes every answer as it is.

use std::{
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use reqwest::{Method, header::HeaderMap};
use serde_json::{Value, json};
use uuid::Uuid;

/// Longer than any answer takes, the slowest 503 included.
const PATIENCE: Duration = Duration::from_secs(30);

/// How long a client that is told to try again does so: longer than a process takes to end, and the next one to be ready.
const PERSISTENCE: Duration = Duration::from_secs(120);
/// How long somebody who follows waits for what comes next; the whole may take as long as it does.
const FOLLOWING: Duration = Duration::from_secs(120);
const FOLLOWING_ALL: Duration = Duration::from_secs(3_600);
/// Sooner than it is told to: tests are in a hurry.
const RETRY_PAUSE: Duration = Duration::from_millis(50);

/// An answer, whatever its status.
#[derive(Debug, Clone)]
pub struct Answer {
    /// HTTP status.
    pub status: u16,
    /// Headers.
    pub headers: HeaderMap,
    /// JSON body, or else its text.
    pub body: Value,
}

impl Answer {
    /// The problem's code, or nothing.
    #[must_use]
    pub fn code(&self) -> &str {
        self.body["code"].as_str().unwrap_or_default()
    }

    /// The id that was answered, or nothing.
    #[must_use]
    pub fn id(&self) -> &str {
        self.body["id"].as_str().unwrap_or_default()
    }

    /// A header's text, or nothing.
    #[must_use]
    pub fn header(&self, name: &str) -> &str {
        let value = self.headers.get(name).and_then(|value| value.to_str().ok());
        value.unwrap_or_default()
    }
}

/// A client of one server.
#[derive(Debug, Clone)]
pub struct Client {
    http: reqwest::Client,
    url: String,
    /// What the shop has to know before it takes an order from this client.
    seen: Arc<Mutex<String>>,
}

impl Client {
    /// A client of the server at this URL.
    #[must_use]
    pub fn new(url: &str) -> Self {
        let http = reqwest::Client::builder().timeout(PATIENCE).build();
        Self {
            http: http.expect("the client is configured"),
            url: url.to_owned(),
            seen: Arc::default(),
        }
    }

    /// Sends a request; an error is a connection that failed or broke.
    ///
    /// # Errors
    /// When there is no whole answer.
    pub async fn send(
        &self,
        method: Method,
        path: &str,
        headers: &[(&str, &str)],
        body: Option<&Value>,
    ) -> reqwest::Result<Answer> {
        let mut request = self.http.request(method, format!("{}{path}", self.url));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        if let Some(body) = body {
            request = request.json(body);
        }
        let response = request.send().await?;
        let status = response.status().as_u16();
        let headers = response.headers().clone();
        let bytes = response.bytes().await?;
        let text = || String::from_utf8_lossy(&bytes).into_owned().into();
        let body = serde_json::from_slice(&bytes).unwrap_or_else(|_| text());
        Ok(Answer {
            status,
            headers,
            body,
        })
    }

    /// Posts with an idempotency key.
    ///
    /// # Errors
    /// When there is no whole answer.
    pub async fn post(&self, path: &str, key: &str, body: &Value) -> reqwest::Result<Answer> {
        let seen = self.seen.lock().expect("no panic").clone();
        let mut headers = vec![("idempotency-key", key)];
        if !seen.is_empty() {
            headers.extend([("x-min-position", &*seen), ("prefer", "wait=30")]);
        }
        self.send(Method::POST, path, &headers, Some(body)).await
    }

    /// From now on, whoever answers this client has to have seen this position.
    pub fn has_seen(&self, position: &str) {
        position.clone_into(&mut self.seen.lock().expect("no panic"));
    }

    /// Posts as clients are told to: again, with the same key, for as long as the answer is 503 or there is none. Says how
    /// often, too.
    ///
    /// # Panics
    /// When that takes too long.
    pub async fn persist(&self, path: &str, key: &str, body: &Value) -> (Answer, usize) {
        let begun = Instant::now();
        for retries in 0.. {
            let last = self.post(path, key, body).await;
            match last {
                Ok(answer) if answer.status != 503 => return (answer, retries),
                last => assert!(begun.elapsed() < PERSISTENCE, "{path}: still {last:?}"),
            }
            tokio::time::sleep(RETRY_PAUSE).await;
        }
        unreachable!("it ends by an answer or by running out of patience")
    }

    /// Puts.
    ///
    /// # Errors
    /// When there is no whole answer.
    pub async fn put(&self, path: &str, body: &Value) -> reqwest::Result<Answer> {
        self.send(Method::PUT, path, &[], Some(body)).await
    }

    /// Reads.
    ///
    /// # Errors
    /// When there is no whole answer.
    pub async fn get(&self, path: &str) -> reqwest::Result<Answer> {
        self.send(Method::GET, path, &[], None).await
    }

    /// Reads as of a position.
    ///
    /// # Errors
    /// When there is no whole answer.
    pub async fn get_at(&self, path: &str, position: &str) -> reqwest::Result<Answer> {
        let headers = [("x-min-position", position), ("prefer", "wait=30")];
        self.send(Method::GET, path, &headers, None).await
    }

    /// Follows an order's server-sent events.
    ///
    /// # Panics
    /// When they do not begin.
    pub async fn follow(&self, path: &str, headers: &[(&str, &str)]) -> Following {
        let mut request = self.http.get(format!("{}{path}", self.url));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let response = request.timeout(FOLLOWING_ALL).send();
        let response = tokio::time::timeout(FOLLOWING, response).await;
        let response = response.expect("it begins in time").expect("an answer");
        assert_eq!(response.status(), 200, "{response:?}");
        Following {
            response,
            text: String::new(),
        }
    }

    /// Places an order that is expected to be accepted, of a shop that is filled, and answers its id.
    pub async fn placed(&self, customer_id: &str) -> String {
        let key = Uuid::now_v7().to_string();
        let answer = self.post("/v1/orders", &key, &order(customer_id)).await;
        let answer = answer.expect("an answer");
        assert_eq!(answer.status, 201, "{answer:?}");
        answer.id().to_owned()
    }
}

/// Server-sent events, as they come.
#[derive(Debug)]
pub struct Following {
    response: reqwest::Response,
    /// What has come of the next ones.
    text: String,
}

impl Following {
    /// The next event's id and data; none at the end.
    ///
    /// # Panics
    /// When the stream breaks, or is none, or nothing comes for too long.
    pub async fn next(&mut self) -> Option<(i64, Value)> {
        let next = tokio::time::timeout(FOLLOWING, self.read()).await;
        next.expect("the next event comes in time")
    }

    async fn read(&mut self) -> Option<(i64, Value)> {
        loop {
            if let Some((block, rest)) = self.text.split_once("\n\n") {
                let event = parsed(block);
                self.text = rest.to_owned();
                match event {
                    Some(event) => return Some(event),
                    // A sign of life.
                    None => continue,
                }
            }
            let chunk = self.response.chunk().await.expect("it does not break")?;
            self.text += std::str::from_utf8(&chunk).expect("UTF-8");
        }
    }
}

fn parsed(block: &str) -> Option<(i64, Value)> {
    let field = |name| block.lines().find_map(|line| line.strip_prefix(name));
    let id = field("id: ")?.parse().expect("a version");
    let data = serde_json::from_str(field("data: ")?).expect("JSON");
    Some((id, data))
}

/// An order that is always accepted where [`crate::shop::fill`] was called before; its total is 24.99 EUR.
#[must_use]
pub fn order(customer_id: &str) -> Value {
    json!({
        "customer_id": customer_id,
        "lines": [
            {"sku": "TEA", "quantity": 1, "unit_price": {"amount": 1_999, "currency": "EUR"}},
            {"sku": "CUP", "quantity": 2, "unit_price": {"amount": 250, "currency": "EUR"}}
        ],
        "shipping_address": {
            "name": "Ada", "line1": "Main Street 1", "postal_code": "1000", "city": "London", "country": "GB"
        }
    })
}

/// A payment that is always accepted where one is due.
#[must_use]
pub fn payment() -> Value {
    json!({"payment_method": "tok_visa"})
}
