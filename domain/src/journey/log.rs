//! What an event store does for the services, without one.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};
use serde_json::Value;
use uuid::Uuid;

use crate::{
    Context, Event, EventKind, Policy, ReadEvent,
    ids::event_id,
    policy::{Cause, Reaction},
};

/// By topic and key: only the order within is promised.
pub(super) type QueueName = (&'static str, String);

/// Everything that has happened.
#[derive(Default)]
pub(super) struct Log {
    queues: BTreeMap<QueueName, Vec<Record>>,
}

/// An event, as others read it.
#[derive(Clone)]
pub(super) struct Record {
    pub(super) id: Uuid,
    pub(super) name: &'static str,
    version: u16,
    pub(super) payload: Value,
}

impl Log {
    pub(super) fn append<E: Event>(&mut self, event: &E, id: Uuid) {
        let EventKind { name, version } = event.kind();
        let record = Record {
            id,
            name,
            version,
            payload: serde_json::to_value(event).unwrap(),
        };
        let queue = (event.topic(), E::key(&event.stream()));
        self.queues.entry(queue).or_default().push(record);
    }

    pub(super) fn queues(&self) -> impl Iterator<Item = (&QueueName, &[Record])> {
        self.queues
            .iter()
            .map(|(queue, records)| (queue, records.as_slice()))
    }

    pub(super) fn records(&self) -> impl Iterator<Item = &Record> {
        self.queues.values().flatten()
    }
}

impl Record {
    pub(super) fn read<E: ReadEvent>(&self) -> E {
        E::deserialize(self.name, self.version, &self.payload).unwrap()
    }

    /// What a policy does about it.
    pub(super) fn react<P: Policy>(
        &self,
        policy: &P,
        now: DateTime<Utc>,
    ) -> Vec<Reaction<<P::Context as Context>::Command>> {
        let event_id = self.id;
        policy.react(&self.read(), Cause { event_id, now })
    }
}

/// The streams of one service.
pub(super) struct Service<C: Context> {
    streams: BTreeMap<String, Stream<C>>,
}

struct Stream<C: Context> {
    state: C::State,
    commands: BTreeSet<Uuid>,
}

impl<C: Context> Default for Service<C> {
    fn default() -> Self {
        Self {
            streams: BTreeMap::new(),
        }
    }
}

impl<C: Context> Service<C> {
    pub(super) fn state(&self, stream: &<C::Event as Event>::StreamId) -> C::State {
        let stream = self.streams.get(&stream.to_string());
        stream
            .map(|stream| stream.state.clone())
            .unwrap_or_default()
    }

    /// Whether it was accepted.
    pub(super) fn execute(
        &mut self,
        log: &mut Log,
        command: &C::Command,
        command_id: Uuid,
    ) -> Result<(), C::Rejection> {
        let target = C::target(command);
        let known = self.streams.get(&target.to_string());
        let known = known.is_some_and(|stream| stream.commands.contains(&command_id));
        if known && !C::is_decided_anew(command) {
            return Ok(());
        }
        let events = C::decide(&self.state(&target), command)?;
        for (index, event) in (1..).zip(&events) {
            self.append(log, event, event_id(command_id, index), command_id);
        }
        Ok(())
    }

    pub(super) fn append(&mut self, log: &mut Log, event: &C::Event, id: Uuid, command_id: Uuid) {
        let name = event.stream().to_string();
        let stream = self.streams.entry(name).or_insert_with(|| Stream {
            state: C::State::default(),
            commands: BTreeSet::new(),
        });
        // A message is of no stream of ours, or changes nothing there.
        if C::TOPICS.contains(&event.topic()) {
            stream.state = C::evolve(std::mem::take(&mut stream.state), event);
        }
        stream.commands.insert(command_id);
        log.append(event, id);
    }
}
