//! Versions that nobody needs any more.

use sqlx::{AssertSqlSafe, Connection, PgConnection};

use crate::ProjectionName;

/// Why a version was not dropped.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NotDropped {
    /// There is none of that number.
    #[error("there is no such version; type: offset-zero projections")]
    Unknown,
    /// Readers need it.
    #[error("it is live; rebuild the projection first")]
    Live,
    /// It is being built.
    #[error("it is being built; end the rebuild first")]
    Building,
    /// It is no projection of this release, and it is live, and fed.
    #[error("projectors of another release feed it; stop them first")]
    Fed,
}

/// Drops the tables of a version that nobody needs any more. Of a projection that this release does not have, that is the live one, too, once
/// nobody feeds it; with its last version it is forgotten.
pub(crate) async fn drop_version(
    connection: &mut PgConnection,
    name: &str,
    version: i32,
) -> sqlx::Result<Result<(), NotDropped>> {
    let is_ours = name.parse::<ProjectionName>().is_ok();
    let mut tx = connection.begin().await?;
    // Some reader may be slow.
    sqlx::raw_sql("set local lock_timeout = '5s'")
        .execute(&mut *tx)
        .await?;
    let found = sqlx::query!(
        r#"select v.schema_name, v.version is not distinct from p.live_version as "is_live!",
               exists (
                   select from offset_zero.checkpoints c
                   where c.name = v.name and c.version = v.version and c.updated_at > now() - interval '30 seconds'
               ) as "is_fed!",
               v.state in ('building', 'ready')
                   and not pg_try_advisory_xact_lock(hashtext('offset_zero.rebuild'), hashtext($1))
                   or not pg_try_advisory_xact_lock(hashtext('offset_zero.back'), hashtext(v.schema_name)) as "is_building!"
           from offset_zero.projection_versions v
           join offset_zero.projections p on p.name = v.name
           where v.name = $1 and v.version = $2
           for no key update of p"#,
        name,
        version,
    )
    .fetch_optional(&mut *tx)
    .await?;
    let schema = match found {
        None => return Ok(Err(NotDropped::Unknown)),
        Some(found) if found.is_live && is_ours => return Ok(Err(NotDropped::Live)),
        Some(found) if found.is_live && found.is_fed => return Ok(Err(NotDropped::Fed)),
        Some(found) if found.is_building => return Ok(Err(NotDropped::Building)),
        Some(found) => found.schema_name,
    };
    // Safe: `create` made the name of a constant and a number.
    let drop_schema = format!("drop schema if exists {schema} cascade");
    sqlx::raw_sql(AssertSqlSafe(drop_schema))
        .execute(&mut *tx)
        .await?;
    sqlx::query!(
        "delete from offset_zero.projection_versions where name = $1 and version = $2",
        name,
        version,
    )
    .execute(&mut *tx)
    .await?;
    if !is_ours {
        sqlx::query!(
            "delete from offset_zero.projections p
             where name = $1 and not exists (select from offset_zero.projection_versions v where v.name = p.name)",
            name,
        )
        .execute(&mut *tx)
        .await?;
    }
    tx.commit().await?;
    Ok(Ok(()))
}
