//! Reading the twin: committed records only, past the gaps where control records would lie.

use std::{
    sync::PoisonError,
    time::{Duration, Instant},
};

use super::{MemoryLog, State, Stored};
use crate::{
    codec::Headers,
    log::{HeaderSource, LogError, RawRecord, Reader},
    subscription::StartAt,
};

/// Reads a [`MemoryLog`].
#[derive(Debug)]
pub struct MemoryReader {
    pub(super) log: MemoryLog,
    pub(super) positions: Vec<StartAt>,
}

impl Reader for MemoryReader {
    fn poll<T>(
        &mut self,
        timeout: Duration,
        visit: impl FnOnce(&RawRecord<'_>) -> T,
    ) -> Result<Option<T>, LogError> {
        let deadline = Instant::now() + timeout;
        let mut state = self.log.reachable("reading")?;
        loop {
            if let Some((start, stored)) = next_record(&state, &mut self.positions) {
                drop(state);
                return Ok(Some(visit(&RawRecord {
                    topic: &start.topic,
                    partition: start.partition,
                    offset: stored.offset,
                    key: stored.key.as_bytes(),
                    payload: &stored.payload,
                    headers: &stored.headers,
                })));
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Ok(None);
            }
            let waited = self.log.shared.grown.wait_timeout(state, left);
            state = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    fn position(&self, topic: &str, partition: i32) -> i64 {
        self.positions
            .iter()
            .find(|start| &*start.topic == topic && start.partition == partition)
            .map_or(0, |start| start.next_offset)
    }
}

/// The next record of any partition, and moves its position on: past it, or past the control records at the end; never past
/// where a transaction has begun that is still open.
fn next_record(state: &State, positions: &mut [StartAt]) -> Option<(StartAt, Stored)> {
    for start in positions {
        let Some(partition) = state
            .partitions
            .get(&(start.topic.to_string(), start.partition))
        else {
            continue;
        };
        let next = partition
            .records
            .partition_point(|stored| stored.offset < start.next_offset);
        let stored = partition.records.get(next);
        if let Some(stored) = stored.filter(|stored| stored.offset < partition.stable()) {
            start.next_offset = stored.offset + 1;
            return Some((start.clone(), stored.clone()));
        }
        start.next_offset = partition.stable();
    }
    None
}

impl HeaderSource for Headers {
    fn header(&self, index: usize) -> Option<(&str, &[u8])> {
        self.iter()
            .nth(index)
            .map(|(name, value)| (name, value.as_bytes()))
    }
}
