//! Feeds one partition number, in all topics of a projection, for as long as it is this process's to feed.

use std::{collections::BTreeSet, marker::PhantomData, time::Duration};

use event_store::{Batch, BatchLimits, Position, Progress};
use futures::FutureExt;
use tokio::time::{Instant, MissedTickBehavior};

use super::{FIRST_PAUSE, Live, longer};
use crate::{
    Projection, ProjectorError,
    feed::Feed,
    registry::{self, Checkpoint, Origin, Version},
    source::Source,
};

/// How often ends, and with them a sign of life, are written.
const REFRESH_INTERVAL: Duration = Duration::from_secs(1);
/// Between the begins of two transactions of a feed: where events come one by one, each transaction writes what came meanwhile.
/// The first after a while is written at once.
const FLUSH_INTERVAL: Duration = Duration::from_millis(15);
/// A transaction takes in no more batches once it has so many events.
const EVENTS_AT_ONCE: usize = 5_000;
/// Between two looks at whether a projection is halted still.
pub(super) const STANDBY_PAUSE: Duration = Duration::from_secs(1);
/// Two processes that for a moment both think a partition theirs do not take it from each other faster than this.
const SUPERSEDED_PAUSE: Duration = Duration::from_millis(50);

/// Feeds one partition number of the live version.
pub(super) struct Partition<P, S> {
    pub(super) live: Live<S>,
    pub(super) origin: Origin,
    pub(super) number: i32,
    /// The event that folding has refused: parked when it comes again.
    pub(super) refused: Option<(Position, String)>,
    pub(super) projection: PhantomData<fn() -> P>,
}

/// Why a feed ended, other than by an error.
enum Ended {
    Stopped,
    /// By a swap, an operator, or another process.
    Superseded,
    /// An event could not be applied: to be parked.
    Refused,
    /// It is another process's to feed.
    Elsewhere,
    /// An operator has halted the projection.
    Paused,
}

impl<P: Projection, S: Source> Partition<P, S> {
    pub(super) async fn run(mut self) {
        let mut pause = FIRST_PAUSE;
        loop {
            let wait = match self.serve(&mut pause).await {
                Ok(Ended::Stopped) => return,
                Ok(Ended::Refused) => Duration::ZERO,
                Ok(Ended::Superseded) => SUPERSEDED_PAUSE,
                Ok(Ended::Elsewhere) => {
                    self.live.health.set(self.number, Ok(()));
                    if self.stopped_before_it_is_ours().await {
                        return;
                    }
                    Duration::ZERO
                }
                Ok(Ended::Paused) => {
                    self.live.health.set(self.number, Ok(()));
                    STANDBY_PAUSE
                }
                Err(error) => {
                    // Health logs it, once for each trouble.
                    self.live.health.set(self.number, Err(error.in_full()));
                    let wait = pause;
                    pause = longer(pause);
                    wait
                }
            };
            if self.live.stopped_within(wait).await {
                return;
            }
        }
    }

    fn is_ours(&self) -> bool {
        let share = self.live.share.borrow();
        share.holds(self.live.name, self.number)
    }

    async fn stopped_before_it_is_ours(&mut self) -> bool {
        let (name, number) = (self.live.name, self.number);
        let ours = self.live.share.wait_for(|share| share.holds(name, number));
        tokio::select! {
            _ = self.live.stop.wait_for(|stop| *stop) => true,
            ours = ours => ours.is_err(),
        }
    }

    /// Feeds the version that is live now, until something changes.
    async fn serve(&mut self, pause: &mut Duration) -> Result<Ended, ProjectorError> {
        if !self.is_ours() {
            return Ok(Ended::Elsewhere);
        }
        let database = &self.live.database;
        let mut registry = database.connect().await?;
        let version = registry::ensure_live::<P>(&mut registry, &self.origin).await?;
        if version.shape != P::SHAPE {
            // What is whose will soon say so too.
            return Ok(Ended::Superseded);
        }
        if registry::is_paused(&mut registry, P::NAME).await? {
            return Ok(Ended::Paused);
        }
        if let Some(error) = version.error {
            return Err(ProjectorError::Failed(error));
        }
        registry::claim(&mut registry, P::NAME, version.number, self.number).await?;
        let checkpoints =
            registry::checkpoints(&mut registry, P::NAME, version.number, self.number).await?;
        require_topics::<P>(&version, &checkpoints)?;
        let connection = database.connect_to_feed(&version.schema).await?;
        let opened = self.open(&version, connection, &checkpoints).await;
        let mut feed = match opened {
            Err(error) if error.is_final() => {
                let number = version.number;
                return self.told(
                    registry::fail::<P>(&mut registry, number, self.number, &checkpoints, &error)
                        .await?,
                );
            }
            opened => opened?,
        };
        drop(registry);
        if let Some((position, reason)) = self.refused.take() {
            feed.park(position, reason);
        }
        *pause = FIRST_PAUSE;
        match self.follow(&mut feed).await {
            Err(ProjectorError::Superseded) => Ok(Ended::Superseded),
            Err(ProjectorError::Unappliable { position, reason }) => {
                self.refused = Some((position, reason));
                Ok(Ended::Refused)
            }
            Err(error) if error.is_final() => self.told(feed.fail(&error).await?),
            ended => ended,
        }
    }

