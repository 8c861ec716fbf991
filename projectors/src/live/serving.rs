//! Feeds this process's partitions of a projection, in one transaction for all of them (docs/adr/0014-one-feed-for-all-partitions.md).

use std::{cmp::Ordering, collections::BTreeSet, pin::pin, time::Duration};

use event_store::{Batch, BatchLimits, LogError, Progress, log::Log};
use futures::{
    FutureExt,
    future::{Fuse, FusedFuture},
};
use tokio::time::MissedTickBehavior;

use super::{FIRST_PAUSE, Live, longer, origin_of};
use crate::{
    Projection, ProjectorError,
    feed::Feed,
    parking::Refused,
    registry::{self, Origin, Positions, Version},
};

/// How often ends, and with them a sign of life, are written.
const REFRESH_INTERVAL: Duration = Duration::from_secs(1);
/// Between two looks at how many partitions the topics have, of a feed that nothing else ends. Tests do not wait for so long.
const RECOUNT_INTERVAL: Duration = match cfg!(test) {
    true => Duration::from_millis(500),
    false => Duration::from_secs(60),
};
/// Between two batches that a feed is handed: where events come one by one, each transaction writes what came meanwhile. The first
/// after a while is written at once.
const FLUSH_EVERY_MS: u64 = 15;
/// A transaction takes in no more batches once it has so many events.
const EVENTS_AT_ONCE: usize = 5_000;
/// Or so many bytes of payload.
const BYTES_AT_ONCE: usize = 8 << 20;
/// Between two looks at whether a projection is halted still.
pub(super) const STANDBY_PAUSE: Duration = Duration::from_secs(1);
/// Two processes that for a moment both think a partition theirs do not take it from each other faster than this.
const SUPERSEDED_PAUSE: Duration = Duration::from_millis(50);

/// Why a feed ended, other than by an error.
enum Ended {
    Stopped,
    /// By a swap, an operator, or another process.
    Superseded,
    /// An event could not be applied: to be parked.
    Refused,
    /// Other partitions are this process's to feed now, or none; or the topics have others.
    Moved,
    /// An operator has halted the projection.
    Paused,
    /// What is live is of an older shape than this program's: not to be fed, but to be replaced.
    Outdated,
}

impl<S: Log> Live<S> {
    /// Feeds whichever version is live. Returns when that is of an older shape than this projector's; false where told to stop before.
    pub(super) async fn serve<P: Projection>(&mut self) -> bool {
        let mut refused = Refused::default();
        let mut pause = FIRST_PAUSE;
        loop {
            let fed = match origin_of::<P, S>(&self.source).await {
                Ok(origin) => {
                    self.feed_share::<P>(&origin, &mut refused, &mut pause)
                        .await
                }
                Err(error) => Err(error),
            };
            let wait = match fed {
                Ok(Ended::Stopped) => return false,
                Ok(Ended::Outdated) => return true,
                Ok(Ended::Refused | Ended::Moved) => Duration::ZERO,
                Ok(Ended::Superseded) => SUPERSEDED_PAUSE,
                Ok(Ended::Paused) => {
                    self.is_well();
                    STANDBY_PAUSE
                }
                Err(error) => {
                    self.ails(error.in_full());
                    let wait = pause;
                    pause = longer(pause);
                    wait
                }
            };
            if self.stopped_within(wait).await {
                return false;
            }
        }
    }

    /// Those that are this process's to feed now.
    fn partitions(&self, origin: &Origin) -> Vec<i32> {
        let share = self.share.borrow();
        share.partitions(self.name, origin.partitions)
    }

    /// Feeds what is this process's to feed, until something changes; where nothing is, waits until something may be.
    async fn feed_share<P: Projection>(
        &mut self,
        origin: &Origin,
        refused: &mut Refused,
        pause: &mut Duration,
    ) -> Result<Ended, ProjectorError> {
        let partitions = self.partitions(origin);
        if !partitions.is_empty() {
            return self.feed::<P>(origin, &partitions, refused, pause).await;
        }
        if self.database.answered(self.is_outdated::<P>()).await? {
            return Ok(Ended::Outdated);
        }
        self.is_well();
        match self.stopped_before_a_change().await {
            true => Ok(Ended::Stopped),
            false => Ok(Ended::Moved),
        }
    }

    /// Whether what is live is for this program to replace. Where that is so, nothing of it is this process's to feed.
    async fn is_outdated<P: Projection>(&self) -> Result<bool, ProjectorError> {
        let mut registry = self.database.connect().await?;
        let live = registry::live(&mut registry, P::NAME).await?;
        Ok(live.is_some_and(|live| live.shape < P::SHAPE))
    }

