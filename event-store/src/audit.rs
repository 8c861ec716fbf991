//! Looking through a whole log for what must not be in it: decisions of which a part is missing, events that are there twice,
//! and streams that do not count on.

use std::{
    fmt,
    hash::{DefaultHasher, Hash, Hasher},
    time::Duration,
};

use rustc_hash::{FxHashMap, FxHashSet};
use uuid::Uuid;

use crate::{
    codec::{self, Interned},
    envelope::{Metadata, Position},
    log::{Log, LogError, RawRecord, Reader},
    rehydrate::{places_with_ends, read_to},
    subscription::StartAt,
};

/// Another producer's open transaction hides what follows until it times out.
const PATIENCE: Duration = Duration::from_secs(30);
/// Further findings are counted only.
const MAX_FINDINGS: usize = 100;
/// Between two words on how far it is.
const TOLD_EVERY: u64 = 10_000;

/// A service, and the topics whose streams are its own.
#[derive(Debug, Clone, Copy)]
pub struct Owned {
    /// Its name.
    pub service: &'static str,
    /// Its topics.
    pub topics: &'static [&'static str],
}

/// What was found.
#[derive(Debug, Default)]
pub struct Audit {
    /// Events that were looked at.
    pub events: u64,
    /// What is wrong, at most a hundred of it.
    pub findings: Vec<Finding>,
    /// How much more is wrong.
    pub more: u64,
}

/// Something that must not be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Finding {
    /// Some of the events of a decision are not there, though all of them were one transaction.
    TornDecision {
        /// The decision's first event that is there.
        first: Position,
        /// The stream of that event.
        stream: String,
        /// The command that was decided.
        command_id: Uuid,
        /// Which of its events are missing, from 1.
        missing: Vec<u16>,
        /// How many there should be.
        of: u16,
    },
    /// An event is there a second time.
    Duplicate {
        /// Where.
        position: Position,
        /// Which.
        event_id: Uuid,
    },
    /// A stream goes on with another version than its next.
    Gap {
        /// Where.
        position: Position,
        /// Whose.
        stream: String,
        /// The version that is there.
        version: u32,
        /// The one before it.
        after: u32,
    },
    /// A record that is no event: a header is missing or malformed, or its payload is no JSON.
    Unreadable {
        /// Where and why.
        reason: String,
    },
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TornDecision {
                first,
                stream,
                command_id,
                missing,
                of,
            } => write!(
                f,
                "torn decision on {stream} (command {command_id}, first event at {first}): of its {of} events {missing:?} \
                 are missing"
            ),
            Self::Duplicate { position, event_id } => {
                write!(f, "event {event_id} is there a second time, at {position}")
            }
            Self::Gap {
                position,
                stream,
                version,
                after,
            } => write!(
                f,
                "{stream} goes from version {after} to {version}, at {position}"
            ),
            Self::Unreadable { reason } => f.write_str(reason),
        }
    }
}

/// Reads every event of these services' topics. Blocks for as long as that takes; tells how many of how many offsets it
/// has passed.
///
/// Reading several topics shows no single moment: a decision that is appended meanwhile is seen in one before it is seen in
/// another. So what looks torn is looked at again, to where the topics end by then.
///
/// # Errors
/// When the log cannot be read to its end.
pub fn audit<L: Log>(
    log: &L,
    services: &[Owned],
    mut tell: impl FnMut(u64, u64),
) -> Result<Audit, LogError> {
    let topics: Vec<&str> = services
        .iter()
        .flat_map(|service| service.topics)
        .copied()
        .collect();
    let from = StartAt::every(log, &topics)?;
    let places: Vec<_> = from.iter().map(StartAt::place).collect();
    let ends = || places_with_ends(log, &places);
    let mut reader = log.reader(&from)?;
    let mut auditor = Auditor::new(services);
    let first_ends = ends()?;
    let total = first_ends.iter().map(|(.., end)| end.unsigned_abs()).sum();
    auditor.read(&mut reader, &first_ends, |passed| tell(passed, total))?;
    let suspects: FxHashSet<_> = auditor.open.keys().copied().collect();
    if !suspects.is_empty() {
        auditor.read(&mut reader, &ends()?, |_| {})?;
    }
    Ok(auditor.finish(&suspects))
}

/// A command, and the number of its decision.
type DecisionKey = (Uuid, u64);

/// A decision some of whose events have been seen.
struct Open {
    first: Position,
    stream: String,
    missing: Vec<u16>,
    of: u16,
}

/// How far a stream is known.
struct Known {
    version: u32,
    /// What another service has said of it may have opened it, or was a message to it, which does not count.
    perhaps_opened: bool,
}

/// How far a reading has come, in offsets, as where partitions end is. They count control records, which nobody is shown: of a log of
/// small transactions every other record is one.
struct Way<'a> {
    ends: &'a [(&'a str, i32, i64)],
    /// Of each partition.
    next_offsets: Vec<i64>,
    /// The place of the last record: the next one is usually from there too.
    last: usize,
    passed: u64,
}

