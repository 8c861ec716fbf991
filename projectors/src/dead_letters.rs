//! What an operator does with events that were parked: look, try again, give up.
//!
//! Trying again and giving up hold the partition's checkpoint for as long as they take, and move its epoch: a feed that is at work
//! waits, fails whole, and finds out anew what is parked.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use chrono::{DateTime, Utc};
use event_store::{BatchLimits, LogError, Position, Recorded, StartAt, log::Log};
use futures::{FutureExt, StreamExt, future::BoxFuture, stream};
use serde::Serialize;
use sqlx::{Connection, PgConnection};

use crate::{
    Database, Projection, ProjectionName, ProjectorError,
    chunk::Chunk,
    log::ask,
    names::OnProjection,
    parking::misplaced,
    registry::{self, Version},
};

/// An event is read within this, or the log is away.
const READ_WITHIN: Duration = Duration::from_secs(10);
/// So many are tried again in one transaction, which holds their feeds still; one in tests, so that there are several.
const AT_ONCE: usize = if cfg!(test) { 1 } else { 100 };
/// Each is read by a consumer of its own.
const READ_AT_ONCE: usize = 8;

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
    /// What it says it is, where that is not known to be an event of ours.
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

struct Retry<'a, S> {
    source: &'a S,
    database: &'a Database,
    key: &'a str,
}

impl<'a, S: Log> OnProjection for Retry<'a, S> {
    type Output = BoxFuture<'a, Result<Retried, ProjectorError>>;

    fn on<P: Projection>(self) -> Self::Output {
        self.retry::<P>().boxed()
    }
}

impl<S: Log> Retry<'_, S> {
    async fn retry<P: Projection>(self) -> Result<Retried, ProjectorError> {
        let mut registry = self.database.connect().await?;
        let mut retried = Retried::default();
        let mut stopped = BTreeSet::<i32>::new();
        loop {
            let (version, mut letters) = match parked(&mut registry, P::NAME, self.key).await {
                // More may have been parked while the last were applied.
                Err(ProjectorError::NotParked { .. }) if retried != Retried::default() => {
                    return Ok(retried);
                }
                parked => parked?,
            };
            version.require_shape::<P>()?;
            // A partition at a time: what lies where the key does not belong holds up nothing where it does.
            let mut left = letters.iter().map(|of| of.partition);
            let Some(partition) = left.find(|of| !stopped.contains(of)) else {
                return Ok(retried);
            };
            letters.retain(|of| of.partition == partition);
            letters.truncate(AT_ONCE);
            let (events, unreadable) = self.read_all::<P>(&letters).await?;
            let mut connection = self.database.connect_to(&version.schema).await?;
            let mut tx = connection.begin().await?;
            if !hold(&mut tx, P::NAME, self.key, &version, &letters).await? {
                continue;
            }
            let (applied, unappliable) = apply::<P>(&mut tx, version.number, &events).await?;
            let refused = unappliable.or(unreadable);
            if let Some((position, reason)) = &refused {
                // It may only have followed another until now.
                blame(&mut tx, P::NAME, version.number, position, reason).await?;
            }
            tx.commit().await?;
            retried.applied += applied;
            if let Some((position, reason)) = refused {
                stopped.insert(partition);
                let told = || format!("{position}: {reason}");
                retried.stopped_by.get_or_insert_with(told);
            }
        }
    }

    /// The events up to the first that is none, and why that is.
    async fn read_all<P: Projection>(
        &self,
        letters: &[Place],
    ) -> Result<(Vec<Recorded<P::Event>>, Option<Refused>), ProjectorError> {
        let letters = letters.iter().cloned();
        let reads = letters.map(|letter| self.read::<P>(letter));
        let mut reads = stream::iter(reads).buffered(READ_AT_ONCE);
        let mut events = Vec::new();
        while let Some(read) = reads.next().await {
            match read? {
                Ok(event) => events.push(event),
                Err(refused) => return Ok((events, Some(refused))),
            }
        }
        Ok((events, None))
    }

    /// The event, from the log, lifted to what it is today; else why it is none.
    async fn read<P: Projection>(
        &self,
        letter: Place,
    ) -> Result<Result<Recorded<P::Event>, Refused>, ProjectorError> {
        let from = StartAt {
            topic: Arc::clone(&letter.topic),
            partition: letter.partition,
            next_offset: letter.offset,
        };
        let limits = BatchLimits {
            max_events: 1,
            ..BatchLimits::default()
        };
        let subscribed = ask(self.source, move |source| {
            let partitions = source.partitions(&from.topic)?;
            Ok((source.subscribe::<P::Event>(&[from], limits)?, partitions))
        });
        let (mut subscription, partitions) = subscribed.await?;
        let batch = tokio::time::timeout(READ_WITHIN, subscription.next_batch()).await;
        let batch = batch.map_err(|_| LogError::Unavailable {
            attempted: "reading a dead letter",
            reason: "nothing came".to_owned(),
        })??;
        let is_it = |offset| offset == letter.offset;
        let undecodable = batch.undecodable.into_iter().next();
        if let Some(undecodable) = undecodable.filter(|of| is_it(of.position.offset)) {
            return Ok(Err((undecodable.position, undecodable.reason)));
        }
        let event = batch.events.into_iter().next();
        match event.filter(|event| is_it(event.position.offset)) {
            Some(event) => Ok(match misplaced::<P>(&event, partitions) {
                Some(reason) => Err((event.position, reason)),
                None => Ok(event),
            }),
            None => Err(LogError::OffsetLost {
                topic: letter.topic.to_string(),
                partition: letter.partition,
                offset: letter.offset,
            }
            .into()),
        }
    }
}

/// What still cannot be applied, and why.
type Refused = (Position, String);

/// Applies them one by one, each with those before it in its row; answers how many, and what the next was refused for.
async fn apply<P: Projection>(
    connection: &mut PgConnection,
    version: i32,
    events: &[Recorded<P::Event>],
) -> Result<(u64, Option<Refused>), ProjectorError> {
    let mut applied = 0;
    for event in events {
        let mut chunk = Chunk::<P>::default();
        let absorbed = chunk.absorb(connection, std::slice::from_ref(event), None);
        match absorbed.await {
            Ok(()) => {}
            Err(ProjectorError::Unappliable { position, reason }) => {
                return Ok((applied, Some((position, reason))));
            }
            Err(error) => return Err(error),
        }
        chunk.write(connection).await?;
        remove(connection, P::NAME, version, event).await?;
        applied += 1;
    }
    Ok((applied, None))
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

async fn remove<E>(
    connection: &mut PgConnection,
    name: &str,
    version: i32,
    event: &Recorded<E>,
) -> sqlx::Result<()> {
    sqlx::query!(
        r#"delete from offset_zero.dead_letters
           where name = $1 and version = $2 and topic = $3 and partition = $4 and "offset" = $5"#,
        name,
        version,
        &*event.position.topic,
        event.position.partition,
        event.position.offset,
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// Notes why a letter could not be applied.
async fn blame(
    connection: &mut PgConnection,
    name: &str,
    version: i32,
    position: &Position,
    reason: &str,
) -> sqlx::Result<()> {
    sqlx::query!(
        r#"update offset_zero.dead_letters set reason = $6
           where name = $1 and version = $2 and topic = $3 and partition = $4 and "offset" = $5"#,
        name,
        version,
        &*position.topic,
        position.partition,
        position.offset,
        reason,
    )
    .execute(connection)
    .await?;
    Ok(())
}
