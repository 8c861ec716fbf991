//! Talking to the two APIs as any client would.

use std::{collections::BTreeSet, sync::OnceLock, time::Duration};

use anyhow::{Context, Result, anyhow, bail};
use reqwest::{RequestBuilder, Response, StatusCode, header::HeaderMap};
use serde_json::Value;
use tokio::time::timeout;

/// Whoever is alive says so at once.
const LIVE_TIMEOUT: Duration = Duration::from_secs(2);
/// Whoever is alive answers anything long before: the command API, which takes longest, gives a command up after eight seconds.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(30);

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
    let asked = ask(format!("{url}/health/live")).await;
    asked.is_ok_and(|response| response.status().is_success())
}

async fn ask(url: String) -> reqwest::Result<Response> {
    http().get(url).timeout(LIVE_TIMEOUT).send().await
}

/// How a server stands, as it says itself.
#[derive(Debug, PartialEq, Eq)]
pub enum Standing {
    /// It does not say that it is alive.
    Away,
    /// It is ready: these checks hold, and they are all that it makes.
    Ready(BTreeSet<String>),
    /// Why it is not ready.
    Unready(String),
    /// It says what no server of ours does.
    Foreign,
}

/// How the server stands that answers there.
pub async fn standing(url: &str) -> Standing {
    if !is_live(url).await {
        return Standing::Away;
    }
    let Ok(response) = ask(format!("{url}/health/ready")).await else {
        let seconds = LIVE_TIMEOUT.as_secs();
        return Standing::Unready(format!("/health/ready: no answer within {seconds} s"));
    };
    let is_ready = response.status().is_success();
    let said: Value = response.json().await.unwrap_or_default();
    let checks = said["checks"].as_object().filter(|_| is_ready);
    match (checks, failing_checks(&said)) {
        (Some(checks), _) => Standing::Ready(checks.keys().cloned().collect()),
        (None, Some(failing)) => Standing::Unready(failing),
        (None, None) => Standing::Foreign,
    }
}

/// What the problem `not-ready` says of each check; none where it is another one.
fn failing_checks(problem: &Value) -> Option<String> {
    let errors = problem["errors"].as_array()?;
    let failing = errors.iter().map(|error| {
        let check = error["pointer"].as_str()?.strip_prefix("/checks/")?;
        Some(format!("{check}: {}", error["detail"].as_str()?))
    });
    let failing: Vec<_> = failing.collect::<Option<_>>()?;
    (!failing.is_empty()).then(|| failing.join("; "))
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

/// Reads what is there now.
pub async fn get(url: &str) -> Result<Answer> {
    send(http().get(url), || format!("GET {url}")).await
}

async fn send(request: RequestBuilder, what: impl FnOnce() -> String) -> Result<Answer> {
    send_within(ANSWER_TIMEOUT, request, what).await
}

async fn send_within(
    within: Duration,
    request: RequestBuilder,
    what: impl FnOnce() -> String,
) -> Result<Answer> {
    let answering = async { Answer::read(request.send().await?).await };
    let answered = match timeout(within, answering).await {
        Ok(answered) => answered,
        Err(_) => Err(anyhow!("no answer within {within:?}")),
    };
    answered.with_context(what)
}

/// Servers to ask.
#[cfg(test)]
pub(crate) mod testing {
    use axum::Router;
    use runtime::{health::Readiness, http, telemetry::Metrics};
    use tokio::net::TcpListener;

    /// One that is alive and as ready as that; answers its address.
    pub(crate) async fn server(readiness: Readiness) -> String {
        serve(http::app(Router::new(), readiness, Metrics::default())).await
    }

    /// One that is none of ours, and has a page for whatever it is asked.
    pub(crate) async fn stranger() -> String {
        serve(Router::new().fallback(async || "welcome")).await
    }

    async fn serve(router: Router) -> String {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("it is bound").to_string();
        tokio::spawn(http::serve(listener, router, std::future::pending()));
        address
    }
}

#[cfg(test)]
mod tests {
    use runtime::health::Readiness;
    use serde_json::json;
    use tokio::net::TcpListener;

    use super::*;

    #[tokio::test]
    async fn a_server_says_which_checks_fail_and_why_or_which_hold() {
        let readiness = Readiness::new(["kafka", "order"]);
        let url = format!("http://{}", testing::server(readiness.clone()).await);
        readiness.set("kafka", Ok(()));
        readiness.set("order", Err("partition 3 has no owner".to_owned()));
        let why = "order: partition 3 has no owner".to_owned();
        assert_eq!(standing(&url).await, Standing::Unready(why));
        readiness.set("order", Ok(()));
        let checks = ["kafka", "order"].map(str::to_owned);
        assert_eq!(standing(&url).await, Standing::Ready(checks.into()));
    }

    #[tokio::test]
    async fn a_server_of_others_does_not_say_how_it_stands() {
        let url = format!("http://{}", testing::stranger().await);
        assert_eq!(standing(&url).await, Standing::Foreign);
    }

    #[tokio::test]
    async fn a_server_that_takes_connections_and_says_nothing_is_away() {
        let silent = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let url = format!("http://{}", silent.local_addr().expect("it is bound"));
        assert_eq!(standing(&url).await, Standing::Away);
    }

    #[tokio::test]
    async fn a_request_that_nobody_answers_ends_and_is_named() {
        let silent = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let url = format!("http://{}", silent.local_addr().expect("it is bound"));
        let within = Duration::from_millis(100);
        let asked = send_within(within, http().get(&url), || format!("GET {url}")).await;
        let told = format!("{:#}", asked.err().expect("nobody answers"));
        assert_eq!(told, format!("GET {url}: no answer within 100ms"));
    }

    #[test]
    fn another_problem_names_no_checks() {
        for problem in [json!(null), json!({"errors": []}), json!({"errors": [{}]})] {
            assert_eq!(failing_checks(&problem), None, "{problem}");
        }
    }
}
