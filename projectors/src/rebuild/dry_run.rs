//! What a rebuild would change, without changing anything.
//!
//! The candidate is made in one transaction that is never committed: its schema, its checkpoints and its rows end with its
//! connection, however that ends, and nobody else ever sees them. It is filled to the positions of a snapshot of the live version,
//! partition by partition, by the same feeds as any other version, and compared with that snapshot. It locks nothing that the live
//! version or a rebuild waits for; Postgres keeps the rows that live replaces until it is over.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    sync::{Arc, atomic::Ordering},
    time::Instant,
};

use event_store::log::Log;
use futures::{FutureExt, future::BoxFuture};
use serde::Serialize;
use sqlx::{AssertSqlSafe, Connection, PgConnection};

use super::{
    Options, Verification,
    compare::{Scope, Side, compare},
    fill::{Filling, Goal, LIMITS, WRITTEN_KEYS_BYTES},
    meter::{self, Meter, Phase},
    start,
    verify::LIVE_HAS_FAILED,
};
use crate::{
    Database, Projection, ProjectionName, ProjectorError,
    feed::Feed,
    live::origin_of,
    names::OnProjection,
    parking::Refused,
    registry::{self, Positions, Version},
};

/// What a dry run has found.
#[derive(Debug, Clone, Serialize)]
pub struct DryRun {
    /// The projection's name.
    pub projection: &'static str,
    /// The live version that was compared with.
    pub live: i32,
    /// Events applied.
    pub events: u64,
    /// How long it took.
    pub seconds: f64,
    /// What a rebuild would change.
    pub verification: Verification,
}

impl DryRun {
    /// Whether a rebuild would change nothing.
    #[must_use]
    pub fn is_equal(&self) -> bool {
        self.verification.is_equal()
    }
}

impl fmt::Display for DryRun {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            projection,
            live,
            events,
            seconds,
            verification,
        } = self;
        write!(
            f,
            "dry run of {projection}, beside version {live}; {events} events in {seconds:.2} s, nothing changed; {verification}"
        )
    }
}

/// Compares what this program makes of the log, or of some partitions of it (of all, where none are named), with what is live.
///
/// # Errors
/// When there is nothing to compare with, or the log or Postgres fails.
pub async fn dry_run<S: Log>(
    name: ProjectionName,
    source: &S,
    database: &Database,
    options: Options,
    partitions: &[i32],
) -> Result<DryRun, ProjectorError> {
    let run = Run {
        source,
        database,
        options,
        partitions: partitions.iter().copied().collect(),
    };
    name.on(run).await
}

struct Run<'a, S> {
    source: &'a S,
    database: &'a Database,
    options: Options,
    partitions: BTreeSet<i32>,
}

impl<'a, S: Log> OnProjection for Run<'a, S> {
    type Output = BoxFuture<'a, Result<DryRun, ProjectorError>>;

    fn on<P: Projection>(self) -> Self::Output {
        let database = self.database;
        async move { database.while_it_answers(self.run::<P>()).await }.boxed()
    }
}

impl<S: Log> Run<'_, S> {
    async fn run<P: Projection>(self) -> Result<DryRun, ProjectorError> {
        let begun = Instant::now();
        let origin = origin_of::<P, S>(self.source).await?;
        let mut registry = self.database.connect().await?;
        let mut snapshot = registry
            .begin_with("begin isolation level repeatable read read only")
            .await?;
        let live = registry::live(&mut snapshot, P::NAME).await?;
        let live = live.ok_or_else(|| not_compared::<P>("no version is live"))?;
        if live.error.is_some() {
            return Err(not_compared::<P>(LIVE_HAS_FAILED));
        }
        let goal = registry::positions(&mut snapshot, P::NAME, live.number).await?;

        let mut scratch = scratch(self.database, &mut snapshot).await?;
        let number = number(&mut scratch).await?;
        let version =
            registry::create_numbered::<P>(&mut scratch, number, &origin, "building").await?;
        let start = &self.options.start;
        start::begin::<P, S>(&mut scratch, self.source, &origin, &version, start).await?;
        let begins = registry::positions(&mut scratch, P::NAME, number).await?;

        let meter = Arc::new(Meter::default());
        let mut filling = Filling::new(self.source, self.database, version, origin, &meter);
        self.require_goal::<P>(&filling, &goal).await?;
        let watching = filling.give_way::<P>(live.number);
        let mut unread = records_between(&begins, &goal);
        unread.retain(|partition, _| {
            self.partitions.is_empty() || self.partitions.contains(partition)
        });
        meter.records.expect(unread.values().sum());
        let shown = meter::show::<P>(
            Arc::clone(&meter),
            None,
            self.database.clone(),
            self.options.show,
        );
        for (partition, unread) in unread {
            scratch = fold::<P, S>(&filling, scratch, partition, unread, &goal).await?;
        }
        meter.enter(Phase::Verifying);
        let verification = self
            .compare(&mut snapshot, &live, &mut scratch, &filling)
            .await?;
        drop((shown, watching));
        Ok(DryRun {
            projection: P::NAME,
            live: live.number,
            events: meter.events.load(Ordering::Relaxed),
            seconds: begun.elapsed().as_secs_f64(),
            verification,
        })
    }

    /// The log has to hold what the live version does, or there is no place at which both can be.
    async fn require_goal<P: Projection>(
        &self,
        filling: &Filling<S>,
        goal: &Positions,
    ) -> Result<(), ProjectorError> {
        let partitions = filling.origin.partitions;
        if let Some(unknown) = unknown(&self.partitions, partitions) {
            let reason =
                format!("there is no partition {unknown}; the topics have {partitions} each");
            return Err(not_compared::<P>(&reason));
        }
        let ends = filling.ends::<P>().await?;
        if !goal.keys().eq(ends.keys()) {
            return Err(not_compared::<P>(
                "the live version is made of other topics",
            ));
        }
        match registry::has_reached(&ends, goal) {
            true => Ok(()),
            false => Err(not_compared::<P>(
                "the live version holds more than the log does",
            )),
        }
    }

    async fn compare(
        &self,
        snapshot: &mut PgConnection,
        live: &Version,
        scratch: &mut PgConnection,
        filling: &Filling<S>,
    ) -> Result<Verification, ProjectorError> {
        let scope = match self.partitions.is_empty() {
            true => Scope::AllRows,
            false => Scope::NewRows,
        };
        let compared = compare(
            &mut Side {
                connection: snapshot,
                schema: &live.schema,
            },
            &mut Side {
                connection: scratch,
                schema: &filling.version.schema,
            },
            scope,
            &filling.gate,
            &filling.meter,
        )
        .await?;
        Ok(Verification::Compared(compared))
    }
}

