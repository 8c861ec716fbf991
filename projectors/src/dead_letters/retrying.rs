//! What is parked, tried again: read from the log by its places, and applied one by one.

use std::{collections::BTreeSet, sync::Arc};

use event_store::{Position, Recorded, log::Log};
use futures::{FutureExt, StreamExt, future::BoxFuture, stream};
use sqlx::{Connection, PgConnection};

use super::{
    Place, Retried, hold, parked,
    reading::{READ_AT_ONCE, read},
};
use crate::{
    Database, Projection, ProjectorError, chunk::Chunk, log::ask, names::OnProjection,
    parking::misplaced,
};

/// So many are tried again in one transaction, which holds their feeds still; one in tests, so that there are several.
const AT_ONCE: usize = if cfg!(test) { 1 } else { 100 };

/// On whichever projection the letters are of.
pub(super) struct Retry<'a, S> {
    pub(super) source: &'a S,
    pub(super) database: &'a Database,
    pub(super) key: &'a str,
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

    /// The event, from the log; else why it is none that can be applied.
    async fn read<P: Projection>(
        &self,
        letter: Place,
    ) -> Result<Result<Recorded<P::Event>, Refused>, ProjectorError> {
        let topic = Arc::clone(&letter.topic);
        let partitions = ask(self.source, move |source| source.partitions(&topic)).await?;
        let at = Position {
            topic: letter.topic,
            partition: letter.partition,
            offset: letter.offset,
        };
        Ok(match read::<P::Event, S>(self.source, at).await? {
            Err(undecodable) => Err((undecodable.position, undecodable.reason)),
            Ok(event) => match misplaced::<P>(&event, partitions) {
                Some(misplaced) => Err((misplaced.position, misplaced.reason)),
                None => Ok(event),
            },
        })
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
