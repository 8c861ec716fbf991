//! Events without a log, as one partition of their topic would hold them.

use std::{collections::HashMap, sync::Arc};

use domain::{Context, Event, ReadEvent};
use event_store::{DecisionMark, Metadata, Position, Recorded};
use uuid::Uuid;

use super::commands::now;

/// What a context makes of commands, each stream's versions counted; messages to other topics are left out.
pub(super) fn decided<C: Context>(commands: &[C::Command]) -> Vec<Recorded<C::Event>> {
    type Streams<C> =
        HashMap<<<C as Context>::Event as Event>::StreamId, (<C as Context>::State, u32)>;
    let mut streams = Streams::<C>::new();
    let mut events = Vec::new();
    for command in commands {
        let stream = C::target(command);
        let (state, version) = streams.entry(stream.clone()).or_default();
        let decided = C::decide(state, command).expect("legal");
        let own = decided
            .into_iter()
            .filter(|event| C::TOPICS.contains(&event.topic()));
        for event in own {
            *state = C::evolve(std::mem::take(state), &event);
            *version += 1;
            let (topic, stream) = (event.topic(), stream.to_string());
            events.push(recorded(event, topic, &stream, *version, events.len()));
        }
    }
    events
}

/// What a projection reads of an event.
pub(super) fn viewed<V: ReadEvent, E: Event>(recorded: &Recorded<E>) -> Recorded<V> {
    let kind = recorded.event.kind();
    let payload = serde_json::to_value(&recorded.event).expect("JSON");
    let event = V::deserialize(kind.name, kind.version, payload).expect("readable");
    Recorded {
        position: recorded.position.clone(),
        key: recorded.key.clone(),
        metadata: recorded.metadata.clone(),
        event,
    }
}

/// All events, each topic's in their order; which topic's comes next, the picks say.
pub(super) fn interleave<E: Clone>(topics: &[&[Recorded<E>]], picks: &[usize]) -> Vec<Recorded<E>> {
    let mut rest: Vec<_> = topics.iter().map(|topic| topic.iter()).collect();
    let mut events = Vec::new();
    for pick in picks.iter().cycle() {
        let first = pick % rest.len();
        let (before, after) = rest.split_at_mut(first);
        let mut turn = after.iter_mut().chain(before);
        match turn.find_map(Iterator::next) {
            Some(event) => events.push(event.clone()),
            None => break,
        }
    }
    events
}

pub(super) fn recorded<E>(
    event: E,
    topic: &str,
    stream: &str,
    stream_version: u32,
    offset: usize,
) -> Recorded<E> {
    let id = Uuid::now_v7();
    let key = stream.split_once('-').map_or(stream, |(_, key)| key);
    Recorded {
        position: Position {
            topic: Arc::from(topic),
            partition: 0,
            offset: i64::try_from(offset).expect("few"),
        },
        key: key.into(),
        metadata: Metadata {
            event_id: id,
            source: "/test".into(),
            stream: stream.to_owned(),
            stream_version,
            time: now(),
            correlation_id: id,
            causation_id: id,
            command_id: id,
            command_hash: id,
            actor: "test".into(),
            decision: DecisionMark {
                number: 1,
                index: 1,
                of: 1,
            },
            traceparent: None,
        },
        event,
    }
}
