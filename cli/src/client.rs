//! Talking to the two APIs as any client would.

use std::{sync::OnceLock, time::Duration};

use anyhow::{Context, Result, bail};
use reqwest::{RequestBuilder, Response, StatusCode, header::HeaderMap};
use serde_json::Value;

/// Whoever is alive says so at once.
const LIVE_TIMEOUT: Duration = Duration::from_secs(2);

/// One for all requests: each new one would read the system's certificates, which takes longer than any answer here.
fn http() -> &'static reqwest::Client {
    static SHARED: OnceLock<reqwest::Client> = OnceLock::new();
    SHARED.get_or_init(reqwest::Client::new)
}

/// An answer of either API.
pub struct Answer {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub body: Value,
}

impl Answer {
    /// A header's text, or nothing.
    pub fn header(&self, name: &str) -> &str {
        let value = self.headers.get(name).and_then(|value| value.to_str().ok());
        value.unwrap_or_default()
    }

    /// A string member of the body, or nothing.
    pub fn text(&self, member: &str) -> &str {
        self.body[member].as_str().unwrap_or_default()
    }

    async fn read(response: Response) -> Result<Self> {
        let status = response.status();
        let headers = response.headers().clone();
        let text = response.text().await?;
        if !status.is_success() {
            bail!("answered {status}: {text}");
        }
        let body = serde_json::from_str(&text).with_context(|| format!("not JSON: {text}"))?;
        Ok(Self {
            status,
            headers,
            body,
        })
    }
}

/// Whether a server says that it is alive.
pub async fn is_live(url: &str) -> bool {
    let asked = http()
        .get(format!("{url}/health/live"))
        .timeout(LIVE_TIMEOUT)
        .send();
    asked
        .await
        .is_ok_and(|response| response.status().is_success())
}

/// Posts JSON; a key makes it safe to send again.
pub async fn post(url: &str, idempotency_key: &str, body: &Value) -> Result<Answer> {
    let request = http()
        .post(url)
        .header("idempotency-key", idempotency_key)
        .json(body);
    send(request, || format!("POST {url}")).await
}

/// Posts JSON; waits until the service's own replica has come as far as `position`.
pub async fn post_at(url: &str, position: &str, body: &Value) -> Result<Answer> {
    let request = http()
        .post(url)
        .header("x-min-position", position)
        .json(body);
    send(request, || format!("POST {url}")).await
}

/// Puts JSON; waits until the service's own replica has come as far as `position`.
pub async fn put_at(url: &str, position: &str, body: &Value) -> Result<Answer> {
    let request = http()
        .put(url)
        .header("x-min-position", position)
        .json(body);
    send(request, || format!("PUT {url}")).await
}

/// Reads; waits until the read model has come as far as `position`.
pub async fn get_at(url: &str, position: &str) -> Result<Answer> {
    let mut request = http().get(url).header("prefer", "wait=30");
    if !position.is_empty() {
        request = request.header("x-min-position", position);
    }
    send(request, || format!("GET {url}")).await
}

async fn send(request: RequestBuilder, what: impl Fn() -> String) -> Result<Answer> {
    let response = request.send().await.with_context(&what)?;
    Answer::read(response).await.with_context(what)
}
