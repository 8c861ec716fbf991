//! A projection anew from offset zero (some from elsewhere, see [`Start`]), beside the one that is live, compared with it, and
//! swapped in when it has caught up.
//!
//! Filling takes the partitions in parallel, folds in memory, and copies new rows into a table without secondary indexes.
//! A crash loses what was held in memory; the next run of the same program goes on from the checkpoints. From [`swap`] on, the old version is
//! not fed any more; it is kept until somebody drops it, and is the way [`back`].

mod back;
pub(crate) mod candidate;
mod compare;
mod dry_run;
mod fill;
mod gate;
mod meter;
mod start;
mod swap;
mod verify;

use std::{
    collections::BTreeMap,
    fmt,
    sync::{Arc, atomic::Ordering},
    time::Instant,
};

use event_store::log::Log;
use futures::{FutureExt, future::BoxFuture};
use serde::Serialize;
use sqlx::{Connection, PgConnection};
use tokio::task::JoinHandle;

use self::{
    candidate::Candidate,
    fill::Goal,
    meter::{Meter, Phase},
};
pub use self::{
    compare::{Comparison, Difference, Differing},
    dry_run::{DryRun, dry_run},
    meter::Show,
    start::{InvalidStart, Start, may_begin},
    verify::Verification,
};
use crate::{
    Database, Projection, ProjectionName, ProjectorError,
    database::{processors, processors_to_use},
    live::origin_of,
    names::OnProjection,
    registry,
};

/// How to rebuild.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// From where.
    pub start: Start,
    /// Instead: with a version of this number that was replaced, and is kept. What came since is made by this program.
    pub back_to: Option<i32>,
    /// Who is told of the progress.
    pub show: Show,
    /// Swap in nothing but what was proven equal to the live version. Unless told, differences are reported and swapped in: a
    /// rebuild is also the cure for rows that are wrong.
    pub require_equal: bool,
}

/// What a rebuild has done.
#[derive(Debug, Clone, Serialize)]
pub struct Report {
    /// The projection's name.
    pub projection: &'static str,
    /// The version that is live now.
    pub version: i32,
    /// The version that was live before.
    pub replaced: i32,
    /// How many versions that were live once are kept, that one among them.
    pub retired: i64,
    /// Whether an earlier run had begun it; the figures are of this run.
    pub resumed: bool,
    /// Whether it was live before: the figures are of what came since it was replaced.
    pub went_back: bool,
    /// Events applied.
    pub events: u64,
    /// Rows that are new.
    pub rows: u64,
    /// From the first read to the swap.
    pub seconds: f64,
    /// Events over seconds.
    pub events_per_second: f64,
    /// The offset after the last one applied, by `Topic/partition`, at the swap.
    pub positions: BTreeMap<String, i64>,
    /// Whether the new version's rows are those of the old one.
    pub verification: Verification,
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            projection,
            version,
            replaced,
            retired,
            events,
            rows,
            seconds,
            events_per_second,
            verification,
            ..
        } = self;
        let done = if self.went_back {
            "went back with"
        } else {
            "rebuilt"
        };
        let resumed = if self.resumed { ", resumed" } else { "" };
        write!(
            f,
            "{done} {projection}: version {version} replaces {replaced}{resumed}; \
             {events} events into {rows} rows in {seconds:.2} s, {events_per_second:.0} events/s; {verification}\n\
             version {replaced} is kept"
        )?;
        if *retired > 1 {
            write!(
                f,
                ", and {} before it (see offset-zero projections)",
                retired - 1
            )?;
        }
        write!(
            f,
            "; to drop it, type: offset-zero projections drop {projection} {replaced}"
        )
    }
}

/// Rebuilds one projection. Run it where it is not dropped halfway, though nothing worse than a resume would follow.
///
/// # Errors
/// When it is being rebuilt already, or the log or Postgres fails, answers nobody any more, or keeps a lock from it; run again, it resumes.
/// And when it had to equal the live version, and did not.
pub async fn rebuild<S: Log>(
    name: ProjectionName,
    source: &S,
    database: &Database,
    options: Options,
) -> Result<Report, ProjectorError> {
    let rebuild = Rebuild {
        source,
        database,
        options,
    };
    name.on(rebuild).await
}

struct Rebuild<'a, S> {
    source: &'a S,
    database: &'a Database,
    options: Options,
}

impl<'a, S: Log> OnProjection for Rebuild<'a, S> {
    type Output = BoxFuture<'a, Result<Report, ProjectorError>>;

    fn on<P: Projection>(self) -> Self::Output {
        rebuild_projection::<P, S>(self.source, self.database, self.options).boxed()
    }
}

/// Rebuilds one projection; see [`rebuild`].
async fn rebuild_projection<P: Projection, S: Log>(
    source: &S,
    database: &Database,
    options: Options,
) -> Result<Report, ProjectorError> {
    let rebuilding = async {
        let mut registry = database.connect().await?;
        let rebuilt = rebuild_locked::<P, S>(&mut registry, source, database, options).await;
        close(registry).await;
        rebuilt
    };
    database.while_it_answers(rebuilding).await
}

