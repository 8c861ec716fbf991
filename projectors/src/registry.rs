//! What Postgres knows of projections: their versions, and how far each has come.

mod checkpoints;
mod dropping;
mod shapes;

use sqlx::{AssertSqlSafe, Connection, PgConnection};

pub use self::dropping::NotDropped;
pub(crate) use self::{
    checkpoints::{
        Checkpoint, Positions, bump_epochs, checkpoints, claim, claim_live, distance, has_reached,
        lock_positions, never_stand_still, partitions_of, positions,
    },
    dropping::drop_version,
    shapes::live_shapes,
};
use crate::{Projection, ProjectorError, live::announce_live};

/// One version of a projection: a schema with its tables.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Version {
    pub(crate) number: i32,
    pub(crate) schema: String,
    /// See [`Projection::SHAPE`].
    pub(crate) shape: i32,
    /// Why it cannot go on, where it cannot.
    pub(crate) error: Option<String>,
}

/// The log that a version is made from, as far as it decides its checkpoints.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Origin {
    pub(crate) cluster_id: String,
    pub(crate) partitions: i32,
}

/// The live version; the first one is created here.
pub(crate) async fn ensure_live<P: Projection>(
    connection: &mut PgConnection,
    origin: &Origin,
) -> Result<Version, ProjectorError> {
    if let Some(live) = live(connection, P::NAME).await? {
        return Ok(live);
    }
    let mut tx = connection.begin().await?;
    sqlx::query!(
        "insert into offset_zero.projections (name) values ($1) on conflict do nothing",
        P::NAME
    )
    .execute(&mut *tx)
    .await?;
    // A second projector that starts at the same time waits here, and then finds the version.
    sqlx::query!(
        "select name from offset_zero.projections where name = $1 for update",
        P::NAME
    )
    .fetch_one(&mut *tx)
    .await?;
    let version = match live(&mut tx, P::NAME).await? {
        Some(live) => live,
        None => {
            let version = create::<P>(&mut tx, origin, "live").await?;
            sqlx::raw_sql(P::INDEXES).execute(&mut *tx).await?;
            sqlx::query!(
                "update offset_zero.projections set live_version = $2 where name = $1",
                P::NAME,
                version.number,
            )
            .execute(&mut *tx)
            .await?;
            announce_live(&mut tx, P::NAME).await?;
            version
        }
    };
    tx.commit().await?;
    Ok(version)
}

pub(crate) async fn live(
    connection: &mut PgConnection,
    name: &str,
) -> Result<Option<Version>, ProjectorError> {
    let version = sqlx::query_as!(
        Version,
        "select v.version as number, v.schema_name as schema, v.shape, v.error
         from offset_zero.projections p
         join offset_zero.projection_versions v on v.name = p.name and v.version = p.live_version
         where p.name = $1",
        name,
    )
    .fetch_optional(connection)
    .await?;
    Ok(version)
}

/// A new version with empty tables, to be filled from offset zero. The caller's transaction, since it is nothing by halves;
/// that transaction's `search_path` is the new schema from here on.
pub(crate) async fn create<P: Projection>(
    connection: &mut PgConnection,
    origin: &Origin,
    state: &str,
) -> Result<Version, ProjectorError> {
    let number = sqlx::query_scalar!(
        r#"select coalesce(max(version), 0) + 1 as "number!" from offset_zero.projection_versions where name = $1"#,
        P::NAME,
    )
    .fetch_one(&mut *connection)
    .await?;
    create_numbered::<P>(connection, number, origin, state).await
}

