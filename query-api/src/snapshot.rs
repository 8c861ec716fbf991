//! One read of one projection: which version is live, how far that has come, and its rows, all from the same snapshot.
//!
//! A projection's versions are schemas with the same tables, and `search_path` picks the live one, so SQL is static.
//! When a version is swapped in between two reads, the second sees it; when the old one is dropped under a read's
//! snapshot, the read is done again.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use axum::http::StatusCode;
use runtime::problem::{Problem, RETRY_AFTER_SECONDS};
use sqlx::{Error, PgConnection, PgPool};

use crate::{
    database::{Database, ReadError, detached, has_code, is_disconnected},
    min_position::{MinPosition, Position},
};

/// A projection is polled for a position this often at first, then ever more slowly.
const FIRST_PAUSE: Duration = Duration::from_millis(5);
const MAX_PAUSE: Duration = Duration::from_millis(50);

/// How often a read is begun, where swaps or dead connections get in its way.
const MAX_TRIES: u32 = 3;

const UNDEFINED_TABLE: &str = "42P01";
/// "cached plan must not change result type": the versions differ in a column's type.
const FEATURE_NOT_SUPPORTED: &str = "0A000";

/// Something that can be read from a projection's tables.
pub(crate) trait Read: Clone + Send + Sync + 'static {
    /// What it gives.
    type Answer: Send + 'static;

    /// The projection whose tables it reads.
    const PROJECTION: &'static str;

    /// `plan_cache_mode` of its statements: `force_custom_plan` where the best plan depends on the parameters.
    const PLAN: &'static str = "auto";

    /// What it reads is one row: the record key of its events, or their stream. Where such are parked, the row is not what its
    /// reader has written.
    fn parked_as(&self) -> Option<String> {
        None
    }

    /// Reads, with unqualified SQL.
    fn run(
        &self,
        connection: &mut PgConnection,
    ) -> impl Future<Output = Result<Self::Answer, Error>> + Send;
}

enum Snapshot<T> {
    Answer(T),
    /// The projection has not come as far as was asked.
    Behind,
    /// It has, but could not apply what this row is made of.
    Parked,
}

/// Reads once the projection has come as far as was asked; waits for that, holding nothing meanwhile.
pub(crate) async fn read<R: Read>(
    database: &Database,
    read: R,
    min: &MinPosition,
) -> Result<R::Answer, Problem> {
    let deadline = Instant::now() + min.wait;
    let mut pause = FIRST_PAUSE;
    loop {
        match attempt(database, &read, min).await? {
            Snapshot::Answer(answer) => return Ok(answer),
            Snapshot::Behind => {}
            Snapshot::Parked => return Err(parked(R::PROJECTION)),
        }
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err(not_yet_visible(R::PROJECTION));
        }
        tokio::time::sleep(pause.min(left)).await;
        pause = MAX_PAUSE.min(pause * 2);
    }
}

async fn attempt<R: Read>(
    database: &Database,
    read: &R,
    min: &MinPosition,
) -> Result<Snapshot<R::Answer>, ReadError> {
    let once = || {
        let (pool, read, positions) = (
            database.pool().clone(),
            read.clone(),
            Arc::clone(&min.positions),
        );
        detached(async move { transaction(&pool, &read, &positions).await })
    };
    for _ in 1..MAX_TRIES {
        match once().await {
            Err(ReadError::Postgres(error)) if may_succeed_at_once(&error) => {}
            result => return result,
        }
    }
    once().await
}

/// The version was dropped after we found it live, or the pool gave out a connection that had died.
fn may_succeed_at_once(error: &Error) -> bool {
    let is_swapped = [UNDEFINED_TABLE, FEATURE_NOT_SUPPORTED]
        .iter()
        .any(|state| has_code(error, state));
    is_swapped || (is_disconnected(error) && !matches!(error, Error::PoolTimedOut))
}

async fn transaction<R: Read>(
    pool: &PgPool,
    read: &R,
    positions: &[Position],
) -> Result<Snapshot<R::Answer>, ReadError> {
    let mut transaction = pool
        .begin_with("begin isolation level repeatable read read only")
        .await?;
    let version = enter_live_version(&mut transaction, R::PROJECTION, R::PLAN).await?;
    if !positions.is_empty()
        && !has_reached(&mut transaction, R::PROJECTION, version, positions).await?
    {
        return Ok(Snapshot::Behind);
    }
    if !positions.is_empty()
        && let Some(name) = read.parked_as()
        && is_parked(&mut transaction, R::PROJECTION, version, &name).await?
    {
        return Ok(Snapshot::Parked);
    }
    let answer = read.run(&mut transaction).await?;
    transaction.commit().await?;
    Ok(Snapshot::Answer(answer))
}

/// Finds the live version and makes its schema the search path, in one round trip, for this transaction only.
async fn enter_live_version(
    connection: &mut PgConnection,
    projection: &'static str,
    plan: &str,
) -> Result<i32, ReadError> {
    let live = sqlx::query!(
        r#"
        select v.version,
               set_config('search_path', quote_ident(v.schema_name), true) as search_path,
               set_config('plan_cache_mode', $2, true) as plan_cache_mode
        from offset_zero.projections p
        join offset_zero.projection_versions v on v.name = p.name and v.version = p.live_version
        where p.name = $1
        "#,
        projection,
        plan,
    )
    .fetch_optional(connection)
    .await;
    match live {
        Ok(Some(live)) => Ok(live.version),
        Ok(None) => Err(ReadError::NotLive(projection)),
        Err(error) if has_code(&error, UNDEFINED_TABLE) => Err(ReadError::NotMigrated),
        Err(error) => Err(error.into()),
    }
}

/// Positions in topics and partitions that the projection does not read are no concern of its.
async fn has_reached(
    connection: &mut PgConnection,
    projection: &str,
    version: i32,
    positions: &[Position],
) -> Result<bool, Error> {
    let checkpoints = sqlx::query!(
        "select topic, partition, next_offset from offset_zero.checkpoints where name = $1 and version = $2",
        projection,
        version,
    )
    .fetch_all(connection)
    .await?;
    Ok(positions.iter().all(|position| {
        checkpoints
            .iter()
            .filter(|c| c.topic == position.topic && c.partition == position.partition)
            .all(|checkpoint| checkpoint.next_offset > position.offset)
    }))
}

async fn is_parked(
    connection: &mut PgConnection,
    projection: &str,
    version: i32,
    key_or_stream: &str,
) -> Result<bool, Error> {
    sqlx::query_scalar!(
        r#"select exists(
               select from offset_zero.dead_letters where name = $1 and version = $2 and (key = $3 or stream = $3)
           ) as "exists!""#,
        projection,
        version,
        key_or_stream,
    )
    .fetch_one(connection)
    .await
}

fn parked(projection: &str) -> Problem {
    Problem::new(
        StatusCode::SERVICE_UNAVAILABLE,
        "projection-parked",
        "The row waits for an operator",
    )
    .detail(format_args!(
        "the projection {projection} could not apply an event of it; read without x-min-position to see it as it was before"
    ))
    .retry_after(RETRY_AFTER_SECONDS)
}

fn not_yet_visible(projection: &str) -> Problem {
    Problem::new(
        StatusCode::SERVICE_UNAVAILABLE,
        "not-yet-visible",
        "The position has not been projected yet",
    )
    .detail(format_args!(
        "the projection {projection} did not reach x-min-position in time"
    ))
    .retry_after(RETRY_AFTER_SECONDS)
}
