//! A copy of what other services' topics say, kept in this process's memory by whoever applies the events.

mod ends;

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use domain::ReadEvent;
use rustc_hash::FxHashMap;
use tokio::sync::watch;
use tracing::{error, warn};

use self::ends::Ends;
use crate::{
    codec::{self, Interned},
    envelope::{Position, Recorded},
    log::{Log, LogError, Reader},
    subscription::StartAt,
    threads,
};

/// How long one wait for a record may be; also how soon a replica that nobody holds any more ends.
const POLL: Duration = Duration::from_millis(50);
/// At most so many events are applied before it is told how far that leads.
const TOLD_EVERY: usize = 1_000;
/// Before the log is tried again.
const PAUSE: Duration = Duration::from_millis(500);

/// Tells how far a copy has come. The copying ends when this is dropped.
pub struct Replica {
    topics: &'static [&'static str],
    applied: watch::Receiver<Applied>,
    ends: Ends,
}

/// The next offset of each partition, by topic and number.
#[derive(Debug, Default)]
struct Applied {
    next_offsets: FxHashMap<(Arc<str>, i32), i64>,
    caught_up: bool,
}

impl Replica {
    /// Whether all partitions have been applied up to where they ended at the start. Turns false for good when an event
    /// cannot be decoded or the log is not the one that was read before: what was copied then only grows older.
    #[must_use]
    pub fn caught_up(&self) -> bool {
        self.applied.borrow().caught_up
    }

    /// Waits until everything at these positions has been applied, or the time has come; false where it came first.
    /// Positions in topics that are not copied are ignored.
    pub async fn wait_for(&self, positions: &[Position], deadline: tokio::time::Instant) -> bool {
        let mut applied = self.applied.clone();
        let reached = applied.wait_for(|applied| {
            positions
                .iter()
                .filter(|position| self.topics.contains(&&*position.topic))
                .all(|position| applied.is_past(position))
        });
        matches!(tokio::time::timeout_at(deadline, reached).await, Ok(Ok(_)))
    }

    /// Waits until what has been applied is enough, or is all that is in the log by now: what is not there then was not there
    /// when this was called. False where the time came first, or the log cannot say where it ends.
    ///
    /// Any number may wait at once: they ask the log together.
    pub async fn read_on(
        &self,
        is_enough: impl Fn() -> bool,
        deadline: tokio::time::Instant,
    ) -> bool {
        let reading = async {
            let ends = self.ends.now().await?;
            let mut applied = self.applied.clone();
            let reached = applied
                .wait_for(|applied| is_enough() || ends.iter().all(|end| applied.is_past(end)));
            reached.await.ok().map(drop)
        };
        matches!(
            tokio::time::timeout_at(deadline, reading).await,
            Ok(Some(()))
        )
    }
}

impl Applied {
    fn is_past(&self, position: &Position) -> bool {
        let place = (Arc::clone(&position.topic), position.partition);
        let next_offset = self.next_offsets.get(&place);
        next_offset.is_some_and(|next_offset| *next_offset > position.offset)
    }
}

/// Has every event of these topics applied, from offset zero and for ever, on a thread of its own. While the log is out of
/// reach it tries again from where it was.
///
/// # Errors
/// When the operating system grants no thread.
pub fn follow<E: ReadEvent, L: Log>(
    log: L,
    topics: &'static [&'static str],
    apply: impl FnMut(Recorded<E>) + Send + 'static,
) -> Result<Replica, LogError> {
    let (progress, applied) = watch::channel(Applied::default());
    let ends = Ends::new({
        let log = log.clone();
        move || last_positions(&log, topics)
    });
    let copying = Copying {
        log,
        topics,
        apply,
        interned: Interned::default(),
        places: Vec::new(),
        ends: Vec::new(),
        progress,
    };
    threads::start("replica".to_owned(), move || copying.run()).map_err(|error| {
        LogError::Unavailable {
            attempted: "starting a replica",
            reason: error.to_string(),
        }
    })?;
    Ok(Replica {
        topics,
        applied,
        ends,
    })
}

