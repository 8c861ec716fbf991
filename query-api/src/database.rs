//! The way to Postgres, and whether it is there.

use std::{error::Error as _, iter, str::FromStr, time::Duration};

use runtime::{health::Readiness, problem::Problem};
use sqlx::{
    Connection, PgConnection, PgPool,
    error::{DatabaseError, Error},
    postgres::{PgConnectOptions, PgPoolOptions},
};

/// The name of the readiness check.
pub(crate) const CHECK: &str = "postgres";

const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(2);
/// From the first statement to the last of one read; Postgres itself gives up a little earlier.
const READ_TIMEOUT: Duration = Duration::from_secs(6);
const STATEMENT_TIMEOUT: &str = "5s";
const CHECK_INTERVAL: Duration = Duration::from_secs(1);
const CHECK_TIMEOUT: Duration = Duration::from_secs(2);
/// A connection that was idle for longer is tried before it is used; one in steady use need not be.
const TRUSTED_IDLE_TIME: Duration = Duration::from_secs(1);

/// A pool of read-only connections.
#[derive(Debug, Clone)]
pub struct Database {
    pool: PgPool,
    options: PgConnectOptions,
}

/// Why a read failed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ReadError {
    #[error("the tables of projections do not exist")]
    NotMigrated,
    #[error("no version of the projection {0} is live")]
    NotLive(&'static str),
    #[error("cannot read from Postgres")]
    Postgres(#[from] Error),
    #[error("Postgres did not answer in time")]
    TimedOut,
    #[error("the read panicked")]
    Panicked,
}

impl Database {
    /// Connects when it is first used, so that a server can start before Postgres does.
    ///
    /// # Errors
    /// When the URL cannot be read.
    pub fn new(url: &str, max_connections: u32) -> Result<Self, Error> {
        let options = PgConnectOptions::from_str(url)?
            .application_name("query-api")
            .options([
                ("default_transaction_read_only", "on"),
                ("statement_timeout", STATEMENT_TIMEOUT),
                ("idle_in_transaction_session_timeout", STATEMENT_TIMEOUT),
            ]);
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
            .connect_lazy_with(options.clone());
        Ok(Self { pool, options })
    }

    pub(crate) fn pool(&self) -> &PgPool {
        &self.pool
    }

    /// Sets the check `postgres` once a second, for ever, over a connection of its own: a busy pool is not an absent
    /// Postgres.
    pub async fn keep_checking(self, readiness: Readiness) {
        let mut connection = None;
        loop {
            let check = tokio::time::timeout(CHECK_TIMEOUT, self.check(connection.take())).await;
            let result = match check {
                Ok(Ok(checked)) => {
                    connection = Some(checked);
                    Ok(())
                }
                Ok(Err(error)) => Err(format!("cannot be reached: {error}")),
                Err(_) => Err("does not answer".to_owned()),
            };
            readiness.set(CHECK, result);
            tokio::time::sleep(CHECK_INTERVAL).await;
        }
    }

    async fn check(&self, connection: Option<PgConnection>) -> Result<PgConnection, Error> {
        let mut connection = match connection {
            Some(connection) => connection,
            None => PgConnection::connect_with(&self.options).await?,
        };
        connection.ping().await?;
        Ok(connection)
    }

    /// Closes all connections, once they are free.
    pub async fn close(&self) {
        self.pool.close().await;
    }
}

/// Runs a read to its end even when nobody waits for it any more. A handler is dropped when its client leaves, and a
/// transaction that is dropped while it begins leaves a broken connection in the pool (sqlx #4385).
pub(crate) async fn detached<T: Send + 'static>(
    read: impl Future<Output = Result<T, ReadError>> + Send + 'static,
) -> Result<T, ReadError> {
    match tokio::time::timeout(READ_TIMEOUT, tokio::spawn(read)).await {
        Ok(Ok(result)) => result,
        Ok(Err(_)) => Err(ReadError::Panicked),
        Err(_) => Err(ReadError::TimedOut),
    }
}

/// Whether the connection, not the read, was at fault: it is gone, or Postgres is.
pub(crate) fn is_disconnected(error: &Error) -> bool {
    match error {
        Error::Io(_) | Error::Tls(_) | Error::PoolTimedOut | Error::PoolClosed => true,
        Error::WorkerCrashed | Error::BeginFailed => true,
        // 08: connection exception; 53: insufficient resources; 57P: shut down, starting, or told to end.
        Error::Database(error) => error.code().is_some_and(|code| {
            ["08", "53", "57P"]
                .iter()
                .any(|class| code.starts_with(class))
        }),
        _ => false,
    }
}

/// Whether Postgres answered with this SQLSTATE.
pub(crate) fn has_code(error: &Error, state: &str) -> bool {
    let error = error.as_database_error();
    error.and_then(DatabaseError::code).as_deref() == Some(state)
}

impl From<ReadError> for Problem {
    fn from(error: ReadError) -> Self {
        // What readiness tells and logs once is not logged again for every read.
        match error {
            ReadError::NotMigrated | ReadError::NotLive(_) => {
                Self::unavailable().detail(format_args!("{error}; no projector has made it yet"))
            }
            ReadError::Postgres(error) if is_disconnected(&error) => {
                Self::unavailable().detail("the database cannot be reached")
            }
            ReadError::TimedOut => Self::unavailable()
                .detail("the database did not answer in time")
                .caused_by(error),
            ReadError::Postgres(error) if has_code(&error, "57014") => Self::unavailable()
                .detail("the database did not answer in time")
                .caused_by(error),
            ReadError::Postgres(_) | ReadError::Panicked => Self::internal(chain(&error)),
        }
    }
}

fn chain(error: &ReadError) -> String {
    let sources = iter::successors(error.source(), |error| (*error).source());
    sources.fold(error.to_string(), |text, source| {
        format!("{text}: {source}")
    })
}
