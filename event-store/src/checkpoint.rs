//! How far a group has come, with a proof that it was in this very log.
//!
//! An offset alone does not tell one log from another: a topic that was created anew, or brokers that were restored from an
//! older copy, soon hold the same offset again, with another record. So a checkpoint names the cluster, and the last event
//! that it has passed; whoever goes on from it meets that event again, or stops.
//!
//! With a topic, Kafka deletes what groups had noted in it, and a group without a place looks like a new one. So beside its
//! places a group notes a *witness*, in a topic that it does not read: that it had places in these topics.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::{
    codec,
    log::{Log, LogError, RawRecord},
    ownership::OWNERSHIP_TOPIC,
    subscription::{Progress, StartAt},
};

/// How far a group has come in one partition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checkpoint {
    /// Topic.
    pub topic: Arc<str>,
    /// Partition, from 0.
    pub partition: i32,
    /// The first offset that it has not passed.
    pub next_offset: i64,
    /// What it was read from; none where nobody has noted that.
    pub proof: Option<Proof>,
}

/// What tells a log from others.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Proof {
    /// See [`Log::cluster_id`].
    pub cluster_id: Arc<str>,
    /// What it had passed there.
    pub passed: Passed,
}

/// What a group has passed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Passed {
    /// No event yet.
    Nothing,
    /// This one last.
    Event(LastEvent),
    /// A witness's: it has places in these topics.
    Topics(Vec<Arc<str>>),
}

/// An event, by its place and its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct LastEvent {
    /// Offset of its record.
    pub offset: i64,
    /// `ce_id`.
    pub event_id: Uuid,
}

impl LastEvent {
    /// Whether the record is this very event, at its place.
    pub(crate) fn is(&self, record: &RawRecord<'_>) -> bool {
        record.offset == self.offset && codec::event_id(record) == Some(self.event_id)
    }
}

impl Checkpoint {
    /// Of a group that has passed nothing yet.
    #[must_use]
    pub fn zero(topic: &str, partition: i32) -> Self {
        Self {
            topic: topic.into(),
            partition,
            next_offset: 0,
            proof: None,
        }
    }

    /// That a group has places in these topics.
    pub(crate) fn witness(partition: i32, topics: &[&str], cluster_id: Arc<str>) -> Self {
        let topics = topics.iter().map(|topic| Arc::from(*topic)).collect();
        Self {
            proof: Some(Proof {
                cluster_id,
                passed: Passed::Topics(topics),
            }),
            ..Self::zero(OWNERSHIP_TOPIC, partition)
        }
    }

    /// Refuses, as the witness of a group, that the group has no place in the topic where it had one.
    pub(crate) fn verify_missing(&self, topic: &str) -> Result<(), LogError> {
        let passed = self.proof.as_ref().map(|proof| &proof.passed);
        match passed {
            Some(Passed::Topics(topics)) if topics.iter().any(|known| **known == *topic) => {
                Err(LogError::Diverged {
                    topic: topic.to_owned(),
                    partition: self.partition,
                    reason:
                        "how far it was read is forgotten, as with a topic that was created anew"
                            .to_owned(),
                })
            }
            _ => Ok(()),
        }
    }

    /// Refuses a log that is another one, or that ends before the checkpoint. What is left to compare is the last event:
    /// see [`Landmarks`].
    pub(crate) fn verify<L: Log>(&self, log: &L) -> Result<(), LogError> {
        if let Some(proof) = &self.proof {
            let cluster_id = log.cluster_id()?;
            if *proof.cluster_id != *cluster_id {
                return Err(self.diverged(format!(
                    "it was read in cluster {}, this is {cluster_id}",
                    proof.cluster_id
                )));
            }
        }
        if self.next_offset > log.end_offset(&self.topic, self.partition)? {
            return Err(LogError::OffsetLost {
                topic: self.topic.to_string(),
                partition: self.partition,
                offset: self.next_offset,
            });
        }
        Ok(())
    }

    /// Where to read on: from the last event, so that it is met again.
    pub(crate) fn start(&self) -> StartAt {
        StartAt {
            topic: Arc::clone(&self.topic),
            partition: self.partition,
            next_offset: self.last().map_or(self.next_offset, |last| last.offset),
        }
    }

    /// Notes that everything before that offset has been passed, and which event was the last.
    pub(crate) fn advance(&mut self, next_offset: i64, last: Option<LastEvent>) {
        self.next_offset = self.next_offset.max(next_offset);
        if let (Some(proof), Some(last)) = (&mut self.proof, last) {
            proof.passed = Passed::Event(last);
        }
    }

