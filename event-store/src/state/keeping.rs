//! What a writer's streams need in order to be kept on disk: what has changed, and how far in the log that is.

use std::{
    cell::OnceCell,
    time::{Duration, Instant},
};

use domain::Context;
use uuid::Uuid;

use super::{
    Batch, StateError, StateStore, checkpoint::Checkpoint, encode, folder::StateFolder,
    keeper::Keeper, resident::Resident,
};
use crate::{
    checkpoint::LastEvent,
    codec::{self, Interned},
    deadlines::Deadlines,
    envelope::Position,
    log::OutgoingRecord,
    stream::{Stream, StreamIdOf},
    subscription::StartAt,
};

/// So many changed streams are written at once: one or two milliseconds of the writer's time.
const AT_ONCE: usize = 1_000;
/// A replay keeps nobody waiting: it writes more at once.
const REPLAYED_AT_ONCE: usize = 8 * AT_ONCE;
/// With so many the writer waits for the disk, since they are all in memory.
const AT_MOST: usize = 32 * AT_ONCE;

pub(crate) struct Keeping<C: Context> {
    store: StateStore,
    keeper: Keeper,
    pub(crate) checkpoint: Checkpoint,
    /// Streams that are to be written.
    changed: Vec<StreamIdOf<C>>,
    /// Since when there is something to be written.
    since: Option<Instant>,
    write_every: Duration,
    topics: Interned,
    key: Vec<u8>,
    value: Vec<u8>,
    /// Set once a read has failed: what was decided since must not be appended.
    failure: OnceCell<StateError>,
}

impl<C: Context> Keeping<C> {
    pub(crate) fn new(
        store: StateStore,
        checkpoint: Checkpoint,
        folder: &StateFolder,
    ) -> Result<Self, StateError> {
        Ok(Self {
            keeper: Keeper::start(&store, folder.write_seconds.clone())?,
            store,
            checkpoint,
            changed: Vec::new(),
            since: None,
            write_every: folder.write_every,
            topics: Interned::default(),
            key: Vec::new(),
            value: Vec::new(),
            failure: OnceCell::new(),
        })
    }

    /// What is on disk of a stream; none where there is nothing.
    pub(crate) fn load(&mut self, id: &StreamIdOf<C>) -> Option<Stream<C>> {
        self.key.clear();
        encode(id, &mut self.key);
        let read = self.store.get(&self.key).and_then(|bytes| {
            let read = |bytes: &[u8]| Stream::read(bytes, &mut self.topics);
            bytes.as_deref().map(read).transpose()
        });
        read.unwrap_or_else(|error| self.fail(error))
    }

    /// Whether anything is on disk of a stream.
    pub(crate) fn contains(&self, id: &StreamIdOf<C>) -> bool {
        let mut key = Vec::new();
        encode(id, &mut key);
        let contains = self.store.contains(&key);
        contains.unwrap_or_else(|error| self.fail(error))
    }

    fn fail<T: Default>(&self, error: StateError) -> T {
        let _first = self.failure.set(error);
        T::default()
    }

    /// Why the store cannot be relied on any more.
    pub(crate) fn failure(&self) -> Option<&StateError> {
        self.failure.get()
    }

    /// A stream that is to be written.
    pub(crate) fn changed(&mut self, id: &StreamIdOf<C>) {
        self.since.get_or_insert_with(Instant::now);
        self.changed.push(id.clone());
    }

    /// Notes how far our own events reach, now that these are committed.
    pub(crate) fn committed(&mut self, records: &[OutgoingRecord], positions: &[Position]) {
        for mark in &mut self.checkpoint.marks {
            let last = records
                .iter()
                .zip(positions)
                .rev()
                .find(|(record, _)| record.topic == mark.topic);
            if let Some((record, position)) = last {
                let offset = position.offset;
                mark.applied_to = offset + 1;
                let event_id = codec::event_id_of(record);
                mark.last = event_id.map(|event_id| LastEvent { offset, event_id });
            }
        }
    }

    /// Takes on the deadlines that are on disk.
    pub(crate) fn restore(
        &self,
        deadlines: &mut Deadlines<StreamIdOf<C>>,
    ) -> Result<(), StateError> {
        for deadline in self.store.deadlines() {
            let (due_at, stream) = deadline?;
            deadlines.restore(due_at, stream);
        }
        Ok(())
    }

    /// Notes an event of the log that is applied. Those of one topic come in their order.
    pub(crate) fn applied(&mut self, position: &Position, event_id: Uuid) {
        let Some(mark) = self.checkpoint.mark(&position.topic) else {
            return;
        };
        mark.applied_to = mark.applied_to.max(position.offset + 1);
        if mark.last.is_none_or(|last| last.offset < position.offset) {
            mark.last = Some(LastEvent {
                offset: position.offset,
                event_id,
            });
        }
    }

    /// Notes how far all events reach.
    pub(crate) fn read_to(&mut self, places: &[StartAt]) {
        for place in places {
            let Some(mark) = self.checkpoint.mark(&place.topic) else {
                continue;
            };
            let read_to = match C::OPENED_ELSEWHERE {
                true => place.next_offset,
                // What others append here changes no state, so nothing between has to be read.
                false => place.next_offset.max(mark.applied_to),
            };
            if read_to != mark.read_to {
                self.since.get_or_insert_with(Instant::now);
            }
            mark.read_to = read_to;
            mark.applied_to = mark.applied_to.max(read_to);
        }
    }

    pub(crate) fn has_changes(&self) -> bool {
        self.since.is_some()
    }

    /// Whether it is time to write.
    pub(crate) fn is_due(&self) -> bool {
        let is_due = self.changed.len() >= AT_ONCE
            || self
                .since
                .is_some_and(|since| since.elapsed() >= self.write_every);
        is_due && (self.keeper.is_idle() || self.changed.len() >= AT_MOST)
    }

    /// Whether so much has changed that it is to be written; for who changes much and looks at no clock.
    pub(crate) fn is_full(&self) -> bool {
        self.changed.len() >= REPLAYED_AT_ONCE
    }

    /// Hands over what has changed.
    pub(crate) fn write(
        &mut self,
        resident: &mut Resident<StreamIdOf<C>, Stream<C>>,
    ) -> Result<(), StateError> {
        let number = self.keeper.next();
        let mut batch = self.store.batch(self.changed.len());
        for id in self.changed.drain(..) {
            let Some(stream) = resident.get_mut(&id) else {
                continue;
            };
            self.key.clear();
            encode(&id, &mut self.key);
            self.value.clear();
            stream.write(&mut self.value);
            batch.put(&self.key, &self.value);
            move_deadline(&mut batch, stream, &self.key);
            stream.kept.is_changed = false;
            stream.kept.in_batch = number;
        }
        batch.set_checkpoint(&self.checkpoint.write::<C>());
        self.since = None;
        self.keeper.hand_over(batch)
    }

    /// The last batch that is on disk: what was written in it or before may be read from there.
    pub(crate) fn on_disk(&self) -> u64 {
        self.keeper.committed()
    }
}

fn move_deadline<C: Context>(batch: &mut Batch, stream: &mut Stream<C>, key: &[u8]) {
    if stream.kept.due_at == stream.alarm {
        return;
    }
    if let Some(old) = stream.kept.due_at {
        batch.remove_deadline(old, key);
    }
    if let Some(new) = stream.alarm {
        batch.set_deadline(new, key);
    }
    stream.kept.due_at = stream.alarm;
}
