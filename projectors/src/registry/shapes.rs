//! Whose rows a program may write (docs/adr/0011-shapes-side-by-side.md).

use std::collections::BTreeMap;

use sqlx::PgConnection;

use super::Version;
use crate::{Projection, ProjectorError};

impl Version {
    /// Rows of another shape are not for this program to write.
    pub(crate) fn require_shape<P: Projection>(&self) -> Result<(), ProjectorError> {
        match self.shape == P::SHAPE {
            true => Ok(()),
            false => Err(self.other_shape::<P>()),
        }
    }

    /// An older program does not replace what a newer one has made.
    pub(crate) fn require_no_newer_shape<P: Projection>(&self) -> Result<(), ProjectorError> {
        match self.shape <= P::SHAPE {
            true => Ok(()),
            false => Err(self.other_shape::<P>()),
        }
    }

    fn other_shape<P: Projection>(&self) -> ProjectorError {
        ProjectorError::OtherShape {
            projection: P::NAME,
            live: self.shape,
            made: P::SHAPE,
        }
    }
}

/// The shape of every live version, by projection.
pub(crate) async fn live_shapes(
    connection: &mut PgConnection,
) -> sqlx::Result<BTreeMap<String, i32>> {
    let rows = sqlx::query!(
        "select v.name, v.shape from offset_zero.projections p
         join offset_zero.projection_versions v on v.name = p.name and v.version = p.live_version",
    )
    .fetch_all(connection)
    .await?;
    Ok(rows.into_iter().map(|row| (row.name, row.shape)).collect())
}
