//! Who owns a partition: a record in a compacted topic.
//!
//! It does four things: that it could be committed proves that nobody has claimed the partition since its owner began to; it
//! names the committer that whoever comes next has to fence; it tells others where the owner is; and it gives a batch of
//! rejections something to commit, since an empty transaction proves nothing.

use std::{sync::Arc, time::Duration};

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::{
    codec::Headers,
    log::{CommitterId, Log, LogError, OutgoingRecord, RawRecord, WriterId},
    rehydrate::read_to,
    subscription::StartAt,
};

/// The compacted topic of owners; key `<service>-<partition>`, in the partition of that number.
pub const OWNERSHIP_TOPIC: &str = "Ownership";

/// One process's claim to a partition.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OwnershipRecord {
    /// The service.
    pub service: String,
    /// The partition.
    pub partition: i32,
    /// Counts the takeovers, from 1.
    pub generation: u32,
    /// Which process: made anew at each start.
    pub instance: Uuid,
    /// Its name among those that share the service's partitions, where it has one.
    #[serde(default)]
    pub member: Option<String>,
    /// What commits for it: has to be fenced before the partition can be another's, unless it was released.
    #[serde(default)]
    pub committer: CommitterId,
    /// Where its peers reach it.
    pub address: String,
    /// The owner has let go of the partition: its committer has nothing to do with it any more.
    pub released: bool,
    /// It has let go before it knew whether messages of its predecessor's are missing.
    #[serde(default)]
    pub unmended: bool,
}

impl OwnershipRecord {
    /// The record of this claim.
    #[must_use]
    pub fn record(&self) -> OutgoingRecord {
        OutgoingRecord {
            topic: OWNERSHIP_TOPIC,
            partition: self.partition,
            key: format!("{}-{}", self.service, self.partition),
            headers: Headers::default(),
            payload: serde_json::to_vec(self).expect("an ownership record serialises"),
        }
    }
}

/// Who owns a service's partition, or did last; none where nobody ever has. Blocks.
///
/// # Errors
/// When the log cannot be read, or the last claim in it.
pub fn owner_of<L: Log>(
    log: &L,
    service: &'static str,
    partition: i32,
) -> Result<Option<OwnershipRecord>, LogError> {
    last_owner(log, &WriterId { service, partition }, PATIENCE)
}

/// Another producer's open transaction hides what follows until it times out.
const PATIENCE: Duration = Duration::from_secs(30);
/// For what can be seen at once.
const GLANCE: Duration = Duration::from_millis(300);
/// How far from the end to look first. Renewals add records, but one service's last is rarely far.
const WINDOW: i64 = 1_000;

/// The last ownership record of a service's partition.
pub(crate) fn last_owner<L: Log>(
    log: &L,
    id: &WriterId,
    patience: Duration,
) -> Result<Option<OwnershipRecord>, LogError> {
    match look_back(log, id, patience)? {
        Sight::Whole(last) => Ok(last),
        Sight::Part(_, error) => Err(error),
    }
}

/// As [`last_owner`], of what can be seen at once.
pub(crate) fn owner_in_sight<L: Log>(log: &L, id: &WriterId) -> Result<Sight, LogError> {
    look_back(log, id, GLANCE)
}

/// The last ownership record, as far as it can be seen.
pub(crate) enum Sight {
    Whole(Option<OwnershipRecord>),
    /// Another's open transaction may hide what follows; says where.
    Part(Option<OwnershipRecord>, LogError),
}

fn look_back<L: Log>(log: &L, id: &WriterId, patience: Duration) -> Result<Sight, LogError> {
    let end = log.end_offset(OWNERSHIP_TOPIC, id.partition)?;
    let mut window = WINDOW;
    loop {
        let start = end.saturating_sub(window).max(0);
        let sight = look_since(log, id, start, end, patience)?;
        let (Sight::Whole(found) | Sight::Part(found, _)) = &sight;
        if found.is_some() || start == 0 {
            return Ok(sight);
        }
        window = window.saturating_mul(8);
    }
}

fn look_since<L: Log>(
    log: &L,
    id: &WriterId,
    start: i64,
    end: i64,
    patience: Duration,
) -> Result<Sight, LogError> {
    let topic: Arc<str> = OWNERSHIP_TOPIC.into();
    let mut reader = log.reader(&[StartAt {
        topic,
        partition: id.partition,
        next_offset: start,
    }])?;
    let key = id.to_string();
    let mut last = None;
    let ends = [(OWNERSHIP_TOPIC, id.partition, end)];
    let read = read_to(&mut reader, &ends, patience, |record| {
        if record.key == key.as_bytes() {
            last = claim(record, id);
        }
        Ok(())
    });
    match read {
        // Only the last counts: what its owner has said since makes up for what somebody else had said.
        Ok(()) => Ok(Sight::Whole(last.transpose()?)),
        Err(error @ LogError::Unavailable { .. }) => {
            Ok(Sight::Part(last.and_then(Result::ok), error))
        }
        Err(error) => Err(error),
    }
}

/// What a record says of who owns the partition; none where it deletes what was said. One that cannot be read names somebody who has to be
/// fenced all the same.
fn claim(record: &RawRecord<'_>, id: &WriterId) -> Option<Result<OwnershipRecord, LogError>> {
    if record.payload.is_empty() {
        return None;
    }
    let claim = serde_json::from_slice(record.payload);
    Some(claim.map_err(|error| {
        record.undecodable(format!(
            "nobody can tell whose claim to {id} it is: {error}; start the program that wrote it, or, where no process runs the \
             service, append a record with that key and no value to that partition"
        ))
    }))
}
