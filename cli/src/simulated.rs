//! What stands in for the world outside, each as a process of its own: `offset-zero gateway`, `offset-zero carrier`.

use anyhow::{Context, Result};
use dev::{
    carrier::{self, CarrierOptions},
    gateway::{self, GatewayOptions, WebhookTarget},
};
use runtime::{shutdown, telemetry::Metrics};
use tokio::net::TcpListener;

use crate::args::{CarrierArgs, GatewayArgs, Target};

/// Serves payments until it is told to stop.
pub async fn gateway(args: &GatewayArgs, metrics: Metrics) -> Result<()> {
    let stop = shutdown::signal()?;
    let listener = TcpListener::bind(args.listen)
        .await
        .with_context(|| format!("listening on {}", args.listen))?;
    tracing::info!(address = %listener.local_addr()?, "listening");
    let webhook = args.webhook.clone().zip(args.webhook_secret.clone());
    let options = GatewayOptions {
        webhook: webhook.map(|(url, secret)| WebhookTarget { url, secret }),
        books: args.books.clone(),
        metrics,
        ..GatewayOptions::default()
    };
    Ok(gateway::serve(options, listener, stop).await?)
}

/// Carries shipments until it is told to stop.
pub async fn carrier(args: &CarrierArgs, target: &Target) -> Result<()> {
    let stop = shutdown::signal()?;
    let kafka = target.kafka.config();
    let options = CarrierOptions {
        command_url: args.command_url.clone(),
        brokers: kafka.brokers,
        properties: kafka.properties,
        namespace: kafka.namespace,
        delay: args.delay,
    };
    Ok(carrier::run(options, stop).await?)
}
