//! The aggregates of one partition, as the log has built them, and the decisions taken on them.
//!
//! A decision evolves the state in place, before its events are committed, so that the next one of the batch builds on it.
//! That is safe since nothing is answered before the commit, and any failure to commit drops the whole table.

use std::sync::Arc;

use domain::{Context, Event};
use rustc_hash::FxHashMap;
use uuid::Uuid;

use crate::{
    codec,
    command::{Accepted, CommandMetadata, Request},
    envelope::{DecisionMark, Metadata, Position, Recorded},
    log::OutgoingRecord,
    partitioner::partition_for,
};

type StreamIdOf<C> = <<C as Context>::Event as Event>::StreamId;

/// Every stream of one partition.
pub(crate) struct Streams<C: Context> {
    streams: FxHashMap<StreamIdOf<C>, Stream<C>>,
    source: Arc<str>,
    partitions: i32,
}

struct Stream<C: Context> {
    state: C::State,
    version: u32,
    commands: Vec<Remembered<C::Status>>,
}

impl<C: Context> Default for Stream<C> {
    fn default() -> Self {
        Self {
            state: C::State::default(),
            version: 0,
            commands: Vec::new(),
        }
    }
}

/// A command that a stream has accepted, and what it was answered.
struct Remembered<S> {
    command_id: Uuid,
    command_hash: Uuid,
    version: u32,
    status: S,
    /// Empty until the events are committed.
    positions: Arc<[Position]>,
}

/// What became of a command.
pub(crate) enum Verdict<C: Context> {
    /// Accepted before, and in the log: to be answered at once.
    Known(Accepted<C::Status>),
    /// Accepted before for another request, and that is in the log: to be answered at once.
    KeyReused,
    /// Accepted; in the log when this batch is.
    Accepted(Slot<C>),
    /// Accepted earlier in this same batch.
    Repeated(Slot<C>),
    /// Accepted earlier in this same batch for another request.
    Conflicting,
    /// Accepted, and nothing is to be done.
    NoOp(Slot<C>),
    /// Refused by the rules.
    Rejected(C::Rejection),
}

/// Where a stream remembers a command.
pub(crate) struct Slot<C: Context> {
    stream: StreamIdOf<C>,
    index: usize,
}

