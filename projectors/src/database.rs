//! Reaching Postgres, and bringing it up to date.

use std::{convert::Infallible, fmt, num::NonZero, thread::available_parallelism, time::Duration};

use sqlx::{
    Connection, PgConnection,
    migrate::{Migrate, Migrator},
    postgres::PgConnectOptions,
};

use crate::{
    ProjectorError,
    reaching::{Obstacle, address},
};

static MIGRATOR: Migrator = sqlx::migrate!("../migrations");
/// Where sqlx notes what it has applied.
const MIGRATIONS_TABLE: &str = "_sqlx_migrations";
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// What a feed asks is answered in moments. After that its connection is taken for dead: where Postgres' machine vanishes between its
/// receipt of a statement and the answer, nothing would ever say so.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(30);
/// Between two questions to a Postgres that is at work.
const ASK_EVERY: Duration = Duration::from_secs(1);

/// Nobody who is well holds a lock for so long. Less than [`ANSWER_TIMEOUT`], so that Postgres says what was waited for.
const LOCK_TIMEOUT: (&str, &str) = ("lock_timeout", "20s");

/// A session whose other end has vanished Postgres ends within a minute: a rebuild's keeps the next one out. And where a long statement says
/// nothing for hours, what lies between does not forget the connection.
const SIGNS_OF_LIFE: [(&str, &str); 3] = [
    ("tcp_keepalives_idle", "30"),
    ("tcp_keepalives_interval", "10"),
    ("tcp_keepalives_count", "3"),
];

/// Whoever locks checkpoints and stands still within the transaction, with its process or its machine, is ended by Postgres: it would hold
/// up whoever is to feed in its place, and that is decided after three seconds.
pub(crate) const NO_STANDSTILL: (&str, &str) = ("idle_in_transaction_session_timeout", "5s");

/// Commits are told before they are on disk.
const NO_DISK: (&str, &str) = ("synchronous_commit", "off");

/// What a rebuild may keep busy at a time: half of all, since others are live meanwhile.
pub(crate) fn processors_to_use() -> usize {
    (processors() / 2).max(1)
}

/// All of them.
pub(crate) fn processors() -> usize {
    available_parallelism().map_or(1, NonZero::get)
}

/// For all indexes that are made at a time.
const INDEXING_MEGABYTES: usize = 256;

/// Which Postgres. Feeds hold connections of their own, since each is bound to one version's schema for its whole life.
#[derive(Debug, Clone)]
pub struct Database {
    options: PgConnectOptions,
    answer_timeout: Duration,
}

impl Database {
    /// A database by its URL; connects to nothing yet.
    ///
    /// # Errors
    /// When the URL cannot be read.
    pub fn new(url: &str) -> Result<Self, ProjectorError> {
        let options = parsed(url)?;
        let others = (processors_to_use() - 1).to_string();
        let parallel = [
            ("max_parallel_workers_per_gather", &*others),
            ("max_parallel_maintenance_workers", &*others),
        ];
        let options = options.application_name("projectors").options(parallel);
        Ok(Self {
            options: options.options([LOCK_TIMEOUT]).options(SIGNS_OF_LIFE),
            answer_timeout: ANSWER_TIMEOUT,
        })
    }

    /// One that waits for a lock for so long.
    #[cfg(test)]
    pub(crate) fn locking_within(self, lock_timeout: &str) -> Self {
        Self {
            options: self.options.options([("lock_timeout", lock_timeout)]),
            ..self
        }
    }

    /// One that gives up on an answer after so long.
    #[cfg(test)]
    pub(crate) fn answering_within(self, answer_timeout: Duration) -> Self {
        Self {
            answer_timeout,
            ..self
        }
    }

    /// What Postgres answers in time. Whatever connection was waited for has to be dropped where it does not.
    pub(crate) async fn answered<T, E>(
        &self,
        answer: impl Future<Output = Result<T, E>>,
    ) -> Result<T, ProjectorError>
    where
        ProjectorError: From<E>,
    {
        within(self.answer_timeout, &self.options, answer).await
    }

    /// Work that takes as long as it takes, given up only where Postgres answers nothing at all any more: of the statements themselves,
    /// one that it works on for hours looks like one whose machine has vanished.
    pub(crate) async fn while_it_answers<T>(
        &self,
        work: impl Future<Output = Result<T, ProjectorError>>,
    ) -> Result<T, ProjectorError> {
        tokio::select! {
            done = work => done,
            asked = self.keep_asking() => asked.map(|never| match never {}),
        }
    }

    /// On a connection like those that are at work, which is never opened anew: another machine may have taken over, and would answer.
    async fn keep_asking(&self) -> Result<Infallible, ProjectorError> {
        let mut connection = connect(&self.options).await?;
        loop {
            self.answered(connection.ping()).await?;
            tokio::time::sleep(ASK_EVERY).await;
        }
    }

