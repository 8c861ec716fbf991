//! The simulated gateway as its clients meet it: over HTTP, with webhooks that come back.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::routing::post;
use chrono::Utc;
use dev::dirs::Scratch;
use dev::gateway::{self, GatewayOptions, WebhookTarget};
use runtime::signature::Secret;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;

const PATIENCE: Duration = Duration::from_secs(20);
const SECRET: &str = "a secret of the gateway's tests";

type Failure = Box<dyn std::error::Error>;
type Outcome = Result<(), Failure>;

/// A gateway on a free port.
struct Gateway {
    url: String,
    client: reqwest::Client,
    stop: oneshot::Sender<()>,
    served: JoinHandle<dev::Result<()>>,
}

impl Gateway {
    async fn start(options: GatewayOptions) -> Result<Self, Failure> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let url = format!("http://{}", listener.local_addr()?);
        let (stop, stopped) = oneshot::channel::<()>();
        let shutdown = async {
            let _ = stopped.await;
        };
        Ok(Self {
            url,
            client: reqwest::Client::builder().timeout(PATIENCE).build()?,
            stop,
            served: tokio::spawn(gateway::serve(options, listener, shutdown)),
        })
    }

    async fn post(&self, path: &str, body: &Value) -> reqwest::Result<(u16, Value)> {
        let key = body["request_id"].as_str().unwrap_or_default();
        self.post_with_key(path, key, body).await
    }

    async fn post_with_key(
        &self,
        path: &str,
        key: &str,
        body: &Value,
    ) -> reqwest::Result<(u16, Value)> {
        let request = self.client.post(format!("{}{path}", self.url));
        let request = request.header("idempotency-key", key).json(body);
        let response = request.send().await?;
        Ok((response.status().as_u16(), response.json().await?))
    }

    async fn get(&self, path: &str) -> reqwest::Result<(u16, Value)> {
        let response = self.client.get(format!("{}{path}", self.url)).send();
        let response = response.await?;
        Ok((response.status().as_u16(), response.json().await?))
    }

    async fn stop(self) -> Outcome {
        let _ = self.stop.send(());
        self.served.await??;
        Ok(())
    }
}

fn authorise(token: &str) -> Value {
    json!({
        "request_id": "a-1", "payment_id": "p-1", "order_id": "o-1",
        "amount": {"amount": 1_999, "currency": "EUR"}, "payment_method": token,
    })
}

fn capture(request_id: &str, reference: &Value) -> Value {
    json!({
        "request_id": request_id, "payment_id": "p-1", "order_id": "o-1",
        "amount": {"amount": 1_999, "currency": "EUR"}, "reference": reference,
    })
}

#[tokio::test]
async fn a_key_has_one_outcome_also_after_a_restart() -> Outcome {
    let scratch = Scratch::new()?;
    let options = GatewayOptions {
        books: Some(scratch.path().join("books.jsonl")),
        ..GatewayOptions::default()
    };
    let gateway = Gateway::start(options.clone()).await?;
    let (status, authorised) = gateway
        .post("/v1/authorisations", &authorise("tok_visa"))
        .await?;
    assert_eq!((status, &authorised["status"]), (200, &json!("authorised")));
    let captured = gateway
        .post("/v1/captures", &capture("c-1", &authorised["reference"]))
        .await?;
    assert_eq!(captured.1["status"], "captured");
    gateway.stop().await?;

    let gateway = Gateway::start(options).await?;
    let again = gateway
        .post("/v1/authorisations", &authorise("tok_visa"))
        .await?;
    assert_eq!(again, (200, authorised.clone()));
    let second = gateway
        .post("/v1/captures", &capture("c-2", &authorised["reference"]))
        .await?;
    assert_eq!(second.1["code"], "already-captured");
    let (status, problem) = gateway
        .post("/v1/authorisations", &authorise("tok_slow"))
        .await?;
    assert_eq!(
        (status, &problem["code"]),
        (422, &json!("idempotency-key-reused"))
    );
    let (_, books) = gateway.get("/books").await?;
    let payment = &books["payments"][0];
    assert_eq!(
        (&payment["captured"], &payment["requests"]),
        (&json!(1_999), &json!(2))
    );
    gateway.stop().await
}

#[tokio::test]
async fn a_request_without_its_key_is_refused() -> Outcome {
    let gateway = Gateway::start(GatewayOptions::default()).await?;
    let body = authorise("tok_visa");
    let (status, problem) = gateway
        .post_with_key("/v1/authorisations", "another", &body)
        .await?;
    assert_eq!(
        (status, &problem["code"]),
        (400, &json!("invalid-idempotency-key"))
    );
    assert_eq!(gateway.get("/v1/requests/a-1").await?.0, 404);
    gateway.stop().await
}

