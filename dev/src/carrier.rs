//! The simulated carrier: reads of shipments in their topic, and after a while reports to the command API that it has
//! taken them along, and that it has delivered them, as a carrier's own system would.
//!
//! In reading order: this file is the life of the process, `records` reads the topic, `progress` knows how far it may be
//! committed, `reports` talks to the command API.
//!
//! Invariants:
//! - An offset is committed when everything before it has been handled; after a crash events come again, and each report
//!   carries a key made of its event's id, so that nothing is reported twice.
//! - Shipments do not wait for each other.

mod progress;
mod records;
mod reports;

use std::time::Duration;

use tokio::task::JoinSet;

use crate::error::Result;
use progress::Progress;
use records::{Place, Records, ShipmentEvent};
use reports::Reports;

/// The longest delay: a step that takes longer than this is not a demonstration any more.
pub const MAX_DELAY: Duration = Duration::from_secs(60);
/// Events that are being handled at once, their delays included.
const MAX_UNDER_WAY: usize = 4_096;

/// How to run the carrier.
#[derive(Debug, Clone)]
pub struct CarrierOptions {
    /// The command API, `http://host:port`.
    pub command_url: String,
    /// Kafka's bootstrap addresses.
    pub brokers: String,
    /// Further properties of librdkafka.
    pub properties: Vec<(String, String)>,
    /// Put before the topic's name.
    pub namespace: String,
    /// How long it takes for each step.
    pub delay: Duration,
}

/// Carries shipments until `shutdown` ends; what is under way then is done again after the next start.
///
/// One carrier a deployment: a second one reports everything a second time, which changes nothing.
///
/// # Errors
/// When there can be no Kafka or HTTP client, or no reading with it. An absent Kafka or topic is waited for.
pub async fn run(options: CarrierOptions, shutdown: impl Future<Output = ()>) -> Result<()> {
    let reports = Reports::new(&options)?;
    let mut records = Records::read(&options)?;
    let mut progress = Progress::default();
    let mut under_way: JoinSet<Place> = JoinSet::new();
    tracing::info!(delay = ?options.delay, "carrying shipments");
    tokio::pin!(shutdown);
    loop {
        tokio::select! {
            () = &mut shutdown => break,
            Some(handled) = under_way.join_next() => {
                // A task that was aborted or panicked leaves its event unhandled, and so uncommitted.
                let Ok(place) = handled else { continue };
                if let Some(next) = progress.end(place) {
                    records.commit(next);
                }
            }
            record = records.next(), if under_way.len() < MAX_UNDER_WAY => {
                let Some((place, event)) = record else { break };
                progress.begin(place);
                under_way.spawn(handle(reports.clone(), place, event));
            }
        }
    }
    under_way.shutdown().await;
    records.close().await
}

async fn handle(reports: Reports, place: Place, event: Option<ShipmentEvent>) -> Place {
    if let Some(event) = event {
        reports.report(&event).await;
    }
    place
}
