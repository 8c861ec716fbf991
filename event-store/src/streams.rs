//! The aggregates of one partition, as the log has built them, and the decisions taken on them.
//!
//! A decision evolves the state in place, before its events are committed, so that the next one of the batch builds on it.
//! That is safe since nothing is answered before the commit, and any failure to commit drops the whole table.
//!
//! Where there is a state store, the table holds what was used last, and what is not yet on disk.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use domain::{
    Context, Event,
    ids::{deadline_command_id, event_id, later_event_id},
};

use crate::{
    codec::{self, Replayed},
    command::{Accepted, CommandMetadata, Request},
    deadlines::Deadlines,
    envelope::{DecisionMark, Metadata, Position},
    log::OutgoingRecord,
    partitioner::partition_for,
    state::{StateError, keeping::Keeping, resident::Resident},
    stream::{Slot, Stream, StreamIdOf},
    subscription::StartAt,
};

/// Who asks for what a deadline gives.
const DEADLINE_ACTOR: &str = "deadline";

/// Every stream of one partition.
pub(crate) struct Streams<C: Context> {
    resident: Resident<StreamIdOf<C>, Stream<C>>,
    deadlines: Deadlines<StreamIdOf<C>>,
    keeping: Option<Keeping<C>>,
    /// The stream that was looked for last and is nowhere, so that nobody looks again.
    absent: Option<StreamIdOf<C>>,
    /// Commands of the running batch with an event in a stream besides their own, and which record that is.
    beside: Vec<(Slot<C>, usize)>,
    source: Arc<str>,
    partitions: i32,
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
    NoOp(Accepted<C::Status>),
    /// Accepted, and nothing is to be done after what came earlier in this same batch.
    NoOpAfter(Slot<C>),
    /// Refused by the rules.
    Rejected(C::Rejection),
    /// The stream stands at this version, which is not the expected one.
    VersionMismatch(u32),
}

impl<C: Context> Streams<C> {
    /// Without any stream: they come by replay.
    pub(crate) fn new(partitions: i32) -> Self {
        Self {
            resident: Resident::new(usize::MAX),
            deadlines: Deadlines::new(),
            keeping: None,
            absent: None,
            beside: Vec::new(),
            source: format!("/{}", C::SERVICE).into(),
            partitions,
        }
    }

    /// What the store holds, and with so many streams in memory at most; those that come later by replay.
    pub(crate) fn kept(
        partitions: i32,
        keeping: Keeping<C>,
        resident_streams: usize,
    ) -> Result<Self, StateError> {
        let mut deadlines = Deadlines::new();
        keeping.restore(&mut deadlines)?;
        Ok(Self {
            resident: Resident::new(resident_streams),
            deadlines,
            keeping: Some(keeping),
            ..Self::new(partitions)
        })
    }

    /// How many are in memory.
    pub(crate) fn len(&self) -> usize {
        self.resident.len()
    }

    /// Whether anything has happened in the stream, as far as the log has been read.
    pub(crate) fn knows(&self, stream: &StreamIdOf<C>) -> bool {
        let on_disk = |keeping: &Keeping<C>| keeping.contains(stream);
        self.resident.contains(stream) || self.keeping.as_ref().is_some_and(on_disk)
    }

    /// Brings a stream into memory where it is on disk only; false where nothing has happened in it.
    fn load(&mut self, id: &StreamIdOf<C>) -> bool {
        if self.resident.touch(id) {
            return true;
        }
        if self.absent.as_ref() == Some(id) {
            return false;
        }
        let Some(keeping) = &mut self.keeping else {
            return false;
        };
        let loaded = keeping.load(id);
        let is_there = loaded.is_some();
        match loaded {
            Some(stream) => self.resident.insert(id.clone(), stream),
            None => self.absent = Some(id.clone()),
        }
        is_there
    }

    /// `ce_source` of our own events.
    pub(crate) fn source(&self) -> &str {
        &self.source
    }

    /// Applies an event of the log, our own or another service's.
    ///
    /// Fails with the reason when one of our own does not follow from those before it.
    pub(crate) fn replay(
        &mut self,
        position: &Position,
        replayed: &Replayed<C::Event>,
    ) -> Result<(), String> {
        if replayed.is_foreign {
            self.adopt(position, replayed);
            return Ok(());
        }
        let id = replayed.event.stream();
        self.load(&id);
        let version = self.resident.get(&id).map_or(0, |stream| stream.version);
        if replayed.stream_version != version + 1 {
            return Err(format!(
                "{id} goes from version {version} to {}",
                replayed.stream_version
            ));
        }
        self.apply_replayed(&id, position, replayed);
        self.note(position, replayed);
        Ok(())
    }

