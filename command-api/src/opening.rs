//! A store that is being opened while HTTP is served already, so that a process started before Kafka waits for it.

use std::{
    convert::Infallible,
    sync::{Arc, OnceLock},
    time::Duration,
};

use domain::Context;
use event_store::{
    Answer, EventStore, LogError, PartitionStatus, Refusal, Request, StoreConfig,
    kafka::{Durability, KafkaConfig, KafkaLog, TopicSpec},
    log::Log,
};
use runtime::health::Readiness;

/// Readiness: whether brokers answer.
pub(crate) const KAFKA_CHECK: &str = "kafka";

/// Between two tries to open a store, and between two questions to Kafka.
const PAUSE: Duration = Duration::from_secs(1);
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
                retry_after: PAUSE,
                reason: "the service is starting",
            }),
        }
    }

    /// Opens the store, trying again while Kafka is away, and then tells how it stands, for ever.
    ///
    /// Ends only with an error that trying again cannot help, such as topics that are not as they have to be.
    pub(crate) async fn keep_open(&self, opening: Opening, readiness: &Readiness) -> LogError {
        let log = loop {
            match opening.open().await {
                Ok((log, store)) => {
                    self.0.get_or_init(|| store);
                    break log;
                }
                Err(error @ LogError::Unavailable { .. }) => {
                    readiness.set(KAFKA_CHECK, Err(error.to_string()));
                    tokio::time::sleep(PAUSE).await;
                }
                Err(error) => return error,
            }
        };
        let (never, _) = tokio::join!(
            watch_kafka::<C>(&log, readiness),
            self.watch_writers(readiness)
        );
        match never {}
    }

    /// Tells how the partitions stand.
    async fn watch_writers(&self, readiness: &Readiness) -> Infallible {
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

/// What it takes to open a store.
pub(crate) struct Opening {
    pub(crate) kafka: KafkaConfig,
    pub(crate) partitions: i32,
    pub(crate) durability: Durability,
    pub(crate) store: StoreConfig,
}

impl Opening {
    async fn open<C: Context>(&self) -> Result<(KafkaLog, EventStore<C>), LogError> {
        let log = KafkaLog::connect(&self.kafka)?;
        let events = C::TOPICS
            .iter()
            .map(|topic| TopicSpec::events(topic, self.partitions, self.durability));
        let ownership = TopicSpec::ownership(self.partitions, self.durability);
        let specs: Vec<_> = events.chain([ownership]).collect();
        log.ensure_topics(&specs).await?;
        let config = self.store.clone();
        blocking(move || Ok((log.clone(), EventStore::start(&log, &config)?))).await
    }
}

/// Asks a broker now and then; a writer without commands would not notice that there is none.
async fn watch_kafka<C: Context>(log: &KafkaLog, readiness: &Readiness) -> Infallible {
    loop {
        let log = log.clone();
        let ask = move || {
            let mut topics = C::TOPICS.iter();
            topics.try_for_each(|topic| log.partitions(topic).map(drop))
        };
        let asked = blocking(ask).await;
        readiness.set(KAFKA_CHECK, asked.map_err(|error| error.to_string()));
        tokio::time::sleep(PAUSE).await;
    }
}

async fn blocking<T: Send + 'static>(call: impl FnOnce() -> T + Send + 'static) -> T {
    let called = tokio::task::spawn_blocking(call).await;
    called.expect("calls of the log do not panic")
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
