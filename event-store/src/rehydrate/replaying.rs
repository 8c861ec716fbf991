//! What a rehydration makes of the records that it reads.

use std::{
    marker::PhantomData,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Instant,
};

use domain::Context;

use super::apart::Stages;
use crate::{
    codec::{self, Replayed, Unread},
    envelope::Position,
    log::{LogError, RawRecord},
    state::checkpoint::Checkpoint,
};

pub(super) struct Replaying<'a, C> {
    checkpoint: &'a Checkpoint,
    /// By the number of the place.
    topics: Vec<Arc<str>>,
    partition: i32,
    /// What our own events have as `ce_source`.
    source: String,
    /// When to leave the rest for another time.
    until: Option<Instant>,
    out_of_time: AtomicBool,
    of: PhantomData<fn() -> C>,
}

/// What was made of a record.
pub(super) struct Read<E> {
    /// The number of the place that it is from.
    pub(super) place: usize,
    pub(super) offset: i64,
    /// None where it is an event of ours that the store holds already.
    pub(super) event: Option<Replayed<E>>,
}

impl<'a, C> Replaying<'a, C> {
    pub(super) fn new(
        checkpoint: &'a Checkpoint,
        topics: Vec<Arc<str>>,
        partition: i32,
        source: &str,
        until: Option<Instant>,
    ) -> Self {
        Self {
            checkpoint,
            topics,
            partition,
            source: source.to_owned(),
            until,
            out_of_time: AtomicBool::new(false),
            of: PhantomData,
        }
    }

    /// Whether something was left for another time.
    pub(super) fn is_out_of_time(&self) -> bool {
        self.out_of_time.load(Ordering::Acquire)
    }

    /// Where something lies that was read.
    pub(super) fn position(&self, place: usize, offset: i64) -> Position {
        Position {
            topic: Arc::clone(&self.topics[place]),
            partition: self.partition,
            offset,
        }
    }
}

impl<C: Context> Stages for Replaying<'_, C> {
    type Read = Read<Unread>;
    type Decoded = Read<C::Event>;

    fn read(&self, record: &RawRecord<'_>) -> Result<Self::Read, LogError> {
        if self.until.is_some_and(|until| Instant::now() > until) {
            self.out_of_time.store(true, Ordering::Release);
            return Err(LogError::Unavailable {
                attempted: "keeping up",
                reason: "the rest comes later".to_owned(),
            });
        }
        let mut topics = self.topics.iter();
        let place = topics.position(|topic| **topic == *record.topic);
        let event = match self.checkpoint.covers(record, &self.source) {
            true => None,
            false => Some(codec::unread(record, &self.source)?),
        };
        Ok(Read {
            place: place.ok_or_else(|| record.undecodable("nobody asked for it".to_owned()))?,
            offset: record.offset,
            event,
        })
    }

    fn decode(&self, read: Self::Read, payload: &[u8]) -> Result<Self::Decoded, LogError> {
        let Read {
            place,
            offset,
            event,
        } = read;
        let event = event.map(|unread| unread.read(payload)).transpose();
        Ok(Read {
            place,
            offset,
            event: event.map_err(|reason| self.position(place, offset).undecodable(reason))?,
        })
    }
}
