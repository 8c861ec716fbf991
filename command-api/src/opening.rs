//! A store that is being opened while HTTP is served already, so that a process started before Kafka waits for it.

use std::{
    convert::Infallible,
    sync::{Arc, OnceLock},
    time::Duration,
};

use domain::Context;
use event_store::{Answer, EventStore, PartitionStatus, Refusal, Request};
use runtime::health::Readiness;

/// What clients are told to wait while the store is being opened.
const RETRY_AFTER: Duration = Duration::from_secs(1);
/// Between two looks at how the writers stand, which cost nothing.
const GLANCE: Duration = Duration::from_millis(100);

/// The event store of a service, once it is open. Cheap to clone.
pub struct OpeningStore<C: Context>(Arc<OnceLock<EventStore<C>>>);

impl<C: Context> Clone for OpeningStore<C> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<C: Context> Default for OpeningStore<C> {
    fn default() -> Self {
        Self(Arc::default())
    }
}

impl<C: Context> From<EventStore<C>> for OpeningStore<C> {
    fn from(store: EventStore<C>) -> Self {
        Self(Arc::new(OnceLock::from(store)))
    }
}

impl<C: Context> OpeningStore<C> {
    /// As [`EventStore::execute`]; `Unavailable` until the store is open.
    pub(crate) async fn execute(&self, request: Request<C>) -> Answer<C> {
        match self.0.get() {
            Some(store) => store.execute(request).await,
            None => Err(Refusal::Unavailable {
                retry_after: RETRY_AFTER,
                reason: "the service is starting",
            }),
        }
    }

    /// From now on, it is open.
    pub(crate) fn open(&self, store: EventStore<C>) {
        self.0.get_or_init(|| store);
    }

    /// Tells how the partitions stand, for ever.
    pub(crate) async fn watch(&self, readiness: &Readiness) -> Infallible {
        loop {
            if let Some(store) = self.0.get() {
                readiness.set(C::SERVICE, standing(&store.status()));
            }
            tokio::time::sleep(GLANCE).await;
        }
    }

    /// Has the writers finish what is queued and let go of their partitions.
    pub(crate) async fn close(&self, within: Duration) {
        if let Some(store) = self.0.get()
            && !store.stop(within).await
        {
            tracing::warn!(
                service = C::SERVICE,
                "gave up on writers that did not end in time"
            );
        }
    }
}

/// Ready when every partition is.
fn standing(partitions: &[PartitionStatus]) -> Result<(), String> {
    let unready = (0..)
        .zip(partitions)
        .filter(|(_, status)| **status != PartitionStatus::Ready);
    let reasons: Vec<_> = unready
        .map(|(partition, status): (usize, _)| format!("{partition}: {}", status.reason()))
        .collect();
    if reasons.is_empty() {
        return Ok(());
    }
    Err(reasons.join("; "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stands_when_every_partition_does() {
        use PartitionStatus::{Ready, Superseded};
        assert_eq!(standing(&[Ready, Ready]), Ok(()));
        assert_eq!(
            standing(&[Ready, Superseded]),
            Err("1: another process owns the partition".to_owned())
        );
    }
}
