//! The way to Postgres, and whether it is there.

use std::{
    error::Error as _,
    iter,
    str::FromStr,
    sync::Arc,
    time::{Duration, Instant},
};

use runtime::{health::Readiness, problem::Problem};
use sqlx::{
    Acquire, Connection, PgConnection,
    error::{DatabaseError, Error},
    postgres::{PgConnectOptions, PgListener, PgPoolOptions},
};
use tokio::sync::{Mutex, watch};

use crate::{
    changes::{Changes, LIVE_CHANNEL, POSITIONS_CHANNEL},
    live::{self, Live, Versions},
};

/// The name of the readiness check.
pub(crate) const CHECK: &str = "postgres";

/// SQLSTATE: no such table.
pub(crate) const UNDEFINED_TABLE: &str = "42P01";
/// No such column.
const UNDEFINED_COLUMN: &str = "42703";

/// From the first statement to the last of one read; Postgres itself gives up a little earlier.
const READ_TIMEOUT: Duration = Duration::from_secs(6);
const STATEMENT_TIMEOUT: &str = "5s";
/// After that a read that nobody waits for any more takes its connection for dead. Where Postgres answers at all, it has ended both
/// statements of a read by then, even of one that had to wait for its connection, and the connection is good.
const GIVE_UP_TIMEOUT: Duration = Duration::from_secs(13);
const CHECK_INTERVAL: Duration = Duration::from_secs(1);
const CHECK_TIMEOUT: Duration = Duration::from_secs(2);
/// Between two tries to listen.
const LISTEN_PAUSE: Duration = Duration::from_secs(1);
/// Whoever has heard nothing for that long asks whether there is still somebody to be heard.
const MAX_SILENCE: Duration = Duration::from_secs(30);
/// When the process stops, for connections that are still in use.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(2);

/// Read-only connections to what is live.
#[derive(Debug, Clone)]
pub struct Database {
    options: PgConnectOptions,
    max_connections: u32,
    live: Arc<watch::Sender<Arc<Live>>>,
    /// For looking at what is live, one look after the other, so that an old answer never comes after a new one. Of its own,
    /// since a busy pool is not an absent Postgres.
    registry: Arc<Mutex<Registry>>,
    changes: Arc<Changes>,
}

/// What looks at what is live have in common.
#[derive(Debug, Default)]
struct Registry {
    connection: Option<PgConnection>,
    /// When the last look began that has come to an end, and to which.
    looked: Option<(Instant, Result<(), ReadError>)>,
}

