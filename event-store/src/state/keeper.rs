//! Writes batches behind the writer's back, one at a time.

use std::{
    sync::{
        Arc, OnceLock,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    thread::JoinHandle,
    time::{Duration, Instant},
};

use crossbeam_channel::{SendTimeoutError, Sender};
use metrics::Histogram;
use tracing::warn;

use super::{Batch, StateError, StateStore};

/// Between two looks at whether the store has caught up with what it was given.
const PAUSE: Duration = Duration::from_millis(2);
/// A disk that takes longer than this for what it has been given counts as broken.
const PATIENCE: Duration = Duration::from_secs(10);

/// A thread that commits batches. When this is dropped, what was handed over is committed first.
pub(crate) struct Keeper {
    /// None only while it is dropped.
    batches: Option<Sender<Batch>>,
    thread: Option<JoinHandle<()>>,
    /// How many batches were handed over.
    handed: u64,
    /// The store's, for whoever uses it next.
    spent: Arc<AtomicBool>,
    shared: Arc<Shared>,
}

#[derive(Default)]
struct Shared {
    /// How many batches are committed.
    committed: AtomicU64,
    /// Whether somebody waits for the last of them, and not for the store to catch up.
    closing: AtomicBool,
    failure: OnceLock<StateError>,
}

impl Keeper {
    pub(crate) fn start(store: &StateStore, seconds: Histogram) -> Result<Self, StateError> {
        let (batches, waiting) = crossbeam_channel::bounded::<Batch>(1);
        let shared = Arc::<Shared>::default();
        let told = Arc::clone(&shared);
        let spent = Arc::clone(&store.spent);
        let thread = std::thread::Builder::new()
            .name("state-keeper".to_owned())
            .spawn(move || {
                for batch in waiting {
                    let closing = || told.closing.load(Ordering::Acquire);
                    wait_while(|| batch.store().is_behind() && !closing());
                    let begun = Instant::now();
                    if let Err(error) = batch.commit() {
                        // Said here, since the writer hears of it only when it can hold no more.
                        warn!(%error, "states are written no more; what changes is held in memory until the store is opened anew");
                        // What comes after would leave a hole.
                        spent.store(true, Ordering::Release);
                        let _first = told.failure.set(error);
                        return;
                    }
                    seconds.record(begun.elapsed());
                    told.committed.fetch_add(1, Ordering::Release);
                }
            });
        let thread = thread.map_err(|error| StateError::Failed {
            attempted: "starting the thread of the state store",
            reason: error.to_string(),
        })?;
        Ok(Self {
            batches: Some(batches),
            thread: Some(thread),
            handed: 0,
            spent: Arc::clone(&store.spent),
            shared,
        })
    }

    /// How many batches are on disk.
    pub(crate) fn committed(&self) -> u64 {
        self.shared.committed.load(Ordering::Acquire)
    }

    /// Whether all that was handed over is on disk.
    pub(crate) fn is_idle(&self) -> bool {
        self.committed() == self.handed
    }

    /// The number of the next batch to be handed over, from 1.
    pub(crate) fn next(&self) -> u64 {
        self.handed + 1
    }

    /// Hands a batch over; waits while the one before is still waiting.
    pub(crate) fn hand_over(&mut self, batch: Batch) -> Result<(), StateError> {
        self.handed += 1;
        let batches = self.batches.as_ref();
        let taken = batches.map(|batches| batches.send_timeout(batch, PATIENCE));
        let reason = match (taken, self.shared.failure.get()) {
            // Should it fail, whoever has nothing more to hand over may go on without.
            (Some(Ok(())), _) => return Ok(()),
            (_, Some(failure)) => return Err(failure.clone()),
            (Some(Err(SendTimeoutError::Timeout(_))), None) => "the disk is too slow",
            (Some(Err(SendTimeoutError::Disconnected(_))) | None, None) => "its thread has ended",
        };
        Err(StateError::Failed {
            attempted: "handing states over",
            reason: reason.to_owned(),
        })
    }
}

impl Drop for Keeper {
    fn drop(&mut self) {
        self.batches = None;
        self.shared.closing.store(true, Ordering::Release);
        let Some(thread) = self.thread.take() else {
            return;
        };
        if wait_while(|| !thread.is_finished()) {
            // A panic there has said what it had to say.
            drop(thread.join());
        } else {
            warn!("a state store hangs, and is left to itself");
            self.spent.store(true, Ordering::Release);
        }
    }
}

/// Waits, though not for ever; whether it has come to an end.
fn wait_while(goes_on: impl Fn() -> bool) -> bool {
    let until = Instant::now() + PATIENCE;
    while goes_on() {
        if Instant::now() > until {
            return false;
        }
        std::thread::sleep(PAUSE);
    }
    true
}