/// A connection in a transaction that sees what the snapshot does and ends, without a commit, when the connection does.
async fn scratch(
    database: &Database,
    snapshot: &mut PgConnection,
) -> Result<PgConnection, ProjectorError> {
    let id: String = sqlx::query_scalar("select pg_export_snapshot()")
        .fetch_one(snapshot)
        .await?;
    let mut connection = database.connect().await?;
    let mut tx = connection
        .begin_with("begin isolation level repeatable read")
        .await?;
    // Safe: Postgres' own identifier.
    let as_of = format!("set transaction snapshot '{id}'");
    sqlx::raw_sql(AssertSqlSafe(as_of))
        .execute(&mut *tx)
        .await?;
    // Feeds own their connection, so nobody can hold a borrow of it meanwhile; the transactions that they begin are savepoints
    // of this one.
    std::mem::forget(tx);
    Ok(connection)
}

/// Of no other version, and of no other dry run that goes on now: one that is not committed would be waited for.
async fn number(connection: &mut PgConnection) -> sqlx::Result<i32> {
    let backend: i32 = sqlx::query_scalar("select pg_backend_pid()")
        .fetch_one(connection)
        .await?;
    Ok(i32::MAX - backend)
}

/// How many records there are from one to the other, by partition number, of all topics.
fn records_between(begins: &Positions, ends: &Positions) -> BTreeMap<i32, i64> {
    let mut records = BTreeMap::new();
    for (place, end) in ends {
        let begin = begins.get(place).copied().unwrap_or(0);
        *records.entry(place.1).or_default() += (end - begin).max(0);
    }
    records
}

/// Applies everything before the goal in one partition number, of all topics; what cannot be applied is parked, as ever. So many records
/// are expected already.
async fn fold<P: Projection, S: Log>(
    filling: &Filling<S>,
    mut connection: PgConnection,
    partition: i32,
    mut unread: i64,
    goal: &Positions,
) -> Result<PgConnection, ProjectorError> {
    let goal = Goal::Exactly(goal.clone());
    let number = filling.version.number;
    let mut refused = Refused::default();
    loop {
        let checkpoints =
            registry::checkpoints(&mut connection, P::NAME, number, &[partition]).await?;
        let mut feed = Feed::<P>::open(
            &filling.source,
            &filling.origin,
            connection,
            &filling.version,
            checkpoints,
            LIMITS,
        )
        .await?;
        feed.make_dry_run();
        feed.remember_written(WRITTEN_KEYS_BYTES);
        feed.park(&mut refused);
        let read = filling.try_read_to(&mut feed, &goal, &mut unread).await;
        match filling.note(&mut refused, read) {
            Ok(()) => return Ok(feed.into_connection()),
            // From the checkpoint again, and past it.
            Err(ProjectorError::Unappliable { .. }) => connection = feed.into_connection(),
            Err(error) => return Err(error),
        }
    }
}

/// The first of these that is none of so many partitions.
fn unknown(named: &BTreeSet<i32>, partitions: i32) -> Option<i32> {
    let mut named = named.iter().copied();
    named.find(|partition| !(0..partitions).contains(partition))
}

fn not_compared<P: Projection>(reason: &str) -> ProjectorError {
    ProjectorError::NotCompared {
        projection: P::NAME,
        reason: reason.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_are_counted_by_partition_over_all_topics() {
        let at = |offsets: [i64; 3]| -> Positions {
            let places = [("OrderEvents", 0), ("OrderEvents", 1), ("PaymentEvents", 1)];
            let places = places.map(|(topic, partition)| (topic.to_owned(), partition));
            std::iter::zip(places, offsets).collect()
        };
        let all = records_between(&at([0; 3]), &at([7, 5, 3]));
        assert_eq!(all, [(0, 7), (1, 8)].into());
        let from_elsewhere = records_between(&at([7, 5, 1]), &at([7, 5, 3]));
        assert_eq!(from_elsewhere, [(0, 0), (1, 2)].into());
    }

    #[test]
    fn partitions_that_there_are_not_are_unknown() {
        let unknown = |named: &[i32]| unknown(&named.iter().copied().collect(), 4);
        assert_eq!(unknown(&[]), None);
        assert_eq!(unknown(&[0, 3]), None);
        assert_eq!(unknown(&[0, 4]), Some(4));
        assert_eq!(unknown(&[-1, 0]), Some(-1));
    }
}
