//! What an operator does with events that were parked: look, try again, give up.
//!
//! Trying again and giving up hold the partition's checkpoint for as long as they take, and move its epoch: a feed that is at work
//! waits, fails whole, and finds out anew what is parked.

mod reading;
mod retrying;

use std::{collections::BTreeSet, sync::Arc};

use chrono::{DateTime, Utc};
use event_store::log::Log;
use serde::Serialize;
use sqlx::{Connection, PgConnection};

pub use self::reading::{NAMED_AT_MOST, name_types};
use self::retrying::Retry;
use crate::{
    Database, ProjectionName, ProjectorError,
    registry::{self, Version},
};

/// A key of the live version that is parked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ParkedKey {
    /// The projection.
    pub projection: String,
    /// The record key: an order's id, a SKU, a cart's id.
    pub key: String,
    /// How many events are parked under it.
    pub letters: i64,
    /// Where the first of them stands: `Topic/partition@offset`.
    pub position: String,
    /// Why that cannot be applied.
    pub reason: Option<String>,
    /// When it was parked.
    pub parked_at: DateTime<Utc>,
}

/// An event that is parked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct DeadLetter {
    /// Where it stands: `Topic/partition@offset`.
    pub position: String,
    /// What it says it is. Noted only of what is not known to be an event of ours; see [`name_types`], which has a
    /// limit.
    pub event_type: Option<String>,
    /// The stream it says it is of.
    pub stream: Option<String>,
    /// Why it cannot be applied; none where it only follows one that cannot.
    pub reason: Option<String>,
    /// When it was parked.
    pub parked_at: DateTime<Utc>,
}

/// What became of trying again.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Retried {
    /// Events that are applied now.
    pub applied: u64,
    /// Why the first that is left still cannot be; none where nothing is left.
    pub stopped_by: Option<String>,
}

/// All keys that are parked, of all projections or of one, those that were parked first at the top.
///
/// # Errors
/// When Postgres fails.
pub async fn list(
    database: &Database,
    projection: Option<ProjectionName>,
) -> Result<Vec<ParkedKey>, ProjectorError> {
    let mut registry = database.connect().await?;
    let keys = sqlx::query_as!(
        ParkedKey,
        r#"select d.name as projection, d.key, count(*) as "letters!",
               (array_agg(format('%s/%s@%s', d.topic, d.partition, d."offset") order by d.id))[1] as "position!",
               (array_agg(d.reason order by d.id))[1] as reason, min(d.parked_at) as "parked_at!"
           from offset_zero.dead_letters d
           join offset_zero.projections p on p.name = d.name and p.live_version = d.version
           where $1::text is null or d.name = $1
           group by d.name, d.key
           order by d.name, min(d.id)"#,
        projection.map(ProjectionName::as_str),
    )
    .fetch_all(&mut registry)
    .await?;
    Ok(keys)
}

/// What is parked under a key, in the order in which it has to be applied.
///
/// # Errors
/// When Postgres fails.
pub async fn show(
    database: &Database,
    projection: ProjectionName,
    key: &str,
) -> Result<Vec<DeadLetter>, ProjectorError> {
    let mut registry = database.connect().await?;
    let letters = sqlx::query_as!(
        DeadLetter,
        r#"select format('%s/%s@%s', d.topic, d.partition, d."offset") as "position!", d.event_type, d.stream, d.reason,
               d.parked_at
           from offset_zero.dead_letters d
           join offset_zero.projections p on p.name = d.name and p.live_version = d.version
           where d.name = $1 and d.key = $2
           order by d.id"#,
        projection.as_str(),
        key,
    )
    .fetch_all(&mut registry)
    .await?;
    Ok(letters)
}

/// Applies what is parked under a key, in order, as this program understands it; stops in each partition at the first event that still
/// cannot be.
///
/// # Errors
/// When nothing is parked under the key, or the log or Postgres fails.
pub async fn retry<S: Log>(
    source: &S,
    database: &Database,
    projection: ProjectionName,
    key: &str,
) -> Result<Retried, ProjectorError> {
    projection
        .on(Retry {
            source,
            database,
            key,
        })
        .await
}

/// Gives up on what is parked under a key. Its row stays as it is; what comes next for it is applied if that can be, else it is
/// parked again. A rebuild finds all of it again.
///
/// # Errors
/// When nothing is parked under the key, or Postgres fails.
pub async fn discard(
    database: &Database,
    projection: ProjectionName,
    key: &str,
) -> Result<u64, ProjectorError> {
    let name = projection.as_str();
    let mut registry = database.connect().await?;
    let (mut tx, version, letters) = loop {
        let (version, letters) = parked(&mut registry, name, key).await?;
        let mut tx = registry.begin().await?;
        if hold(&mut tx, name, key, &version, &letters).await? {
            break (tx, version, letters);
        }
    };
    // Feeds of other partitions are not held, and go on to park what they have set aside.
    let partitions: Vec<i32> = letters.iter().map(|of| of.partition).collect();
    let discarded = sqlx::query!(
        "delete from offset_zero.dead_letters where name = $1 and version = $2 and key = $3 and partition = any($4)",
        name,
        version.number,
        key,
        &partitions,
    )
    .execute(&mut *tx)
    .await?;
    tx.commit().await?;
    Ok(discarded.rows_affected())
}

/// Where a parked event stands.
#[derive(Clone, PartialEq)]
struct Place {
    topic: Arc<str>,
    partition: i32,
    offset: i64,
}

/// What the live version has parked under a key.
async fn parked(
    registry: &mut PgConnection,
    name: &'static str,
    key: &str,
) -> Result<(Version, Vec<Place>), ProjectorError> {
    let not_parked = || ProjectorError::NotParked {
        projection: name,
        key: key.to_owned(),
    };
    let live = registry::live(registry, name)
        .await?
        .ok_or_else(not_parked)?;
    let letters = sqlx::query_as!(
        Place,
        r#"select topic, partition, "offset" from offset_zero.dead_letters
           where name = $1 and version = $2 and key = $3
           order by id"#,
        name,
        live.number,
        key,
    )
    .fetch_all(registry)
    .await?;
    match letters.is_empty() {
        true => Err(not_parked()),
        false => Ok((live, letters)),
    }
}

/// Until the transaction ends, no feed moves the checkpoints of the letters' partitions; and after it, none that is open now. False where
/// what is parked there is not what was found: somebody else has tried or given up meanwhile, or another version has gone live.
async fn hold(
    connection: &mut PgConnection,
    name: &'static str,
    key: &str,
    version: &Version,
    letters: &[Place],
) -> Result<bool, ProjectorError> {
    registry::never_stand_still(connection).await?;
    // One, but for foreign records.
    let partitions: BTreeSet<i32> = letters.iter().map(|of| of.partition).collect();
    let partitions: Vec<i32> = partitions.into_iter().collect();
    registry::claim(connection, name, version.number, &partitions).await?;
    match parked(connection, name, key).await {
        Ok((live, mut current)) => {
            current.retain(|of| partitions.contains(&of.partition));
            Ok(live.number == version.number && current.starts_with(letters))
        }
        Err(ProjectorError::NotParked { .. }) => Ok(false),
        Err(error) => Err(error),
    }
}
