//! The in-memory twin of the Kafka log: the same promises, for property tests and for HTTP tests of the real router.
//!
//! Like Kafka it leaves gaps where control records would lie, fences by id, and shows committed records only. Its faults
//! are those that have to be survived: an outcome that is not told, a log that is out of reach, somebody's transaction that
//! stays open.

mod membership;
mod reader;

use std::{
    collections::{HashMap, VecDeque},
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
};

use chrono::{DateTime, Utc};

use self::membership::Seat;
pub use self::{membership::MemoryMembership, reader::MemoryReader};
use crate::{
    checkpoint::Checkpoint,
    codec::Headers,
    log::{AppendError, Appender, AppenderId, Handover, Log, LogError, Member, OutgoingRecord},
    ownership::OWNERSHIP_TOPIC,
    subscription::StartAt,
};

/// A log in this process's memory. Cheap to clone; all clones are the same log.
#[derive(Debug, Clone)]
pub struct MemoryLog {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    state: Mutex<State>,
    grown: Condvar,
}

#[derive(Debug)]
struct State {
    partitions: HashMap<(String, i32), Partition>,
    epochs: HashMap<String, u64>,
    /// By group, topic and partition.
    groups: HashMap<(String, String, i32), Checkpoint>,
    /// Who shares partitions, in the order in which they joined.
    seats: Vec<Seat>,
    joined: u64,
    /// How many of those who join next are told that another has their name.
    turned_away: usize,
    /// What becomes of the next appends; nothing, where there is none.
    faults: VecDeque<Option<Fault>>,
    reachable: bool,
    cluster_id: String,
    count: i32,
    /// Partitions that topics were given since.
    added: HashMap<String, i32>,
}

#[derive(Debug, Default)]
struct Partition {
    records: Vec<Stored>,
    end: i64,
    /// Where somebody's transaction has begun that is still open.
    held_at: Option<i64>,
}

#[derive(Debug, Clone)]
struct Stored {
    offset: i64,
    appended_at: DateTime<Utc>,
    key: String,
    headers: Headers,
    payload: Vec<u8>,
}

/// What may go wrong with an append.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// Committed, but the answer is lost.
    UnknownCommitted,
    /// Not committed, and the answer is lost.
    UnknownAborted,
}

impl MemoryLog {
    /// An empty log whose topics have so many partitions each.
    #[must_use]
    pub fn new(topics: &[&str], partitions: i32) -> Self {
        let names = topics.iter().chain([&OWNERSHIP_TOPIC]);
        let partitions_of = |topic: &&str| {
            let topic = (*topic).to_owned();
            (0..partitions).map(move |partition| ((topic.clone(), partition), Partition::default()))
        };
        Self {
            shared: Arc::new(Shared {
                state: Mutex::new(State {
                    partitions: names.flat_map(partitions_of).collect(),
                    epochs: HashMap::new(),
                    groups: HashMap::new(),
                    seats: Vec::new(),
                    joined: 0,
                    turned_away: 0,
                    faults: VecDeque::new(),
                    reachable: true,
                    cluster_id: uuid::Uuid::now_v7().to_string(),
                    count: partitions,
                    added: HashMap::new(),
                }),
                grown: Condvar::new(),
            }),
        }
    }

    /// Has the next appends fail so, one fault each.
    pub fn inject(&self, faults: impl IntoIterator<Item = Fault>) {
        self.lock().faults.extend(faults.into_iter().map(Some));
    }

    /// Lets so many appends succeed, and has the next one fail so.
    pub fn inject_after(&self, appends: usize, fault: Fault) {
        let unharmed = std::iter::repeat_n(None, appends);
        self.lock().faults.extend(unharmed.chain([Some(fault)]));
    }

    /// Takes a partition's records away from that offset on, as restoring an older copy of a broker's data does.
    pub fn truncate(&self, topic: &str, partition: i32, end: i64) {
        let mut state = self.lock();
        if let Some(partition) = state.partitions.get_mut(&(topic.to_owned(), partition)) {
            partition.records.retain(|stored| stored.offset < end);
            partition.end = partition.end.min(end);
        }
    }