    /// A connection for the registry.
    ///
    /// # Errors
    /// When Postgres is away, or not migrated; the error then says what to type.
    pub async fn connect(&self) -> Result<PgConnection, ProjectorError> {
        let mut connection = connect(&self.options).await?;
        require_migrated(&mut connection).await?;
        Ok(connection)
    }

    /// A connection whose unqualified names mean this schema's tables.
    pub(crate) async fn connect_to(&self, schema: &str) -> Result<PgConnection, ProjectorError> {
        self.connect_with([("search_path", schema)]).await
    }

    /// As [`connect_to`](Self::connect_to), for feeding: its commits wait for no disk. What a crash takes back, its checkpoint takes
    /// back too, and it is fed again.
    pub(crate) async fn connect_to_feed(
        &self,
        schema: &str,
    ) -> Result<PgConnection, ProjectorError> {
        self.connect_with([("search_path", schema), NO_DISK, NO_STANDSTILL])
            .await
    }

    /// A connection whose commits wait for no disk: what it tells is gone after a crash anyway.
    pub(crate) async fn connect_to_announce(&self) -> Result<PgConnection, ProjectorError> {
        self.connect_with([NO_DISK]).await
    }

    /// For filling: its commits wait for no disk either.
    pub(crate) async fn connect_to_fill(
        &self,
        schema: &str,
    ) -> Result<PgConnection, ProjectorError> {
        self.connect_with([("search_path", schema), NO_DISK]).await
    }

    /// For making indexes, where so many are made at a time.
    pub(crate) async fn connect_to_index(
        &self,
        schema: &str,
        at_once: usize,
    ) -> Result<PgConnection, ProjectorError> {
        let memory = format!("{}MB", INDEXING_MEGABYTES / at_once);
        let memory = ("maintenance_work_mem", &*memory);
        self.connect_with([("search_path", schema), NO_DISK, memory])
            .await
    }

    async fn connect_with<const N: usize>(
        &self,
        settings: [(&str, &str); N],
    ) -> Result<PgConnection, ProjectorError> {
        connect(&self.options.clone().options(settings)).await
    }
}

fn parsed(url: &str) -> Result<PgConnectOptions, ProjectorError> {
    url.parse().map_err(ProjectorError::Address)
}

async fn connect(options: &PgConnectOptions) -> Result<PgConnection, ProjectorError> {
    let connecting = async {
        let connected = PgConnection::connect_with(options).await;
        connected.map_err(|source| ProjectorError::NotConnected {
            address: address(options),
            obstacle: Obstacle::of(&source),
            source,
        })
    };
    // Dropping a half-made connection harms nobody: it is in no pool.
    within(CONNECT_TIMEOUT, options, connecting).await
}

async fn within<T, E>(
    timeout: Duration,
    options: &PgConnectOptions,
    answer: impl Future<Output = Result<T, E>>,
) -> Result<T, ProjectorError>
where
    ProjectorError: From<E>,
{
    match tokio::time::timeout(timeout, answer).await {
        Ok(answer) => Ok(answer?),
        Err(_) => Err(ProjectorError::Unanswered {
            address: address(options),
            obstacle: Obstacle::Silent { within: timeout },
        }),
    }
}

async fn require_migrated(connection: &mut PgConnection) -> Result<(), ProjectorError> {
    match missing(connection).await?.first() {
        Some(version) => Err(ProjectorError::NotMigrated { missing: *version }),
        None => Ok(()),
    }
}

/// The migrations that are not applied, in their order.
async fn missing(connection: &mut PgConnection) -> Result<Vec<i64>, ProjectorError> {
    let exists = sqlx::query_scalar!(
        r#"select to_regclass($1) is not null as "exists!""#,
        MIGRATIONS_TABLE
    )
    .fetch_one(&mut *connection)
    .await?;
    let applied = match exists {
        true => connection.list_applied_migrations(MIGRATIONS_TABLE).await?,
        false => Vec::new(),
    };
    let is_applied = |version: &i64| applied.iter().any(|of| of.version == *version);
    let known = MIGRATOR.iter().map(|migration| migration.version);
    Ok(known.filter(|version| !is_applied(version)).collect())
}

/// How many migrations were applied.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Migrated(pub usize);

impl fmt::Display for Migrated {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            0 => f.write_str("the database has the newest schema already"),
            1 => f.write_str("applied 1 migration"),
            applied => write!(f, "applied {applied} migrations"),
        }
    }
}

/// Applies the migrations that are missing; a command of its own, never part of a start.
///
/// # Errors
/// When Postgres is away, or an applied migration was edited since.
pub async fn migrate(url: &str) -> Result<Migrated, ProjectorError> {
    let mut connection = connect(&parsed(url)?).await?;
    // The migrator takes it once more: what another one applies meanwhile is not ours.
    connection.lock().await?;
    let missing = missing(&mut connection).await?.len();
    MIGRATOR.run(&mut connection).await?;
    connection.unlock().await?;
    Ok(Migrated(missing))
}
