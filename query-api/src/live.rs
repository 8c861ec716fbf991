//! Which versions are live, as far as this process knows, and the pool whose connections read them.
//!
//! The `search_path` of these connections is the schemas of all live versions, whose tables have names of their own: so a read
//! is one statement. When the set changes, a pool for the new one takes the old one's place at once, for all reads that begin
//! from then on; those under way end where they began, and the last of them closes the old pool.

use std::{collections::BTreeMap, time::Duration};

use sqlx::{
    Connection, PgConnection, PgPool,
    postgres::{PgConnectOptions, PgPoolOptions},
};

use crate::database::{ReadError, UNDEFINED_TABLE, has_code};

const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(2);
/// A connection that was idle for longer is tried before it is used; one in steady use need not be.
const TRUSTED_IDLE_TIME: Duration = Duration::from_secs(1);

/// The live version of each projection.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Versions(BTreeMap<String, Version>);

#[derive(Debug, PartialEq, Eq)]
struct Version {
    number: i32,
    /// Quoted where it has to be.
    schema: String,
}

/// The versions, and the way to their tables.
#[derive(Debug)]
pub(crate) struct Live {
    versions: Versions,
    pool: PgPool,
}

impl Live {
    /// Connects when it is first used.
    pub(crate) fn new(
        versions: Versions,
        options: &PgConnectOptions,
        max_connections: u32,
    ) -> Self {
        let schemas: Vec<&str> = versions.0.values().map(|of| &*of.schema).collect();
        let options = options
            .clone()
            .options([("search_path", schemas.join(",").as_str())]);
        let pool = PgPoolOptions::new()
            .max_connections(max_connections)
            .acquire_timeout(ACQUIRE_TIMEOUT)
            .test_before_acquire(false)
            .before_acquire(|connection, metadata| {
                Box::pin(async move {
                    if metadata.idle_for > TRUSTED_IDLE_TIME {
                        connection.ping().await?;
                    }
                    Ok(true)
                })
            })
            .connect_lazy_with(options);
        Self { versions, pool }
    }

    pub(crate) fn versions(&self) -> &Versions {
        &self.versions
    }

    pub(crate) fn pool(&self) -> &PgPool {
        &self.pool
    }

    /// The number of the projection's version.
    pub(crate) fn version_of(&self, projection: &str) -> Option<i32> {
        self.versions.0.get(projection).map(|of| of.number)
    }
}

/// Asks Postgres which versions are live.
pub(crate) async fn versions(connection: &mut PgConnection) -> Result<Versions, ReadError> {
    let live = sqlx::query!(
        r#"
        select v.name, v.version, quote_ident(v.schema_name) as "schema!"
        from offset_zero.projections p
        join offset_zero.projection_versions v on v.name = p.name and v.version = p.live_version
        "#
    )
    .fetch_all(connection)
    .await;
    match live {
        Ok(live) => {
            let live = live.into_iter().map(|row| {
                let (number, schema) = (row.version, row.schema);
                (row.name, Version { number, schema })
            });
            Ok(Versions(live.collect()))
        }
        Err(error) if has_code(&error, UNDEFINED_TABLE) => Err(ReadError::NotMigrated),
        Err(error) => Err(error.into()),
    }
}
