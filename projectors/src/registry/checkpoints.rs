//! How far a version has come, and who may move it on.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use event_store::Position;
use sqlx::{AssertSqlSafe, Connection, PgConnection};
use uuid::Uuid;

use super::{Version, is_paused, live};
use crate::{ProjectorError, database::NO_STANDSTILL};

/// How far a version has come in one partition of one topic.
#[derive(Debug, Clone)]
pub(crate) struct Checkpoint {
    pub(crate) topic: Arc<str>,
    pub(crate) partition: i32,
    pub(crate) next_offset: i64,
    pub(crate) epoch: i64,
    pub(crate) cluster_id: String,
    /// Offset and id of the last event that was applied.
    pub(crate) last: Option<(i64, Uuid)>,
}

impl Checkpoint {
    /// Topic and partition.
    pub(crate) fn place(&self) -> (&str, i32) {
        (&self.topic, self.partition)
    }

    /// The last event that was applied, and its id.
    pub(crate) fn last_applied(&self) -> Option<(Position, Uuid)> {
        let (offset, id) = self.last?;
        let position = Position {
            topic: Arc::clone(&self.topic),
            partition: self.partition,
            offset,
        };
        Some((position, id))
    }
}

/// The offset after the last one applied, by topic and partition.
pub(crate) type Positions = BTreeMap<(String, i32), i64>;

/// Whether positions are at a goal or past it, in every partition that the goal names. Before its beginning, all are.
pub(crate) fn has_reached(positions: &Positions, goal: &Positions) -> bool {
    distance(positions, goal) == 0
}

/// How many records lie between them and the goal.
pub(crate) fn distance(positions: &Positions, goal: &Positions) -> i64 {
    let reached = |place| positions.get(place).copied().unwrap_or(0);
    let distances = goal.iter().map(|(place, next)| next - reached(place));
    distances.map(|distance| distance.max(0)).sum()
}

/// The partition numbers that these are of.
pub(crate) fn partitions_of(checkpoints: &[Checkpoint]) -> Vec<i32> {
    let numbers: BTreeSet<i32> = checkpoints.iter().map(|of| of.partition).collect();
    numbers.into_iter().collect()
}

/// Some partition numbers' checkpoints, one for each topic.
pub(crate) async fn checkpoints(
    connection: &mut PgConnection,
    name: &str,
    version: i32,
    partitions: &[i32],
) -> Result<Vec<Checkpoint>, ProjectorError> {
    let rows = sqlx::query!(
        "select topic, partition, next_offset, epoch, cluster_id, last_event_offset, last_event_id
         from offset_zero.checkpoints
         where name = $1 and version = $2 and partition = any($3)
         order by topic, partition",
        name,
        version,
        partitions,
    )
    .fetch_all(connection)
    .await?;
    let checkpoints = rows.into_iter().map(|row| Checkpoint {
        topic: row.topic.into(),
        partition: row.partition,
        next_offset: row.next_offset,
        epoch: row.epoch,
        cluster_id: row.cluster_id,
        last: row.last_event_offset.zip(row.last_event_id),
    });
    Ok(checkpoints.collect())
}

/// How far a version has come in all partitions.
pub(crate) async fn positions(
    connection: &mut PgConnection,
    name: &str,
    version: i32,
) -> sqlx::Result<Positions> {
    let rows = sqlx::query_as!(
        Reached,
        "select topic, partition, next_offset from offset_zero.checkpoints where name = $1 and version = $2",
        name,
        version,
    )
    .fetch_all(connection)
    .await?;
    Ok(by_place(rows))
}

/// As [`positions`], and nobody moves them before the transaction ends.
pub(crate) async fn lock_positions(
    connection: &mut PgConnection,
    name: &str,
    version: i32,
) -> sqlx::Result<Positions> {
    let rows = sqlx::query_as!(
        Reached,
        "select topic, partition, next_offset from offset_zero.checkpoints
         where name = $1 and version = $2
         order by topic, partition
         for update",
        name,
        version,
    )
    .fetch_all(connection)
    .await?;
    Ok(by_place(rows))
}

struct Reached {
    topic: String,
    partition: i32,
    next_offset: i64,
}

fn by_place(rows: Vec<Reached>) -> Positions {
    let place = |row: Reached| ((row.topic, row.partition), row.next_offset);
    rows.into_iter().map(place).collect()
}

/// Has Postgres end this transaction where its process, or its machine, stands still: what it has locked is in the way of whoever feeds.
pub(crate) async fn never_stand_still(connection: &mut PgConnection) -> sqlx::Result<()> {
    let (setting, value) = NO_STANDSTILL;
    // Safe: constants.
    let set = AssertSqlSafe(format!("set local {setting} = '{value}'"));
    sqlx::raw_sql(set).execute(connection).await?;
    Ok(())
}

/// Has whoever fed these partitions of the live version until now fail at the next checkpoint, and answers where to go on. Answers none
/// where the version is not what was found before: another one has gone live, it has failed, or the projection was halted.
///
/// Whatever ends a feed moves the epochs in its own transaction. So only what is looked at once the epochs are moved here is true for
/// as long as they are left so; a feed of a version that was replaced before would never hear of it.
pub(crate) async fn claim_live(
    connection: &mut PgConnection,
    name: &str,
    found: &Version,
    partitions: &[i32],
) -> Result<Option<Vec<Checkpoint>>, ProjectorError> {
    let mut tx = connection.begin().await?;
    never_stand_still(&mut tx).await?;
    // Whoever holds them for longer stands still, and is ended soon.
    sqlx::raw_sql("set local lock_timeout = '2s'")
        .execute(&mut *tx)
        .await?;
    claim(&mut tx, name, found.number, partitions).await?;
    if live(&mut tx, name).await?.as_ref() != Some(found) || is_paused(&mut tx, name).await? {
        tx.rollback().await?;
        return Ok(None);
    }
    let claimed = checkpoints(&mut tx, name, found.number, partitions).await?;
    tx.commit().await?;
    Ok(Some(claimed))
}

/// Has whoever fed these partitions until now fail at the next checkpoint.
pub(crate) async fn claim(
    connection: &mut PgConnection,
    name: &str,
    version: i32,
    partitions: &[i32],
) -> sqlx::Result<()> {
    bump(connection, name, &[version], Some(partitions)).await
}

/// Has every feed that is open now fail at its next checkpoint.
pub(crate) async fn bump_epochs(
    connection: &mut PgConnection,
    name: &str,
    versions: &[i32],
) -> sqlx::Result<()> {
    bump(connection, name, versions, None).await
}

/// Of some partitions, or of all. Whoever moves several checkpoints locks them in this order, so that nobody waits for somebody who
/// waits for them.
async fn bump(
    connection: &mut PgConnection,
    name: &str,
    versions: &[i32],
    partitions: Option<&[i32]>,
) -> sqlx::Result<()> {
    sqlx::query!(
        "update offset_zero.checkpoints c
         set epoch = c.epoch + 1
         from (
             select version, topic, partition from offset_zero.checkpoints
             where name = $1 and version = any($2) and ($3::integer[] is null or partition = any($3))
             order by version, topic, partition
             for update
         ) held
         where c.name = $1 and c.version = held.version and c.topic = held.topic and c.partition = held.partition",
        name,
        versions,
        partitions,
    )
    .execute(connection)
    .await?;
    Ok(())
}
