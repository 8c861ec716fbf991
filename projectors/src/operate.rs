//! What an operator can do to projections, beside rebuilding them.

use crate::{Database, ProjectionName, ProjectorError, registry};

/// Drops the tables of a version that is not live any more.
///
/// # Errors
/// When it is live or being built, when there is no such version, or a reader holds it for too long.
pub async fn drop_version(
    database: &Database,
    projection: ProjectionName,
    version: i32,
) -> Result<(), ProjectorError> {
    let mut registry = database.connect().await?;
    registry::drop_version(&mut registry, projection.as_str(), version)
        .await?
        .map_err(|reason| ProjectorError::NotDropped {
            projection,
            version,
            reason,
        })
}