    async fn open(
        &self,
        version: &Version,
        connection: sqlx::PgConnection,
        checkpoints: &[Checkpoint],
    ) -> Result<Feed<P>, ProjectorError> {
        let limits = BatchLimits::default();
        Feed::open(
            &self.live.source,
            connection,
            version,
            self.number,
            checkpoints.to_vec(),
            limits,
        )
        .await
    }

    /// Passes on what became of marking the version as failed.
    fn told(&self, verdict: ProjectorError) -> Result<Ended, ProjectorError> {
        if matches!(verdict, ProjectorError::Superseded) {
            return Ok(Ended::Superseded);
        }
        tracing::error!(projection = P::NAME, partition = self.number, error = %verdict, "projection failed");
        Err(verdict)
    }

    async fn follow(&mut self, feed: &mut Feed<P>) -> Result<Ended, ProjectorError> {
        let labels = [
            ("projection", P::NAME.to_owned()),
            ("partition", self.number.to_string()),
        ];
        let lag = metrics::gauge!("offset_zero_projection_lag_records", &labels);
        let events = metrics::counter!("offset_zero_projection_events_total", &labels);
        let mut share = self.live.share.clone();
        let mut refresh = tokio::time::interval(REFRESH_INTERVAL);
        refresh.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut next_flush = Instant::now();
        loop {
            // Only what may be dropped is raced; a transaction, once begun, is carried through.
            let batch = tokio::select! {
                _ = self.live.stop.wait_for(|stop| *stop) => return Ok(Ended::Stopped),
                batch = next_after(next_flush, feed) => Some(batch?),
                _ = share.changed() => None,
                _ = refresh.tick() => None,
            };
            if !self.is_ours() {
                // What was read and not applied the next owner reads.
                return Ok(Ended::Elsewhere);
            }
            match batch {
                Some(batch) => {
                    next_flush = Instant::now() + FLUSH_INTERVAL;
                    let (progress, count) = absorb_what_is_there(feed, batch).await?;
                    feed.flush().await?;
                    self.live.announcements.add(P::NAME, &progress);
                    self.live.membership.count(P::NAME, count);
                    events.increment(count);
                }
                None => {
                    let records = feed.refresh_ends(&self.live.source).await?;
                    lag.set(records as f64);
                    self.live.health.set(self.number, Ok(()));
                }
            }
        }
    }
}

/// May be dropped and called again.
async fn next_after<P: Projection>(
    time: Instant,
    feed: &mut Feed<P>,
) -> Result<Batch<P::Event>, ProjectorError> {
    tokio::time::sleep_until(time).await;
    feed.next().await
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
        next = match count < EVENTS_AT_ONCE {
            true => feed.next().now_or_never().transpose()?,
            false => None,
        };
    }
    Ok((progress, count as u64))
}

/// A version that an older projector has made may be made of other topics, and could never become what this one makes.
fn require_topics<P: Projection>(
    version: &Version,
    checkpoints: &[Checkpoint],
) -> Result<(), ProjectorError> {
    let of_version: BTreeSet<&str> = checkpoints.iter().map(|of| &*of.topic).collect();
    let of_projection: BTreeSet<&str> = P::TOPICS.iter().copied().collect();
    if of_version == of_projection {
        return Ok(());
    }
    Err(ProjectorError::Failed(format!(
        "version {number} of {name} is made of {of_version:?}, where this projector reads {of_projection:?}; \
         type: projectors rebuild {name}",
        number = version.number,
        name = P::NAME,
    )))
}
