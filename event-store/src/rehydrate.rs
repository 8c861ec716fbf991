//! Building a partition's state: what the store holds, and what comes after that in the log.

mod apart;
mod replaying;

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use domain::Context;

use self::{
    apart::read_apart,
    replaying::{Read, Replaying},
};
use crate::{
    log::{Log, LogError, RawRecord, Reader},
    state::{
        StateError, StateStore,
        checkpoint::{Checkpoint, Misfit},
        folder::{Rehydration, StateFolder},
        keeping::Keeping,
    },
    streams::Streams,
    subscription::StartAt,
};

/// How long one wait for a record may be; between waits the position is looked at.
const POLL: Duration = Duration::from_millis(20);
/// Between two looks at how much is left, where there is always a record.
const RECORDS_BETWEEN_LOOKS: u32 = 1_000;

/// What of which topics is read, and how long.
struct Reading<'a, L> {
    log: &'a L,
    partition: i32,
    partitions: i32,
    /// Topic, partition and high watermark.
    ends: Vec<(&'static str, i32, i64)>,
    patience: Duration,
    /// When to leave the rest for another time; none where all of it is needed.
    until: Option<Instant>,
    /// Called while there is progress.
    at_work: &'a dyn Fn(),
}

/// What was read.
struct Built<C: Context> {
    streams: Streams<C>,
    /// Where the reading ended.
    places: Vec<StartAt>,
    records: u64,
    from_store: bool,
    /// Whether everything was read, or some of it left for another time.
    complete: bool,
}

