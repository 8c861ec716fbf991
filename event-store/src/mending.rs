//! Messages that the log lacks though it has the facts that they go with, sent again.
//!
//! A fact and its message are one transaction. A copy of a commit, of which its sender knows nothing, can still commit the
//! one without the other (ADR-0001); it meets what an owner has under way, so whoever takes over after a failure looks there.
//! Sent again, a message has the id that it had, and nobody minds hearing it twice.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError, Weak},
    thread,
    time::Duration,
};

use chrono::{DateTime, TimeDelta, Utc};
use crossbeam_channel::{Receiver, TryRecvError, bounded};
use domain::{
    Context, Event,
    ids::{event_id, later_event_id},
};
use rustc_hash::FxHashSet;
use tracing::warn;
use uuid::Uuid;

use crate::{
    codec::{self, Interned},
    envelope::{DecisionMark, Metadata, Recorded},
    log::{Log, LogError, OutgoingRecord, RawRecord, WriterId},
    partitioner::partition_for,
    rehydrate::{places_with_ends, read_to},
    subscription::StartAt,
};

/// What an owner had under way lies among so many of the last records of each topic: a few full batches, what marks their ends, and what
/// others have appended since.
const LOOK_BACK: i64 = 20_000;
/// What was decided so long before the last of it was not under way any more.
const UNDER_WAY_FOR: TimeDelta = TimeDelta::minutes(1);
/// By so much clocks may disagree about when something was decided and when it was appended.
const CLOCKS_DIFFER: TimeDelta = TimeDelta::minutes(1);
/// A message is not looked for among more records than that: `doctor` reads everything.
const FAR: i64 = 1_000_000;
/// Another producer's open transaction hides what follows until it times out.
const PATIENCE: Duration = Duration::from_secs(30);

/// Whether what the last owner may have left undone is done.
pub(crate) enum Mending {
    /// Nothing is missing, or not any more.
    Done,
    /// A thread of its own looks. It gives up when this is dropped.
    Looking {
        found: Receiver<Vec<OutgoingRecord>>,
        _wanted: Arc<()>,
    },
    /// It could not be found out; whoever takes over next looks again.
    Unknown,
}

/// One look at a time, however many partitions are taken over, and however often.
pub(crate) type InTurn = Arc<Mutex<()>>;

impl Mending {
    /// Begins to look at what lies before these places.
    pub(crate) fn begin<C: Context, L: Log>(
        log: &L,
        (id, partitions): (&WriterId, i32),
        places: &[StartAt],
        in_turn: &InTurn,
    ) -> Self {
        if C::SENDS_TO.is_empty() {
            return Self::Done;
        }
        let (tell, found) = bounded(1);
        let wanted = Arc::new(());
        let look = Look {
            log: log.clone(),
            partitions,
            places: places.to_vec(),
            wanted: Arc::downgrade(&wanted),
        };
        let (id, in_turn) = (id.clone(), Arc::clone(in_turn));
        let look = move || {
            let _alone = in_turn.lock().unwrap_or_else(PoisonError::into_inner);
            match look.missing::<C>() {
                Ok(missing) => drop(tell.send(missing)),
                Err(_) if !look.is_wanted() => {}
                Err(error) => {
                    warn!(partition = %id, %error, "cannot tell whether messages are missing; `offset-zero doctor` can");
                }
            }
        };
        let thread = thread::Builder::new().name("mending".to_owned());
        match thread.spawn(look) {
            Ok(_) => Self::Looking {
                found,
                _wanted: wanted,
            },
            Err(_) => Self::Unknown,
        }
    }

    /// What is missing, once; nothing while that is not known.
    pub(crate) fn found(&mut self) -> Vec<OutgoingRecord> {
        let Self::Looking { found, .. } = self else {
            return Vec::new();
        };
        match found.try_recv() {
            Ok(missing) => {
                *self = Self::Done;
                missing
            }
            Err(TryRecvError::Empty) => Vec::new(),
            Err(TryRecvError::Disconnected) => {
                *self = Self::Unknown;
                Vec::new()
            }
        }
    }

    pub(crate) fn is_looking(&self) -> bool {
        matches!(self, Self::Looking { .. })
    }

    pub(crate) fn is_done(&self) -> bool {
        matches!(self, Self::Done)
    }
}

/// What is looked through.
struct Look<L> {
    log: L,
    partitions: i32,
    /// Where the partition of each of the service's topics ends.
    places: Vec<StartAt>,
    wanted: Weak<()>,
}

/// A message that has to be in the log.
struct Expected {
    event_id: Uuid,
    decided_at: DateTime<Utc>,
    record: OutgoingRecord,
}

impl<L: Log> Look<L> {
    /// The messages of the last facts that are not where they belong.
    fn missing<C: Context>(&self) -> Result<Vec<OutgoingRecord>, LogError> {
        let mut expected = self.expected::<C>()?;
        if !expected.is_empty() {
            let wanted = expected.iter().map(|message| message.event_id).collect();
            let there = self.there(&expected, &wanted)?;
            expected.retain(|message| !there.contains(&message.event_id));
        }
        Ok(expected.into_iter().map(|message| message.record).collect())
    }

