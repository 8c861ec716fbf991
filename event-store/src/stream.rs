//! One aggregate's stream as its writer holds it: the state, and the commands that have led to it.

mod record;

use std::{collections::VecDeque, sync::Arc};

use chrono::{DateTime, Utc};
use domain::{Context, Event};
use uuid::Uuid;

use crate::{
    command::{Accepted, CommandMetadata},
    envelope::Position,
    streams::Verdict,
};

pub(crate) type StreamIdOf<C> = <<C as Context>::Event as Event>::StreamId;

pub(crate) struct Stream<C: Context> {
    pub(crate) state: C::State,
    /// Counts its events; 0 where nothing has happened.
    pub(crate) version: u32,
    /// When it has something to do.
    pub(crate) alarm: Option<DateTime<Utc>>,
    /// How it stands to what is on disk.
    pub(crate) kept: Kept,
    /// The last commands, oldest first.
    commands: VecDeque<Remembered<C::Status>>,
    /// How many commands came before those: the number of the first.
    forgotten: usize,
    /// Of these the last that [outlast](Context::outlasts) the others.
    outlasting: VecDeque<Remembered<C::Status>>,
}

/// So many commands outlast the others.
const MAX_OUTLASTING: usize = 256;

impl<C: Context> Default for Stream<C> {
    fn default() -> Self {
        Self {
            state: C::State::default(),
            version: 0,
            alarm: None,
            kept: Kept::default(),
            commands: VecDeque::new(),
            forgotten: 0,
            outlasting: VecDeque::new(),
        }
    }
}

/// How a stream in memory stands to what is on disk.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Kept {
    /// Whether it is to be written.
    pub(crate) is_changed: bool,
    /// The batch that it was written in last; 0 where it is as it was found.
    pub(crate) in_batch: u64,
    /// The deadline that it was written with last.
    pub(crate) due_at: Option<DateTime<Utc>>,
}

/// A command that a stream has accepted, and what it was answered.
struct Remembered<S> {
    command_id: Uuid,
    command_hash: Uuid,
    version: u32,
    status: S,
    outlasts: bool,
    /// Empty until the events are committed.
    positions: Arc<[Position]>,
}

/// Where a stream remembers a command: by a number that stays when older ones are forgotten.
pub(crate) struct Slot<C: Context> {
    pub(crate) stream: StreamIdOf<C>,
    number: usize,
}

impl<C: Context> Stream<C> {
    pub(crate) fn apply(&mut self, event: &C::Event) {
        self.state = C::evolve(std::mem::take(&mut self.state), event);
        self.version += 1;
    }

    /// Remembers the command of the event just applied, or that it led further; at most so many commands in all.
    ///
    /// Only what is committed makes room: an answer of the running batch still needs what is not.
    pub(crate) fn remember(
        &mut self,
        command_id: Uuid,
        command_hash: Uuid,
        at_most: usize,
        outlasts: bool,
    ) {
        let status = C::status(&self.state);
        if let Some(last) = self.commands.back_mut()
            && last.command_id == command_id
        {
            last.version = self.version;
            last.status = status;
            last.outlasts |= outlasts;
            return;
        }
        while self.commands.len() >= at_most.max(1)
            && self.commands.front().is_some_and(Remembered::is_committed)
        {
            let forgotten = self.commands.pop_front();
            self.forgotten += 1;
            self.outlasting
                .extend(forgotten.filter(|command| command.outlasts));
        }
        while self.outlasting.len() > MAX_OUTLASTING {
            self.outlasting.pop_front();
        }
        self.commands.push_back(Remembered {
            command_id,
            command_hash,
            version: self.version,
            status,
            outlasts,
            positions: Arc::default(),
        });
    }

    /// Notes that the last command has an event there.
    pub(crate) fn reach(&mut self, position: &Position) {
        if let Some(last) = self.commands.back_mut() {
            last.reach(position);
        }
    }

    /// What became of the command when it came before.
    ///
    /// Looks from the newest on: what is repeated is mostly what has just been asked. A new command looks at all of them,
    /// which is why streams that take commands without end have to remember a bounded number.
    pub(crate) fn recall(
        &self,
        id: &StreamIdOf<C>,
        command: &CommandMetadata,
    ) -> Option<Verdict<C>> {
        let is_it = |known: &Remembered<_>| known.command_id == command.command_id;
        let Some(index) = self.commands.iter().rposition(is_it) else {
            let known = self.outlasting.iter().rfind(|known| is_it(known))?;
            return Some(match known.command_hash == command.command_hash {
                true => Verdict::Known(known.answer(true)),
                false => Verdict::KeyReused,
            });
        };
        let known = &self.commands[index];
        let slot = || Slot {
            stream: id.clone(),
            number: self.forgotten + index,
        };
        Some(
            match (
                known.command_hash == command.command_hash,
                known.is_committed(),
            ) {
                (true, true) => Verdict::Known(known.answer(true)),
                (false, true) => Verdict::KeyReused,
                (true, false) => Verdict::Repeated(slot()),
                (false, false) => Verdict::Conflicting,
            },
        )
    }

