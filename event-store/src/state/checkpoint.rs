//! How far in the log a store stands, and the proof that it is this log.

use std::time::{Duration, Instant};

use domain::Context;
use serde::{Deserialize, Serialize, de::IgnoredAny};

use super::{decode, encode};
use crate::{
    checkpoint::LastEvent,
    codec,
    log::{Log, LogError, RawRecord, Reader},
    subscription::StartAt,
};

/// The shape of what this crate itself writes into a store: raise it when that changes.
const LAYOUT: u32 = 2;
/// How long one wait for a record may be.
const POLL: Duration = Duration::from_millis(20);

/// Where a store stands. It is of no use for another log, nor for other shapes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Checkpoint {
    cluster_id: String,
    pub(crate) marks: Vec<Mark>,
}

/// Where it stands in its partition of one topic.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Mark {
    pub(crate) topic: String,
    /// Everything below is applied, whoever appended it: reading goes on here.
    pub(crate) read_to: i64,
    /// Our own events below are applied; never less than `read_to`.
    pub(crate) applied_to: i64,
    /// The last record that was applied.
    pub(crate) last: Option<LastEvent>,
}

/// Why a store does not fit.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Misfit {
    #[error("it was written in another format")]
    Format,
    #[error("it holds something, and does not say of what log")]
    Unmarked,
    #[error("it belongs to cluster {0}")]
    Cluster(String),
    #[error("it stands at {topic} offset {offset}, the log ends at {end}")]
    BeyondTheEnd {
        topic: String,
        offset: i64,
        end: i64,
    },
    #[error("{topic} holds another record, or none, at offset {offset}")]
    OtherRecord { topic: String, offset: i64 },
}

impl Checkpoint {
    /// Before anything was read.
    pub(crate) fn at_zero<C: Context>(cluster_id: String) -> Self {
        let mark = |topic: &&str| Mark {
            topic: (*topic).to_owned(),
            read_to: 0,
            applied_to: 0,
            last: None,
        };
        Self {
            cluster_id,
            marks: C::TOPICS.iter().map(mark).collect(),
        }
    }

    /// Reads what [`Checkpoint::write`] has written, stamps first: behind others there may be another shape.
    pub(crate) fn read<C: Context>(bytes: &[u8]) -> Result<Self, Misfit> {
        let stamps: (u32, u32, IgnoredAny) = decode(bytes).map_err(|_| Misfit::Format)?;
        if (stamps.0, stamps.1) != (LAYOUT, C::STATE_FORMAT) {
            return Err(Misfit::Format);
        }
        let (_, _, checkpoint): (u32, u32, Self) = decode(bytes).map_err(|_| Misfit::Format)?;
        Ok(checkpoint)
    }

    pub(crate) fn write<C: Context>(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        encode(&(LAYOUT, C::STATE_FORMAT, self), &mut bytes);
        bytes
    }

    pub(crate) fn mark(&mut self, topic: &str) -> Option<&mut Mark> {
        self.marks.iter_mut().find(|mark| mark.topic == topic)
    }

    /// Whether a record is an event of ours that is applied.
    pub(crate) fn covers(&self, record: &RawRecord<'_>, source: &str) -> bool {
        let mark = self.marks.iter().find(|mark| mark.topic == record.topic);
        mark.is_some_and(|mark| record.offset < mark.applied_to)
            && codec::source(record) == Some(source)
    }

    /// Where to go on reading.
    pub(crate) fn places(&self, partition: i32) -> Vec<StartAt> {
        let place = |mark: &Mark| StartAt {
            topic: mark.topic.as_str().into(),
            partition,
            next_offset: mark.read_to,
        };
        self.marks.iter().map(place).collect()
    }

    /// Whether it was written for this very log. `ends` are where the topics' partition ends.
    pub(crate) fn verify<L: Log>(
        &self,
        log: &L,
        ends: &[(&str, i32, i64)],
        patience: Duration,
    ) -> Result<Result<(), Misfit>, LogError> {
        if self.cluster_id != log.cluster_id()? {
            return Ok(Err(Misfit::Cluster(self.cluster_id.clone())));
        }
        let mut sought = Vec::new();
        for (mark, (topic, partition, end)) in self.marks.iter().zip(ends) {
            let offset = mark.applied_to.max(mark.read_to);
            let topic = (*topic).to_owned();
            if mark.topic != topic {
                return Ok(Err(Misfit::Format));
            }
            if offset > *end || mark.last.is_some_and(|last| last.offset >= *end) {
                let end = *end;
                return Ok(Err(Misfit::BeyondTheEnd { topic, offset, end }));
            }
            sought.extend(mark.last.map(|last| Sought {
                topic,
                partition: *partition,
                last,
            }));
        }
        read_back(log, sought, patience)
    }
}

/// A record that has to be where it was.
struct Sought {
    topic: String,
    partition: i32,
    last: LastEvent,
}

impl Sought {
    fn misfit(&self) -> Misfit {
        Misfit::OtherRecord {
            topic: self.topic.clone(),
            offset: self.last.offset,
        }
    }
}

/// Reads every record from its place. Another one first, or a position behind it without any, means that it is gone.
fn read_back<L: Log>(
    log: &L,
    mut sought: Vec<Sought>,
    patience: Duration,
) -> Result<Result<(), Misfit>, LogError> {
    if sought.is_empty() {
        return Ok(Ok(()));
    }
    let from: Vec<StartAt> = sought
        .iter()
        .map(|sought| StartAt {
            topic: sought.topic.as_str().into(),
            partition: sought.partition,
            next_offset: sought.last.offset,
        })
        .collect();
    let lost = |error, sought: &[Sought]| match (error, sought.first()) {
        (LogError::OffsetLost { .. }, Some(first)) => Ok(Err(first.misfit())),
        (error, _) => Err(error),
    };
    let mut reader = match log.reader(&from) {
        Ok(reader) => reader,
        Err(error) => return lost(error, &sought),
    };
    let until = Instant::now() + patience;
    while !sought.is_empty() {
        let polled = reader.poll(POLL, |record| {
            let found = sought.iter().position(|sought| {
                sought.topic == record.topic && sought.partition == record.partition
            })?;
            let sought = sought.swap_remove(found);
            (!sought.last.is(record)).then(|| sought.misfit())
        });
        match polled {
            Ok(Some(Some(misfit))) => return Ok(Err(misfit)),
            Ok(Some(None)) => continue,
            Ok(None) => {}
            Err(error) => return lost(error, &sought),
        }
        let passed = |sought: &&Sought| {
            reader.position(&sought.topic, sought.partition) > sought.last.offset
        };
        if let Some(gone) = sought.iter().find(passed) {
            return Ok(Err(gone.misfit()));
        }
        if Instant::now() > until {
            return Err(LogError::Unavailable {
                attempted: "reading the checkpoint's record back",
                reason: format!("nothing came for {} s", patience.as_secs()),
            });
        }
    }
    Ok(Ok(()))
}