    /// What has to be there by the last facts.
    fn expected<C: Context>(&self) -> Result<Vec<Expected>, LogError> {
        let back = |place: &StartAt| StartAt {
            topic: Arc::clone(&place.topic),
            partition: place.partition,
            next_offset: (place.next_offset - LOOK_BACK).max(0),
        };
        let from: Vec<_> = self.places.iter().map(back).collect();
        let places = self.places.iter();
        let ends: Vec<_> = places
            .map(|place| (&*place.topic, place.partition, place.next_offset))
            .collect();
        let source = format!("/{}", C::SERVICE);
        let mut interned = Interned::default();
        let mut expected = Vec::new();
        let mut last = DateTime::<Utc>::MIN_UTC;
        self.read(&from, &ends, |record| {
            if self.was_there(record) && codec::source(record) == Some(&source) {
                let fact: Recorded<C::Event> = codec::decode(record, &mut interned)?;
                last = last.max(fact.metadata.time);
                expected.extend(message::<C>(&fact, self.partitions));
            }
            Ok(())
        })?;
        expected.retain(|message: &Expected| last - message.decided_at <= UNDER_WAY_FOR);
        Ok(expected)
    }

    /// Whether it lay there at the takeover. What was decided since may be far younger, and would have all that was under way look old.
    fn was_there(&self, record: &RawRecord<'_>) -> bool {
        let mut places = self.places.iter();
        places.any(|place| {
            *place.topic == *record.topic
                && place.partition == record.partition
                && record.offset < place.next_offset
        })
    }

    /// Which of the wanted ids the log has, in the partitions where they belong.
    fn there(
        &self,
        expected: &[Expected],
        wanted: &FxHashSet<Uuid>,
    ) -> Result<FxHashSet<Uuid>, LogError> {
        let mut since: BTreeMap<(&'static str, i32), DateTime<Utc>> = BTreeMap::new();
        for message in expected {
            let place = (message.record.topic, message.record.partition);
            let earliest = since.entry(place).or_insert(message.decided_at);
            *earliest = (*earliest).min(message.decided_at);
        }
        let mut from = Vec::with_capacity(since.len());
        for ((topic, partition), decided_at) in &since {
            from.push(StartAt {
                topic: Arc::from(*topic),
                partition: *partition,
                next_offset: match decided_at.checked_sub_signed(CLOCKS_DIFFER) {
                    Some(time) => self.log.offset_at(topic, *partition, time)?,
                    None => 0,
                },
            });
        }
        // Taken after the facts were read: their transactions were decided by then, and all that is theirs lies below.
        let places: Vec<_> = since.into_keys().collect();
        let ends = places_with_ends(&self.log, &places)?;
        let starts = from.iter().map(|place| place.next_offset);
        let records = ends
            .iter()
            .zip(starts)
            .map(|((.., end), start)| end - start);
        let records: i64 = records.sum();
        if records > FAR {
            return Err(LogError::Unavailable {
                attempted: "looking for messages",
                reason: format!("they may be among {records} records"),
            });
        }
        let mut there = FxHashSet::default();
        self.read(&from, &ends, |record| {
            there.extend(codec::event_id(record).filter(|id| wanted.contains(id)));
            Ok(())
        })?;
        Ok(there)
    }

    fn read(
        &self,
        from: &[StartAt],
        ends: &[(&str, i32, i64)],
        mut visit: impl FnMut(&RawRecord<'_>) -> Result<(), LogError>,
    ) -> Result<(), LogError> {
        self.still_wanted()?;
        let mut reader = self.log.reader(from)?;
        read_to(&mut reader, ends, PATIENCE, |record| {
            self.still_wanted()?;
            visit(record)
        })
    }

    fn is_wanted(&self) -> bool {
        self.wanted.strong_count() > 0
    }

    fn still_wanted(&self) -> Result<(), LogError> {
        match self.is_wanted() {
            true => Ok(()),
            false => Err(LogError::Unavailable {
                attempted: "looking for messages",
                reason: "nobody waits for it any more".to_owned(),
            }),
        }
    }
}

/// The message that comes right after a fact in its decision, as it was to be appended.
fn message<C: Context>(fact: &Recorded<C::Event>, partitions: i32) -> Option<Expected> {
    let message = C::message(&fact.event)?;
    let metadata = &fact.metadata;
    let event_id = next_event_id(metadata)?;
    let stream = message.stream();
    let key = C::Event::key(&stream);
    let stream = stream.to_string();
    let metadata = Metadata {
        event_id,
        // As of the stream when the fact was appended; another service's begins with it.
        stream_version: match stream == metadata.stream {
            true => metadata.stream_version,
            false => 1,
        },
        stream,
        correlation_id: message.journey().unwrap_or(metadata.correlation_id),
        decision: DecisionMark {
            index: metadata.decision.index + 1,
            ..metadata.decision
        },
        ..metadata.clone()
    };
    let partition = partition_for(key.as_bytes(), partitions);
    Some(Expected {
        event_id,
        decided_at: metadata.time,
        record: codec::encode(&message, key, &metadata, partition),
    })
}

/// The id of the event that follows in the same decision; none where that one was the last.
fn next_event_id(metadata: &Metadata) -> Option<Uuid> {
    let (command_id, DecisionMark { index, of, .. }) = (metadata.command_id, metadata.decision);
    if index == of {
        return None;
    }
    if metadata.event_id == event_id(command_id, index) {
        return Some(event_id(command_id, index + 1));
    }
    // Of a command that was decided once more the ids depend on where its stream stood.
    let earliest = metadata.stream_version.saturating_sub(u32::from(index));
    let mut versions = earliest..metadata.stream_version;
    let is_it = |version: &u32| metadata.event_id == later_event_id(command_id, *version, index);
    let version = versions.find(is_it)?;
    Some(later_event_id(command_id, version, index + 1))
}

#[cfg(test)]
mod tests;