    fn last(&self) -> Option<LastEvent> {
        match self.proof.as_ref()?.passed {
            Passed::Event(last) => Some(last),
            Passed::Nothing | Passed::Topics(_) => None,
        }
    }

    fn diverged(&self, reason: String) -> LogError {
        LogError::Diverged {
            topic: self.topic.to_string(),
            partition: self.partition,
            reason,
        }
    }
}

/// Events that a reader has passed before and has to meet again, one a partition, before anything else there.
#[derive(Debug, Default)]
pub(crate) struct Landmarks(Vec<(Checkpoint, LastEvent)>);

impl Landmarks {
    pub(crate) fn of(checkpoints: &[Checkpoint]) -> Self {
        let known = checkpoints
            .iter()
            .filter_map(|checkpoint| Some((checkpoint.clone(), checkpoint.last()?)));
        Self(known.collect())
    }

    /// Whether the record is one of them, which has been read before.
    pub(crate) fn meet(&mut self, record: &RawRecord<'_>) -> Result<bool, LogError> {
        let is_there = |(checkpoint, _): &(Checkpoint, LastEvent)| {
            checkpoint.partition == record.partition && *checkpoint.topic == *record.topic
        };
        let Some(index) = self.0.iter().position(is_there) else {
            return Ok(false);
        };
        let (checkpoint, last) = self.0.swap_remove(index);
        if last.is(record) {
            return Ok(true);
        }
        Err(checkpoint.diverged(format!(
            "event {} was read at offset {}, and is not there any more",
            last.event_id, last.offset
        )))
    }

    /// Refuses a log that has gone past the place of one without showing it.
    pub(crate) fn check_passed(&self, progress: &[Progress]) -> Result<(), LogError> {
        let missed = self.0.iter().find(|(checkpoint, last)| {
            progress.iter().any(|progress| {
                progress.topic == checkpoint.topic
                    && progress.partition == checkpoint.partition
                    && progress.next_offset > last.offset
            })
        });
        let Some((checkpoint, last)) = missed else {
            return Ok(());
        };
        Err(checkpoint.diverged(format!(
            "event {} was read at offset {}, where there is none now",
            last.event_id, last.offset
        )))
    }
}

/// First word of a proof as text. Another one is of a version that is not known here, and proves nothing.
const VERSION: &str = "1";

impl Proof {
    /// As it travels with a group's offset: `1;<cluster id>`, and after it `;<offset>;<event id>` where there was an event; of
    /// a witness, `;` and the topics, separated by commas.
    pub(crate) fn to_text(&self) -> String {
        let Self { cluster_id, passed } = self;
        match passed {
            Passed::Nothing => format!("{VERSION};{cluster_id}"),
            Passed::Event(LastEvent { offset, event_id }) => {
                format!("{VERSION};{cluster_id};{offset};{event_id}")
            }
            Passed::Topics(topics) => format!("{VERSION};{cluster_id};{}", topics.join(",")),
        }
    }

    /// None where the text is no proof of ours: it was noted by an older version, or by hand.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let mut parts = text.split(';');
        if parts.next() != Some(VERSION) {
            return None;
        }
        let cluster_id = parts.next().filter(|id| !id.is_empty())?.into();
        let passed = match (parts.next(), parts.next(), parts.next()) {
            (None, None, None) => Passed::Nothing,
            (Some(topics), None, None) => {
                Passed::Topics(topics.split(',').map(Arc::from).collect())
            }
            (Some(offset), Some(event_id), None) => Passed::Event(LastEvent {
                offset: offset.parse().ok()?,
                event_id: event_id.parse().ok()?,
            }),
            _ => return None,
        };
        Some(Self { cluster_id, passed })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_proof_is_read_back() {
        let last = LastEvent {
            offset: i64::MAX,
            event_id: Uuid::from_u128(7),
        };
        let topics = vec!["OrderEvents".into(), "PaymentEvents".into()];
        for passed in [Passed::Nothing, Passed::Event(last), Passed::Topics(topics)] {
            let proof = Proof {
                cluster_id: "MkU3OEVBNTcwNTJENDM2Qg".into(),
                passed,
            };
            assert_eq!(Proof::parse(&proof.to_text()), Some(proof));
        }
        for text in [
            "",
            "1",
            "1;",
            "2;cluster",
            "1;cluster;seven;00000000-0000-0000-0000-000000000007",
            "1;cluster;7;event",
            "1;cluster;7;00000000-0000-0000-0000-000000000007;more",
        ] {
            assert_eq!(Proof::parse(text), None, "{text}");
        }
    }
}