    /// What a command that changes nothing is answered: where the stream stands.
    pub(crate) fn unchanged(&self, id: StreamIdOf<C>) -> Verdict<C> {
        match self.commands.back() {
            Some(last) if last.is_committed() => Verdict::NoOp(last.answer(false)),
            Some(_) => Verdict::NoOpAfter(self.last(id)),
            None => Verdict::NoOp(Accepted {
                stream_version: self.version,
                status: C::status(&self.state),
                positions: Arc::default(),
                replayed: false,
            }),
        }
    }

    /// Where the last command is remembered.
    pub(crate) fn last(&self, id: StreamIdOf<C>) -> Slot<C> {
        Slot {
            stream: id,
            number: self.forgotten + self.commands.len().saturating_sub(1),
        }
    }

    /// Notes that a command has an event there.
    pub(crate) fn reach_in(&mut self, slot: &Slot<C>, position: &Position) {
        let index = slot.number.checked_sub(self.forgotten);
        if let Some(command) = index.and_then(|index| self.commands.get_mut(index)) {
            command.reach(position);
        }
    }

    /// Notes where the events of a command lie, once they are committed.
    pub(crate) fn settle(&mut self, slot: &Slot<C>, positions: Arc<[Position]>) {
        let index = slot.number.checked_sub(self.forgotten);
        if let Some(command) = index.and_then(|index| self.commands.get_mut(index)) {
            command.positions = positions;
        }
    }

    /// The answer to a command of the running batch, whose events are committed.
    pub(crate) fn answer(&self, slot: &Slot<C>, replayed: bool) -> Accepted<C::Status> {
        let index = slot.number.checked_sub(self.forgotten);
        index
            .and_then(|index| self.commands.get(index))
            .expect("a command of the running batch is not forgotten before the next")
            .answer(replayed)
    }
}

impl<S> Remembered<S> {
    fn is_committed(&self) -> bool {
        !self.positions.is_empty()
    }

    /// Moves the position in the event's topic on to that of the event.
    fn reach(&mut self, position: &Position) {
        let others = self
            .positions
            .iter()
            .filter(|known| known.topic != position.topic);
        self.positions = others.cloned().chain([position.clone()]).collect();
    }
}

impl<S: Copy> Remembered<S> {
    fn answer(&self, replayed: bool) -> Accepted<S> {
        Accepted {
            stream_version: self.version,
            status: self.status,
            positions: Arc::clone(&self.positions),
            replayed,
        }
    }
}

#[cfg(test)]
mod tests {
    use domain::product::{ProductStream, Products};

    use super::*;
    use crate::codec::Interned;

    const AT_MOST: usize = 4;

    fn command(number: u128) -> CommandMetadata {
        CommandMetadata {
            command_id: Uuid::from_u128(number),
            command_hash: Uuid::from_u128(number),
            correlation_id: Uuid::nil(),
            causation_id: Uuid::nil(),
            time: DateTime::UNIX_EPOCH,
            actor: "a test".into(),
            expected_version: None,
            traceparent: None,
        }
    }

    #[test]
    fn what_outlasts_others_is_remembered_when_they_are_forgotten() {
        let mut stream = Stream::<Products>::default();
        for number in 0..100 {
            let id = Uuid::from_u128(number);
            stream.version += 1;
            stream.remember(id, id, AT_MOST, number == 1);
            stream.reach(&Position {
                topic: "ProductEvents".into(),
                partition: 0,
                offset: i64::try_from(number).expect("small"),
            });
        }
        let mut bytes = Vec::new();
        stream.write(&mut bytes);
        let read = Stream::<Products>::read(&bytes, &mut Interned::default()).expect("readable");
        let id = ProductStream::Stock("TEA".parse().expect("a SKU"));
        for stream in [stream, read] {
            assert!(stream.recall(&id, &command(0)).is_none());
            let known = stream.recall(&id, &command(1));
            assert!(matches!(known, Some(Verdict::Known(known)) if known.stream_version == 2));
            let mut other = command(1);
            other.command_hash = Uuid::nil();
            let known = stream.recall(&id, &other);
            assert!(matches!(known, Some(Verdict::KeyReused)));
            assert!(stream.recall(&id, &command(99)).is_some());
        }
    }
}
