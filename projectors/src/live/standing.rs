//! How projections stand, as metrics, so that somebody is called: a feed that has ended, or never began, says nothing any more.

use std::time::Duration;

use sqlx::PgConnection;

use crate::{Database, ProjectionName, ProjectorError};

/// Between two looks.
const EVERY: Duration = Duration::from_secs(5);
/// Where more is parked, it says so much: what is counted is read.
const MOST: i64 = 10_000;

/// How the live version of a projection stands, whoever feeds it.
#[derive(Debug, Clone)]
pub(crate) struct Standing {
    pub(crate) projection: String,
    /// Or diverged.
    pub(crate) has_failed: bool,
    pub(crate) dead_letters: i64,
    /// Since the partition was fed that was fed longest ago; nothing of a projection that is halted.
    pub(crate) unfed_seconds: f64,
}

/// Tells it, for ever. Where it cannot be read, it keeps its last value, or has none yet; readiness says why.
pub(super) async fn keep_telling(database: Database) {
    let mut registry = None;
    loop {
        let looked = database.answered(look(&database, &mut registry)).await;
        match looked {
            Ok(standings) => standings.iter().for_each(tell),
            Err(error) => {
                tracing::debug!(%error, "cannot look how projections stand");
                registry = None;
            }
        }
        tokio::time::sleep(EVERY).await;
    }
}

async fn look(
    database: &Database,
    registry: &mut Option<PgConnection>,
) -> Result<Vec<Standing>, ProjectorError> {
    let connection = match registry {
        Some(connection) => connection,
        None => registry.insert(database.connect().await?),
    };
    Ok(standings(connection).await?)
}

/// Of all projections that have a live version, by name.
pub(crate) async fn standings(connection: &mut PgConnection) -> sqlx::Result<Vec<Standing>> {
    let names: Vec<String> = ProjectionName::ALL
        .iter()
        .map(ToString::to_string)
        .collect();
    sqlx::query_as!(
        Standing,
        r#"select p.name as projection, v.state in ('failed', 'diverged') as "has_failed!",
               (select count(*) from (
                   select from offset_zero.dead_letters d where d.name = v.name and d.version = v.version limit $2
               ) parked) as "dead_letters!",
               case when p.paused then 0 else coalesce((
                   select extract(epoch from clock_timestamp() - min(c.updated_at))::double precision
                   from offset_zero.checkpoints c where c.name = v.name and c.version = v.version
               ), 0) end as "unfed_seconds!"
           from offset_zero.projections p
           join offset_zero.projection_versions v on v.name = p.name and v.version = p.live_version
           where p.name = any($1)
           order by p.name"#,
        &names,
        MOST,
    )
    .fetch_all(connection)
    .await
}

fn tell(of: &Standing) {
    let labels = [("projection", of.projection.clone())];
    metrics::gauge!("offset_zero_projection_failed", &labels).set(f64::from(of.has_failed));
    metrics::gauge!("offset_zero_projection_dead_letters", &labels).set(of.dead_letters as f64);
    metrics::gauge!("offset_zero_projection_unfed_seconds", &labels).set(of.unfed_seconds);
}
