//! The version that is being built.

use event_store::log::Log;
use futures::{StreamExt, TryStreamExt, stream};
use sqlx::{AssertSqlSafe, Connection, PgConnection};

use crate::{
    Database, Projection, ProjectorError,
    rebuild::start::{self, Start},
    registry::{self, Origin, Version},
};

/// Which program this is: `projectors` and `offset-zero` are the same, where they are made of the same sources (`build.rs`).
const PROGRAM: &str = env!("PROJECTORS_PROGRAM");

/// So long what has failed for good stays to be looked at, where nobody asks for it to be begun anew.
const FAILED_FOR_SECONDS: f64 = 300.0;

/// A version on its way to being live.
pub(crate) struct Candidate {
    pub(crate) version: Version,
    /// The number of the version that it is to replace.
    pub(crate) live: i32,
    pub(crate) resumed: bool,
}

impl Candidate {
    /// Keeps other rebuilds out for as long as the connection lives, clears away what is of no use any more, and goes on
    /// with an unfinished version or begins a new one.
    pub(crate) async fn prepare<P: Projection, S: Log>(
        registry: &mut PgConnection,
        source: &S,
        origin: &Origin,
        start: &Start,
    ) -> Result<Self, ProjectorError> {
        start::kept_table::<P>(start)?;
        lock::<P>(registry).await?;
        let live = registry::ensure_live::<P>(registry, origin).await?;
        live.require_no_newer_shape::<P>()?;
        clear::<P>(registry, origin, start).await?;
        if let Some(version) = unfinished::<P>(registry, origin, start).await? {
            // One that lost its lock with its connection may still be running.
            registry::bump_epochs(registry, P::NAME, &[version.number]).await?;
            return Ok(Self {
                version,
                live: live.number,
                resumed: true,
            });
        }
        let mut tx = registry
            .begin_with("begin isolation level repeatable read")
            .await?;
        let version = registry::create::<P>(&mut tx, origin, "building").await?;
        start::begin::<P, S>(&mut tx, source, origin, &version, start).await?;
        sqlx::query!(
            "update offset_zero.projection_versions set rebuilt_from = $3 where name = $1 and version = $2",
            P::NAME,
            version.number,
            begun_with(start),
        )
        .execute(&mut *tx)
        .await?;
        tx.commit().await?;
        Ok(Self {
            version,
            live: live.number,
            resumed: false,
        })
    }

    /// Makes the secondary indexes, so many at a time, and has the planner know the tables before the first reader comes.
    pub(crate) async fn index<P: Projection>(
        &self,
        database: &Database,
        at_once: usize,
    ) -> Result<(), ProjectorError> {
        let schema = &self.version.schema;
        let is_statement = |line: &&str| line.starts_with("create ");
        let statements: Vec<&'static str> = P::INDEXES.lines().filter(is_statement).collect();
        let at_once = at_once.min(statements.len()).max(1);
        let making: Vec<_> = statements
            .into_iter()
            .map(|statement| make(database.clone(), schema.clone(), statement, at_once))
            .collect();
        stream::iter(making)
            .buffer_unordered(at_once)
            .try_collect::<()>()
            .await?;
        let mut connection = database.connect_to(schema).await?;
        let tables = sqlx::query_scalar!(
            r#"select format('analyze %I.%I', schemaname, tablename) as "statement!" from pg_tables where schemaname = $1"#,
            self.version.schema,
        )
        .fetch_all(&mut connection)
        .await?;
        for statement in tables {
            // Safe: quoted by Postgres itself.
            sqlx::raw_sql(AssertSqlSafe(statement))
                .execute(&mut connection)
                .await?;
        }
        Ok(())
    }
}

/// Makes one of so many indexes that are made at a time.
async fn make(
    database: Database,
    schema: String,
    statement: &'static str,
    at_once: usize,
) -> Result<(), ProjectorError> {
    let mut connection = database.connect_to_index(&schema, at_once).await?;
    sqlx::raw_sql(statement).execute(&mut connection).await?;
    Ok(())
}

/// Keeps other rebuilds out for as long as the connection lives.
pub(super) async fn lock<P: Projection>(registry: &mut PgConnection) -> Result<(), ProjectorError> {
    let locked = sqlx::query_scalar!(
        r#"select pg_try_advisory_lock(hashtext('offset_zero.rebuild'), hashtext($1)) as "locked!""#,
        P::NAME,
    )
    .fetch_one(&mut *registry)
    .await?;
    if !locked {
        return Err(ProjectorError::RebuildRunning {
            projection: P::NAME,
        });
    }
    Ok(())
}

