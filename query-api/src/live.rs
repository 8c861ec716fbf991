//! Which versions are live, as far as this process knows, and the pool whose connections read them.
//!
//! The `search_path` of these connections is the schemas of all live versions, whose tables have names of their own: so a read
//! is one statement. When the set changes, a pool for the new one takes the old one's place at once, for all reads that begin
//! from then on; those under way end where they began, and the last of them closes the old pool.

use std::{
    collections::BTreeMap,
    ops::{Deref, DerefMut},
    time::Duration,
};

use sqlx::{
    Connection, Error, PgConnection, PgPool, Postgres,
    pool::PoolConnection,
    postgres::{PgConnectOptions, PgPoolOptions},
};

use crate::database::{ReadError, UNDEFINED_TABLE, has_code};

const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(2);
/// A connection that was idle for longer is tried before it is used; one in steady use need not be.
const TRUSTED_IDLE_TIME: Duration = Duration::from_secs(1);
/// For the sign of life that a pool asks of a connection that it gets back.
const RETURN_TIMEOUT: Duration = Duration::from_secs(2);

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

    /// A connection for one read; waits for one that is free, for a moment.
    pub(crate) async fn acquire(&self) -> Result<Lent, Error> {
        Ok(Lent(Some(self.pool.acquire().await?)))
    }

    /// Closes all connections, once they are free.
    pub(crate) async fn close(&self) {
        self.pool.close().await;
    }

    /// The number of the projection's version.
    pub(crate) fn version_of(&self, projection: &str) -> Option<i32> {
        self.versions.0.get(projection).map(|of| of.number)
    }
}

/// A connection that the pool gets back from whoever has read on it to the end, be that an error.
///
/// Of a read that is dropped before its end nobody knows what is still on its way, or whether the connection is alive: so it
/// is closed, at once, and its place in the pool is free. One that the pool got back in that state would have to answer
/// first, which one that has died silently does when the kernel gives it up, a quarter of an hour later.
#[derive(Debug)]
pub(crate) struct Lent(Option<PoolConnection<Postgres>>);

impl Lent {
    /// For the next read.
    pub(crate) fn give_back(mut self) {
        let Some(mut connection) = self.0.take() else {
            return;
        };
        // What dropping it would do, which sets no limit.
        let returned = tokio::time::timeout(RETURN_TIMEOUT, connection.return_to_pool());
        // The answer does not wait for it.
        tokio::spawn(async move {
            if returned.await.is_err() {
                tracing::warn!("closed a connection to Postgres that did not answer");
            }
        });
    }
}

impl Drop for Lent {
    fn drop(&mut self) {
        if let Some(connection) = self.0.take() {
            tracing::warn!("closed a connection to Postgres in the middle of a read");
            drop(connection.detach());
        }
    }
}

impl Deref for Lent {
    type Target = PgConnection;

    fn deref(&self) -> &PgConnection {
        self.0.as_deref().expect(LENT)
    }
}

impl DerefMut for Lent {
    fn deref_mut(&mut self) -> &mut PgConnection {
        self.0.as_deref_mut().expect(LENT)
    }
}

const LENT: &str = "the connection is taken out only where this ends";

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
