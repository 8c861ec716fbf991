//! Moving a feed's checkpoints, in the transaction that writes the rows.

use std::sync::Arc;

use sqlx::PgConnection;
use uuid::Uuid;

use crate::{Projection, registry::Checkpoint};

/// How far a partition of a topic has come since its checkpoint was last written.
pub(super) struct Move {
    pub(super) topic: Arc<str>,
    pub(super) partition: i32,
    pub(super) next_offset: i64,
    /// Where the log ends, where it was asked.
    pub(super) end_offset: Option<i64>,
    pub(super) last: Option<(i64, Uuid)>,
}

impl Move {
    /// Topic and partition.
    pub(super) fn place(&self) -> (&str, i32) {
        (&self.topic, self.partition)
    }
}

/// Moves the checkpoints by compare-and-set; false where one of them is not as this feed left it. It locks them beforehand, in the order
/// in which [`bump_epochs`](crate::registry::bump_epochs) does: an update takes rows in whichever order they come, and two could wait for
/// each other.
pub(super) async fn advance<P: Projection>(
    connection: &mut PgConnection,
    version: i32,
    checkpoints: &[Checkpoint],
    moves: &[Move],
) -> sqlx::Result<bool> {
    let topics: Vec<&str> = moves.iter().map(|to| &*to.topic).collect();
    let partitions: Vec<i32> = moves.iter().map(|to| to.partition).collect();
    let from = |to: &Move| checkpoints.iter().find(|from| from.place() == to.place());
    let expected: Vec<i64> = moves
        .iter()
        .map(|to| from(to).map_or(-1, |from| from.next_offset))
        .collect();
    let epochs: Vec<i64> = moves
        .iter()
        .map(|to| from(to).map_or(-1, |from| from.epoch))
        .collect();
    let next_offsets: Vec<i64> = moves.iter().map(|to| to.next_offset).collect();
    let end_offsets: Vec<Option<i64>> = moves.iter().map(|to| to.end_offset).collect();
    let last_offsets: Vec<Option<i64>> = moves.iter().map(|to| Some(to.last?.0)).collect();
    let last_ids: Vec<Option<Uuid>> = moves.iter().map(|to| Some(to.last?.1)).collect();
    let moved = sqlx::query!(
        "with m as (
             select m.*
             from unnest($3::text[], $4::integer[], $5::bigint[], $6::bigint[], $7::bigint[], $8::bigint[], $9::bigint[], $10::uuid[])
                 as m (topic, partition, expected, epoch, next_offset, end_offset, last_event_offset, last_event_id)
             join offset_zero.checkpoints c on c.topic = m.topic and c.partition = m.partition
             where c.name = $1 and c.version = $2
             order by c.topic, c.partition
             for update of c
         )
         update offset_zero.checkpoints c
         set next_offset = greatest(c.next_offset, m.next_offset),
             end_offset = greatest(coalesce(m.end_offset, c.end_offset), m.next_offset),
             last_event_offset = coalesce(m.last_event_offset, c.last_event_offset),
             last_event_id = coalesce(m.last_event_id, c.last_event_id),
             updated_at = now()
         from m
         where c.name = $1 and c.version = $2 and c.topic = m.topic and c.partition = m.partition
             and c.next_offset = m.expected and c.epoch = m.epoch",
        P::NAME,
        version,
        &topics as &[&str],
        &partitions,
        &expected,
        &epochs,
        &next_offsets,
        &end_offsets as &[Option<i64>],
        &last_offsets as &[Option<i64>],
        &last_ids as &[Option<Uuid>],
    )
    .execute(connection)
    .await?;
    Ok(moved.rows_affected() == moves.len() as u64)
}
