//! What an operator can do to projections, beside rebuilding them.

use event_store::log::Log;
use futures::{FutureExt, future::BoxFuture};
use sqlx::{Connection, PgConnection};

use crate::{
    Database, Projection, ProjectionName, ProjectorError,
    live::origin_of,
    names::OnProjection,
    rebuild::candidate,
    registry::{self, NotDropped, Origin, Version},
};

/// Drops the tables of a version that is not live any more, or of a projection that this release does not have.
///
/// # Errors
/// When it is needed or being built, when there is no such version or projection, or a reader holds it for too long.
pub async fn drop_version(
    database: &Database,
    projection: &str,
    version: i32,
) -> Result<(), ProjectorError> {
    let mut registry = database.connect().await?;
    let dropped = registry::drop_version(&mut registry, projection, version).await?;
    let Err(reason) = dropped else {
        return Ok(());
    };
    // One of another release is known by its live version.
    if reason == NotDropped::Unknown && registry::live(&mut registry, projection).await?.is_none() {
        projection.parse::<ProjectionName>()?;
    }
    Err(ProjectorError::NotDropped {
        projection: projection.to_owned(),
        version,
        reason,
    })
}

/// Halts a projection: its rows stay as they are, and can be read; a rebuild of it goes on.
///
/// # Errors
/// When its live version has failed, so that nobody feeds it anyway; or Postgres fails.
pub async fn pause(database: &Database, projection: ProjectionName) -> Result<(), ProjectorError> {
    let mut registry = database.connect().await?;
    let mut tx = registry.begin().await?;
    sqlx::query!(
        "insert into offset_zero.projections (name, paused) values ($1, true)
         on conflict (name) do update set paused = true",
        projection.as_str(),
    )
    .execute(&mut *tx)
    .await?;
    if let Some(live) = registry::live(&mut tx, projection.as_str()).await? {
        require_not_failed(projection, &live)?;
        registry::bump_epochs(&mut tx, projection.as_str(), &[live.number]).await?;
    }
    tx.commit().await?;
    Ok(())
}

/// Has a projection go on from where it was halted.
///
/// # Errors
/// When its live version has failed, so that it does not go on; or Postgres fails.
pub async fn resume(database: &Database, projection: ProjectionName) -> Result<(), ProjectorError> {
    let mut registry = database.connect().await?;
    let mut tx = registry.begin().await?;
    // First, as a swap and a reset do: what is locked in another order is locked for ever.
    sqlx::query!(
        "update offset_zero.projections set paused = false where name = $1",
        projection.as_str(),
    )
    .execute(&mut *tx)
    .await?;
    if let Some(live) = registry::live(&mut tx, projection.as_str()).await? {
        require_not_failed(projection, &live)?;
        registry::note_fed(&mut tx, projection.as_str(), live.number).await?;
    }
    tx.commit().await?;
    Ok(())
}

/// Of what has failed, nothing changes by a halt, nor by its end.
fn require_not_failed(projection: ProjectionName, live: &Version) -> Result<(), ProjectorError> {
    match live.error {
        Some(_) => Err(ProjectorError::NotFed {
            projection: projection.as_str(),
        }),
        None => Ok(()),
    }
}

/// Begins a projection anew with empty tables, at once: readers see them fill. A rebuild is the way without that; answers the
/// version that is live now.
///
/// # Errors
/// When the log or Postgres fails.
pub async fn reset<S: Log>(
    source: &S,
    database: &Database,
    projection: ProjectionName,
) -> Result<i32, ProjectorError> {
    projection.on(Reset { source, database }).await
}

struct Reset<'a, S> {
    source: &'a S,
    database: &'a Database,
}

impl<'a, S: Log> OnProjection for Reset<'a, S> {
    type Output = BoxFuture<'a, Result<i32, ProjectorError>>;

    fn on<P: Projection>(self) -> Self::Output {
        self.reset::<P>().boxed()
    }
}

impl<S: Log> Reset<'_, S> {
    async fn reset<P: Projection>(self) -> Result<i32, ProjectorError> {
        let origin = origin_of::<P, S>(self.source).await?;
        let mut registry = self.database.connect().await?;
        registry::ensure_live::<P>(&mut registry, &origin).await?;
        match begin_anew::<P>(&mut registry, &origin).await {
            Err(ProjectorError::Locked(waited)) => Err(held_up::<P>(&mut registry, waited).await?),
            begun => begun,
        }
    }
}

async fn begin_anew<P: Projection>(
    registry: &mut PgConnection,
    origin: &Origin,
) -> Result<i32, ProjectorError> {
    let mut tx = registry.begin().await?;
    registry::never_stand_still(&mut tx).await?;
    registry::hold_live(&mut tx, P::NAME).await?;
    // It is there by now.
    let old = registry::ensure_live::<P>(&mut tx, origin).await?;
    old.require_no_newer_shape::<P>()?;
    let new = registry::create::<P>(&mut tx, origin, "live").await?;
    sqlx::raw_sql(P::INDEXES).execute(&mut *tx).await?;
    registry::make_live(&mut tx, P::NAME, old.number, new.number).await?;
    tx.commit().await?;
    Ok(new.number)
}

/// Who kept a lock from a reset. Where it is a rebuild, its version's number was to be ours.
async fn held_up<P: Projection>(
    registry: &mut PgConnection,
    waited: sqlx::Error,
) -> Result<ProjectorError, ProjectorError> {
    Ok(match candidate::session_that_begins::<P>(registry).await? {
        Some(session) => ProjectorError::HeldUp {
            projection: P::NAME,
            session,
            source: waited,
        },
        None => ProjectorError::Locked(waited),
    })
}
