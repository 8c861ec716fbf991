//! A transactional producer as an appender.

use std::{
    sync::{
        Arc, Condvar, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use rdkafka::{
    ClientContext,
    error::{KafkaError, RDKafkaErrorCode},
    message::{Header, Message, OwnedHeaders},
    producer::{BaseProducer, BaseRecord, DeliveryResult, Producer, ProducerContext, PurgeConfig},
};
use tracing::debug;

use super::KafkaConfig;
use crate::log::{AppendError, Appender, AppenderId, OutgoingRecord};

/// Any transactional call; below the transaction's own timeout, so that we hear of a failure before the broker aborts.
const CALL_TIMEOUT: Duration = Duration::from_secs(8);
/// How long a transaction may stay open: what a foreign owner's crash delays a takeover by.
const TRANSACTION_TIMEOUT_MS: u64 = 10_000;
/// librdkafka retries EndTxn by itself after 0.8 of this, and then reports success for what may have hit the *next*
/// transaction. Only the duration tells; a healthy commit never takes that long.
const RETRY_BACKOFF_MS: u64 = 500;
const SUSPICIOUS_COMMIT: Duration = Duration::from_millis(RETRY_BACKOFF_MS * 8 / 10);

/// Records of a batch are much alike, their headers above all (docs/adr/0018-compressed-events.md). A given property counts instead.
const COMPRESSION: &str = "compression.type";

/// How long a producer is served at a time. What serves it looks whether it is needed still after each, and is busy for the
/// last millisecond of each, since rdkafka waits for whole ones.
const SERVE_FOR: Duration = Duration::from_secs(1);

/// Appends by transactions of one producer.
pub struct KafkaAppender {
    /// Shared with the thread that serves it. Once this is dropped, that lets go of it within a second; what it may have had under
    /// way until then does not count, since whoever opens an appender of its id fences it.
    producer: Arc<BaseProducer<Deliveries>>,
    deliveries: Deliveries,
    namespace: String,
}

impl KafkaAppender {
    pub(super) fn open(config: &KafkaConfig, id: &AppenderId) -> Result<Self, AppendError> {
        let deliveries = Deliveries::default();
        let mut client = config.client();
        if client.get(COMPRESSION).is_none() {
            client.set(COMPRESSION, "lz4");
        }
        let producer: BaseProducer<Deliveries> = client
            .set("transactional.id", format!("{}{id}", config.namespace))
            .set("transaction.timeout.ms", TRANSACTION_TIMEOUT_MS.to_string())
            .set("socket.timeout.ms", "5000")
            .set("message.timeout.ms", "7000")
            .set("retry.backoff.ms", RETRY_BACKOFF_MS.to_string())
            .set("retry.backoff.max.ms", "1000")
            .set("acks", "all")
            // Batches come from group commit: waiting for more only adds latency.
            .set("linger.ms", "0")
            .create_with_context(deliveries.clone())
            .map_err(|error| failed("configuring the producer", &error))?;
        let producer = Arc::new(producer);
        keep_serving(&producer)?;
        producer
            .init_transactions(CALL_TIMEOUT)
            .map_err(|error| failed("fencing earlier owners", &error))?;
        Ok(Self {
            producer,
            deliveries,
            namespace: config.namespace.clone(),
        })
    }

    fn send(&self, index: usize, record: &OutgoingRecord) -> Result<(), AppendError> {
        let pairs = record.headers.iter();
        let mut headers = OwnedHeaders::new_with_capacity(pairs.len());
        for (key, value) in pairs {
            headers = headers.insert(Header {
                key,
                value: Some(value),
            });
        }
        let topic = format!("{}{}", self.namespace, record.topic);
        let outgoing = BaseRecord::with_opaque_to(&topic, index)
            .partition(record.partition)
            .key(&record.key)
            .payload(&record.payload)
            .headers(headers);
        self.producer
            .send(outgoing)
            .map_err(|(error, _)| failed("sending", &error))
    }

    /// A failed delivery says that its message was purged; why, only the producer knows.
    fn cause_of(&self, error: AppendError) -> AppendError {
        match self.producer.client().fatal_error() {
            Some((code, reason)) if is_fence(code) => {
                debug!(reason, "fenced");
                AppendError::Fenced
            }
            _ => error,
        }
    }

    /// `commit_transaction` flushes first, and a flush with anything in flight sleeps 100 ms: so nothing may be.
    fn wait_until_idle(&self, deadline: Instant) -> Result<(), AppendError> {
        self.deliveries.wait(deadline)?;
        while self.producer.in_flight_count() > 0 {
            if Instant::now() > deadline {
                return Err(indefinite("waiting for delivery", "timed out"));
            }
            std::thread::yield_now();
        }
        Ok(())
    }
}

impl Drop for KafkaAppender {
    fn drop(&mut self) {
        self.producer
            .purge(PurgeConfig::default().queue().inflight());
    }
}

/// Hands out a producer's delivery reports and errors until it is dropped.
///
/// rdkafka's own thread for that does so for 100 ms at a time, and is busy for the last of them: those of an idle process took 4 % of a
/// processor, and each producer up to 100 ms to drop.
fn keep_serving(producer: &Arc<BaseProducer<Deliveries>>) -> Result<(), AppendError> {
    let producer = Arc::downgrade(producer);
    std::thread::Builder::new()
        .name("deliveries".to_owned())
        .spawn(move || {
            while let Some(producer) = producer.upgrade() {
                producer.poll(SERVE_FOR);
            }
        })
        .map(drop)
        .map_err(|error| indefinite("starting to serve the producer", &error.to_string()))
}

impl Appender for KafkaAppender {
    fn append(&mut self, records: &[OutgoingRecord]) -> Result<Vec<i64>, AppendError> {
        let deadline = Instant::now() + CALL_TIMEOUT;
        let disconnects = self.deliveries.disconnects();
        self.producer
            .begin_transaction()
            .map_err(|error| failed("beginning a transaction", &error))?;
        self.deliveries.expect(records.len());
        for (index, record) in partitions_first(records) {
            self.send(index, record)?;
        }
        self.wait_until_idle(deadline)
            .map_err(|error| self.cause_of(error))?;
        let begun = Instant::now();
        self.producer
            .commit_transaction(CALL_TIMEOUT)
            .map_err(|error| failed("committing", &error))?;
        let elapsed = begun.elapsed();
        if elapsed >= SUSPICIOUS_COMMIT {
            return Err(indefinite(
                "committing",
                &format!(
                    "took {} ms, so it may have been retried",
                    elapsed.as_millis()
                ),
            ));
        }
        if self.deliveries.disconnects() != disconnects {
            return Err(indefinite("committing", "a connection was lost meanwhile"));
        }
        Ok(self.deliveries.take_offsets())
    }
}

/// One record of each partition before all others, which keeps the order within each.
///
/// librdkafka asks for all partitions at once that a transaction has come to within its first millisecond, and has every
/// later one wait for another round trip.
fn partitions_first(records: &[OutgoingRecord]) -> impl Iterator<Item = (usize, &OutgoingRecord)> {
    let mut known = Vec::new();
    let (firsts, others): (Vec<_>, Vec<_>) = records.iter().enumerate().partition(|(_, record)| {
        let partition = (record.topic, record.partition);
        let is_new = !known.contains(&partition);
        if is_new {
            known.push(partition);
        }
        is_new
    });
    firsts.into_iter().chain(others)
}

fn indefinite(attempted: &'static str, reason: &str) -> AppendError {
    AppendError::Indefinite {
        attempted,
        reason: reason.to_owned(),
    }
}

fn failed(attempted: &'static str, error: &KafkaError) -> AppendError {
    let code = match error {
        KafkaError::Transaction(error) => Some(error.code()),
        other => other.rdkafka_error_code(),
    };
    match code {
        Some(code) if is_fence(code) => AppendError::Fenced,
        _ => indefinite(attempted, &error.to_string()),
    }
}

fn is_fence(code: RDKafkaErrorCode) -> bool {
    matches!(
        code,
        RDKafkaErrorCode::Fenced
            | RDKafkaErrorCode::ProducerFenced
            | RDKafkaErrorCode::InvalidProducerEpoch
    )
}

/// Delivery reports of the running transaction, filled by the producer's polling thread.
#[derive(Clone, Default)]
struct Deliveries {
    shared: Arc<(Mutex<Reports>, Condvar)>,
    disconnects: Arc<AtomicU64>,
}

#[derive(Default)]
struct Reports {
    offsets: Vec<i64>,
    missing: usize,
    failure: Option<AppendError>,
}

impl Deliveries {
    fn reports(&self) -> MutexGuard<'_, Reports> {
        self.shared.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn disconnects(&self) -> u64 {
        self.disconnects.load(Ordering::Acquire)
    }

    fn expect(&self, records: usize) {
        *self.reports() = Reports {
            offsets: vec![-1; records],
            missing: records,
            failure: None,
        };
    }

    fn wait(&self, deadline: Instant) -> Result<(), AppendError> {
        let mut reports = self.reports();
        while reports.missing > 0 {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Err(indefinite("waiting for delivery", "timed out"));
            }
            let waited = self.shared.1.wait_timeout(reports, left);
            reports = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
        match reports.failure.take() {
            Some(failure) => Err(failure),
            None => Ok(()),
        }
    }

    fn take_offsets(&self) -> Vec<i64> {
        std::mem::take(&mut self.reports().offsets)
    }
}

impl ClientContext for Deliveries {
    fn error(&self, error: KafkaError, reason: &str) {
        debug!(%error, reason, "producer");
        self.disconnects.fetch_add(1, Ordering::AcqRel);
    }
}

impl ProducerContext for Deliveries {
    type DeliveryOpaque = usize;

    fn delivery(&self, result: &DeliveryResult<'_>, index: usize) {
        let mut reports = self.reports();
        match result {
            Ok(message) => {
                if let Some(offset) = reports.offsets.get_mut(index) {
                    *offset = message.offset();
                }
            }
            Err((error, _)) => reports.failure = Some(failed("delivering", error)),
        }
        reports.missing = reports.missing.saturating_sub(1);
        if reports.missing == 0 {
            self.shared.1.notify_one();
        }
    }
}

impl std::fmt::Debug for KafkaAppender {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("KafkaAppender").finish_non_exhaustive()
    }
}