/// Why a state could not be built.
#[derive(Debug, thiserror::Error)]
enum Failure {
    /// Without a store it would have failed too.
    #[error(transparent)]
    Log(#[from] LogError),
    #[error(transparent)]
    Store(#[from] StateError),
    #[error(transparent)]
    Misfit(#[from] Misfit),
    /// Perhaps the store is at fault: whether the log is, offset zero tells.
    #[error("the log does not follow from it: {0}")]
    Suspect(LogError),
}

/// Reads one partition of the service's topics to its high watermark: from the store's checkpoint, where there is a store
/// that belongs to this log, else from offset zero.
///
/// The caller has fenced every other appender before, so what lies below the watermark is all that there will ever be
/// from them. `patience` bounds the wait for progress: a foreign open transaction holds committed records back until it
/// times out. `at_work` is called again and again while it gets on. Also answers where in each topic the reading ended.
pub(crate) fn rehydrate<C: Context, L: Log>(
    log: &L,
    (partition, partitions): (i32, i32),
    patience: Duration,
    folder: &mut StateFolder,
    at_work: &dyn Fn(),
) -> Result<(Streams<C>, Vec<StartAt>), LogError> {
    let begun = Instant::now();
    let reading = Reading {
        log,
        partition,
        partitions,
        ends: ends::<C, L>(log, partition)?,
        patience,
        until: None,
        at_work,
    };
    let (built, discarded) = reading.build(folder)?;
    folder.tell(Rehydration {
        from_store: built.from_store,
        discarded,
        records: built.records,
        elapsed: begun.elapsed(),
    });
    Ok((built.streams, built.places))
}

/// Brings the store of a partition that another process owns nearer to the end of the log, in so much time at most; so
/// that, should we have to take it over, little is left to be read. Nothing is decided on what was read here. True when it
/// has come to where the log ends now.
pub(crate) fn keep_up<C: Context, L: Log>(
    log: &L,
    (partition, partitions): (i32, i32),
    within: Duration,
    folder: &mut StateFolder,
) -> Result<bool, LogError> {
    let begun = Instant::now();
    let Some(store) = folder.store() else {
        return Ok(true);
    };
    let reading = Reading {
        log,
        partition,
        partitions,
        ends: ends::<C, L>(log, partition)?,
        patience: within,
        until: Some(begun + within),
        at_work: &|| {},
    };
    match reading.build_on::<C>(store, folder) {
        Ok(built) => {
            folder.tell(Rehydration {
                from_store: built.from_store,
                discarded: None,
                records: built.records,
                elapsed: begun.elapsed(),
            });
            Ok(built.complete)
        }
        Err(Failure::Log(error)) => Err(error),
        Err(failure) => {
            folder.discard(&failure);
            Ok(false)
        }
    }
}

/// Where the partition of each topic of the service ends.
pub(crate) fn ends<C: Context, L: Log>(
    log: &L,
    partition: i32,
) -> Result<Vec<(&'static str, i32, i64)>, LogError> {
    let places: Vec<_> = C::TOPICS.iter().map(|topic| (*topic, partition)).collect();
    places_with_ends(log, &places)
}

/// What [`read_to`] is given: each of these partitions, and where it ends.
pub(crate) fn places_with_ends<'a, L: Log>(
    log: &L,
    places: &[(&'a str, i32)],
) -> Result<Vec<(&'a str, i32, i64)>, LogError> {
    let ends = log.end_offsets(places)?;
    let end = |(&(topic, partition), end)| (topic, partition, end);
    Ok(places.iter().zip(ends).map(end).collect())
}

impl<L: Log> Reading<'_, L> {
    /// With the store as it is; with an empty one, where that does not do; and at last without one.
    fn build<C: Context>(
        &self,
        folder: &mut StateFolder,
    ) -> Result<(Built<C>, Option<String>), LogError> {
        let mut discarded = None;
        for _ in 0..2 {
            let Some(store) = folder.store() else { break };
            match self.build_on(store, folder) {
                Ok(built) => return Ok((built, discarded)),
                Err(Failure::Log(error)) => return Err(error),
                Err(failure) => {
                    folder.discard(&failure);
                    discarded = Some(failure.to_string());
                }
            }
        }
        let from_zero = Checkpoint::at_zero::<C>(String::new());
        let built = self.read_on(Streams::new(self.partitions), &from_zero, false);
        let built = built.map_err(|failure| match failure {
            Failure::Log(error) | Failure::Suspect(error) => error,
            failure @ (Failure::Store(_) | Failure::Misfit(_)) => LogError::Unavailable {
                attempted: "building the state",
                reason: failure.to_string(),
            },
        })?;
        Ok((built, discarded))
    }

    fn build_on<C: Context>(
        &self,
        store: StateStore,
        folder: &StateFolder,
    ) -> Result<Built<C>, Failure> {
        let kept = store.checkpoint()?;
        let checkpoint = match &kept {
            Some(bytes) => {
                let checkpoint = Checkpoint::read::<C>(bytes)?;
                checkpoint.verify(self.log, &self.ends, self.patience)??;
                checkpoint
            }
            None if store.is_empty()? => Checkpoint::at_zero::<C>(self.log.cluster_id()?),
            // Earlier versions emptied a store one part after the other.
            None => return Err(Misfit::Unmarked.into()),
        };
        let keeping = Keeping::new(store, checkpoint.clone(), folder)?;
        let streams = Streams::kept(self.partitions, keeping, folder.resident_streams)?;
        self.read_on(streams, &checkpoint, kept.is_some())
    }

    fn read_on<C: Context>(
        &self,
        mut streams: Streams<C>,
        checkpoint: &Checkpoint,
        from_store: bool,
    ) -> Result<Built<C>, Failure> {
        let mut places = checkpoint.places(self.partition);
        let mut reader = self.log.reader(&places)?;
        let topics = places.iter().map(|place| Arc::clone(&place.topic));
        let stages = Replaying::<C>::new(
            checkpoint,
            topics.collect(),
            self.partition,
            streams.source(),
            self.until,
        );
        let mut records = 0;
        let mut failed = None;
        let apply = |read: Read<C::Event>| {
            records += 1;
            let Some(replayed) = &read.event else {
                places[read.place].next_offset = read.offset + 1;
                return Ok(());
            };
            let position = stages.position(read.place, read.offset);
            streams
                .replay(&position, replayed)
                .map_err(|reason| position.undecodable(reason))?;
            // Only now: what cannot be applied is never passed.
            places[read.place].next_offset = read.offset + 1;
            if streams.is_full() {
                failed = streams.keep(&places).err();
            }
            if failed.is_some() || streams.failure().is_some() {
                // Nothing of the log; what it is stands beside.
                return Err(position.undecodable(String::new()));
            }
            Ok(())
        };
        let read = read_apart(
            &mut reader,
            &self.ends,
            self.patience,
            &stages,
            apply,
            self.at_work,
        );
        if let Some(error) = failed.or_else(|| streams.failure().cloned()) {
            return Err(error.into());
        }
        let complete = !stages.is_out_of_time();
        match read {
            Ok(()) => {}
            // The rest comes later. What cannot be applied, or is not there, stays so.
            Err(LogError::Unavailable { .. }) if !complete => {}
            Err(error @ LogError::Undecodable { .. }) if from_store => {
                return Err(Failure::Suspect(error));
            }
            Err(error) => return Err(error.into()),
        }
        if complete {
            for place in &mut places {
                place.next_offset = reader.position(&place.topic, self.partition);
            }
        }
        streams.keep(&places)?;
        Ok(Built {
            streams,
            places,
            records,
            from_store,
            complete,
        })
    }
}

/// Shows every committed record below the given ends, `(topic, partition, end)`, to `visit`; and some of those beyond. Fails where it
/// comes no nearer to them for so long.
pub(crate) fn read_to<R: Reader>(
    reader: &mut R,
    ends: &[(&str, i32, i64)],
    patience: Duration,
    mut visit: impl FnMut(&RawRecord<'_>) -> Result<(), LogError>,
) -> Result<(), LogError> {
    let arrived = |reader: &R| {
        ends.iter()
            .all(|(topic, partition, end)| reader.position(topic, *partition) >= *end)
    };
    let left = |reader: &R| -> i64 {
        let left = ends
            .iter()
            .map(|(topic, partition, end)| (end - reader.position(topic, *partition)).max(0));
        left.sum()
    };
    // The clock is asked only where there is time, or now and then: where others append without end, there is always a record.
    let (mut nearest, mut nearer_at) = (left(reader), Instant::now());
    let mut unlooked = 0;
    while !arrived(reader) {
        if let Some(visited) = reader.poll(POLL, &mut visit)? {
            visited?;
            unlooked += 1;
            if unlooked < RECORDS_BETWEEN_LOOKS {
                continue;
            }
        }
        unlooked = 0;
        let left = left(reader);
        if left < nearest {
            (nearest, nearer_at) = (left, Instant::now());
        } else if nearer_at.elapsed() > patience {
            return Err(LogError::Unavailable {
                attempted: "reading to the high watermark",
                reason: stalled(reader, ends, patience),
            });
        }
    }
    Ok(())
}

/// Where each partition that has not come to its end stands.
fn stalled<R: Reader>(reader: &R, ends: &[(&str, i32, i64)], patience: Duration) -> String {
    let behind = ends.iter().filter_map(|(topic, partition, end)| {
        let position = reader.position(topic, *partition);
        (position < *end).then(|| format!("; {topic}/{partition} at {position} of {end}"))
    });
    let behind: String = behind.collect();
    format!("no progress for {} s{behind}", patience.as_secs())
}

#[cfg(test)]
mod tests;