    async fn stopped_before_a_change(&mut self) -> bool {
        tokio::select! {
            _ = self.stop.wait_for(|stop| *stop) => true,
            changed = self.share.changed() => changed.is_err(),
            () = tokio::time::sleep(RECOUNT_INTERVAL) => false,
        }
    }

    /// Feeds these partitions of the version that is live now, until something changes.
    async fn feed<P: Projection>(
        &mut self,
        origin: &Origin,
        partitions: &[i32],
        refused: &mut Refused,
        pause: &mut Duration,
    ) -> Result<Ended, ProjectorError> {
        let opened = self.database.answered(self.open::<P>(origin, partitions));
        let (mut feed, version) = match opened.await? {
            Ok(opened) => opened,
            Err(ended) => return Ok(ended),
        };
        feed.park(refused);
        match self.follow(&mut feed, origin, partitions, pause).await {
            Err(ProjectorError::Superseded) => Ok(Ended::Superseded),
            Err(ProjectorError::Unappliable { position, reason }) => {
                match refused.add(version, position, reason) {
                    Ok(()) => Ok(Ended::Refused),
                    Err(too_many) => told::<P>(self.database.answered(feed.fail(&too_many)).await?),
                }
            }
            Err(error) if error.is_final() => {
                told::<P>(self.database.answered(feed.fail(&error)).await?)
            }
            ended => ended,
        }
    }

    /// A feed of these partitions of the version that is live now, and its number; else why there is none.
    async fn open<P: Projection>(
        &self,
        origin: &Origin,
        partitions: &[i32],
    ) -> Result<Result<(Feed<P>, i32), Ended>, ProjectorError> {
        let mut registry = self.database.connect().await?;
        let version = registry::ensure_live::<P>(&mut registry, origin).await?;
        // What is whose will soon say so too.
        match version.shape.cmp(&P::SHAPE) {
            Ordering::Less => return Ok(Err(Ended::Outdated)),
            Ordering::Greater => return Ok(Err(Ended::Superseded)),
            Ordering::Equal => {}
        }
        if registry::is_paused(&mut registry, P::NAME).await? {
            return Ok(Err(Ended::Paused));
        }
        if let Some(error) = version.error {
            return Err(ProjectorError::Failed(error));
        }
        let number = version.number;
        let claimed = registry::claim_live(&mut registry, P::NAME, &version, partitions).await?;
        let Some(checkpoints) = claimed else {
            return Ok(Err(Ended::Superseded));
        };
        let places = registry::positions(&mut registry, P::NAME, number).await?;
        require_places::<P>(&version, origin, &places)?;
        let connection = self.database.connect_to_feed(&version.schema).await?;
        let limits = BatchLimits {
            every_ms: FLUSH_EVERY_MS,
            ..BatchLimits::default()
        };
        let known = checkpoints.clone();
        let opened = Feed::<P>::open(&self.source, origin, connection, &version, known, limits);
        match opened.await {
            Ok(feed) => Ok(Ok((feed, number))),
            Err(error) if error.is_final() => {
                let failed = registry::fail::<P>(&mut registry, number, &checkpoints, &error);
                told::<P>(failed.await?).map(Err)
            }
            Err(error) => Err(error),
        }
    }

    async fn follow<P: Projection>(
        &mut self,
        feed: &mut Feed<P>,
        origin: &Origin,
        partitions: &[i32],
        pause: &mut Duration,
    ) -> Result<Ended, ProjectorError> {
        let labels = [("projection", P::NAME)];
        let lag = metrics::gauge!("offset_zero_projection_lag_records", &labels);
        let events = metrics::counter!("offset_zero_projection_events_total", &labels);
        let mut share = self.share.clone();
        let mut refresh = tokio::time::interval(REFRESH_INTERVAL);
        refresh.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut ends = pin!(Fuse::terminated());
        let source = self.source.clone();
        let mut outgrown = pin!(outgrown::<P, S>(&source, origin));
        loop {
            // Only what may be dropped is raced; a transaction, once begun, is carried through.
            let come = tokio::select! {
                _ = self.stop.wait_for(|stop| *stop) => return Ok(Ended::Stopped),
                batch = feed.next() => Come::Batch(batch?),
                ends = &mut ends => Come::Ends(ends?),
                ended = &mut outgrown => return ended,
                _ = share.changed() => Come::Share,
                _ = refresh.tick(), if ends.is_terminated() => Come::Time,
            };
            if self.partitions(origin) != partitions {
                // What was read and not applied the next owner reads.
                lag.set(0.0);
                return Ok(Ended::Moved);
            }
            match come {
                Come::Batch(batch) => {
                    let written = async {
                        let absorbed = absorb_what_is_there(feed, batch).await?;
                        feed.flush().await?;
                        Ok::<_, ProjectorError>(absorbed)
                    };
                    let (progress, count) = self.database.answered(written).await?;
                    if count > 0 {
                        // Not before: what Postgres refuses, it refuses of each feed anew.
                        *pause = FIRST_PAUSE;
                    }
                    self.announcements.add(P::NAME, &progress);
                    self.membership.count(P::NAME, count);
                    events.increment(count);
                }
                Come::Ends(ends) => {
                    let records = self.database.answered(feed.note_ends(ends)).await?;
                    lag.set(records as f64);
                    self.is_well();
                }
                Come::Time => ends.set(feed.ask_ends(&self.source).fuse()),
                Come::Share => {}
            }
        }
    }
}