/// Postgres' number of the session that keeps other rebuilds out, where it is in a transaction, and we may see that: in the one with which
/// it begins, which copies what it keeps, or for moments in that of its swap.
pub(crate) async fn session_that_begins<P: Projection>(
    registry: &mut PgConnection,
) -> sqlx::Result<Option<i32>> {
    sqlx::query_scalar!(
        "select min(l.pid) as pid from pg_locks l
         join pg_stat_activity a on a.pid = l.pid
         where l.locktype = 'advisory' and l.granted and a.datname = current_database() and a.xact_start is not null
             and l.classid = hashtext('offset_zero.rebuild')::oid and l.objid = hashtext($1)::oid",
        P::NAME,
    )
    .fetch_one(registry)
    .await
}

/// Refuses where a version like the one that is to be begun has just failed: it would again, and nobody could look at the other one.
pub(crate) async fn require_not_failed<P: Projection>(
    registry: &mut PgConnection,
    start: &Start,
) -> Result<(), ProjectorError> {
    let failed = sqlx::query_scalar!(
        r#"select error as "error!" from offset_zero.projection_versions
           where name = $1 and state in ('failed', 'diverged') and shape = $2 and rebuilt_from = $3
               and error is not null and updated_at > now() - make_interval(secs => $4)
           order by version desc
           limit 1"#,
        P::NAME,
        P::SHAPE,
        begun_with(start),
        FAILED_FOR_SECONDS,
    )
    .fetch_optional(registry)
    .await?;
    match failed {
        Some(error) => Err(ProjectorError::Failed(error)),
        None => Ok(()),
    }
}

/// From where a version is filled, and by which program: only what is of the same two is gone on with. Another program may have had a
/// bug, of which nothing is seen in the shape of its rows.
fn begun_with(start: &Start) -> String {
    format!("{start} by {PROGRAM}")
}

/// How many checkpoints a version has that holds all partitions of its topics: one with fewer, or with more, was begun before the topics
/// became what they are.
pub(super) fn places<P: Projection>(origin: &Origin) -> i64 {
    i64::from(origin.partitions) * i64::try_from(P::TOPICS.len()).expect("few")
}

async fn unfinished<P: Projection>(
    registry: &mut PgConnection,
    origin: &Origin,
    start: &Start,
) -> Result<Option<Version>, ProjectorError> {
    let version = sqlx::query_as!(
        Version,
        "select v.version as number, v.schema_name as schema, v.shape, v.error
         from offset_zero.projection_versions v
         where v.name = $1 and v.state in ('building', 'ready') and v.shape = $2 and v.rebuilt_from = $3
             and $4 = (select count(*) from offset_zero.checkpoints c where c.name = v.name and c.version = v.version)
         order by v.version desc
         limit 1",
        P::NAME,
        P::SHAPE,
        begun_with(start),
        places::<P>(origin),
    )
    .fetch_optional(registry)
    .await?;
    Ok(version)
}

/// Drops versions that will never be live again and of which nobody can want anything: those that have failed, those of another log,
/// and those whose rebuild was begun elsewhere, by another program, for rows of another shape, or of topics of another number of partitions.
/// What has just failed of another program is kept: by that the other one knows that it is not to begin anew. One that was live once is kept
/// until somebody drops it.
async fn clear<P: Projection>(
    registry: &mut PgConnection,
    origin: &Origin,
    start: &Start,
) -> Result<(), ProjectorError> {
    let useless = sqlx::query_scalar!(
        "select v.version
         from offset_zero.projection_versions v
         join offset_zero.projections p on p.name = v.name
         where v.name = $1 and v.version is distinct from p.live_version
             and (v.state in ('failed', 'diverged')
                     and (v.rebuilt_from = $4 or v.updated_at <= now() - make_interval(secs => $5))
                 or v.state in ('building', 'ready') and (v.shape <> $3 or v.rebuilt_from <> $4
                     or $6 <> (select count(*) from offset_zero.checkpoints c where c.name = v.name and c.version = v.version))
                 or exists (select from offset_zero.checkpoints c
                     where c.name = v.name and c.version = v.version and c.cluster_id <> $2))",
        P::NAME,
        origin.cluster_id,
        P::SHAPE,
        begun_with(start),
        FAILED_FOR_SECONDS,
        places::<P>(origin),
    )
    .fetch_all(&mut *registry)
    .await?;
    for version in useless {
        if let Err(error) = registry::drop_version(registry, P::NAME, version).await {
            // The next rebuild tries again.
            tracing::warn!(projection = P::NAME, version, %error, "cannot drop an old version yet");
        }
    }
    Ok(())
}
