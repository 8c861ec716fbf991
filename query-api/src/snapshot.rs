//! One read of one projection.
//!
//! A projection's versions are schemas with the same tables, and `search_path` picks the live one, so SQL is static. A read is
//! one statement over the pool of all live versions ([`live`](crate::live)). One that asks for a position is preceded by
//! another: which version is live, and how far that has come. What a version has come to it never goes back behind, so the
//! rows need not be of the same snapshot. Where another version is live than the process knew, that one is read, and answered
//! after the process has gone over: so a position is never promised of a version that is fed no more, and the reads of one
//! process never go back. When a version is dropped under a read, the read is done again, and asks as well.
//!
//! Where a version is live whose rows this program does not know, it reads the last one that it does, as long as that has come
//! as far as was asked.
//!
//! What is not there, though another projection shows it, is waited for in the same way: for the positions that the other one shows
//! ([`read_shown`]).

use std::{fmt, mem, sync::Arc, time::Instant};

use axum::http::StatusCode;
use runtime::problem::{Problem, RETRY_AFTER_SECONDS};
use sqlx::{AssertSqlSafe, Connection, Error, PgConnection};

use crate::{
    changes::Following,
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

/// Something that can be read from a projection's tables.
pub(crate) trait Read: Clone + Send + Sync + 'static {
    /// What it gives.
    type Answer: Send + 'static;

    /// The projection whose tables it reads.
    const PROJECTION: &'static str;

    /// Whether the best plan depends on the parameters. Such a read takes a transaction.
    const IS_PLANNED: bool = false;

    /// Whether what it reads is made of events of any record keys. Where the very one that its reader asks for is parked, it is not in there.
    const IS_OF_MANY: bool = false;

    /// What it reads is one row: the record key of its events, or their stream. Where such are parked, the row is not what its
    /// reader has written. A key has one partition number in all topics: what is parked in another than its reader asks for nobody
    /// has written who writes where the key belongs, and the row is whole without that.
    fn parked_as(&self) -> Option<String> {
        None
    }

    /// Reads, with one statement, of unqualified SQL.
    fn run(
        &self,
        connection: &mut PgConnection,
    ) -> impl Future<Output = Result<Self::Answer, Error>> + Send;
}

enum Snapshot<T> {
    Answer(T),
    /// The projection has not come as far as was asked.
    Behind,
    /// It has, but could not apply what is asked for.
    Parked,
}

/// Reads once the projection has come as far as was asked; waits for that until the server has to stop, holding nothing meanwhile.
pub(crate) async fn read<R: Read>(
    database: &Database,
    read: R,
    min: &MinPosition,
) -> Result<R::Answer, Problem> {
    let projection = R::PROJECTION;
    let mut looks = Looks::at(database, projection, min);
    while looks.again().await {
        match attempt(database, &read, min).await? {
            Snapshot::Answer(answer) => return Ok(answer),
            Snapshot::Behind => {}
            Snapshot::Parked => {
                return Err(parked(format_args!(
                    "the projection {projection} could not apply an event of it; read without x-min-position to see it without that"
                )));
            }
        }
    }
    Err(not_yet_visible(format_args!(
        "the projection {projection} has not reached x-min-position yet"
    )))
}