/// As [`create`], of a number of the caller's.
pub(crate) async fn create_numbered<P: Projection>(
    connection: &mut PgConnection,
    number: i32,
    origin: &Origin,
    state: &str,
) -> Result<Version, ProjectorError> {
    let schema = format!("{}_{number}", P::NAME);
    sqlx::query!(
        "insert into offset_zero.projection_versions (name, version, schema_name, state, shape) values ($1, $2, $3, $4, $5)",
        P::NAME,
        number,
        schema,
        state,
        P::SHAPE,
    )
    .execute(&mut *connection)
    .await
    .map_err(|error| match error.as_database_error() {
        Some(refused) if refused.is_unique_violation() => ProjectorError::VersionTaken {
            projection: P::NAME,
            version: number,
        },
        _ => error.into(),
    })?;
    let topics: Vec<String> = P::TOPICS.iter().map(ToString::to_string).collect();
    // Numbers come again once their version is dropped, epochs do not: whoever has fed that one writes nothing to this one.
    sqlx::query!(
        "insert into offset_zero.checkpoints (name, version, topic, partition, next_offset, end_offset, epoch, cluster_id)
         select $1, $2, topic, partition, 0, 0, (extract(epoch from clock_timestamp()) * 1000000)::bigint, $5
         from unnest($3::text[]) topic, generate_series(0, $4::integer - 1) partition",
        P::NAME,
        number,
        &topics,
        origin.partitions,
        origin.cluster_id,
    )
    .execute(&mut *connection)
    .await?;
    // Safe: the name is a constant and a number.
    let into_schema = format!("create schema {schema}; set local search_path = {schema}");
    sqlx::raw_sql(AssertSqlSafe(into_schema))
        .execute(&mut *connection)
        .await?;
    sqlx::raw_sql(P::TABLES).execute(&mut *connection).await?;
    Ok(Version {
        number,
        schema,
        shape: P::SHAPE,
        error: None,
    })
}

/// Whether an operator has halted the projection.
pub(crate) async fn is_paused(
    connection: &mut PgConnection,
    name: &str,
) -> Result<bool, ProjectorError> {
    let paused = sqlx::query_scalar!(
        "select paused from offset_zero.projections where name = $1",
        name
    )
    .fetch_optional(connection)
    .await?;
    Ok(paused.unwrap_or(false))
}

/// Marks a version as failed, or as diverged from the log, and stops its other feeds, by their epoch; answers what to tell. That is
/// [`ProjectorError::Superseded`] where the checkpoints are not as the feed left them: its complaint is then about rows that
/// have gone on.
pub(crate) async fn fail<P: Projection>(
    connection: &mut PgConnection,
    version: i32,
    left: &[Checkpoint],
    error: &ProjectorError,
) -> Result<ProjectorError, ProjectorError> {
    let mut tx = connection.begin().await?;
    bump_epochs(&mut tx, P::NAME, &[version]).await?;
    let current = checkpoints(&mut tx, P::NAME, version, &partitions_of(left)).await?;
    let current = current.iter().map(|of| (of.next_offset, of.epoch));
    if !current.eq(left.iter().map(|of| (of.next_offset, of.epoch + 1))) {
        tx.rollback().await?;
        return Ok(ProjectorError::Superseded);
    }
    let state = match error.is_divergence() {
        true => "diverged",
        false => "failed",
    };
    let error = format!(
        "{}; mend the cause, then type: offset-zero rebuild {}",
        error.in_full(),
        P::NAME
    );
    set_aside(&mut tx, P::NAME, version, state, &error).await?;
    tx.commit().await?;
    Ok(ProjectorError::Failed(error))
}

