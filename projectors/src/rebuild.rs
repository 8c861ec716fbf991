//! A projection anew from offset zero, beside the one that is live, and swapped in when it has caught up.
//!
//! Filling takes the partitions in parallel, folds in memory, and copies new rows into a table without secondary indexes.
//! A crash loses what was held in memory; the next run goes on from the checkpoints. From [`swap`] on, the old version is
//! only read by those who are at it, and the next rebuild drops it.

pub(crate) mod candidate;
mod fill;
mod meter;
mod swap;

use std::{
    collections::BTreeMap,
    fmt,
    sync::{Arc, atomic::Ordering},
    time::Instant,
};

use serde::Serialize;

pub use self::meter::Show;
use self::{
    candidate::Candidate,
    meter::{Meter, Phase},
};
use crate::{
    Database, Projection, ProjectionName, ProjectorError, live::origin_of, source::Source,
};

/// What a rebuild has done.
#[derive(Debug, Clone, Serialize)]
pub struct Report {
    /// The projection's name.
    pub projection: &'static str,
    /// The version that is live now.
    pub version: i32,
    /// The version that was live before.
    pub replaced: i32,
    /// Whether an earlier run had begun it; the figures are of this run.
    pub resumed: bool,
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
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            projection,
            version,
            replaced,
            events,
            rows,
            seconds,
            events_per_second,
            ..
        } = self;
        let resumed = if self.resumed { ", resumed" } else { "" };
        write!(
            f,
            "rebuilt {projection}: version {version} replaces {replaced}{resumed}; \
             {events} events into {rows} rows in {seconds:.2} s, {events_per_second:.0} events/s"
        )
    }
}

/// Rebuilds one projection by name. Run it where it is not dropped halfway, though nothing worse than a resume would follow.
///
/// # Errors
/// When there is no such projection, it is being rebuilt already, or the log or Postgres fails; run again, it resumes.
pub async fn rebuild<S: Source>(
    name: &str,
    source: &S,
    database: &Database,
    show: Show,
) -> Result<Report, ProjectorError> {
    // Large, since it is one future of all the kinds that there are.
    let name: ProjectionName = name.parse()?;
    Box::pin(name.rebuild(source, database, show)).await
}

/// Rebuilds one projection; see [`rebuild`].
pub(crate) async fn rebuild_projection<P: Projection, S: Source>(
    source: &S,
    database: &Database,
    show: Show,
) -> Result<Report, ProjectorError> {
    let origin = origin_of::<P, S>(source).await?;
    // This connection holds the lock that keeps a second rebuild out.
    let mut registry = database.connect().await?;
    let candidate = Candidate::prepare::<P>(&mut registry, &origin).await?;
    let begun = Instant::now();
    let meter = Arc::new(Meter::default());
    let shown = meter::show::<P>(
        Arc::clone(&meter),
        candidate.version.number,
        database.clone(),
        show,
    );

    let filling = fill::Filling {
        source: source.clone(),
        database: database.clone(),
        version: candidate.version.clone(),
        meter: Arc::clone(&meter),
    };
    let feeds = filling.fill::<P>(origin.partitions).await?;
    meter.enter(Phase::Indexing);
    candidate.index::<P>(database).await?;
    meter.enter(Phase::CatchingUp);
    let mut followers = filling.follow(feeds);
    meter.enter(Phase::Swapping);
    let swapped = swap::swap::<P>(&mut registry, &candidate, &mut followers).await?;
    drop(shown);

    let seconds = begun.elapsed().as_secs_f64();
    let events = meter.events.load(Ordering::Relaxed);
    Ok(Report {
        projection: P::NAME,
        version: candidate.version.number,
        replaced: swapped.replaced,
        resumed: candidate.resumed,
        events,
        rows: meter.rows.load(Ordering::Relaxed),
        seconds,
        events_per_second: events as f64 / seconds.max(f64::EPSILON),
        positions: swapped.positions,
    })
}