/// Reads what there is, however far the projection has come; none where no version of it can be read.
pub(crate) async fn read_if_live<R: Read>(
    database: &Database,
    read: R,
) -> Result<Option<R::Answer>, Problem> {
    match attempt(database, &read, &MinPosition::none()).await {
        Ok(Snapshot::Answer(answer)) => Ok(Some(answer)),
        // Nothing was asked that it could be behind.
        Ok(Snapshot::Behind | Snapshot::Parked) | Err(ReadError::NotLive(_)) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// Reads what was not there, though another projection that has come to these positions shows it: as soon as there is something, and at
/// the latest when this one has come as far; then nothing, where it has nothing of it all the same.
pub(crate) async fn read_shown<R, T>(
    database: &Database,
    read: R,
    shown: &MinPosition,
) -> Result<Vec<T>, Problem>
where
    R: Read<Answer = Vec<T>>,
    T: Send + 'static,
{
    let projection = R::PROJECTION;
    let mut looks = Looks::at(database, projection, shown);
    while looks.again().await {
        let looked = attempt(database, &read, shown).await;
        if let Ok(Snapshot::Answer(found)) = looked {
            return Ok(found);
        }
        // Which of the partitions it is in nobody says: it may be there long before all have come so far, and what is parked may be
        // in another one.
        let found = attempt(database, &read, &MinPosition::none()).await?;
        if let Snapshot::Answer(found) = found
            && !found.is_empty()
        {
            return Ok(found);
        }
        if matches!(looked?, Snapshot::Parked) {
            return Err(parked(format_args!(
                "the projection {projection} could not apply an event of it that another has applied"
            )));
        }
    }
    Err(not_yet_visible(format_args!(
        "the projection {projection} has not come to what another shows yet"
    )))
}

/// When to look at a projection, until it has come as far as was asked.
struct Looks<'a> {
    changes: Following<'a>,
    /// What was not told to be in the rows.
    awaited: Vec<Position>,
    deadline: Instant,
    has_begun: bool,
}

impl<'a> Looks<'a> {
    fn at(database: &'a Database, projection: &'static str, min: &MinPosition) -> Self {
        Self {
            changes: database.changes().follow(projection),
            awaited: min.positions.to_vec(),
            deadline: min.deadline,
            has_begun: false,
        }
    }

    /// Waits until a look may find more than the last one; false where nobody is to wait any longer. There always is a first.
    async fn again(&mut self) -> bool {
        let is_first = !mem::replace(&mut self.has_begun, true);
        let left = self.deadline.saturating_duration_since(Instant::now());
        if !is_first && (left.is_zero() || self.changes.have_ended()) {
            return false;
        }
        if !is_first || self.changes.is_beyond(&self.awaited) {
            self.changes.reached(&mut self.awaited, left).await;
        }
        true
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
    is_dropped(error) || (is_disconnected(error) && !matches!(error, Error::PoolTimedOut))
}

fn is_dropped(error: &Error) -> bool {
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
    let mut live = database.live();
    if live.version_of(R::PROJECTION).is_none() {
        database.look().await?;
        live = database.live();
    }
    let known = live.version_of(R::PROJECTION);
    let known = known.ok_or(ReadError::NotLive(R::PROJECTION))?;
    let mut connection = live.acquire().await?;
    // One that what the process knew has led astray asks what is live.
    let result = match is_first && positions.is_empty() {
        true => match run(&mut connection, read, None).await {
            Ok(answer) => Ok((Snapshot::Answer(answer), false)),
            Err(error) => Err(error.into()),
        },
        false => ask_and_run(&mut connection, read, known, positions).await,
    };
    connection.give_back();
    let has_moved = match &result {
        Ok((_, is_another)) => *is_another,
        Err(ReadError::Postgres(error)) => is_dropped(error),
        Err(_) => false,
    };
    if has_moved {
        database.look().await?;
    }
    Ok(result?.0)
}

/// Also answers whether it was of another version than was known.
async fn ask_and_run<R: Read>(
    connection: &mut PgConnection,
    read: &R,
    known: i32,
    positions: &[Position],
) -> Result<(Snapshot<R::Answer>, bool), ReadError> {
    let standing = standing(connection, read, positions).await?;
    if !standing.has_reached {
        return match standing.is_live {
            true => Ok((Snapshot::Behind, false)),
            // To wait would be in vain.
            false => Err(ReadError::Superseded(R::PROJECTION)),
        };
    }
    if !positions.is_empty() && standing.is_parked {
        return Ok((Snapshot::Parked, false));
    }
    let another = (standing.version != known).then_some(&*standing.schema);
    let answer = run(connection, read, another).await?;
    Ok((Snapshot::Answer(answer), another.is_some()))
}

/// Of the version that the connection leads to, or of another, by its schema.
async fn run<R: Read>(
    connection: &mut PgConnection,
    read: &R,
    another: Option<&str>,
) -> Result<R::Answer, Error> {
    if another.is_none() && !R::IS_PLANNED {
        return read.run(connection).await;
    }
    let mut begin = "begin read only".to_owned();
    if let Some(schema) = another {
        begin.push_str("; set local search_path = ");
        begin.push_str(schema);
    }
    if R::IS_PLANNED {
        begin.push_str("; set local plan_cache_mode = force_custom_plan");
    }
    // Safe: the schema's name is quoted by Postgres itself.
    let mut transaction = connection.begin_with(AssertSqlSafe(begin)).await?;
    let answer = read.run(&mut transaction).await?;
    transaction.commit().await?;
    Ok(answer)
}

/// Of the version that is to be read.
struct Standing {
    version: i32,
    /// Quoted where it has to be.
    schema: String,
    /// Whether it is fed.
    is_live: bool,
    has_reached: bool,
    is_parked: bool,
}

/// Finds the version to be read, how far it has come, and whether it could apply what this row is made of, or, of many, what is asked for.
///
/// Positions in topics and partitions that the projection does not read are no concern of its. What was made from another log has
/// reached no position of this one; nor has what may have been, since a version that has failed and retired does not say any more by what.
async fn standing<R: Read>(
    connection: &mut PgConnection,
    read: &R,
    positions: &[Position],
) -> Result<Standing, ReadError> {
    let topics: Vec<String> = positions.iter().map(|of| of.topic.clone()).collect();
    let partitions: Vec<i32> = positions.iter().map(|of| of.partition).collect();
    let offsets: Vec<i64> = positions.iter().map(|of| of.offset).collect();
    let standing = select_readable!(
        r#"
        v.version as "version!", quote_ident(v.schema_name) as "schema!", v.version = p.live_version as "is_live!",
        v.state <> 'diverged' and (v.version = p.live_version or v.error is null) and not exists (
            select from offset_zero.checkpoints c
            join unnest($3::text[], $4::integer[], $5::bigint[]) as p (topic, partition, position)
                on p.topic = c.topic and p.partition = c.partition
            where c.name = v.name and c.version = v.version and c.next_offset <= p.position
        ) as "has_reached!",
        exists (
            select from offset_zero.dead_letters d
            where d.name = v.name and d.version = v.version and (d.key = $6 or d.stream = $6) and d.partition = any($4::integer[])
        ) or $7::boolean and exists (
            select from offset_zero.dead_letters d
            join unnest($3::text[], $4::integer[], $5::bigint[]) as p (topic, partition, position)
                on p.topic = d.topic and p.partition = d.partition and p.position = d."offset"
            where d.name = v.name and d.version = v.version
        ) as "is_parked!"
        "#,
        "(values ($1::text, $2::integer))",
        "where v.version is not null",
        R::PROJECTION,
        shape_of(R::PROJECTION),
        &topics,
        &partitions,
        &offsets,
        read.parked_as(),
        R::IS_OF_MANY,
    )
    .fetch_optional(connection)
    .await
    .map_err(of_registry)?;
    let standing = standing.ok_or(ReadError::NotLive(R::PROJECTION))?;
    Ok(Standing {
        version: standing.version,
        schema: standing.schema,
        is_live: standing.is_live,
        has_reached: standing.has_reached,
        is_parked: standing.is_parked,
    })
}

fn parked(detail: fmt::Arguments<'_>) -> Problem {
    Problem::new(
        StatusCode::SERVICE_UNAVAILABLE,
        "projection-parked",
        "The row waits for an operator",
    )
    .detail(detail)
    .retry_after(RETRY_AFTER_SECONDS)
}

fn not_yet_visible(detail: fmt::Arguments<'_>) -> Problem {
    Problem::new(
        StatusCode::SERVICE_UNAVAILABLE,
        "not-yet-visible",
        "The position has not been projected yet",
    )
    .detail(detail)
    .retry_after(RETRY_AFTER_SECONDS)
}