    /// Deletes a topic and creates it anew, empty. As in Kafka, groups forget how far they had come in it.
    pub fn create_anew(&self, topic: &str) {
        let mut state = self.lock();
        state.groups.retain(|(_, known, _), _| known != topic);
        for ((known, _), partition) in &mut state.partitions {
            if known == topic {
                *partition = Partition::default();
            }
        }
    }

    /// Gives a topic more partitions, as an administrator of Kafka can, who cannot take them away again.
    pub fn add_partitions(&self, topic: &str, more: i32) {
        let mut state = self.lock();
        let before = state.partitions_of(topic);
        for partition in before..before + more {
            let place = (topic.to_owned(), partition);
            state.partitions.insert(place, Partition::default());
        }
        *state.added.entry(topic.to_owned()).or_default() += more;
    }

    /// Has somebody's transaction stay open in every partition of a topic: until it is let on, readers see nothing that comes
    /// after, though it is in the log.
    pub fn hold_back(&self, topic: &str) {
        self.hold(topic, |partition| partition.end);
    }

    /// Has it have begun with the topic, so that readers see nothing at all.
    pub fn hide(&self, topic: &str) {
        self.hold(topic, |_| 0);
    }

    /// Has that transaction end.
    pub fn let_on(&self, topic: &str) {
        for partition in self.lock().of_topic(topic) {
            partition.held_at = None;
        }
        self.shared.grown.notify_all();
    }

    /// Puts the log out of reach, or back.
    pub fn set_reachable(&self, reachable: bool) {
        self.lock().reachable = reachable;
    }

    /// Has so many who join next be told that another has taken their name, as by a group that has lost its coordinator.
    pub fn turn_away(&self, members: usize) {
        self.lock().turned_away = members;
    }

    /// How many are yet to be told so.
    #[must_use]
    pub fn to_be_turned_away(&self) -> usize {
        self.lock().turned_away
    }