/// This connection holds the lock that keeps a second rebuild out. By its end alone, Postgres lets go of it only some time after.
pub(crate) async fn close(mut registry: PgConnection) {
    let unlocked = sqlx::raw_sql("select pg_advisory_unlock_all()")
        .execute(&mut registry)
        .await;
    if let Err(error) = unlocked.and(registry.close().await) {
        tracing::debug!(%error, "the rebuild's connection could not be closed");
    }
}

/// Rebuilds a projection whose live version is of an older shape; none where that is not so any more.
///
/// # Errors
/// As [`rebuild`], and when that has just failed for good.
pub(crate) async fn succeed<P: Projection, S: Log>(
    source: &S,
    database: &Database,
    options: Options,
) -> Result<Option<Report>, ProjectorError> {
    let succeeding = async {
        let mut registry = database.connect().await?;
        // Before it looks: another process may just have done it.
        candidate::lock::<P>(&mut registry).await?;
        let succeeded = succeed_locked::<P, S>(&mut registry, source, database, options).await;
        close(registry).await;
        succeeded
    };
    database.while_it_answers(succeeding).await
}

async fn succeed_locked<P: Projection, S: Log>(
    registry: &mut PgConnection,
    source: &S,
    database: &Database,
    options: Options,
) -> Result<Option<Report>, ProjectorError> {
    let live = registry::live(registry, P::NAME).await?;
    if live.is_none_or(|live| live.shape >= P::SHAPE) {
        return Ok(None);
    }
    candidate::require_not_failed::<P>(registry, &options.start).await?;
    let report = rebuild_locked::<P, S>(registry, source, database, options).await?;
    Ok(Some(report))
}

async fn rebuild_locked<P: Projection, S: Log>(
    registry: &mut PgConnection,
    source: &S,
    database: &Database,
    options: Options,
) -> Result<Report, ProjectorError> {
    let origin = origin_of::<P, S>(source).await?;
    let candidate = match options.back_to {
        Some(number) => back::prepare::<P>(registry, &origin, number).await?,
        None => Candidate::prepare::<P, S>(registry, source, &origin, &options.start).await?,
    };
    let begun = Instant::now();
    let meter = Arc::new(Meter::default());
    let shown = meter::show::<P>(
        Arc::clone(&meter),
        Some(candidate.version.number),
        database.clone(),
        options.show,
    );

    let version = candidate.version.clone();
    let mut filling = fill::Filling::new(source, database, version, origin, &meter);
    let watching = filling.give_way::<P>(candidate.live);
    let feeds = filling.open::<P>().await?;
    let (feeds, verification) = verify::verify(&filling, feeds).await?;
    if options.require_equal && !verification.is_equal() {
        return Err(refuse::<P>(registry, &candidate, verification).await?);
    }
    meter.enter(Phase::Filling);
    let ends = filling.ends::<P>().await?;
    let feeds = filling.read_to(feeds, Goal::AtLeast(ends)).await?;
    meter.enter(Phase::Indexing);
    // Nothing gives way within a statement, so what is live is asked beforehand.
    let at_once = match meter.has_given_way() {
        true => processors_to_use(),
        false => processors(),
    };
    candidate.index::<P>(database, at_once).await?;
    drop(watching);
    meter.enter(Phase::CatchingUp);
    let mut followers = filling.follow(feeds);
    meter.enter(Phase::Swapping);
    let swapped = swap::swap::<P, S>(registry, &filling, &mut followers).await?;
    drop(shown);

    let seconds = begun.elapsed().as_secs_f64();
    let events = meter.events.load(Ordering::Relaxed);
    Ok(Report {
        projection: P::NAME,
        version: candidate.version.number,
        replaced: swapped.replaced,
        retired: swapped.retired,
        resumed: candidate.resumed,
        went_back: options.back_to.is_some(),
        events,
        rows: meter.rows.load(Ordering::Relaxed),
        seconds,
        events_per_second: events as f64 / seconds.max(f64::EPSILON),
        positions: swapped.positions,
        verification,
    })
}

/// A task beside the work; ends when dropped.
struct Aside(JoinHandle<()>);

impl Drop for Aside {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// The version stays, to be looked at; the next rebuild drops it and begins anew, with a projector that may be another one.
async fn refuse<P: Projection>(
    registry: &mut PgConnection,
    candidate: &Candidate,
    verification: Verification,
) -> Result<ProjectorError, ProjectorError> {
    let version = candidate.version.number;
    let error = ProjectorError::Differs {
        projection: P::NAME,
        version,
        verification: Box::new(verification),
    };
    let reason = "it was required to equal the live version, and was not proven to";
    registry::refuse(registry, P::NAME, version, reason).await?;
    Ok(error)
}
