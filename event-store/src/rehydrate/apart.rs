//! Reading and decoding on one thread, applying on another: each takes about half of a rehydration's time.

use std::{panic, time::Duration};

use crossbeam_channel::{Receiver, Sender};

use super::read_to;
use crate::log::{LogError, RawRecord, Reader};

/// What is handed over at once: so many records at most, or so many bytes of payload.
const MAX_BATCH: usize = 1_000;
const MAX_BATCH_BYTES: usize = 4 << 20;
/// So many batches wait; one more is worked on at either end.
const BATCHES_AHEAD: usize = 2;

/// As [`read_to`]: what `read` makes of each record, `apply` is given in the same order. Whatever was read before an error is
/// applied; an error of `apply` ends the reading. `at_work` is called with each batch.
pub(super) fn read_apart<R: Reader, T: Send>(
    reader: &mut R,
    ends: &[(&str, i32, i64)],
    patience: Duration,
    mut read: impl FnMut(&RawRecord<'_>) -> Result<T, LogError> + Send,
    mut apply: impl FnMut(T) -> Result<(), LogError>,
    at_work: &dyn Fn(),
) -> Result<(), LogError> {
    std::thread::scope(|scope| {
        let (batches, received) = crossbeam_channel::bounded(BATCHES_AHEAD);
        // They go back and forth: so large a piece of memory would come from the system each time, which has to clear it.
        let (used, emptied) = crossbeam_channel::bounded(BATCHES_AHEAD);
        let reading = std::thread::Builder::new().name("reading".to_owned());
        let reading = reading.spawn_scoped(scope, move || {
            let mut ahead = Ahead {
                batches,
                emptied,
                batch: Vec::new(),
                bytes: 0,
            };
            let ended = read_to(reader, ends, patience, |record| {
                let item = read(record)?;
                ahead.push(item, record.payload.len())
            });
            // What was read counts, whatever came then.
            ahead.hand_over().and(ended)
        });
        let reading = reading.map_err(|error| LogError::Unavailable {
            attempted: "reading ahead",
            reason: error.to_string(),
        })?;
        let mut batches = received.iter();
        let applied = batches.try_for_each(|mut batch| {
            at_work();
            batch.drain(..).try_for_each(&mut apply)?;
            // Where there is no room, there are enough of them.
            drop(used.try_send(batch));
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

struct Ahead<T> {
    batches: Sender<Vec<T>>,
    emptied: Receiver<Vec<T>>,
    batch: Vec<T>,
    bytes: usize,
}

impl<T> Ahead<T> {
    fn push(&mut self, item: T, bytes: usize) -> Result<(), LogError> {
        self.batch.push(item);
        self.bytes += bytes;
        match self.batch.len() >= MAX_BATCH || self.bytes >= MAX_BATCH_BYTES {
            true => self.hand_over(),
            false => Ok(()),
        }
    }

    fn hand_over(&mut self) -> Result<(), LogError> {
        self.bytes = 0;
        let empty = self.emptied.try_recv().unwrap_or_default();
        let batch = std::mem::replace(&mut self.batch, empty);
        self.batches.send(batch).map_err(|_| LogError::Unavailable {
            attempted: "reading ahead",
            reason: "what was read could not be applied".to_owned(),
        })
    }
}

#[cfg(test)]
mod tests;
