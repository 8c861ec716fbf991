//! What was applied before a feed began: read once more, to see that the log is still the same, and not applied again.

use event_store::{Batch, Position};
use uuid::Uuid;

use super::diverged;
use crate::{ProjectorError, registry::Checkpoint};

/// From the last event applied in one partition of a topic to its checkpoint. What lies between has no id in the checkpoint: records that
/// are no events of ours, as far as whoever applied them knew.
pub(super) struct Applied {
    last: Position,
    id: Uuid,
    next_offset: i64,
    is_met: bool,
}

impl Applied {
    /// None where nothing was applied.
    pub(super) fn before(checkpoint: &Checkpoint) -> Option<Self> {
        let (last, id) = checkpoint.last_applied()?;
        Some(Self {
            last,
            id,
            next_offset: checkpoint.next_offset,
            is_met: false,
        })
    }

    /// Takes it from the batch; answers whether more of it is to come. The last event must read back as it was, whether this program can
    /// decode it or not.
    pub(super) fn take_from<E>(&mut self, batch: &mut Batch<E>) -> Result<bool, ProjectorError> {
        let mut progress = batch.progress.iter();
        let progress = progress.find(|progress| progress.place() == self.last.place());
        let Some(progress) = progress else {
            return Ok(true);
        };
        let is_more_to_come = progress.next_offset < self.next_offset;
        if !self.is_met && self.id_in(batch) != Some(self.id) {
            return Err(diverged(format!(
                "{} is not the event that was applied there",
                self.last
            )));
        }
        self.is_met = true;
        let is_new = |position: &Position| {
            position.place() != self.last.place() || position.offset >= self.next_offset
        };
        batch.events.retain(|event| is_new(&event.position));
        batch.undecodable.retain(|record| is_new(&record.position));
        Ok(is_more_to_come)
    }

    fn id_in<E>(&self, batch: &Batch<E>) -> Option<Uuid> {
        let mut events = batch.events.iter();
        let event = events.find(|event| event.position == self.last);
        let mut undecodable = batch.undecodable.iter();
        match event {
            Some(event) => Some(event.metadata.event_id),
            None => undecodable
                .find(|record| record.position == self.last)
                .and_then(|record| record.event_id),
        }
    }
}
