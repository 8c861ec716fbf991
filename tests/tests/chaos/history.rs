//! What was asked and answered, beside what is in the log: whether the answers tell the truth.

use std::{
    collections::{BTreeMap, HashMap},
    fmt,
    time::Instant,
};

use domain::Context;
use event_store::{Accepted, Answer, EventStore, Recorded, Refusal, Request};
use uuid::Uuid;

use crate::seats::{SeatCommand, SeatEvent, SeatRejection, Seats};

/// One try of a command.
#[derive(Debug, Clone)]
pub(crate) struct Attempt {
    pub(crate) command_id: Uuid,
    pub(crate) command_hash: Uuid,
    pub(crate) command: SeatCommand,
    /// Which owner was asked, by number.
    pub(crate) owner: usize,
    pub(crate) sent: Instant,
    pub(crate) answered: Instant,
    pub(crate) answer: Answer<Seats>,
}

/// A command's own id, and which request came with it.
type Key = (Uuid, Uuid);

impl Attempt {
    /// Asks that owner, and notes when.
    pub(crate) async fn of(
        store: &EventStore<Seats>,
        request: &Request<Seats>,
        owner: usize,
    ) -> Self {
        let sent = Instant::now();
        let answer = store.execute(request.clone()).await;
        Self {
            command_id: request.metadata.command_id,
            command_hash: request.metadata.command_hash,
            command: request.command,
            owner,
            sent,
            answered: Instant::now(),
            answer,
        }
    }

    /// One line of a timeline that begins then.
    pub(crate) fn told(&self, begun: Instant) -> String {
        let at = |time: Instant| time.saturating_duration_since(begun).as_millis();
        format!(
            "{:>6} to {:>6} ms, owner {}: {:?} as {}: {:?}",
            at(self.sent),
            at(self.answered),
            self.owner,
            self.command,
            self.command_id,
            self.answer
        )
    }

    fn key(&self) -> Key {
        (self.command_id, self.command_hash)
    }
}

/// The committed events of both topics, each in its order.
#[derive(Debug)]
pub(crate) struct Log {
    pub(crate) seats: Vec<Recorded<SeatEvent>>,
    pub(crate) notices: Vec<Recorded<SeatEvent>>,
}

/// What is wrong between answers and log.
#[derive(Debug)]
pub(crate) struct Disagreement(String);

impl fmt::Display for Disagreement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

fn disagree<T>(what: impl Into<String>) -> Result<T, Disagreement> {
    Err(Disagreement(what.into()))
}

/// One decision as the log has it.
#[derive(Debug)]
struct Decision<'a> {
    events: Vec<&'a Recorded<SeatEvent>>,
    first_version: u32,
    last_version: u32,
}

/// One show as the log has it.
#[derive(Debug)]
struct Stream {
    /// The state at each version, from 0.
    states: Vec<u32>,
    /// When the command of each version was sent first, from version 1.
    sent: Vec<Instant>,
}

/// Every answer, rejections included, is true of the log, and the log is one history without gaps, doubles or halves.
///
/// The log is the order of what was accepted. What is left to find is whether that order respects time: an answer is true
/// of a moment between the command's sending and the answer.
pub(crate) fn check(attempts: &[Attempt], log: &Log) -> Result<(), Disagreement> {
    let decisions = decisions(log)?;
    let first_sent = first_sent(attempts);
    let streams = streams(attempts, log, &decisions, &first_sent)?;
    let mut in_time: Vec<&Attempt> = attempts.iter().collect();
    in_time.sort_by_key(|attempt| attempt.answered);
    // What a client has been told, and when: nobody asked later may be told of an earlier state.
    let mut told: Vec<(Instant, Uuid, u32)> = Vec::new();
    for attempt in in_time {
        let show = attempt.command.show();
        let at_least = |since: Instant| {
            let before = told
                .iter()
                .filter(|(answered, of, _)| *of == show && *answered < since);
            before.map(|(_, _, version)| *version).max().unwrap_or(0)
        };
        let decision = decisions.get(&attempt.key());
        if let Some(decision) = decision {
            let known = at_least(first_sent[&attempt.key()]);
            if decision.first_version <= known {
                return disagree(format!(
                    "version {} was appended by what was sent after version {known} had been told: {attempt:?}",
                    decision.first_version
                ));
            }
        }
        let window = Window {
            from: at_least(attempt.sent),
            stream: streams.get(&show),
            until: attempt.answered,
        };
        if let Some(version) = window.holds(attempt, decision, &decisions)? {
            told.push((attempt.answered, show, version));
        }
    }
    nothing_unasked(attempts, &decisions)
}