#[tokio::test]
async fn flaky_fails_twice_and_then_works() -> Outcome {
    let gateway = Gateway::start(GatewayOptions::default()).await?;
    let mut statuses = Vec::new();
    for _ in 0..4 {
        let (status, _) = gateway
            .post("/v1/authorisations", &authorise("tok_flaky"))
            .await?;
        statuses.push(status);
    }
    assert_eq!(statuses, [500, 500, 200, 200]);
    let (_, books) = gateway.get("/books").await?;
    let payment = &books["payments"][0];
    assert_eq!(
        (&payment["requests"], &payment["answers"]),
        (&json!(1), &json!(2))
    );
    gateway.stop().await
}

#[tokio::test]
async fn what_is_never_answered_is_recorded() -> Outcome {
    let options = GatewayOptions {
        hold: Duration::from_millis(50),
        ..GatewayOptions::default()
    };
    let gateway = Gateway::start(options).await?;
    let unanswered = gateway
        .post("/v1/authorisations", &authorise("tok_timeout"))
        .await;
    let error = unanswered.expect_err("the connection is closed instead");
    assert!(error.is_request() && !error.is_timeout(), "{error:?}");
    let (status, found) = gateway.get("/v1/requests/a-1").await?;
    assert_eq!(status, 200);
    assert_eq!(
        (&found["operation"], &found["status"]),
        (&json!("authorise"), &json!("authorised"))
    );
    gateway.stop().await
}

#[tokio::test]
async fn a_held_request_does_not_keep_the_gateway_from_ending() -> Outcome {
    let gateway = Gateway::start(GatewayOptions::default()).await?;
    let (url, client) = (gateway.url.clone(), gateway.client.clone());
    let held = tokio::spawn(async move {
        let request = client.post(format!("{url}/v1/authorisations"));
        let request = request.header("idempotency-key", "a-1");
        request.json(&authorise("tok_timeout")).send().await
    });
    let deadline = Instant::now() + PATIENCE;
    while gateway.get("/v1/requests/a-1").await?.0 == 404 {
        assert!(Instant::now() < deadline, "it is never recorded");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    tokio::time::timeout(Duration::from_secs(5), gateway.stop()).await??;
    assert!(held.await?.is_err());
    Ok(())
}

/// What a receiver has been sent; the first delivery is refused, to be sent again.
struct Deliveries {
    refused: Mutex<bool>,
    taken: mpsc::UnboundedSender<(String, Value)>,
}

async fn deliver(
    State(deliveries): State<Arc<Deliveries>>,
    headers: HeaderMap,
    body: Bytes,
) -> StatusCode {
    let secret: Secret = SECRET.parse().expect("a secret");
    let Ok(id) = secret.verify(&headers, &body, Utc::now()) else {
        return StatusCode::UNAUTHORIZED;
    };
    let mut refused = deliveries.refused.lock().expect("no test panics in here");
    if !std::mem::replace(&mut *refused, true) {
        return StatusCode::SERVICE_UNAVAILABLE;
    }
    let event = serde_json::from_slice(&body).expect("an event is JSON");
    let _ = deliveries.taken.send((id.as_str().to_owned(), event));
    StatusCode::OK
}

#[tokio::test]
async fn outcomes_are_reported_signed_and_twice() -> Outcome {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let url = format!("http://{}/v1/payments/webhook", listener.local_addr()?);
    let (taken, mut events) = mpsc::unbounded_channel();
    let deliveries = Arc::new(Deliveries {
        refused: Mutex::new(false),
        taken,
    });
    let router = axum::Router::new().route("/v1/payments/webhook", post(deliver));
    let receiver = axum::serve(listener, router.with_state(deliveries));
    let receiver = tokio::spawn(receiver.into_future());
    let gateway = Gateway::start(GatewayOptions {
        webhook: Some(WebhookTarget {
            url,
            secret: SECRET.parse()?,
        }),
        ..GatewayOptions::default()
    })
    .await?;

    let (_, answer) = gateway
        .post("/v1/authorisations", &authorise("tok_visa"))
        .await?;
    let mut received = Vec::new();
    for _ in 0..2 {
        let event = tokio::time::timeout(PATIENCE, events.recv()).await?;
        received.push(event.ok_or("the receiver has ended")?);
    }
    assert_eq!(received[0], received[1]);
    let (id, event) = &received[0];
    assert!(id.starts_with("evt_"), "{id}");
    assert_eq!(event["id"], json!(id));
    assert_eq!(event["type"], "authorisation.authorised");
    assert_eq!(event["data"], answer);
    gateway.stop().await?;
    receiver.abort();
    Ok(())
}
