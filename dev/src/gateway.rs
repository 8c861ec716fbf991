//! The simulated payment gateway: a server of its own that authorises, captures, voids and refunds, and reports by
//! signed webhooks, as a gateway on the internet would.
//!
//! It is made to be hard to live with, since real ones are: webhooks come twice and before the answer, answers get lost,
//! and what is asked for again is only told again. What it does is up to the payment method's [`token`].
//!
//! In reading order: `request` is the language, `token` the payment methods, `books` the rules (pure), `journal` what
//! survives a restart, `webhooks` the reports, `desk` what happens between a request and its answer, `routes` the HTTP.
//!
//! Invariants:
//! - An idempotency key has one outcome for ever, and money moves once for it.
//! - An outcome is in the journal before anyone is told of it.

mod books;
mod desk;
mod journal;
mod request;
mod routes;
mod token;
mod webhooks;

use std::path::PathBuf;
use std::time::Duration;

use runtime::health::Readiness;
use runtime::http;
use runtime::signature::Secret;
use runtime::telemetry::Metrics;
use tokio::net::TcpListener;
use tokio::sync::watch;

use crate::error::Result;
use desk::Desk;

/// Longer than any client should wait for a gateway.
const HOLD: Duration = Duration::from_secs(30);

/// How to run the gateway.
#[derive(Debug, Clone)]
pub struct GatewayOptions {
    /// Who hears of outcomes; nobody where `None`.
    pub webhook: Option<WebhookTarget>,
    /// A file that the outcomes are kept in; in memory only where `None`.
    pub books: Option<PathBuf>,
    /// How long a request that gets no answer is held before its connection is closed.
    pub hold: Duration,
    /// What `/metrics` shows.
    pub metrics: Metrics,
}

impl Default for GatewayOptions {
    fn default() -> Self {
        Self {
            webhook: None,
            books: None,
            hold: HOLD,
            metrics: Metrics::default(),
        }
    }
}

/// Who hears of outcomes.
#[derive(Debug, Clone)]
pub struct WebhookTarget {
    /// Where events are posted to.
    pub url: String,
    /// What they are signed with.
    pub secret: Secret,
}

/// Serves until `shutdown` ends; deliveries that are under way then are given up.
///
/// # Errors
/// When the books cannot be read, or are not the gateway's.
pub async fn serve(
    options: GatewayOptions,
    listener: TcpListener,
    shutdown: impl Future<Output = ()>,
) -> Result<()> {
    let (stop, stopping) = watch::channel(false);
    let desk = Desk::open(&options, stopping)?;
    let router = http::app(
        routes::router(desk),
        Readiness::new([]),
        options.metrics.clone(),
    );
    let stopped = async {
        shutdown.await;
        // Requests that are held would keep the server from ending.
        stop.send_replace(true);
    };
    http::serve(listener, router, stopped).await;
    Ok(())
}
