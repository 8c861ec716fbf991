//! How far behind a policy is: told beside its work, since it matters most where that is held up.

use std::{
    convert::Infallible,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use domain::Context;
use metrics::Gauge;
use tracing::debug;

use super::{blocking, is_elsewhere};
use crate::{
    checkpoint::Checkpoint,
    log::{Log, LogError},
    store::EventStore,
    telemetry,
};

/// Between two looks at where the log ends: each is one question for all partitions of a policy, whose time the log bounds.
const EVERY: Duration = Duration::from_secs(2);

/// How far behind a policy is in one partition.
pub(super) struct Lag {
    gauge: Gauge,
    /// How far it has come in each topic; nothing where it has not begun here.
    done: Mutex<Vec<Checkpoint>>,
}

impl Lag {
    pub(super) fn new(policy: &'static str, partition: i32) -> Self {
        Self {
            gauge: telemetry::policy_lag(policy, partition),
            done: Mutex::default(),
        }
    }

    /// Everything up to here is done.
    pub(super) fn note(&self, done: &[Checkpoint]) {
        *self.lock() = done.to_vec();
    }

    /// What comes next is for another process to do.
    pub(super) fn forget(&self) {
        self.lock().clear();
    }

    fn done(&self) -> Vec<Checkpoint> {
        self.lock().clone()
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Checkpoint>> {
        self.done.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Tells it of each partition, by number, for ever. Where the log does not answer, it keeps its last value.
pub(super) async fn keep_telling<C: Context, L: Log>(
    policy: &'static str,
    log: &L,
    store: &EventStore<C>,
    lags: &[Arc<Lag>],
) -> Infallible {
    loop {
        if let Err(error) = tell(log, store, lags).await {
            debug!(policy, %error, "cannot tell how far behind it is");
        }
        tokio::time::sleep(EVERY).await;
    }
}

/// Counts as `policies list` does, control records included: a policy passes those too. Of a partition that is not worked on here
/// there is nothing to count, so that its lag is zero.
async fn tell<C: Context, L: Log>(
    log: &L,
    store: &EventStore<C>,
    lags: &[Arc<Lag>],
) -> Result<(), LogError> {
    let done: Vec<Vec<Checkpoint>> = std::iter::zip(lags, store.status())
        .map(|(lag, status)| match is_elsewhere(status) {
            true => Vec::new(),
            false => lag.done(),
        })
        .collect();
    let asked = done.concat();
    let ends = blocking(log, move |log| {
        let places: Vec<_> = asked.iter().map(|of| (&*of.topic, of.partition)).collect();
        log.end_offsets(&places)
    });
    let mut ends = ends.await?.into_iter();
    for (lag, done) in std::iter::zip(lags, &done) {
        let behind: i64 = std::iter::zip(done, ends.by_ref())
            .map(|(of, end)| (end - of.next_offset).max(0))
            .sum();
        lag.gauge.set(behind as f64);
    }
    Ok(())
}