fn first_sent(attempts: &[Attempt]) -> HashMap<Key, Instant> {
    let mut first = HashMap::new();
    for attempt in attempts {
        let sent = first.entry(attempt.key()).or_insert(attempt.sent);
        *sent = attempt.sent.min(*sent);
    }
    first
}

/// The log by commands: each has one decision, and that is whole.
fn decisions(log: &Log) -> Result<BTreeMap<Key, Decision<'_>>, Disagreement> {
    let mut by_command: BTreeMap<Key, Vec<&Recorded<SeatEvent>>> = BTreeMap::new();
    for recorded in log.seats.iter().chain(&log.notices) {
        let metadata = &recorded.metadata;
        let key = (metadata.command_id, metadata.command_hash);
        by_command.entry(key).or_default().push(recorded);
    }
    let ids: std::collections::BTreeSet<_> = by_command.keys().map(|(id, _)| id).collect();
    if ids.len() != by_command.len() {
        return disagree("a command id has been used for two requests");
    }
    let decided = by_command.into_iter().map(|(key, events)| {
        let first = events[0].metadata.decision;
        let whole = (1..=first.of).eq(events.iter().map(|event| event.metadata.decision.index));
        let same = |event: &&Recorded<SeatEvent>| {
            event.metadata.decision.number == first.number && event.metadata.decision.of == first.of
        };
        if !whole || !events.iter().all(same) {
            return disagree(format!("torn or doubled: {events:#?}"));
        }
        let versions = || events.iter().map(|event| event.metadata.stream_version);
        let decision = Decision {
            first_version: versions().min().unwrap_or(0),
            last_version: versions().max().unwrap_or(0),
            events,
        };
        Ok((key, decision))
    });
    decided.collect()
}

/// The log by shows: versions without gaps, each decision what `decide` says of the state before it.
fn streams(
    attempts: &[Attempt],
    log: &Log,
    decisions: &BTreeMap<Key, Decision<'_>>,
    first_sent: &HashMap<Key, Instant>,
) -> Result<HashMap<Uuid, Stream>, Disagreement> {
    let commands: HashMap<Key, SeatCommand> = attempts
        .iter()
        .map(|attempt| (attempt.key(), attempt.command))
        .collect();
    let mut streams = HashMap::new();
    for recorded in &log.seats {
        let metadata = &recorded.metadata;
        let key = (metadata.command_id, metadata.command_hash);
        let Some(command) = commands.get(&key) else {
            return disagree(format!("nobody has asked for {recorded:?}"));
        };
        let stream = streams.entry(command.show()).or_insert_with(|| Stream {
            states: vec![0],
            sent: Vec::new(),
        });
        let state = stream.states[stream.states.len() - 1];
        if metadata.stream_version as usize != stream.states.len() {
            return disagree(format!(
                "version {} is followed by {recorded:?}",
                stream.states.len() - 1
            ));
        }
        if metadata.decision.index == 1 {
            let events = &decisions[&key].events;
            let decided = Seats::decide(&state, command);
            let logged: Vec<_> = events.iter().map(|recorded| recorded.event).collect();
            if decided.as_ref() != Ok(&logged) {
                return disagree(format!(
                    "decided on another state than {state}: {command:?} gives {decided:?}, logged is {events:#?}"
                ));
            }
        }
        stream.states.push(Seats::evolve(state, &recorded.event));
        stream.sent.push(first_sent[&key]);
    }
    Ok(streams)
}

/// What is logged was accepted, or its answer may have been lost.
fn nothing_unasked(
    attempts: &[Attempt],
    decisions: &BTreeMap<Key, Decision<'_>>,
) -> Result<(), Disagreement> {
    for key in decisions.keys() {
        let mut answers = attempts
            .iter()
            .filter(|attempt| attempt.key() == *key)
            .map(|attempt| &attempt.answer);
        if !answers.any(|answer| matches!(answer, Ok(_) | Err(Refusal::OutcomeUnknown { .. }))) {
            return disagree(format!(
                "in the log, and every answer says that it is not: {:?}",
                attempts
                    .iter()
                    .filter(|attempt| attempt.key() == *key)
                    .collect::<Vec<_>>()
            ));
        }
    }
    Ok(())
}