    fn hold(&self, topic: &str, at: impl Fn(&Partition) -> i64) {
        for partition in self.lock().of_topic(topic) {
            partition.held_at = Some(at(partition));
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        let state = self.shared.state.lock();
        state.unwrap_or_else(PoisonError::into_inner)
    }

    fn reachable(&self, attempted: &'static str) -> Result<MutexGuard<'_, State>, LogError> {
        let state = self.lock();
        if state.reachable {
            return Ok(state);
        }
        Err(LogError::Unavailable {
            attempted,
            reason: "out of reach".to_owned(),
        })
    }
}

impl Partition {
    /// Up to where it can be read.
    fn stable(&self) -> i64 {
        self.held_at.unwrap_or(self.end)
    }
}

impl State {
    /// Of a topic that there is.
    fn partitions_of(&self, topic: &str) -> i32 {
        self.count + self.added.get(topic).copied().unwrap_or_default()
    }

    fn of_topic(&mut self, topic: &str) -> impl Iterator<Item = &mut Partition> {
        let partitions = self.partitions.iter_mut();
        let of_topic = partitions.filter(move |((known, _), _)| known == topic);
        of_topic.map(|(_, partition)| partition)
    }

    fn append(&mut self, records: &[OutgoingRecord]) -> Vec<i64> {
        let mut touched = Vec::new();
        let offsets = records
            .iter()
            .map(|record| {
                let place = (record.topic.to_owned(), record.partition);
                let partition = self.partitions.entry(place.clone()).or_default();
                let offset = partition.end;
                partition.records.push(Stored {
                    offset,
                    appended_at: Utc::now(),
                    key: record.key.clone(),
                    headers: record.headers.clone(),
                    payload: record.payload.clone(),
                });
                partition.end += 1;
                if !touched.contains(&place) {
                    touched.push(place);
                }
                offset
            })
            .collect();
        for place in touched {
            // Kafka writes a commit marker into each partition of the transaction.
            self.partitions.entry(place).or_default().end += 1;
        }
        offsets
    }
}

impl Log for MemoryLog {
    type Appender = MemoryAppender;
    type Reader = MemoryReader;
    type Membership = MemoryMembership;

    fn cluster_id(&self) -> Result<String, LogError> {
        Ok(self.reachable("reading the cluster id")?.cluster_id.clone())
    }

    fn partitions(&self, topic: &str) -> Result<i32, LogError> {
        let state = self.reachable("counting partitions")?;
        if state.partitions.contains_key(&(topic.to_owned(), 0)) {
            return Ok(state.partitions_of(topic));
        }
        Err(LogError::Topic {
            topic: topic.to_owned(),
            reason: "does not exist".to_owned(),
        })
    }

    fn end_offset(&self, topic: &str, partition: i32) -> Result<i64, LogError> {
        let state = self.reachable("reading the end offset")?;
        let known = state.partitions.get(&(topic.to_owned(), partition));
        Ok(known.map_or(0, |partition| partition.end))
    }

    fn offset_at(&self, topic: &str, partition: i32, time: DateTime<Utc>) -> Result<i64, LogError> {
        let state = self.reachable("looking for an offset by its time")?;
        let known = state.partitions.get(&(topic.to_owned(), partition));
        Ok(known.map_or(0, |partition| {
            let mut records = partition.records.iter();
            let found = records
                .find(|stored| stored.appended_at.timestamp_millis() >= time.timestamp_millis());
            found.map_or(partition.end, |stored| stored.offset)
        }))
    }

    fn appender(&self, id: &AppenderId) -> Result<MemoryAppender, AppendError> {
        let mut state = self
            .reachable("fencing")
            .map_err(|error| AppendError::Indefinite {
                attempted: "fencing earlier appenders",
                reason: error.to_string(),
            })?;
        let id = id.to_string();
        let epoch = state.epochs.entry(id.clone()).or_default();
        *epoch += 1;
        Ok(MemoryAppender {
            epoch: *epoch,
            log: self.clone(),
            id,
        })
    }

    fn reader(&self, from: &[StartAt]) -> Result<MemoryReader, LogError> {
        let state = self.reachable("opening a reader")?;
        for start in from {
            let known = state
                .partitions
                .get(&(start.topic.to_string(), start.partition));
            if known.is_none_or(|partition| start.next_offset > partition.end) {
                return Err(LogError::OffsetLost {
                    topic: start.topic.to_string(),
                    partition: start.partition,
                    offset: start.next_offset,
                });
            }
        }
        Ok(MemoryReader {
            log: self.clone(),
            positions: from.to_vec(),
        })
    }

    fn join(
        &self,
        service: &'static str,
        member: &Member,
        handover: impl Fn(Handover) + Send + Sync + 'static,
    ) -> Result<MemoryMembership, LogError> {
        Ok(MemoryMembership::join(
            self,
            service,
            member,
            Box::new(handover),
        ))
    }

    fn committed(
        &self,
        group: &str,
        topic: &str,
        partition: i32,
    ) -> Result<Option<Checkpoint>, LogError> {
        let state = self.reachable("reading a group's offsets")?;
        let place = (group.to_owned(), topic.to_owned(), partition);
        Ok(state.groups.get(&place).cloned())
    }

    fn commit(&self, group: &str, places: &[Checkpoint]) -> Result<(), LogError> {
        let mut state = self.reachable("committing a group's offsets")?;
        for place in places {
            let key = (group.to_owned(), place.topic.to_string(), place.partition);
            state.groups.insert(key, place.clone());
        }
        Ok(())
    }
}

/// Appends to a [`MemoryLog`] until a later appender of the same id fences it.
#[derive(Debug)]
pub struct MemoryAppender {
    log: MemoryLog,
    id: String,
    epoch: u64,
}

impl Appender for MemoryAppender {
    fn append(&mut self, records: &[OutgoingRecord]) -> Result<Vec<i64>, AppendError> {
        let unknown = |reason: &str| AppendError::Indefinite {
            attempted: "committing",
            reason: reason.to_owned(),
        };
        let mut state = self.log.lock();
        if !state.reachable {
            return Err(unknown("out of reach"));
        }
        if state.epochs.get(&self.id) != Some(&self.epoch) {
            return Err(AppendError::Fenced);
        }
        let fault = state.faults.pop_front().flatten();
        if fault == Some(Fault::UnknownAborted) {
            return Err(unknown("injected, not committed"));
        }
        let offsets = state.append(records);
        drop(state);
        self.log.shared.grown.notify_all();
        match fault {
            Some(Fault::UnknownCommitted) => Err(unknown("injected, committed")),
            _ => Ok(offsets),
        }
    }
}
