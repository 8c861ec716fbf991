//! From offset zero to the end, all partitions at once; then along with the log until the swap.

use std::sync::{Arc, atomic::Ordering};

use event_store::{BatchLimits, log::Log};
use tokio::{sync::Semaphore, task::JoinSet};

use super::{
    Aside,
    gate::{self, Gate},
    meter::Meter,
};
use crate::{
    Database, Projection, ProjectorError,
    database::processors_to_use,
    feed::Feed,
    log::ask,
    parking::Refused,
    registry::{self, Origin, Positions, Version},
};

pub(super) const LIMITS: BatchLimits = BatchLimits {
    max_events: 2_500,
    max_bytes: 4 << 20,
    max_wait_ms: 100,
    every_ms: 0,
};
/// Rows that all partitions together hold in memory before they write them: some 65 MiB of orders.
const MAX_HELD_ROWS: usize = 40_000;
/// And as much of events' payloads at most, however wide the rows are; orders are far from it.
const MAX_HELD_BYTES: usize = 64 << 20;
/// What is spent, by all partitions together, on not asking the table for rows that are new.
pub(super) const WRITTEN_KEYS_BYTES: usize = 32 << 20;

/// What the tasks of a rebuild share.
#[derive(Clone)]
pub(super) struct Filling<S> {
    pub(super) source: S,
    pub(super) database: Database,
    pub(super) version: Version,
    pub(super) origin: Origin,
    pub(super) meter: Arc<Meter>,
    pub(super) gate: Gate,
    writing: Writing,
}

/// Has a few partitions write while the others read on. Backends that copy into one table wait for each other when it grows, and
/// would leave the live version's no time.
#[derive(Clone)]
struct Writing(Arc<Semaphore>);

impl Default for Writing {
    fn default() -> Self {
        Self(Arc::new(Semaphore::new(processors_to_use())))
    }
}

/// How far to read.
#[derive(Debug, Clone)]
pub(super) enum Goal {
    /// At least so far.
    AtLeast(Positions),
    /// So far and not further: what was read beyond is read again later.
    Exactly(Positions),
}

impl<S: Log> Filling<S> {
    pub(super) fn new(
        source: &S,
        database: &Database,
        version: Version,
        origin: Origin,
        meter: &Arc<Meter>,
    ) -> Self {
        Self {
            source: source.clone(),
            database: database.clone(),
            version,
            origin,
            meter: Arc::clone(meter),
            gate: Gate::default(),
            writing: Writing::default(),
        }
    }

    /// Has the work stand still while the live version is behind, until what is answered is dropped.
    pub(super) fn give_way<P: Projection>(&mut self, live: i32) -> Aside {
        let (gate, watching) = gate::watch::<P, S>(self.clone(), live);
        self.gate = gate;
        watching
    }

    /// A feed for each partition, from where the version has come to.
    pub(super) async fn open<P: Projection>(&self) -> Result<Vec<Feed<P>>, ProjectorError> {
        let partitions = 0..self.origin.partitions;
        all(partitions.map(|partition| self.clone().open_feed::<P>(vec![partition]))).await
    }

    /// Reads every partition so far, all at once, and writes what was read.
    pub(super) async fn read_to<P: Projection>(
        &self,
        feeds: Vec<Feed<P>>,
        goal: Goal,
    ) -> Result<Vec<Feed<P>>, ProjectorError> {
        let read = |feed| self.clone().read_partition(feed, goal.clone());
        all(feeds.into_iter().map(read)).await
    }

    async fn open_feed<P: Projection>(
        self,
        partitions: Vec<i32>,
    ) -> Result<Feed<P>, ProjectorError> {
        let number = self.version.number;
        let mut connection = self.database.connect_to_fill(&self.version.schema).await?;
        let checkpoints =
            registry::checkpoints(&mut connection, P::NAME, number, &partitions).await?;
        let opened = Feed::open(
            &self.source,
            &self.origin,
            connection,
            &self.version,
            checkpoints.clone(),
            LIMITS,
        )
        .await;
        match opened {
            Err(error) if error.is_final() => {
                let mut registry = self.database.connect().await?;
                Err(registry::fail::<P>(&mut registry, number, &checkpoints, &error).await?)
            }
            Err(error) => Err(error),
            Ok(mut feed) => {
                feed.remember_written(share(WRITTEN_KEYS_BYTES, self.origin.partitions));
                Ok(feed)
            }
        }
    }

    /// From its checkpoints again. By now they may be those of another rebuild, which has resumed the version, or begun another of its
    /// number.
    async fn reopen<P: Projection>(self, feed: Feed<P>) -> Result<Feed<P>, ProjectorError> {
        let (partitions, epochs) = (feed.partitions(), feed.epochs());
        drop(feed);
        let anew = self.open_feed(partitions).await?;
        match anew.epochs() == epochs {
            true => Ok(anew),
            false => Err(ProjectorError::Superseded),
        }
    }

