//! Commands between processes that run the same service: handed on to whoever owns the partition, over HTTP.
//!
//! The route is for peers only: a request is signed with a secret that all processes of a deployment share. A command that was
//! intercepted and sent again changes nothing, since it has its id.

use std::time::Duration;

use async_trait::async_trait;
use axum::{
    extract::State,
    http::{HeaderMap, header},
    response::{IntoResponse, Response},
};
use chrono::Utc;
use domain::Context;
use event_store::{Transport, TransportError};
use reqwest::Client;
use runtime::{
    extract::{ApiBytes, ApiPath},
    problem::Problem,
    signature::Secret,
};
use tokio::time::Instant;
use uuid::Uuid;

use crate::{OpeningStore, Services, problems};

/// Where peers hand commands in; the service's name comes after it.
pub(crate) const PATH: &str = "/internal/commands/{service}";
/// A peer that does not take a connection within this is gone.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(1);
/// What an owner needs to say that it could not decide in time, after the client's deadline.
const GRACE: Duration = Duration::from_millis(500);
/// Far more than any answer has.
const MAX_ANSWER_BYTES: usize = 64 << 10;

/// The way to other processes.
pub(crate) struct HttpPeers {
    client: Client,
    secret: Secret,
}

impl HttpPeers {
    /// # Errors
    /// When the TLS library cannot be set up.
    pub(crate) fn new(secret: Secret) -> reqwest::Result<Self> {
        let client = Client::builder().connect_timeout(CONNECT_TIMEOUT).build()?;
        Ok(Self { client, secret })
    }
}

#[async_trait]
impl Transport for HttpPeers {
    async fn send(
        &self,
        address: &str,
        service: &'static str,
        command: Vec<u8>,
        deadline: Instant,
    ) -> Result<Vec<u8>, TransportError> {
        let left = deadline.saturating_duration_since(Instant::now());
        let signed = self
            .secret
            .headers(&Uuid::now_v7().to_string(), Utc::now(), &command);
        let path = PATH.replace("{service}", service);
        let request = self
            .client
            .post(format!("http://{address}{path}"))
            .timeout(left + GRACE)
            .header(header::CONTENT_TYPE, "application/json")
            .body(command);
        let request = signed.into_iter().fold(request, |request, (name, value)| {
            request.header(name, value)
        });
        let response = match request.send().await {
            Ok(response) => response,
            Err(error) if error.is_connect() => {
                return Err(TransportError::NotTaken(error.to_string()));
            }
            Err(error) => return Err(TransportError::NoAnswer(error.to_string())),
        };
        let status = response.status();
        if status.is_client_error() {
            return Err(TransportError::NotTaken(format!("status {status}")));
        }
        if !status.is_success() {
            return Err(TransportError::NoAnswer(format!("status {status}")));
        }
        match response.bytes().await {
            Ok(answer) if answer.len() <= MAX_ANSWER_BYTES => Ok(answer.to_vec()),
            Ok(answer) => Err(TransportError::NoAnswer(format!("{} bytes", answer.len()))),
            Err(error) => Err(TransportError::NoAnswer(error.to_string())),
        }
    }
}

/// Takes a command that another process cannot decide.
pub(crate) async fn receive_command(
    State(services): State<Services>,
    ApiPath(service): ApiPath<String>,
    headers: HeaderMap,
    ApiBytes(command): ApiBytes,
) -> Result<Response, Problem> {
    services
        .peer_secret
        .verify(&headers, &command, Utc::now())
        .map_err(|error| problems::not_a_peer(&error))?;
    let receptions = [
        received(services.products.as_ref(), &service, &command).await,
        received(services.carts.as_ref(), &service, &command).await,
        received(services.orders.as_ref(), &service, &command).await,
        received(services.payments.as_ref(), &service, &command).await,
        received(services.shipments.as_ref(), &service, &command).await,
        received(services.notifications.as_ref(), &service, &command).await,
    ];
    let answer = receptions.into_iter().flatten().next();
    let answer = answer.unwrap_or_else(|| Err(problems::route_not_served()))?;
    Ok(([(header::CONTENT_TYPE, "application/json")], answer).into_response())
}

/// What the service answers, where it is the one that is meant and is run here.
async fn received<C: Context>(
    store: Option<&OpeningStore<C>>,
    service: &str,
    command: &[u8],
) -> Option<Result<Vec<u8>, Problem>> {
    let store = store.filter(|_| service == C::SERVICE)?;
    Some(store.receive(command).await)
}