impl<'a> Way<'a> {
    fn to(ends: &'a [(&'a str, i32, i64)]) -> Self {
        Self {
            ends,
            next_offsets: vec![0; ends.len()],
            last: 0,
            passed: 0,
        }
    }

    fn pass(&mut self, topic: &str, partition: i32, offset: i64) {
        let is_there = |end: &(&str, i32, i64)| end.0 == topic && end.1 == partition;
        if !self.ends.get(self.last).is_some_and(is_there) {
            let Some(place) = self.ends.iter().position(is_there) else {
                return;
            };
            self.last = place;
        }
        let next_offset = &mut self.next_offsets[self.last];
        self.passed += (offset + 1 - *next_offset).unsigned_abs();
        *next_offset = offset + 1;
    }
}

struct Auditor<'a> {
    services: &'a [Owned],
    interned: Interned,
    audit: Audit,
    /// Half of each id: enough to tell millions apart, in half the memory.
    event_ids: FxHashSet<u64>,
    /// By hash of owner and stream.
    streams: FxHashMap<u64, Known>,
    open: FxHashMap<DecisionKey, Open>,
}

impl<'a> Auditor<'a> {
    fn new(services: &'a [Owned]) -> Self {
        Self {
            services,
            interned: Interned::default(),
            audit: Audit::default(),
            event_ids: FxHashSet::default(),
            streams: FxHashMap::default(),
            open: FxHashMap::default(),
        }
    }

    fn read<R: Reader>(
        &mut self,
        reader: &mut R,
        ends: &[(&str, i32, i64)],
        mut tell: impl FnMut(u64),
    ) -> Result<(), LogError> {
        let mut way = Way::to(ends);
        read_to(reader, ends, PATIENCE, |record| {
            self.look_at(record);
            way.pass(record.topic, record.partition, record.offset);
            if self.audit.events.is_multiple_of(TOLD_EVERY) {
                tell(way.passed);
            }
            Ok(())
        })
    }

    fn look_at(&mut self, record: &RawRecord<'_>) {
        self.audit.events += 1;
        match codec::metadata(record, &mut self.interned) {
            Ok((position, metadata)) => self.observe(&position, &metadata),
            Err(error) => self.find(Finding::Unreadable {
                reason: error.to_string(),
            }),
        }
    }

    fn observe(&mut self, position: &Position, metadata: &Metadata) {
        let (_, half) = metadata.event_id.as_u64_pair();
        if !self.event_ids.insert(half) {
            self.find(Finding::Duplicate {
                position: position.clone(),
                event_id: metadata.event_id,
            });
            return;
        }
        self.count_on(position, metadata);
        self.complete(position, metadata);
    }

    /// Another service's event opens a stream or is a message, which the log alone does not tell.
    fn count_on(&mut self, position: &Position, metadata: &Metadata) {
        let of_topic = |service: &&Owned| service.topics.contains(&&*position.topic);
        let Some(owner) = self.services.iter().find(of_topic) else {
            return;
        };
        let is_own = metadata.source.strip_prefix('/') == Some(owner.service);
        let mut hasher = DefaultHasher::new();
        (owner.service, &metadata.stream).hash(&mut hasher);
        let known = self.streams.entry(hasher.finish()).or_insert(Known {
            version: 0,
            perhaps_opened: false,
        });
        if !is_own {
            known.perhaps_opened |= known.version == 0;
            return;
        }
        let after = known.version;
        let opened = after == 0 && known.perhaps_opened && metadata.stream_version == 2;
        known.version = metadata.stream_version;
        if metadata.stream_version != after + 1 && !opened {
            self.find(Finding::Gap {
                position: position.clone(),
                stream: metadata.stream.clone(),
                version: metadata.stream_version,
                after,
            });
        }
    }

    fn complete(&mut self, position: &Position, metadata: &Metadata) {
        let mark = metadata.decision;
        if mark.of == 1 {
            return;
        }
        let key = (metadata.command_id, mark.number);
        let open = self.open.entry(key).or_insert_with(|| Open {
            first: position.clone(),
            stream: metadata.stream.clone(),
            missing: (1..=mark.of).collect(),
            of: mark.of,
        });
        open.missing.retain(|index| *index != mark.index);
        if open.missing.is_empty() {
            self.open.remove(&key);
        }
    }

    fn find(&mut self, finding: Finding) {
        if self.audit.findings.len() < MAX_FINDINGS {
            self.audit.findings.push(finding);
        } else {
            self.audit.more += 1;
        }
    }

    fn finish(mut self, suspects: &FxHashSet<DecisionKey>) -> Audit {
        let open = std::mem::take(&mut self.open);
        let mut torn: Vec<_> = open
            .into_iter()
            .filter(|(key, _)| suspects.contains(key))
            .collect();
        torn.sort_by(|(_, a), (_, b)| a.first.cmp(&b.first));
        for ((command_id, _), decision) in torn {
            self.find(Finding::TornDecision {
                first: decision.first,
                stream: decision.stream,
                command_id,
                missing: decision.missing,
                of: decision.of,
            });
        }
        self.audit
    }
}

#[cfg(test)]
mod tests;
