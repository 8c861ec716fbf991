//! Keeps the live version of each projection up to date, a task for each partition number, shared with the other processes that are
//! alive ([`membership`]).
//!
//! Whoever begins to feed a partition moves the epoch of its checkpoints, and so fences whoever fed it before. What goes wrong is
//! retried with back-off. An event that cannot be decoded or applied is parked with what follows for its key. Where there are too
//! many of them, or the log is not the one that was read before, the version is marked as failed and waits for a rebuild, while the
//! others go on. A rebuild's swap shows as a checkpoint that has moved; the feed then asks the registry which version is live, and goes
//! on there. One whose rows are of another shape than this program's is for others to feed ([`succession`]).

mod announcements;
mod health;
pub(crate) mod membership;
mod succession;

use std::{collections::BTreeSet, marker::PhantomData, sync::Arc, time::Duration};

use event_store::{BatchLimits, LogError, Position};
use futures::{FutureExt, future::BoxFuture};
use runtime::health::Readiness;
use tokio::{sync::watch, task::JoinSet, time::MissedTickBehavior};

pub(crate) use self::announcements::announce_live;
use self::{
    announcements::Announcements,
    health::Health,
    membership::{Membership, Shares},
};
use crate::{
    Database, Projection, ProjectionName, ProjectorError,
    feed::Feed,
    names::OnProjection,
    registry::{self, Checkpoint, Origin, Version},
    source::{Source, ask},
};

/// How often ends, and with them a sign of life, are written.
const REFRESH_INTERVAL: Duration = Duration::from_secs(1);
const FIRST_PAUSE: Duration = Duration::from_millis(100);
/// Short, since at a cold start everything waits for everything else.
const MAX_PAUSE: Duration = Duration::from_secs(1);
/// Between two looks at whether a projection is halted still.
const STANDBY_PAUSE: Duration = Duration::from_secs(1);
/// Two processes that for a moment both think a partition theirs do not take it from each other faster than this.
const SUPERSEDED_PAUSE: Duration = Duration::from_millis(50);

/// Feeds all projections until `stop` turns true; every batch that was begun is finished.
///
/// # Errors
/// When a task panicked.
pub async fn run<S: Source>(
    source: &S,
    database: &Database,
    readiness: &Readiness,
    stop: &watch::Receiver<bool>,
) -> Result<(), ProjectorError> {
    let shapes = ProjectionName::ALL.map(|name| (name.as_str(), name.shape()));
    let membership = Arc::new(Membership::new(shapes.into()));
    let announcements = Arc::new(Announcements::default());
    let announcing = tokio::spawn(Arc::clone(&announcements).keep_announcing(database.clone()));
    let mut projections = JoinSet::new();
    for name in ProjectionName::ALL {
        let live = Live::new(
            source,
            database,
            readiness,
            stop,
            &membership,
            &announcements,
            name,
        );
        projections.spawn(name.on(live));
    }
    // Its place is kept until the last batch is done.
    let (leave, mut leaving) = watch::channel(false);
    let database = database.clone();
    let keeping = tokio::spawn(async move { membership.keep(&database, &mut leaving).await });
    while let Some(ended) = projections.join_next().await {
        ended??;
    }
    announcing.abort();
    leave.send_replace(true);
    Ok(keeping.await?)
}

/// What one projection's tasks share.
#[derive(Clone)]
pub(crate) struct Live<S> {
    source: S,
    database: Database,
    health: Health,
    stop: watch::Receiver<bool>,
    share: watch::Receiver<Shares>,
    membership: Arc<Membership>,
    announcements: Arc<Announcements>,
    name: ProjectionName,
}

impl<S: Source> OnProjection for Live<S> {
    type Output = BoxFuture<'static, Result<(), ProjectorError>>;

    fn on<P: Projection>(self) -> Self::Output {
        self.run::<P>().boxed()
    }
}

