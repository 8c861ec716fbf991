//! One read of one projection.
//!
//! A projection's versions are schemas with the same tables, and `search_path` picks the live one, so SQL is static. A read
//! that asks for no position is one statement over the pool of all live versions ([`live`](crate::live)). One that does is a
//! transaction: which version is live, how far that has come, and its rows, all from the same snapshot; so it is never
//! answered from a version that is fed no more. Where a version is live whose rows this program does not know, it is the last
//! one that it does, as long as that has come as far as was asked ([`live`](crate::live)).
//!
//! The reads of one process never go back: one that has found a newer version live than the process knew is answered after
//! the process has gone over. When a version is dropped under a read, the read is done again.

use std::{sync::Arc, time::Instant};

use axum::http::StatusCode;
use runtime::problem::{Problem, RETRY_AFTER_SECONDS};
use sqlx::{Connection, Error, PgConnection};

use crate::{
    database::{
        Database, ReadError, UNDEFINED_TABLE, detached, has_code, is_disconnected, of_registry,
    },
    live::{select_readable, shape_of},
    min_position::{MinPosition, Position},
};

/// How often a read is begun, where swaps or dead connections get in its way.
const MAX_TRIES: u32 = 3;

/// "cached plan must not change result type": the versions differ in a column's type.
const FEATURE_NOT_SUPPORTED: &str = "0A000";

/// `plan_cache_mode` of reads that are one statement: Postgres' own.
const ANY_PLAN: &str = "auto";

/// Something that can be read from a projection's tables.
pub(crate) trait Read: Clone + Send + Sync + 'static {
    /// What it gives.
    type Answer: Send + 'static;

    /// The projection whose tables it reads.
    const PROJECTION: &'static str;

    /// `plan_cache_mode` of its statements: `force_custom_plan` where the best plan depends on the parameters. Anything but
    /// the default takes a transaction.
    const PLAN: &'static str = ANY_PLAN;

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
    let mut changes = database.changes().follow(R::PROJECTION);
    if changes.is_beyond(&min.positions) {
        changes.reached(&min.positions, min.wait).await;
    }
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
        changes.reached(&min.positions, left).await;
    }
}

async fn attempt<R: Read>(
    database: &Database,
    read: &R,
    min: &MinPosition,
) -> Result<Snapshot<R::Answer>, ReadError> {
    let once = |is_first| {
        let (database, read, positions) =
            (database.clone(), read.clone(), Arc::clone(&min.positions));
        detached(async move { once(&database, &read, &positions, is_first).await })
    };
    let mut result = once(true).await;
    for _ in 1..MAX_TRIES {
        match &result {
            Err(ReadError::Postgres(error)) if may_succeed_at_once(error) => {
                result = once(false).await;
            }
            _ => break,
        }
    }
    result
}

/// The version was dropped after we found it live, or the pool gave out a connection that had died.
fn may_succeed_at_once(error: &Error) -> bool {
    is_swapped(error) || (is_disconnected(error) && !matches!(error, Error::PoolTimedOut))
}

fn is_swapped(error: &Error) -> bool {
    [UNDEFINED_TABLE, FEATURE_NOT_SUPPORTED]
        .iter()
        .any(|state| has_code(error, state))
}

async fn once<R: Read>(
    database: &Database,
    read: &R,
    positions: &[Position],
    is_first: bool,
) -> Result<Snapshot<R::Answer>, ReadError> {
    // One that what the process knew has led astray asks what is live.
    let result = match is_first && positions.is_empty() && R::PLAN == ANY_PLAN {
        true => statement(database, read).await,
        false => transaction(database, read, positions).await,
    };
    if let Err(ReadError::Postgres(error)) = &result
        && is_swapped(error)
    {
        database.look().await?;
    }
    result
}

/// One round trip, of what this process knows to be live.
async fn statement<R: Read>(
    database: &Database,
    read: &R,
) -> Result<Snapshot<R::Answer>, ReadError> {
    let mut live = database.live();
    if live.version_of(R::PROJECTION).is_none() {
        database.look().await?;
        live = database.live();
    }
    if live.version_of(R::PROJECTION).is_none() {
        return Err(ReadError::NotLive(R::PROJECTION));
    }
    let mut connection = live.acquire().await?;
    let answer = read.run(&mut connection).await;
    connection.give_back();
    Ok(Snapshot::Answer(answer?))
}