/// The versions that an answer may speak of.
struct Window<'a> {
    from: u32,
    /// None where nothing of the show is in the log.
    stream: Option<&'a Stream>,
    until: Instant,
}

impl Window<'_> {
    /// Whether the answer is true; also the earliest version that it can have been given on.
    fn holds(
        &self,
        attempt: &Attempt,
        decision: Option<&Decision<'_>>,
        decisions: &BTreeMap<Key, Decision<'_>>,
    ) -> Result<Option<u32>, Disagreement> {
        match (&attempt.answer, decision) {
            (Ok(accepted), Some(decision)) => {
                self.is_as_told(attempt, accepted, decision)?;
                Ok(Some(accepted.stream_version))
            }
            (Ok(accepted), None) => {
                let is_so = |version, state| {
                    version == accepted.stream_version
                        && state == accepted.status
                        && Seats::decide(&state, &attempt.command) == Ok(Vec::new())
                };
                self.find(attempt, None, is_so)
            }
            (Err(Refusal::Rejected(rejection)), decision) => {
                let is_so = |_, state| rejects(state, attempt.command, rejection);
                self.find(attempt, decision, is_so)
            }
            (Err(Refusal::KeyReused), _) => {
                let other =
                    |key: &&Key| key.0 == attempt.command_id && key.1 != attempt.command_hash;
                if decisions.keys().any(|key| other(&key)) {
                    Ok(None)
                } else {
                    disagree(format!("the id was not used: {attempt:?}"))
                }
            }
            (Err(Refusal::VersionMismatch { .. }), _) => {
                disagree(format!("no version was expected: {attempt:?}"))
            }
            // That it is not in the log is looked at where the log is.
            (Err(Refusal::Unavailable { .. } | Refusal::OutcomeUnknown { .. }), _) => Ok(None),
        }
    }

    fn is_as_told(
        &self,
        attempt: &Attempt,
        accepted: &Accepted<u32>,
        decision: &Decision<'_>,
    ) -> Result<(), Disagreement> {
        let state = self
            .stream
            .and_then(|stream| stream.states.get(decision.last_version as usize));
        let positions_are_there = accepted.positions.iter().all(|told| {
            let of_topic = decision
                .events
                .iter()
                .filter(|event| event.position.topic == told.topic);
            of_topic.map(|event| &event.position).next_back() == Some(told)
        });
        let is_so = accepted.stream_version == decision.last_version
            && state == Some(&accepted.status)
            && !accepted.positions.is_empty()
            && positions_are_there;
        if is_so {
            Ok(())
        } else {
            disagree(format!(
                "told otherwise than logged: {attempt:?}, {decision:#?}"
            ))
        }
    }

    /// The first version of the window of which it is true; the command's own events lie behind it.
    fn find(
        &self,
        attempt: &Attempt,
        own: Option<&Decision<'_>>,
        is_so: impl Fn(u32, u32) -> bool,
    ) -> Result<Option<u32>, Disagreement> {
        let nothing = Stream {
            states: vec![0],
            sent: Vec::new(),
        };
        let stream = self.stream.unwrap_or(&nothing);
        let mut last = own.map(|decision| decision.first_version - 1);
        for (version, state) in (0..).zip(&stream.states) {
            let was_sent = version == 0 || stream.sent[version as usize - 1] < self.until;
            if !was_sent || last.is_some_and(|last| version > last) {
                last = Some(version.saturating_sub(1));
                break;
            }
            if version >= self.from && is_so(version, *state) {
                return Ok(Some(version));
            }
        }
        disagree(format!(
            "true of no state from version {} to {last:?} of {:?}: {attempt:?}",
            self.from, stream.states
        ))
    }
}

fn rejects(state: u32, command: SeatCommand, rejection: &SeatRejection) -> bool {
    Seats::decide(&state, &command).as_ref() == Err(rejection)
}

mod tests;