    /// Takes on a stream that another service has opened; true where this was news. What opens a stream that is there
    /// already has been applied before, and anything else of another service is a message.
    pub(crate) fn adopt(&mut self, position: &Position, replayed: &Replayed<C::Event>) -> bool {
        let id = replayed.event.stream();
        let news = C::opens(&replayed.event) && !self.knows(&id);
        if news {
            self.apply_replayed(&id, position, replayed);
        }
        self.note(position, replayed);
        news
    }

    fn note(&mut self, position: &Position, replayed: &Replayed<C::Event>) {
        if let Some(keeping) = &mut self.keeping {
            keeping.applied(position, replayed.event_id);
        }
    }

    fn apply_replayed(
        &mut self,
        id: &StreamIdOf<C>,
        position: &Position,
        replayed: &Replayed<C::Event>,
    ) {
        let stream = self.apply(
            id,
            &replayed.event,
            replayed.command_id,
            replayed.command_hash,
        );
        stream.reach(position);
    }

    /// Applies an event and remembers its command.
    fn apply(
        &mut self,
        id: &StreamIdOf<C>,
        event: &C::Event,
        command_id: uuid::Uuid,
        command_hash: uuid::Uuid,
    ) -> &mut Stream<C> {
        if !self.load(id) {
            self.absent = None;
            self.resident.insert(id.clone(), Stream::default());
        }
        let stream = self.resident.get_mut(id);
        let stream = stream.expect("it is there, or was just put there");
        stream.apply(event);
        let (at_most, outlasts) = (C::remembered(id), C::outlasts(event));
        stream.remember(command_id, command_hash, at_most, outlasts);
        let due_at = C::deadline(&stream.state);
        self.deadlines.set(&mut stream.alarm, due_at, id);
        if let Some(keeping) = &mut self.keeping
            && !std::mem::replace(&mut stream.kept.is_changed, true)
        {
            keeping.changed(id);
        }
        stream
    }

    /// Decides a command; events of an accepted one are added to `records`.
    pub(crate) fn decide(
        &mut self,
        request: &Request<C>,
        number: u64,
        records: &mut Vec<OutgoingRecord>,
    ) -> Verdict<C> {
        let target = C::target(&request.command);
        self.load(&target);
        let stream = self.resident.get(&target);
        let known = stream.and_then(|stream| stream.recall(&target, &request.metadata));
        let is_known = known.is_some();
        if let Some(verdict) = known.filter(|_| !C::is_decided_anew(&request.command)) {
            return verdict;
        }
        let nothing_yet = Stream::default();
        let stream = stream.unwrap_or(&nothing_yet);
        let decided = C::decide(&stream.state, &request.command);
        let expected = request.metadata.expected_version;
        // That there is nothing to change is the rules' to say.
        if expected.is_some_and(|expected| !expected.is_met_by(stream.version))
            && (stream.version > 0 || decided.is_ok())
        {
            return Verdict::VersionMismatch(stream.version);
        }
        match decided {
            Err(rejection) => Verdict::Rejected(rejection),
            Ok(events) if events.is_empty() => stream.unchanged(target),
            Ok(events) => {
                let earlier = is_known.then_some(stream.version);
                self.append(&target, &events, request, earlier, number, records);
                let stream = self.resident.get(&target);
                let stream = stream.expect("a decision has an event of the stream it is taken on");
                Verdict::Accepted(stream.last(target))
            }
        }
    }

    /// Of a command that was decided earlier, too, with the version at which it is now.
    fn append(
        &mut self,
        target: &StreamIdOf<C>,
        events: &[C::Event],
        request: &Request<C>,
        earlier: Option<u32>,
        number: u64,
        records: &mut Vec<OutgoingRecord>,
    ) {
        let of = u16::try_from(events.len()).expect("a decision has few events");
        let command = &request.metadata;
        for (index, event) in (1..=of).zip(events) {
            let id = event.stream();
            let name = id.to_string();
            let key = C::Event::key(&id);
            let stream_version = if C::TOPICS.contains(&event.topic()) {
                let stream = self.apply(&id, event, command.command_id, command.command_hash);
                let version = stream.version;
                if id != *target {
                    let slot = stream.last(id.clone());
                    self.beside.push((slot, records.len()));
                }
                version
            } else {
                // A message leaves our streams as they are: it tells of one, or opens one of another service.
                self.load(&id);
                self.resident.get(&id).map_or(1, |stream| stream.version)
            };
            let metadata = Metadata {
                event_id: match earlier {
                    None => event_id(command.command_id, index),
                    Some(version) => later_event_id(command.command_id, version, index),
                },
                source: Arc::clone(&self.source),
                stream: name,
                stream_version,
                time: command.time,
                correlation_id: event.journey().unwrap_or(command.correlation_id),
                causation_id: command.causation_id,
                command_id: command.command_id,
                command_hash: command.command_hash,
                actor: Arc::clone(&command.actor),
                decision: DecisionMark { number, index, of },
                traceparent: command.traceparent.clone(),
            };
            let partition = partition_for(key.as_bytes(), self.partitions);
            records.push(codec::encode(event, key, &metadata, partition));
        }
    }