/// Says in which state a version is and why; its feeds are stopped in the same transaction. One that was live once, and is gone back to,
/// stays what it is: what could not be written was not, and with another program it may well come back.
async fn set_aside(
    connection: &mut PgConnection,
    name: &str,
    version: i32,
    state: &str,
    error: &str,
) -> sqlx::Result<()> {
    sqlx::query!(
        "update offset_zero.projection_versions
         set state = $4, error = $3, events_per_second = 0, phase = null, eta_seconds = null, updated_at = now()
         where name = $1 and version = $2 and state <> 'retired'",
        name,
        version,
        error,
        state,
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// Sets a new version aside because its rows are not the live version's.
pub(crate) async fn refuse(
    connection: &mut PgConnection,
    name: &str,
    version: i32,
    reason: &str,
) -> sqlx::Result<()> {
    let mut tx = connection.begin().await?;
    bump_epochs(&mut tx, name, &[version]).await?;
    set_aside(&mut tx, name, version, "failed", reason).await?;
    tx.commit().await
}

/// Why a version cannot go on, where it cannot.
pub(crate) async fn error_of(
    connection: &mut PgConnection,
    name: &str,
    version: i32,
) -> sqlx::Result<Option<String>> {
    sqlx::query_scalar!(
        "select error from offset_zero.projection_versions where name = $1 and version = $2",
        name,
        version,
    )
    .fetch_one(connection)
    .await
}

/// The number of the live version, which stays so until the transaction ends.
pub(crate) async fn hold_live(connection: &mut PgConnection, name: &str) -> sqlx::Result<i32> {
    sqlx::query_scalar!(
        r#"select live_version as "version!" from offset_zero.projections where name = $1 for no key update"#,
        name,
    )
    .fetch_one(connection)
    .await
}

/// Has readers and feeds go over from one version to another.
pub(crate) async fn make_live(
    connection: &mut PgConnection,
    name: &str,
    old: i32,
    new: i32,
) -> sqlx::Result<()> {
    // The old version's feeds fail whole and ask what is live; so do the new one's, where it was filled by others. First, as whoever else
    // locks both checkpoints and versions does.
    bump_epochs(connection, name, &[old, new]).await?;
    // That nobody has fed it so far is as it has to be.
    note_fed(connection, name, new).await?;
    sqlx::query!(
        "update offset_zero.projections set live_version = $2 where name = $1",
        name,
        new
    )
    .execute(&mut *connection)
    .await?;
    sqlx::query!(
        "update offset_zero.projection_versions
         set state = case version when $2 then 'live' else 'retired' end, events_per_second = 0, updated_at = now()
         where name = $1 and version in ($2, $3)",
        name,
        new,
        old,
    )
    .execute(&mut *connection)
    .await?;
    announce_live(connection, name).await
}

/// How many versions are kept that were live once.
pub(crate) async fn retired(connection: &mut PgConnection, name: &str) -> sqlx::Result<i64> {
    sqlx::query_scalar!(
        r#"select count(*) as "retired!" from offset_zero.projection_versions where name = $1 and state = 'retired'"#,
        name,
    )
    .fetch_one(connection)
    .await
}

/// Has it count from now how long nobody has fed a version; whoever feeds it after all locks its checkpoints in the same order.
pub(crate) async fn note_fed(
    connection: &mut PgConnection,
    name: &str,
    version: i32,
) -> sqlx::Result<()> {
    sqlx::query!(
        "update offset_zero.checkpoints c
         set updated_at = now()
         from (
             select topic, partition from offset_zero.checkpoints
             where name = $1 and version = $2
             order by topic, partition
             for update
         ) held
         where c.name = $1 and c.version = $2 and c.topic = held.topic and c.partition = held.partition",
        name,
        version,
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// How a version that is being built gets on.
#[derive(Debug, Clone, Copy)]
pub(crate) struct BuildProgress<'a> {
    pub(crate) phase: &'a str,
    pub(crate) events: u64,
    pub(crate) records: u64,
    pub(crate) of_records: u64,
    pub(crate) events_per_second: f64,
    pub(crate) eta_seconds: Option<u64>,
}

/// Shows it to whoever asks the query API.
pub(crate) async fn report_progress(
    connection: &mut PgConnection,
    name: &str,
    version: i32,
    progress: BuildProgress<'_>,
) -> sqlx::Result<()> {
    let eta_seconds = progress.eta_seconds.map(u64::cast_signed);
    sqlx::query!(
        "update offset_zero.projection_versions
         set events_per_second = $3, phase = $4, events = $5, records = $6, of_records = $7, eta_seconds = $8,
             updated_at = now()
         where name = $1 and version = $2 and state = 'building'",
        name,
        version,
        progress.events_per_second,
        progress.phase,
        progress.events.cast_signed(),
        progress.records.cast_signed(),
        progress.of_records.cast_signed(),
        eta_seconds,
    )
    .execute(connection)
    .await?;
    Ok(())
}