/// What a feed does something about.
enum Come<E> {
    Batch(Batch<E>),
    /// Where the log ended a moment ago.
    Ends(Vec<i64>),
    /// Other partitions, perhaps.
    Share,
    /// It is time to ask where the log ends.
    Time,
}

/// Passes on what became of marking the version as failed.
fn told<P: Projection>(verdict: ProjectorError) -> Result<Ended, ProjectorError> {
    if matches!(verdict, ProjectorError::Superseded) {
        return Ok(Ended::Superseded);
    }
    tracing::error!(projection = P::NAME, error = %verdict, "projection failed");
    Err(verdict)
}

/// Folds a batch, and those that have come meanwhile; answers how far they lead, and how many events there were.
async fn absorb_what_is_there<P: Projection>(
    feed: &mut Feed<P>,
    first: Batch<P::Event>,
) -> Result<(Vec<Progress>, u64), ProjectorError> {
    let mut progress = Vec::new();
    let mut count = 0;
    let mut next = Some(first);
    while let Some(batch) = next {
        progress.extend_from_slice(&batch.progress);
        count += feed.absorb(batch).await?;
        let has_room = count < EVENTS_AT_ONCE && feed.held_bytes() < BYTES_AT_ONCE;
        next = match has_room && !feed.awaits_refused() {
            true => feed.next().now_or_never().transpose()?,
            false => None,
        };
    }
    Ok((progress, count as u64))
}

/// Ends where the topics are not any more as they were when a feed began, by an error where they cannot be read together. A start would
/// meet the same; that the log is out of reach is found out by asking for its ends.
async fn outgrown<P: Projection, S: Log>(
    source: &S,
    origin: &Origin,
) -> Result<Ended, ProjectorError> {
    loop {
        tokio::time::sleep(RECOUNT_INTERVAL).await;
        match origin_of::<P, S>(source).await {
            Ok(found) if found == *origin => {}
            Err(ProjectorError::Log(LogError::Unavailable { .. })) => {}
            Ok(_) => return Ok(Ended::Moved),
            Err(error) => return Err(error),
        }
    }
}

/// A version may be made of other topics, by an older projector, or of fewer partitions than they have by now: it could never become
/// what this one makes. Nobody feeds it then, not even the partitions that it has: where topics were given more, keys do not lie any
/// more where they belong.
fn require_places<P: Projection>(
    version: &Version,
    origin: &Origin,
    places: &Positions,
) -> Result<(), ProjectorError> {
    let number = version.number;
    let name = P::NAME;
    let of_version: BTreeSet<&str> = places.keys().map(|(topic, _)| topic.as_str()).collect();
    let of_projection: BTreeSet<&str> = P::TOPICS.iter().copied().collect();
    if of_version != of_projection {
        return Err(ProjectorError::Failed(format!(
            "version {number} of {name} is made of {of_version:?}, where this projector reads {of_projection:?}; \
             type: offset-zero rebuild {name}"
        )));
    }
    let partitions = 0..origin.partitions;
    let lacks = |topic: &&str| {
        let has = |partition: i32| places.contains_key(&((*topic).to_owned(), partition));
        !partitions.clone().all(has)
    };
    if of_projection.iter().any(lacks) {
        return Err(ProjectorError::Failed(format!(
            "version {number} of {name} lacks partitions that its topics have by now: where the topics are new ones, type: \
             offset-zero rebuild {name}; where old ones were given more, docs/operating.md says what to do"
        )));
    }
    Ok(())
}
