//! Where a new version begins: at offset zero with nothing, or further on with the live version's rows of what lies before.

use std::{fmt, str::FromStr};

use chrono::{DateTime, SecondsFormat, Utc};
use event_store::{Position, log::Log};
use sqlx::{AssertSqlSafe, PgConnection};

use crate::{
    Projection, ProjectionName, ProjectorError,
    log::ask,
    names::OnProjection,
    registry::{self, Origin, Positions, Version},
};

const ZERO: &str = "ZERO";

/// From where to rebuild.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Start {
    /// From the first event on: nothing of the live version is kept.
    #[default]
    Zero,
    /// From these on; of partitions that are not named all is kept.
    Offsets(Vec<Position>),
    /// From what was appended since, in every partition.
    Time(DateTime<Utc>),
}

/// Not one of the three.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "expected ZERO, offsets such as OrderEvents/3@1234,OrderEvents/0@17 (each partition once), or a time such as \
     2026-11-28T12:00:00Z"
)]
pub struct InvalidStart;

impl FromStr for Start {
    type Err = InvalidStart;

    fn from_str(text: &str) -> Result<Self, InvalidStart> {
        if text == ZERO {
            return Ok(Self::Zero);
        }
        if let Ok(time) = DateTime::parse_from_rfc3339(text) {
            return Ok(Self::Time(time.to_utc()));
        }
        let offsets = text.split(',').map(str::parse::<Position>);
        let mut offsets = offsets
            .collect::<Result<Vec<_>, _>>()
            .map_err(|_| InvalidStart)?;
        // In one order, so that the same ones are spelled the same.
        offsets.sort();
        let is_twice = |pair: &[Position]| {
            (&pair[0].topic, pair[0].partition) == (&pair[1].topic, pair[1].partition)
        };
        match offsets.windows(2).any(is_twice) {
            true => Err(InvalidStart),
            false => Ok(Self::Offsets(offsets)),
        }
    }
}

/// As it is spelled on the command line.
impl fmt::Display for Start {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Zero => f.write_str(ZERO),
            Self::Time(time) => f.write_str(&time.to_rfc3339_opts(SecondsFormat::AutoSi, true)),
            Self::Offsets(offsets) => {
                let offsets: Vec<String> = offsets.iter().map(ToString::to_string).collect();
                f.write_str(&offsets.join(","))
            }
        }
    }
}

/// Refuses where it is known before anything is begun that this projection cannot begin there.
///
/// # Errors
/// Where its rows are not each made of one event, or it does not read the topic of an offset; says so.
pub fn may_begin(name: ProjectionName, start: &Start) -> Result<(), ProjectorError> {
    name.on(MayBegin(start))
}

struct MayBegin<'a>(&'a Start);

impl OnProjection for MayBegin<'_> {
    type Output = Result<(), ProjectorError>;

    fn on<P: Projection>(self) -> Self::Output {
        kept_table::<P>(self.0)?;
        Ok(())
    }
}

/// Whether this projection can begin there at all; if so, the table whose rows are kept, if any are.
pub(super) fn kept_table<P: Projection>(
    start: &Start,
) -> Result<Option<&'static str>, ProjectorError> {
    if *start == Start::Zero {
        return Ok(None);
    }
    let table = P::TABLE_OF_EVENTS.ok_or_else(|| {
        refused::<P>("its rows are made of all that has happened; rebuild it from ZERO")
    })?;
    if let Start::Offsets(offsets) = start {
        let is_read = |position: &&Position| P::TOPICS.contains(&&*position.topic);
        if let Some(unread) = offsets.iter().find(|position| !is_read(position)) {
            return Err(unread_by::<P>(unread));
        }
    }
    Ok(Some(table))
}

fn unread_by<P: Projection>(position: &Position) -> ProjectorError {
    refused::<P>(format!("it does not read {position}"))
}

/// Has a version that was just created begin there; in one REPEATABLE READ transaction with that, so that rows, checkpoints and
/// dead letters of the live version are of one moment.
pub(super) async fn begin<P: Projection, S: Log>(
    connection: &mut PgConnection,
    source: &S,
    origin: &Origin,
    version: &Version,
    start: &Start,
) -> Result<(), ProjectorError> {
    let Some(table) = kept_table::<P>(start)? else {
        return Ok(());
    };
    let live = registry::live(connection, P::NAME).await?;
    let live = live.ok_or_else(|| refused::<P>("no version is live"))?;
    if live.error.is_some() {
        return Err(refused::<P>(
            "the live version has failed, and its rows cannot be kept; rebuild it from ZERO",
        ));
    }
    if live.shape != P::SHAPE {
        return Err(refused::<P>(
            "the live version's rows are of another shape, and cannot be kept; rebuild it from ZERO",
        ));
    }
    let reached = registry::positions(connection, P::NAME, live.number).await?;
    let from = resolve::<P, S>(source, start, reached).await?;
    let kept = Kept::new(&from);
    kept.keep_rows(connection, table, &live, version).await?;
    kept.keep_places::<P>(connection, origin, &live, version)
        .await?;
    Ok(())
}

