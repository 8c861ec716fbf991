//! Reports to the command API: again until it has heard them, or too much time has gone by.

use std::time::{Duration, Instant};

use reqwest::StatusCode;
use serde_json::json;

use super::CarrierOptions;
use super::records::{ShipmentEvent, Step};
use crate::error::{Error, Result};

const REQUEST_TIMEOUT: Duration = Duration::from_secs(10);
/// Doubled each time.
const FIRST_RETRY_AFTER: Duration = Duration::from_millis(100);
const MAX_RETRY_AFTER: Duration = Duration::from_secs(5);
/// After that a report is given up, and someone has to make it by hand.
const RETRY_WITHIN: Duration = Duration::from_secs(60);
const TRACKING_DIGITS: usize = 8;

/// Whom to report to, and how soon.
#[derive(Debug, Clone)]
pub(super) struct Reports {
    client: reqwest::Client,
    command_url: String,
    delay: Duration,
}

impl Reports {
    pub(super) fn new(options: &CarrierOptions) -> Result<Self> {
        let client = reqwest::Client::builder().timeout(REQUEST_TIMEOUT).build();
        Ok(Self {
            client: client.map_err(|source| Error::HttpClient { source })?,
            command_url: options.command_url.trim_end_matches('/').to_owned(),
            delay: options.delay,
        })
    }

    /// Reports the step that follows from an event, after the delay.
    pub(super) async fn report(&self, event: &ShipmentEvent) {
        tokio::time::sleep(self.delay).await;
        let shipment = event.shipment_id;
        let begun = Instant::now();
        let mut retry_after = FIRST_RETRY_AFTER;
        loop {
            let reason = match self.send(event).await {
                Ok(status) if status.is_success() => return,
                // Unknown here, or somebody else was faster.
                Ok(status @ (StatusCode::NOT_FOUND | StatusCode::CONFLICT)) => {
                    tracing::debug!(%shipment, step = ?event.step, %status, "nothing to report");
                    return;
                }
                Ok(status) if !status.is_server_error() => {
                    tracing::warn!(%shipment, step = ?event.step, %status, "a report was refused");
                    return;
                }
                Ok(status) => format!("answered {status}"),
                Err(error) => error.to_string(),
            };
            if begun.elapsed() + retry_after > RETRY_WITHIN {
                tracing::warn!(%shipment, step = ?event.step, reason, "gave up on a report");
                return;
            }
            tokio::time::sleep(retry_after).await;
            retry_after = (retry_after * 2).min(MAX_RETRY_AFTER);
        }
    }

    async fn send(&self, event: &ShipmentEvent) -> reqwest::Result<StatusCode> {
        let shipment = event.shipment_id.to_string();
        let url = format!("{}/v1/shipments/{shipment}", self.command_url);
        let request = match event.step {
            Step::Dispatch => {
                let tracking_number = format!("SP-{}", &shipment[..TRACKING_DIGITS]);
                let body =
                    json!({"carrier": "Simulated Parcel", "tracking_number": tracking_number});
                self.client.post(format!("{url}/dispatch")).json(&body)
            }
            Step::Deliver => self.client.post(format!("{url}/deliver")),
        };
        let key = format!("carrier-{}", event.event_id);
        let response = request.header("idempotency-key", key).send().await?;
        Ok(response.status())
    }
}
