//! Which versions are read, as far as this process knows, and the pool whose connections read them.
//!
//! That is the live one, where its rows are of the shape that this program knows. Where projectors of another release have made
//! what is live, it is the last that was live and is of ours: its rows are all there, but nothing comes to them any more, so
//! this process is not ready, and whoever asks for what is new is refused.
//!
//! The `search_path` of these connections is the schemas of all these versions, whose tables have names of their own: so a read
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

use crate::database::{ReadError, of_registry};

const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(2);
/// A connection that was idle for longer is tried before it is used; one in steady use need not be.
const TRUSTED_IDLE_TIME: Duration = Duration::from_secs(1);
/// For the sign of life that a pool asks of a connection that it gets back.
const RETURN_TIMEOUT: Duration = Duration::from_secs(2);

/// The name of the readiness check.
pub(crate) const CHECK: &str = "projections";

/// The shape of each projection's rows that this program reads. Projectors of the same release make them.
pub const SHAPES: [(&str, i32); 8] = [
    ("carts", 2),
    ("history", 3),
    ("notifications", 1),
    ("orders", 3),
    ("payments", 2),
    ("products", 1),
    ("sales_daily", 1),
    ("shipments", 2),
];

/// What this program reads of a projection; 0 where it reads none of it.
pub(crate) fn shape_of(projection: &str) -> i32 {
    let mut shapes = SHAPES.into_iter();
    let shape = shapes.find(|(name, _)| *name == projection);
    shape.map_or(0, |(_, shape)| shape)
}

/// The version of each projection that can be read.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Versions {
    readable: BTreeMap<String, Version>,
    /// The first projection of which a version is live that is not of our shape.
    misfit: Option<Misfit>,
}

#[derive(Debug, PartialEq, Eq)]
struct Version {
    number: i32,
    /// Quoted where it has to be.
    schema: String,
}

#[derive(Debug, PartialEq, Eq)]
struct Misfit {
    projection: String,
    live: i32,
    read: i32,
}

impl Versions {
    /// Why others should be asked, where there is one.
    pub(crate) fn require_fit(&self) -> Result<(), String> {
        let Some(Misfit {
            projection,
            live,
            read,
        }) = &self.misfit
        else {
            return Ok(());
        };
        Err(match live > read {
            true => format!(
                "{projection} is live in shape {live}, and this program reads shape {read}, whose rows are fed no more: \
                 start query-api of the projectors' release"
            ),
            false => format!(
                "{projection} is still live in shape {live}, and this program reads shape {read}: it waits for projectors of \
                 its release to take over"
            ),
        })
    }
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
        let schemas: Vec<&str> = versions.readable.values().map(|of| &*of.schema).collect();
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
        let version = self.versions.readable.get(projection);
        version.map(|of| of.number)
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

/// Asks about projections; takes the columns, the names and shapes that are asked about, the rest of the statement, and its
/// arguments. The one place that says which version `v` of a projection `p` is read, if any: the live one, or else the last
/// that was live and is of that shape. What has retired is not touched any more, so `updated_at` says since when; versions are
/// numbered as they are begun, and one that was begun earlier may have gone live later.
macro_rules! select_readable {
    ($columns:literal, $ours:literal, $rest:literal, $($argument:expr),+ $(,)?) => {
        sqlx::query!(
            "select " + $columns + " from " + $ours + r#" as ours (name, shape)
            join offset_zero.projections p on p.name = ours.name and p.live_version is not null
            left join lateral (
                select readable.name, readable.version, readable.schema_name, readable.state, readable.error
                from offset_zero.projection_versions readable
                where readable.name = p.name and readable.shape = ours.shape
                  and (readable.version = p.live_version or readable.state = 'retired')
                order by readable.version = p.live_version desc, readable.updated_at desc
                limit 1
            ) v on true
            "# + $rest,
            $($argument),+
        )
    };
}
pub(crate) use select_readable;

/// Asks Postgres which versions can be read.
pub(crate) async fn versions(connection: &mut PgConnection) -> Result<Versions, ReadError> {
    let (names, shapes): (Vec<String>, Vec<i32>) = SHAPES
        .into_iter()
        .map(|(name, shape)| (name.to_owned(), shape))
        .unzip();
    let rows = select_readable!(
        r#"
        p.name, ours.shape as "shape!", v.version as "version?", quote_ident(v.schema_name) as schema,
        (
            select live.shape from offset_zero.projection_versions live
            where live.name = p.name and live.version = p.live_version
        ) as "live_shape?"
        "#,
        "unnest($1::text[], $2::integer[])",
        "order by p.name",
        &names,
        &shapes,
    )
    .fetch_all(connection)
    .await;
    let mut versions = Versions::default();
    for row in rows.map_err(of_registry)? {
        if let Some(live) = row.live_shape.filter(|live| *live != row.shape) {
            versions.misfit.get_or_insert_with(|| Misfit {
                projection: row.name.clone(),
                live,
                read: row.shape,
            });
        }
        if let Some((number, schema)) = row.version.zip(row.schema) {
            let version = Version { number, schema };
            versions.readable.insert(row.name, version);
        }
    }
    Ok(versions)
}