/// The offset to begin at in every partition, none of them beyond the live version.
async fn resolve<P: Projection, S: Log>(
    source: &S,
    start: &Start,
    mut from: Positions,
) -> Result<Positions, ProjectorError> {
    match start {
        Start::Zero => from.values_mut().for_each(|offset| *offset = 0),
        Start::Offsets(offsets) => {
            for position in offsets {
                let place = (position.topic.to_string(), position.partition);
                let reached = from
                    .get_mut(&place)
                    .ok_or_else(|| unread_by::<P>(position))?;
                if position.offset > *reached {
                    return Err(refused::<P>(format!(
                        "{position} lies beyond what the live version has applied, which is up to {reached}"
                    )));
                }
                *reached = position.offset;
            }
        }
        Start::Time(time) => {
            let (time, reached) = (*time, from.clone());
            let since: Positions = ask(source, move |source| {
                let places = reached.into_iter().map(|(place, reached)| {
                    let (topic, partition) = &place;
                    let offset = source.offset_at(topic, *partition, time)?;
                    Ok((place, offset.min(reached)))
                });
                places.collect()
            })
            .await?;
            if from == since {
                return Err(refused::<P>(format!(
                    "nothing of what the live version has applied was appended at {start} or later"
                )));
            }
            from = since;
        }
    }
    Ok(from)
}

fn refused<P: Projection>(reason: impl Into<String>) -> ProjectorError {
    ProjectorError::NotStarted {
        projection: P::NAME,
        reason: reason.into(),
    }
}

/// What lies before these offsets, column by column.
struct Kept<'a> {
    topics: Vec<&'a str>,
    partitions: Vec<i32>,
    offsets: Vec<i64>,
}

impl<'a> Kept<'a> {
    fn new(from: &'a Positions) -> Self {
        Self {
            topics: from.keys().map(|(topic, _)| &**topic).collect(),
            partitions: from.keys().map(|(_, partition)| *partition).collect(),
            offsets: from.values().copied().collect(),
        }
    }

    async fn keep_rows(
        &self,
        connection: &mut PgConnection,
        table: &'static str,
        live: &Version,
        version: &Version,
    ) -> sqlx::Result<()> {
        // Safe: constants and numbers. Both tables have the same columns in the same order, since their shape is the same.
        let statement = format!(
            "insert into {}.{table}
             select l.* from {}.{table} l
             join unnest($1::text[], $2::integer[], $3::bigint[]) as f (topic, partition, before)
                 on l.topic = f.topic and l.partition = f.partition and l.position < f.before",
            version.schema, live.schema,
        );
        sqlx::query(AssertSqlSafe(statement))
            .bind(&self.topics)
            .bind(&self.partitions)
            .bind(&self.offsets)
            .execute(connection)
            .await?;
        Ok(())
    }

    /// What is parked there stays parked; what follows for its keys is parked with it.
    async fn keep_places<P: Projection>(
        &self,
        connection: &mut PgConnection,
        origin: &Origin,
        live: &Version,
        version: &Version,
    ) -> Result<(), ProjectorError> {
        let moved = sqlx::query!(
            "update offset_zero.checkpoints c
             set next_offset = f.before,
                 end_offset = l.end_offset,
                 last_event_offset = case when l.last_event_offset < f.before then l.last_event_offset end,
                 last_event_id = case when l.last_event_offset < f.before then l.last_event_id end
             from unnest($5::text[], $6::integer[], $7::bigint[]) as f (topic, partition, before)
             join offset_zero.checkpoints l on l.name = $1 and l.version = $2 and l.cluster_id = $4
                 and l.topic = f.topic and l.partition = f.partition
             where c.name = $1 and c.version = $3 and c.topic = f.topic and c.partition = f.partition",
            P::NAME,
            live.number,
            version.number,
            origin.cluster_id,
            &self.topics as &[&str],
            &self.partitions,
            &self.offsets,
        )
        .execute(&mut *connection)
        .await?;
        if moved.rows_affected() != self.topics.len() as u64 {
            return Err(refused::<P>(
                "the live version is made of another log, and its rows cannot be kept; rebuild it from ZERO",
            ));
        }
        sqlx::query!(
            r#"insert into offset_zero.dead_letters
                   (name, version, topic, partition, "offset", key, event_type, stream, reason, parked_at)
               select l.name, $3, l.topic, l.partition, l."offset", l.key, l.event_type, l.stream, l.reason, l.parked_at
               from offset_zero.dead_letters l
               join unnest($4::text[], $5::integer[], $6::bigint[]) as f (topic, partition, before)
                   on l.topic = f.topic and l.partition = f.partition and l."offset" < f.before
               where l.name = $1 and l.version = $2
               order by l.id"#,
            P::NAME,
            live.number,
            version.number,
            &self.topics as &[&str],
            &self.partitions,
            &self.offsets,
        )
        .execute(connection)
        .await?;
        Ok(())
    }
}
