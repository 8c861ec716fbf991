//! Back to a version that was live before. Nothing is made anew: it comes up to the log from where it was replaced, is compared with the
//! live one, and takes its place.

use event_store::log::Log;
use futures::{FutureExt, future::BoxFuture};
use sqlx::PgConnection;

use super::{
    Options, Report, Show,
    candidate::{self, Candidate, places},
    close, complete,
};
use crate::{
    Database, Projection, ProjectionName, ProjectorError,
    live::origin_of,
    names::OnProjection,
    registry::{self, Origin, Version},
};

/// Has a version that was replaced, and is kept, take the place of the live one. What came since it was replaced is made by this program.
/// Broken off, or failed, it is kept as before, only further on. What it had parked stays parked.
///
/// # Errors
/// When there is no such version, or it cannot go on from where it is; and as [`rebuild`](super::rebuild).
pub async fn go_back<S: Log>(
    name: ProjectionName,
    source: &S,
    database: &Database,
    version: i32,
    show: Show,
) -> Result<Report, ProjectorError> {
    let return_to = Return {
        source,
        database,
        version,
        show,
    };
    name.on(return_to).await
}

struct Return<'a, S> {
    source: &'a S,
    database: &'a Database,
    version: i32,
    show: Show,
}

impl<'a, S: Log> OnProjection for Return<'a, S> {
    type Output = BoxFuture<'a, Result<Report, ProjectorError>>;

    fn on<P: Projection>(self) -> Self::Output {
        let database = self.database;
        let returning = async move {
            let mut registry = database.connect().await?;
            let returned = self.with_lock::<P>(&mut registry).await;
            close(registry).await;
            returned
        };
        database.while_it_answers(returning).boxed()
    }
}

impl<S: Log> Return<'_, S> {
    async fn with_lock<P: Projection>(
        self,
        registry: &mut PgConnection,
    ) -> Result<Report, ProjectorError> {
        let origin = origin_of::<P, S>(self.source).await?;
        candidate::lock::<P>(registry).await?;
        let Some(live) = registry::live(registry, P::NAME).await? else {
            return Err(no_way::<P>(self.version, "no version is live"));
        };
        live.require_no_newer_shape::<P>()?;
        if live.number == self.version {
            return Err(no_way::<P>(live.number, "it is live"));
        }
        let version = kept::<P>(registry, &origin, self.version).await?;
        keep_from_dropping(registry, &version).await?;
        // Somebody who lost his lock with his connection may still be bringing it up.
        registry::bump_epochs(registry, P::NAME, &[version.number]).await?;
        let candidate = Candidate {
            version,
            live: live.number,
            resumed: false,
        };
        let options = Options {
            show: self.show,
            ..Options::default()
        };
        let report = complete::<P, S>(
            registry,
            self.source,
            self.database,
            origin,
            candidate,
            options,
        )
        .await?;
        Ok(Report {
            went_back: true,
            ..report
        })
    }
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
