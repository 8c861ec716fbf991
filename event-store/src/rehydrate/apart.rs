//! Reading on one thread, applying on another; decoding, which takes as long as either, on whichever has time.

use std::{panic, time::Duration};

use crossbeam_channel::{Receiver, Sender, TrySendError};

use super::read_to;
use crate::log::{LogError, RawRecord, Reader};

/// What is handed over at once: so many records at most, or so many bytes of payload.
pub(super) const MAX_BATCH: usize = 1_000;
const MAX_BATCH_BYTES: usize = 4 << 20;
/// So many batches wait; one more is worked on at either end.
const BATCHES_AHEAD: usize = 2;

/// What becomes of a record on its way.
pub(super) trait Stages: Sync {
    /// What its headers say.
    type Read: Send;
    /// And its payload.
    type Decoded: Send;

    fn read(&self, record: &RawRecord<'_>) -> Result<Self::Read, LogError>;

    fn decode(&self, read: Self::Read, payload: &[u8]) -> Result<Self::Decoded, LogError>;
}

/// As [`read_to`]: what the stages make of each record, `apply` is given in the same order. Whatever was read before an error is
/// applied; an error of `apply` ends the reading. `at_work` is called with each batch.
pub(super) fn read_apart<R: Reader, S: Stages>(
    reader: &mut R,
    ends: &[(&str, i32, i64)],
    patience: Duration,
    stages: &S,
    mut apply: impl FnMut(S::Decoded) -> Result<(), LogError>,
    at_work: &dyn Fn(),
) -> Result<(), LogError> {
    std::thread::scope(|scope| {
        let (works, received) = crossbeam_channel::bounded(BATCHES_AHEAD);
        // They go back and forth: so large a piece of memory would come from the system each time, which has to clear it.
        let (used, emptied) = crossbeam_channel::bounded(BATCHES_AHEAD);
        let reading = std::thread::Builder::new().name("reading".to_owned());
        let reading = reading.spawn_scoped(scope, move || {
            let mut ahead = Ahead {
                stages,
                works,
                emptied,
                batch: Batch::default(),
            };
            let ended = read_to(reader, ends, patience, |record| {
                let read = stages.read(record)?;
                ahead.push(read, record.payload)
            });
            // What was read counts, whatever came then.
            ahead.hand_over().and(ended)
        });
        let reading = reading.map_err(|error| LogError::Unavailable {
            attempted: "reading ahead",
            reason: error.to_string(),
        })?;
        let applied = received.iter().try_for_each(|work| {
            at_work();
            match work {
                Work::Read(mut batch) => {
                    batch
                        .decode(stages)
                        .try_for_each(|decoded| apply(decoded?))?;
                    // Where there is no room, there are enough of them.
                    drop(used.try_send(batch));
                }
                Work::Decoded(decoded) => {
                    let mut decoded = decoded.into_iter();
                    decoded.try_for_each(|decoded| apply(decoded?))?;
                }
            }
            Ok(())
        });
        // Whoever reads on finds that nobody is there.
        drop(received);
        let read = reading
            .join()
            .unwrap_or_else(|cause| panic::resume_unwind(cause));
        applied.and(read)
    })
}

/// What is handed over.
enum Work<S: Stages> {
    Read(Batch<S>),
    Decoded(Vec<Result<S::Decoded, LogError>>),
}

/// What was read of some records, and their payloads one behind the other.
struct Batch<S: Stages> {
    /// Each with where its payload ends.
    reads: Vec<(S::Read, usize)>,
    payloads: Vec<u8>,
}

impl<S: Stages> Default for Batch<S> {
    fn default() -> Self {
        Self {
            reads: Vec::new(),
            payloads: Vec::new(),
        }
    }
}

impl<S: Stages> Batch<S> {
    fn is_full(&self) -> bool {
        self.reads.len() >= MAX_BATCH || self.payloads.len() >= MAX_BATCH_BYTES
    }

    /// Leaves it without records, but not without memory.
    fn decode(&mut self, stages: &S) -> impl Iterator<Item = Result<S::Decoded, LogError>> {
        let (payloads, mut begin) = (&self.payloads, 0);
        self.reads.drain(..).map(move |(read, end)| {
            let payload = &payloads[begin..end];
            begin = end;
            stages.decode(read, payload)
        })
    }
}

struct Ahead<'a, S: Stages> {
    stages: &'a S,
    works: Sender<Work<S>>,
    emptied: Receiver<Batch<S>>,
    batch: Batch<S>,
}

impl<S: Stages> Ahead<'_, S> {
    fn push(&mut self, read: S::Read, payload: &[u8]) -> Result<(), LogError> {
        if self.batch.reads.is_empty() {
            self.batch.payloads.clear();
        }
        self.batch.payloads.extend_from_slice(payload);
        self.batch.reads.push((read, self.batch.payloads.len()));
        match self.batch.is_full() {
            true => self.hand_over(),
            false => Ok(()),
        }
    }

    fn hand_over(&mut self) -> Result<(), LogError> {
        let batch = std::mem::take(&mut self.batch);
        let handed = match self.works.try_send(Work::Read(batch)) {
            Err(TrySendError::Full(Work::Read(mut batch))) => {
                let decoded = batch.decode(self.stages).collect();
                self.batch = batch;
                self.works.send(Work::Decoded(decoded)).is_ok()
            }
            handed => {
                self.batch = self.emptied.try_recv().unwrap_or_default();
                handed.is_ok()
            }
        };
        match handed {
            true => Ok(()),
            false => Err(LogError::Unavailable {
                attempted: "reading ahead",
                reason: "what was read could not be applied".to_owned(),
            }),
        }
    }
}

#[cfg(test)]
mod tests;
