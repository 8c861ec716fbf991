//! A store that is being opened while HTTP is served already, so that a process started before Kafka waits for it.

use std::{
    convert::Infallible,
    sync::{Arc, OnceLock},
    time::Duration,
};

use domain::Context;
use event_store::{Answer, EventStore, Refusal, Request};
use runtime::{health::Readiness, problem::Problem};

use crate::problems;

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

    /// As [`EventStore::receive`].
    pub(crate) async fn receive(&self, command: &[u8]) -> Result<Vec<u8>, Problem> {
        let store = self.0.get().ok_or_else(Problem::unavailable)?;
        let received = store.receive(command).await;
        received.map_err(|error| problems::unknown_command(&error))
    }

    /// From now on, it is open.
    pub(crate) fn open(&self, store: EventStore<C>) {
        self.0.get_or_init(|| store);
    }

    /// Tells how the partitions stand, for ever.
    pub(crate) async fn watch(&self, readiness: &Readiness) -> Infallible {
        loop {
            if let Some(store) = self.0.get() {
                readiness.set(C::SERVICE, standing(store.standing()));
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

/// Names the partitions whose commands do not find their owner.
fn standing(standing: Result<(), Vec<(i32, &'static str)>>) -> Result<(), String> {
    standing.map_err(|unready| {
        let reasons = unready
            .iter()
            .map(|(partition, reason)| format!("{partition}: {reason}"));
        reasons.collect::<Vec<_>>().join("; ")
    })
}
