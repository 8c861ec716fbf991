//! Back to a version that was live before. Nothing is made anew: it comes up to the log from where it was replaced, is compared with the
//! live one, and takes its place.

use sqlx::PgConnection;

use super::candidate::{self, Candidate, places};
use crate::{
    Projection, ProjectorError,
    registry::{self, Origin, Version},
};

/// Makes a version that was replaced, and is kept, the candidate. Broken off, or failed, it is kept as before, only further on. What it had
/// parked stays parked.
pub(super) async fn prepare<P: Projection>(
    registry: &mut PgConnection,
    origin: &Origin,
    number: i32,
) -> Result<Candidate, ProjectorError> {
    candidate::lock::<P>(registry).await?;
    let Some(live) = registry::live(registry, P::NAME).await? else {
        return Err(no_way::<P>(number, "no version is live"));
    };
    live.require_no_newer_shape::<P>()?;
    if live.number == number {
        return Err(no_way::<P>(number, "it is live"));
    }
    let version = kept::<P>(registry, origin, number).await?;
    keep_from_dropping(registry, &version).await?;
    // One that lost its lock with its connection may still be running.
    registry::bump_epochs(registry, P::NAME, &[number]).await?;
    Ok(Candidate {
        version,
        live: live.number,
        resumed: false,
    })
}

/// Has [`registry::drop_version`] refuse, for as long as the connection lives.
async fn keep_from_dropping(
    registry: &mut PgConnection,
    version: &Version,
) -> Result<(), ProjectorError> {
    // By the time that it is there, it may have been dropped: the feeds then say so.
    sqlx::query!(
        "select pg_advisory_lock(hashtext('offset_zero.back'), hashtext($1))",
        version.schema,
    )
    .execute(registry)
    .await?;
    Ok(())
}

/// The version, where it can go on from where it is.
async fn kept<P: Projection>(
    registry: &mut PgConnection,
    origin: &Origin,
    number: i32,
) -> Result<Version, ProjectorError> {
    let found = sqlx::query!(
        r#"select v.schema_name, v.shape, v.state, v.error,
               (select count(*) from offset_zero.checkpoints c
                where c.name = v.name and c.version = v.version and c.cluster_id = $3) as "places!"
           from offset_zero.projection_versions v
           where v.name = $1 and v.version = $2"#,
        P::NAME,
        number,
        origin.cluster_id,
    )
    .fetch_optional(registry)
    .await?;
    let Some(found) = found else {
        return Err(no_way::<P>(
            number,
            "there is none; offset-zero projections lists those that are kept",
        ));
    };
    let reason = match found.error {
        _ if found.state != "retired" => "it was never live".to_owned(),
        Some(error) => format!("it had failed before it was replaced: {error}"),
        None if found.shape != P::SHAPE => {
            "its rows are of another shape than this program makes".to_owned()
        }
        None if found.places != places::<P>(origin) => {
            "it is made of another log, or of another number of partitions".to_owned()
        }
        None => {
            return Ok(Version {
                number,
                schema: found.schema_name,
                shape: found.shape,
                error: None,
            });
        }
    };
    Err(no_way::<P>(number, reason))
}

fn no_way<P: Projection>(version: i32, reason: impl Into<String>) -> ProjectorError {
    ProjectorError::NoWayBack {
        projection: P::NAME,
        version,
        reason: reason.into(),
    }
}