    async fn read_partition<P: Projection>(
        self,
        mut feed: Feed<P>,
        goal: Goal,
    ) -> Result<Feed<P>, ProjectorError> {
        let mut refused = Refused::default();
        let mut unread = 0;
        loop {
            let read = self.try_read_to(&mut feed, &goal, &mut unread).await;
            match self.note(&mut refused, read) {
                // From the checkpoint again, and past it.
                Err(ProjectorError::Unappliable { .. }) => {
                    feed = self.clone().reopen(feed).await?;
                    feed.park(&mut refused);
                }
                Err(error) if error.is_final() => return Err(feed.fail(&error).await?),
                Err(error) => return Err(error),
                Ok(()) if feed.has_overrun() => return self.reopen(feed).await,
                Ok(()) => return Ok(feed),
            }
        }
    }

    /// Notes what was refused; another error where that is too much.
    pub(super) fn note<T>(
        &self,
        refused: &mut Refused,
        result: Result<T, ProjectorError>,
    ) -> Result<T, ProjectorError> {
        if let Err(ProjectorError::Unappliable { position, reason }) = &result {
            refused.add(self.version.number, position.clone(), reason.clone())?;
        }
        result
    }

    /// A feed that has met an event that it cannot apply has to be opened anew. So many records are expected already, and not passed; what
    /// was passed in vain is expected again.
    pub(super) async fn try_read_to<P: Projection>(
        &self,
        feed: &mut Feed<P>,
        goal: &Goal,
        unread: &mut i64,
    ) -> Result<(), ProjectorError> {
        let (Goal::AtLeast(ends) | Goal::Exactly(ends)) = goal;
        let mut remaining = feed.remaining(ends);
        self.meter.records.expect((remaining - *unread).max(0));
        *unread = remaining;
        while remaining > 0 {
            self.gate.pass().await;
            let batch = match goal {
                Goal::AtLeast(_) => feed.next().await?,
                Goal::Exactly(_) => feed.next_before(ends).await?,
            };
            let count = feed.absorb(batch).await?;
            let before = std::mem::replace(&mut remaining, feed.remaining(ends));
            self.meter.passed(before - remaining, count);
            *unread = remaining;
            let is_full = feed.held() >= share(MAX_HELD_ROWS, self.origin.partitions)
                || feed.held_bytes() >= share(MAX_HELD_BYTES, self.origin.partitions);
            if is_full || remaining == 0 || feed.awaits_refused() {
                self.write(feed).await?;
            }
        }
        Ok(())
    }

    /// Where the log ends now.
    pub(super) async fn ends<P: Projection>(&self) -> Result<Positions, ProjectorError> {
        let partitions = self.origin.partitions;
        ask(&self.source, move |source| {
            let of_topic = |topic| (0..partitions).map(move |partition| (topic, partition));
            let places: Vec<(&str, i32)> = P::TOPICS.iter().copied().flat_map(of_topic).collect();
            let ends = source.end_offsets(&places)?;
            let named = places
                .into_iter()
                .map(|(topic, partition)| (topic.to_owned(), partition));
            Ok(named.zip(ends).collect())
        })
        .await
    }

    /// Applies what comes as it comes; each task ends with [`ProjectorError::Superseded`] when the swap has moved the epoch.
    pub(super) fn follow<P: Projection>(&self, feeds: Vec<Feed<P>>) -> JoinSet<ProjectorError> {
        let mut tasks = JoinSet::new();
        for feed in feeds {
            tasks.spawn(self.clone().follow_partition(feed));
        }
        tasks
    }

    async fn follow_partition<P: Projection>(self, mut feed: Feed<P>) -> ProjectorError {
        let mut refused = Refused::default();
        loop {
            let step = self.step(&mut feed).await;
            let error = match self.note(&mut refused, step) {
                Ok(()) => continue,
                Err(ProjectorError::Unappliable { .. }) => {
                    match self.clone().reopen(feed).await {
                        Ok(anew) => feed = anew,
                        Err(error) => return error,
                    }
                    feed.park(&mut refused);
                    continue;
                }
                Err(error) => error,
            };
            if !error.is_final() {
                return error;
            }
            return match feed.fail(&error).await {
                Ok(verdict) => verdict,
                Err(error) => error,
            };
        }
    }

    async fn step<P: Projection>(&self, feed: &mut Feed<P>) -> Result<(), ProjectorError> {
        let batch = feed.next().await?;
        let count = feed.absorb(batch).await?;
        self.meter.passed(0, count);
        self.write(feed).await
    }

    async fn write<P: Projection>(&self, feed: &mut Feed<P>) -> Result<(), ProjectorError> {
        let turn = self.writing.0.acquire().await;
        let _turn = turn.expect("it is never closed");
        self.gate.pass().await;
        let new_rows = feed.flush().await?;
        self.meter.rows.fetch_add(new_rows, Ordering::Relaxed);
        Ok(())
    }
}

/// What each partition has of what all have.
fn share(all: usize, partitions: i32) -> usize {
    all / usize::try_from(partitions)
        .expect("a topic has partitions")
        .max(1)
}

/// All of them at once. The first failure drops the others: their connections end, and with them what they had not committed.
async fn all<P: Projection>(
    partitions: impl Iterator<
        Item = impl Future<Output = Result<Feed<P>, ProjectorError>> + Send + 'static,
    >,
) -> Result<Vec<Feed<P>>, ProjectorError> {
    let mut tasks = JoinSet::new();
    for partition in partitions {
        tasks.spawn(partition);
    }
    let mut feeds = Vec::new();
    while let Some(feed) = tasks.join_next().await {
        feeds.push(feed??);
    }
    Ok(feeds)
}