/// Why a read failed.
#[derive(Debug, Clone, thiserror::Error)]
pub(crate) enum ReadError {
    #[error("the tables of projections do not exist")]
    NotMigrated,
    #[error("the tables of projections are those of an older release; type: offset-zero migrate")]
    Outdated,
    #[error("no version of the projection {0} can be read")]
    NotLive(&'static str),
    #[error("the rows of {0} that this program reads are fed no more")]
    Superseded(&'static str),
    #[error("cannot read from Postgres")]
    Postgres(#[source] Arc<Error>),
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
        let live = Live::new(Versions::default(), &options, max_connections);
        Ok(Self {
            options,
            max_connections,
            live: Arc::new(watch::Sender::new(Arc::new(live))),
            registry: Arc::default(),
            changes: Arc::default(),
        })
    }

    /// What was live when this process last looked.
    pub(crate) fn live(&self) -> Arc<Live> {
        Arc::clone(&self.live.borrow())
    }

    /// What projectors tell.
    pub(crate) fn changes(&self) -> &Changes {
        &self.changes
    }

    /// Looks at what is live, and goes over to it. May be dropped.
    pub(crate) async fn look(&self) -> Result<(), ReadError> {
        in_time(self.look_in_turn()).await
    }

    /// Those that wait for their turn share the next look: it begins after they have asked.
    async fn look_in_turn(&self) -> Result<(), ReadError> {
        let asked_at = Instant::now();
        let mut registry = self.registry.lock().await;
        if let Some((began_at, result)) = &registry.looked
            && *began_at > asked_at
        {
            return result.clone();
        }
        let began_at = Instant::now();
        let result = self.look_now(&mut registry.connection).await;
        registry.looked = Some((began_at, result.clone()));
        result
    }

    async fn look_now(&self, kept: &mut Option<PgConnection>) -> Result<(), ReadError> {
        // Kept only where it has proved good.
        let mut connection = match kept.take() {
            Some(connection) => connection,
            None => PgConnection::connect_with(&self.options).await?,
        };
        let versions = live::versions(&mut connection).await?;
        if *self.live().versions() != versions {
            let live = Live::new(versions, &self.options, self.max_connections);
            self.live.send_replace(Arc::new(live));
        }
        *kept = Some(connection);
        Ok(())
    }

    /// Sets the checks `postgres` and `projections` once a second, for ever; what has gone live unheard is found so.
    pub async fn keep_checking(self, readiness: Readiness) {
        loop {
            let result = match self.look().await {
                Ok(()) | Err(ReadError::NotMigrated) => {
                    readiness.set(live::CHECK, self.live().versions().require_fit());
                    Ok(())
                }
                Err(ReadError::TimedOut) => Err("does not answer".to_owned()),
                Err(error @ ReadError::Outdated) => Err(error.to_string()),
                Err(error) => Err(format!("cannot be reached: {}", chain(&error))),
            };
            readiness.set(CHECK, result);
            tokio::time::sleep(CHECK_INTERVAL).await;
        }
    }

    /// Listens to projectors, for ever: has reads that wait look again, and goes over to what has gone live.
    pub async fn keep_listening(self) {
        self.keep_listening_within(MAX_SILENCE).await;
    }

    /// As [`keep_listening`](Self::keep_listening), asking for a sign of life after so much silence.
    pub async fn keep_listening_within(self, max_silence: Duration) {
        loop {
            if let Err(error) = self.listen(max_silence).await {
                // Readiness says what is wrong with Postgres.
                tracing::debug!(%error, "not listening");
            }
            self.changes.set_listening(false);
            tokio::time::sleep(LISTEN_PAUSE).await;
        }
    }

    /// Until the connection is lost.
    async fn listen(&self, max_silence: Duration) -> Result<(), ReadError> {
        let mut listener = in_time(self.listener()).await?;
        self.changes.set_listening(true);
        self.go_over().await;
        loop {
            let heard = tokio::time::timeout(max_silence, listener.try_recv()).await;
            let Ok(told) = heard else {
                // On a connection that has died silently nothing is told either. What is told meanwhile is heard next.
                in_time(ping(&mut listener)).await?;
                continue;
            };
            match told? {
                Some(told) if told.channel() == LIVE_CHANNEL => self.go_over().await,
                Some(told) => self.changes.tell(told.payload()),
                None => return Ok(()),
            }
        }
    }

    /// Each has a pool of its own: one that is dropped keeps its connection until Postgres has answered its farewell, and the
    /// next one does not wait for that.
    async fn listener(&self) -> Result<PgListener, Error> {
        let pool = PgPoolOptions::new()
            .max_connections(1)
            .idle_timeout(None)
            .max_lifetime(None)
            .connect_lazy_with(self.options.clone());
        let mut listener = PgListener::connect_with(&pool).await?;
        listener.eager_reconnect(false);
        listener
            .listen_all([LIVE_CHANNEL, POSITIONS_CHANNEL])
            .await?;
        Ok(listener)
    }

    async fn go_over(&self) {
        if let Err(error) = self.look().await {
            tracing::debug!(%error, "cannot see what is live; looking again within a second");
        }
    }

    /// Ends the waiting for positions, so that the server can stop: such reads look once more, and their clients come back to
    /// another one.
    pub fn end_waits(&self) {
        self.changes.end();
    }

    /// Closes all connections, once they are free; does not wait for long.
    pub async fn close(&self) {
        let live = self.live();
        let closed = tokio::time::timeout(CLOSE_TIMEOUT, live.close()).await;
        if closed.is_err() {
            tracing::warn!("gave up on connections to Postgres that are still in use");
        }
    }
}

/// What Postgres answers at once, if it answers.
async fn in_time<T, E>(answer: impl Future<Output = Result<T, E>>) -> Result<T, ReadError>
where
    ReadError: From<E>,
{
    // To connect is a large future.
    match tokio::time::timeout(CHECK_TIMEOUT, Box::pin(answer)).await {
        Ok(answer) => Ok(answer?),
        Err(_) => Err(ReadError::TimedOut),
    }
}

/// A round trip on the very connection that listens.
async fn ping(listener: &mut PgListener) -> Result<(), Error> {
    listener.acquire().await?.ping().await
}

/// Runs a read to its end even when nobody waits for it any more: a handler is dropped when its client leaves, and a read that
/// is dropped costs a connection ([`Lent`](crate::live::Lent)). One whose connection has died silently would never end,
/// so that it is dropped after all, when a slow one has long ended.
pub(crate) async fn detached<T: Send + 'static>(
    read: impl Future<Output = Result<T, ReadError>> + Send + 'static,
) -> Result<T, ReadError> {
    let read = tokio::spawn(tokio::time::timeout(GIVE_UP_TIMEOUT, read));
    match tokio::time::timeout(READ_TIMEOUT, read).await {
        Ok(Ok(Ok(result))) => result,
        Ok(Ok(Err(_))) | Err(_) => Err(ReadError::TimedOut),
        Ok(Err(_)) => Err(ReadError::Panicked),
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

/// Of a statement about the registry, which migrations make.
pub(crate) fn of_registry(error: Error) -> ReadError {
    if has_code(&error, UNDEFINED_TABLE) {
        return ReadError::NotMigrated;
    }
    if has_code(&error, UNDEFINED_COLUMN) {
        return ReadError::Outdated;
    }
    error.into()
}

impl From<Error> for ReadError {
    fn from(error: Error) -> Self {
        Self::Postgres(Arc::new(error))
    }
}

impl From<ReadError> for Problem {
    fn from(error: ReadError) -> Self {
        // What readiness tells and logs once is not logged again for every read.
        match error {
            ReadError::NotMigrated | ReadError::NotLive(_) => Self::unavailable().detail(
                format_args!("{error}; no projector of this release has made it yet"),
            ),
            ReadError::Outdated => Self::unavailable().detail(error),
            ReadError::Superseded(_) => Self::unavailable().detail(format_args!(
                "{error}, and lack what is asked for; ask a query-api of the projectors' release"
            )),
            // All are in use, or Postgres is not there.
            ReadError::Postgres(error) if matches!(*error, Error::PoolTimedOut) => {
                Self::unavailable().detail("no connection to the database could be had in time")
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