    /// When the next stream has something to do.
    pub(crate) fn next_deadline(&self) -> Option<DateTime<Utc>> {
        self.deadlines.next()
    }

    /// The command of the next deadline that has passed.
    ///
    /// Its id follows from the stream and the due time: decided again by the next owner, it is the same command.
    pub(crate) fn take_expired(&mut self, now: DateTime<Utc>) -> Option<Request<C>> {
        loop {
            let (stream, due_at) = self.deadlines.take_due(now)?;
            let Some(command) = C::expire(&stream, due_at) else {
                continue;
            };
            let command_id = deadline_command_id(&stream.to_string(), due_at);
            return Some(Request {
                command,
                metadata: CommandMetadata {
                    command_id,
                    command_hash: command_id,
                    correlation_id: command_id,
                    causation_id: command_id,
                    actor: DEADLINE_ACTOR.into(),
                    time: now,
                    traceparent: None,
                    expected_version: None,
                },
            });
        }
    }

    /// Notes that a batch is committed, and where its records lie.
    pub(crate) fn committed(&mut self, records: &[OutgoingRecord], positions: &[Position]) {
        for (slot, record) in self.beside.drain(..) {
            let stream = self.resident.get_mut(&slot.stream);
            if let (Some(stream), Some(position)) = (stream, positions.get(record)) {
                stream.reach_in(&slot, position);
            }
        }
        if let Some(keeping) = &mut self.keeping {
            keeping.committed(records, positions);
        }
    }

    /// Notes where the events of an accepted command lie, once they are committed.
    pub(crate) fn settle(&mut self, slot: &Slot<C>, positions: Arc<[Position]>) {
        if let Some(stream) = self.resident.get_mut(&slot.stream) {
            stream.settle(slot, positions);
        }
    }

    /// The answer to a command whose events are committed.
    pub(crate) fn answer(&self, slot: &Slot<C>, replayed: bool) -> Accepted<C::Status> {
        let stream = self.resident.get(&slot.stream);
        let stream = stream.expect("what the running batch has changed is in memory");
        stream.answer(slot, replayed)
    }

    /// Why nothing that was decided may be appended: a stream could not be read.
    pub(crate) fn failure(&self) -> Option<&StateError> {
        self.keeping.as_ref().and_then(Keeping::failure)
    }

    /// Whether the store lacks anything yet.
    pub(crate) fn has_changes(&self) -> bool {
        self.keeping.as_ref().is_some_and(Keeping::has_changes)
    }

    /// Hands what has changed over to the store where that is due. Only where all that is in memory is committed.
    pub(crate) fn keep_if_due(
        &mut self,
        read_to: impl FnOnce() -> Vec<StartAt>,
    ) -> Result<(), StateError> {
        match &self.keeping {
            Some(keeping) if keeping.is_due() => self.keep(&read_to()),
            _ => {
                // What was only read takes room too.
                self.make_room();
                Ok(())
            }
        }
    }

    /// Hands over what has changed, and forgets what has not been used for long.
    pub(crate) fn keep(&mut self, read_to: &[StartAt]) -> Result<(), StateError> {
        let Some(keeping) = &mut self.keeping else {
            return Ok(());
        };
        keeping.read_to(read_to);
        keeping.write(&mut self.resident)?;
        self.make_room();
        Ok(())
    }

    /// Forgets what has not been used for long and is on disk, where there is too much.
    fn make_room(&mut self) {
        let Some(keeping) = &self.keeping else {
            return;
        };
        let on_disk = keeping.on_disk();
        self.resident
            .make_room(|stream| !stream.kept.is_changed && stream.kept.in_batch <= on_disk);
    }

    /// Whether so much has changed that a replay is to hand it over.
    pub(crate) fn is_full(&self) -> bool {
        self.keeping.as_ref().is_some_and(Keeping::is_full)
    }
}