impl<C: Context> Streams<C> {
    pub(crate) fn new(partitions: i32) -> Self {
        Self {
            streams: FxHashMap::default(),
            source: format!("/{}", C::SERVICE).into(),
            partitions,
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.streams.len()
    }

    /// Applies an event of the log.
    ///
    /// Fails with the reason when it does not follow from those before it.
    pub(crate) fn replay(&mut self, recorded: Recorded<C::Event>) -> Result<(), String> {
        let Recorded {
            position,
            metadata,
            event,
        } = recorded;
        let stream = self.streams.entry(event.stream()).or_default();
        if metadata.stream_version != stream.version + 1 {
            return Err(format!(
                "{} goes from version {} to {}",
                metadata.stream, stream.version, metadata.stream_version
            ));
        }
        stream.apply(&event);
        stream.remember(metadata.command_id, metadata.command_hash);
        if let Some(command) = stream.commands.last_mut() {
            command.reach(&position);
        }
        Ok(())
    }

    /// Decides a command; events of an accepted one are added to `records`.
    pub(crate) fn decide(
        &mut self,
        request: &Request<C>,
        number: u64,
        records: &mut Vec<OutgoingRecord>,
    ) -> Verdict<C> {
        let target = C::target(&request.command);
        let stream = self.streams.get(&target);
        if let Some(verdict) = stream.and_then(|stream| stream.recall(&target, request)) {
            return verdict;
        }
        let nothing_yet = C::State::default();
        let state = stream.map_or(&nothing_yet, |stream| &stream.state);
        match C::decide(state, &request.command) {
            Err(rejection) => Verdict::Rejected(rejection),
            Ok(events) if events.is_empty() => Verdict::NoOp(Slot {
                index: stream.map_or(0, |stream| stream.commands.len().saturating_sub(1)),
                stream: target,
            }),
            Ok(events) => {
                self.append(&events, request, number, records);
                let index = self.streams[&target].commands.len() - 1;
                Verdict::Accepted(Slot {
                    stream: target,
                    index,
                })
            }
        }
    }

    fn append(
        &mut self,
        events: &[C::Event],
        request: &Request<C>,
        number: u64,
        records: &mut Vec<OutgoingRecord>,
    ) {
        let of = u16::try_from(events.len()).expect("a decision has few events");
        for (index, event) in (1..=of).zip(events) {
            let id = event.stream();
            let key = C::Event::key(&id);
            let mut metadata = self.metadata(&id, request, DecisionMark { number, index, of });
            // An event addressed elsewhere is a message: it opens or answers a stream of another service, and leaves ours.
            if C::TOPICS.contains(&event.topic()) {
                let stream = self.streams.entry(id).or_default();
                stream.apply(event);
                stream.remember(request.metadata.command_id, request.metadata.command_hash);
                metadata.stream_version = stream.version;
            }
            let partition = partition_for(key.as_bytes(), self.partitions);
            records.push(codec::encode(event, key, &metadata, partition));
        }
    }

    fn metadata(
        &self,
        stream: &StreamIdOf<C>,
        request: &Request<C>,
        decision: DecisionMark,
    ) -> Metadata {
        let command = &request.metadata;
        Metadata {
            event_id: domain::ids::event_id(command.command_id, decision.index),
            source: Arc::clone(&self.source),
            stream: stream.to_string(),
            stream_version: 1,
            time: command.time,
            correlation_id: command.correlation_id,
            causation_id: command.causation_id,
            command_id: command.command_id,
            command_hash: command.command_hash,
            actor: Arc::clone(&command.actor),
            decision,
            traceparent: command.traceparent.clone(),
        }
    }

    /// Notes where the events of an accepted command lie, once they are committed.
    pub(crate) fn settle(&mut self, slot: &Slot<C>, positions: Arc<[Position]>) {
        let stream = self.streams.get_mut(&slot.stream);
        if let Some(command) = stream.and_then(|stream| stream.commands.get_mut(slot.index)) {
            command.positions = positions;
        }
    }

    /// The answer to a command whose events are committed.
    pub(crate) fn answer(&self, slot: &Slot<C>, replayed: bool) -> Accepted<C::Status> {
        let stream = self.streams.get(&slot.stream);
        match stream.and_then(|stream| stream.commands.get(slot.index)) {
            Some(command) => command.answer(replayed),
            // A no-op on a stream in which nothing has happened.
            None => Accepted {
                stream_version: 0,
                status: C::status(&C::State::default()),
                positions: Arc::new([]),
                replayed,
            },
        }
    }
}

impl<C: Context> Stream<C> {
    fn apply(&mut self, event: &C::Event) {
        self.state = C::evolve(std::mem::take(&mut self.state), event);
        self.version += 1;
    }

    /// Remembers the command of the event just applied, or that it led further.
    fn remember(&mut self, command_id: Uuid, command_hash: Uuid) {
        let status = C::status(&self.state);
        match self.commands.last_mut() {
            Some(last) if last.command_id == command_id => {
                last.version = self.version;
                last.status = status;
            }
            _ => self.commands.push(Remembered {
                command_id,
                command_hash,
                version: self.version,
                status,
                positions: Arc::new([]),
            }),
        }
    }

    fn recall(&self, id: &StreamIdOf<C>, request: &Request<C>) -> Option<Verdict<C>> {
        let CommandMetadata {
            command_id,
            command_hash,
            ..
        } = request.metadata;
        let index = self
            .commands
            .iter()
            .position(|known| known.command_id == command_id)?;
        let known = &self.commands[index];
        Some(
            match (
                known.command_hash == command_hash,
                known.positions.is_empty(),
            ) {
                (true, false) => Verdict::Known(known.answer(true)),
                (false, false) => Verdict::KeyReused,
                (true, true) => Verdict::Repeated(Slot {
                    stream: id.clone(),
                    index,
                }),
                (false, true) => Verdict::Conflicting,
            },
        )
    }
}

impl<S: Copy> Remembered<S> {
    /// Moves the position in the event's topic on to that of the event.
    fn reach(&mut self, position: &Position) {
        let others = self
            .positions
            .iter()
            .filter(|known| known.topic != position.topic);
        self.positions = others.cloned().chain([position.clone()]).collect();
    }

    fn answer(&self, replayed: bool) -> Accepted<S> {
        Accepted {
            stream_version: self.version,
            status: self.status,
            positions: Arc::clone(&self.positions),
            replayed,
        }
    }
}