/// The copying thread's side.
struct Copying<L, F> {
    log: L,
    topics: &'static [&'static str],
    apply: F,
    interned: Interned,
    /// Where to go on in each partition; empty until the partitions are known.
    places: Vec<StartAt>,
    /// Where each ended at the start.
    ends: Vec<i64>,
    progress: watch::Sender<Applied>,
}

impl<L: Log, F> Copying<L, F> {
    fn run<E: ReadEvent>(mut self)
    where
        F: FnMut(Recorded<E>),
    {
        while !self.progress.is_closed() {
            match self.copy() {
                Ok(()) => {}
                Err(error @ (LogError::Unavailable { .. } | LogError::Topic { .. })) => {
                    warn!(topics = ?self.topics, %error, "cannot copy, will try again");
                    std::thread::sleep(PAUSE);
                }
                Err(
                    error @ (LogError::OffsetLost { .. }
                    | LogError::Diverged { .. }
                    | LogError::Undecodable { .. }),
                ) => {
                    error!(topics = ?self.topics, %error, "cannot go on copying");
                    self.progress
                        .send_modify(|applied| applied.caught_up = false);
                    return;
                }
            }
        }
    }

    /// Copies until nobody holds the replica any more.
    fn copy<E: ReadEvent>(&mut self) -> Result<(), LogError>
    where
        F: FnMut(Recorded<E>),
    {
        if self.places.is_empty() {
            (self.places, self.ends) = beginning(&self.log, self.topics)?;
        }
        let mut reader = self.log.reader(&self.places)?;
        self.tell(&reader);
        while !self.progress.is_closed() {
            let burst = self.burst(&mut reader);
            self.tell(&reader);
            burst?;
        }
        Ok(())
    }

    /// Applies what is there.
    fn burst<E: ReadEvent>(&mut self, reader: &mut L::Reader) -> Result<(), LogError>
    where
        F: FnMut(Recorded<E>),
    {
        let begun = Instant::now();
        let mut wait = POLL;
        for _ in 0..TOLD_EVERY {
            let interned = &mut self.interned;
            let polled = reader.poll(wait, |record| codec::decode::<E>(record, interned))?;
            let Some(recorded) = polled else { break };
            (self.apply)(recorded?);
            if begun.elapsed() > POLL {
                break;
            }
            wait = Duration::ZERO;
        }
        Ok(())
    }

    /// Tells how far it is, where that is news.
    fn tell(&mut self, reader: &L::Reader) {
        let mut moved = false;
        for place in &mut self.places {
            let position = reader.position(&place.topic, place.partition);
            moved |= position != place.next_offset;
            place.next_offset = position;
        }
        let (places, ends) = (&self.places, &self.ends);
        self.progress.send_if_modified(|applied| {
            let first = applied.next_offsets.is_empty();
            if !moved && !first {
                return false;
            }
            for place in places {
                let key = (Arc::clone(&place.topic), place.partition);
                applied.next_offsets.insert(key, place.next_offset);
            }
            applied.caught_up |= places
                .iter()
                .zip(ends)
                .all(|(place, end)| place.next_offset >= *end);
            true
        });
    }
}

/// Every partition of the topics from offset zero, and where each ends now.
fn beginning<L: Log>(
    log: &L,
    topics: &[&'static str],
) -> Result<(Vec<StartAt>, Vec<i64>), LogError> {
    let places = StartAt::every(log, topics)?;
    let asked: Vec<_> = places.iter().map(StartAt::place).collect();
    let ends = log.end_offsets(&asked)?;
    Ok((places, ends))
}

/// The last position of every partition of the topics as of now, open transactions included; -1 of one that is empty.
fn last_positions<L: Log>(log: &L, topics: &[&'static str]) -> Result<Vec<Position>, LogError> {
    let (places, ends) = beginning(log, topics)?;
    let last = places.into_iter().zip(ends).map(|(place, end)| Position {
        topic: place.topic,
        partition: place.partition,
        offset: end - 1,
    });
    Ok(last.collect())
}