async fn transaction<R: Read>(
    database: &Database,
    read: &R,
    positions: &[Position],
) -> Result<Snapshot<R::Answer>, ReadError> {
    let live = database.live();
    let known = live.version_of(R::PROJECTION);
    let mut connection = live.acquire().await?;
    let read = in_transaction(&mut connection, read, known, positions).await;
    connection.give_back();
    let (snapshot, version) = read?;
    if matches!(snapshot, Snapshot::Answer(_)) && known != Some(version) {
        database.look().await?;
    }
    Ok(snapshot)
}

/// What was read, and of which version.
async fn in_transaction<R: Read>(
    connection: &mut PgConnection,
    read: &R,
    known: Option<i32>,
    positions: &[Position],
) -> Result<(Snapshot<R::Answer>, i32), ReadError> {
    let mut transaction = connection
        .begin_with("begin isolation level repeatable read read only")
        .await?;
    let entered = enter_version(&mut transaction, read, known, positions).await?;
    if !entered.has_reached {
        return match entered.is_live {
            true => Ok((Snapshot::Behind, entered.version)),
            // To wait would be in vain.
            false => Err(ReadError::Superseded(R::PROJECTION)),
        };
    }
    if !positions.is_empty() && entered.is_parked {
        return Ok((Snapshot::Parked, entered.version));
    }
    let answer = read.run(&mut transaction).await?;
    transaction.commit().await?;
    Ok((Snapshot::Answer(answer), entered.version))
}

struct Entered {
    version: i32,
    /// Whether it is fed.
    is_live: bool,
    has_reached: bool,
    is_parked: bool,
}

/// Finds the version to be read, how far it has come, and whether it could apply what this row is made of; and makes its schema the
/// search path, for this transaction only. One that the connection's own leads to stays, or Postgres would plan anew.
///
/// Positions in topics and partitions that the projection does not read are no concern of its.
async fn enter_version<R: Read>(
    connection: &mut PgConnection,
    read: &R,
    known: Option<i32>,
    positions: &[Position],
) -> Result<Entered, ReadError> {
    let topics: Vec<String> = positions.iter().map(|of| of.topic.clone()).collect();
    let partitions: Vec<i32> = positions.iter().map(|of| of.partition).collect();
    let offsets: Vec<i64> = positions.iter().map(|of| of.offset).collect();
    let live = select_readable!(
        r#"
        v.version as "version!", v.version = p.live_version as "is_live!",
        set_config('search_path', case when v.version = $2 then current_setting('search_path')
                                       else quote_ident(v.schema_name) end, true) as search_path,
        set_config('plan_cache_mode', $3, true) as plan_cache_mode,
        not exists (
            select from offset_zero.checkpoints c
            join unnest($4::text[], $5::integer[], $6::bigint[]) as p (topic, partition, position)
                on p.topic = c.topic and p.partition = c.partition
            where c.name = v.name and c.version = v.version and c.next_offset <= p.position
        ) as "has_reached!",
        exists (
            select from offset_zero.dead_letters d
            where d.name = v.name and d.version = v.version and (d.key = $7 or d.stream = $7)
        ) as "is_parked!"
        "#,
        "(values ($1::text, $8::integer))",
        "where v.version is not null",
        R::PROJECTION,
        known,
        R::PLAN,
        &topics,
        &partitions,
        &offsets,
        read.parked_as(),
        shape_of(R::PROJECTION),
    )
    .fetch_optional(connection)
    .await;
    match live {
        Ok(Some(live)) => Ok(Entered {
            version: live.version,
            is_live: live.is_live,
            has_reached: live.has_reached,
            is_parked: live.is_parked,
        }),
        Ok(None) => Err(ReadError::NotLive(R::PROJECTION)),
        Err(error) => Err(of_registry(error)),
    }
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