impl<S: Source> Live<S> {
    pub(crate) fn new(
        source: &S,
        database: &Database,
        readiness: &Readiness,
        stop: &watch::Receiver<bool>,
        membership: &Arc<Membership>,
        announcements: &Arc<Announcements>,
        name: ProjectionName,
    ) -> Self {
        Self {
            source: source.clone(),
            database: database.clone(),
            health: Health::new(readiness.clone(), name.as_str()),
            stop: stop.clone(),
            share: membership.share(),
            membership: Arc::clone(membership),
            announcements: Arc::clone(announcements),
            name,
        }
    }

    pub(crate) async fn run<P: Projection>(mut self) -> Result<(), ProjectorError> {
        let Some(origin) = self.origin::<P>().await else {
            return Ok(());
        };
        if !self.succeed::<P>().await || !self.is_alive().await {
            return Ok(());
        }
        self.health.expect_partitions(origin.partitions);
        let mut tasks = JoinSet::new();
        for number in 0..origin.partitions {
            let partition = Partition::<P, S> {
                live: self.clone(),
                origin: origin.clone(),
                number,
                refused: None,
                projection: PhantomData,
            };
            tasks.spawn(partition.run());
        }
        while let Some(ended) = tasks.join_next().await {
            ended?;
        }
        Ok(())
    }

    /// Waits for the log to answer; none where told to stop meanwhile.
    async fn origin<P: Projection>(&mut self) -> Option<Origin> {
        let mut pause = FIRST_PAUSE;
        loop {
            match origin_of::<P, S>(&self.source).await {
                Ok(origin) => return Some(origin),
                Err(error) => self.health.set_all(error.in_full()),
            }
            if self.stopped_within(pause).await {
                return None;
            }
            pause = longer(pause);
        }
    }

    /// Waits for the first sign of life: before it, nothing is known to be anybody's. False where told to stop meanwhile.
    async fn is_alive(&mut self) -> bool {
        tokio::select! {
            _ = self.stop.wait_for(|stop| *stop) => false,
            known = self.share.wait_for(Shares::is_known) => known.is_ok(),
        }
    }

    async fn stopped_within(&mut self, pause: Duration) -> bool {
        let stopped = self.stop.wait_for(|stop| *stop);
        tokio::time::timeout(pause, stopped).await.is_ok()
    }
}

/// What a version made from this log now would be made from: topics of as many partitions, each of which goes with those of
/// its number.
pub(crate) async fn origin_of<P: Projection, S: Source>(
    source: &S,
) -> Result<Origin, ProjectorError> {
    ask(source, |source| {
        let [first, others @ ..] = P::TOPICS else {
            unreachable!("a projection reads a topic");
        };
        let partitions = source.partitions(first)?;
        for topic in others {
            let differing = source.partitions(topic)?;
            if differing != partitions {
                return Err(LogError::Topic {
                    topic: (*topic).to_owned(),
                    reason: format!(
                        "it has {differing} partitions, where {first} has {partitions}; topics that are read together \
                         need as many"
                    ),
                });
            }
        }
        Ok(Origin {
            cluster_id: source.cluster_id()?,
            partitions,
        })
    })
    .await
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

fn longer(pause: Duration) -> Duration {
    (pause * 2).min(MAX_PAUSE)
}

/// Feeds one partition number of the live version.
struct Partition<P, S> {
    live: Live<S>,
    origin: Origin,
    number: i32,
    /// The event that folding has refused: parked when it comes again.
    refused: Option<(Position, String)>,
    projection: PhantomData<fn() -> P>,
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
    async fn run(mut self) {
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
        let connection = database.connect_to(&version.schema).await?;
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
        loop {
            // Only what may be dropped is raced; a transaction, once begun, is carried through.
            let batch = tokio::select! {
                _ = self.live.stop.wait_for(|stop| *stop) => return Ok(Ended::Stopped),
                batch = feed.next() => Some(batch?),
                _ = share.changed() => None,
                _ = refresh.tick() => None,
            };
            if !self.is_ours() {
                // What was read and not applied the next owner reads.
                return Ok(Ended::Elsewhere);
            }
            match batch {
                Some(batch) => {
                    let progress = batch.progress.clone();
                    let count = feed.absorb(batch).await? as u64;
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
