//! Creating, reaching and dropping databases, the same for a native server, a container's, and one
//! that was there already.

use std::mem;
use std::str::FromStr;
use std::sync::mpsc::channel;
use std::sync::{Mutex, MutexGuard, PoisonError, RwLock};
use std::thread;
use std::time::Duration;

use sqlx::postgres::{PgConnectOptions, PgConnection};
use sqlx::{ConnectOptions, Connection};
use uuid::Uuid;

use crate::error::{Error, Result};

/// Postgres' own limit on identifiers.
const NAME_LIMIT: usize = 63;
/// For a connection that only asks whether anybody is there; whoever waits asks again.
const PING_TIMEOUT: Duration = Duration::from_secs(2);
/// For one that creates or drops a database, on a server that is there, however busy: it is asked once.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(30);
/// SQLSTATE `duplicate_database`; `unique_violation` is what two at once get.
const EXISTS: [&str; 2] = ["42P04", "23505"];
/// So that whoever finds one that was left behind knows whose it was.
const SCRATCH_PREFIX: &str = "offset_zero_";
/// How long a process that ends at once waits for its scratch databases to be dropped.
const LAST_DROP_TIMEOUT: Duration = Duration::from_secs(5);

/// Those of this process.
static SCRATCH: Mutex<Vec<Place>> = Mutex::new(Vec::new());
/// Held, with others, by whoever creates one; alone by whoever wants none to come.
static CREATING: RwLock<()> = RwLock::new(());

/// A database that nobody else has, on a server that others may use as well. Dropped with its
/// handle, whoever is still connected to it.
#[derive(Debug)]
pub struct ScratchDatabase {
    place: Place,
    url: String,
}

/// A database on a server.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Place {
    server_url: String,
    name: String,
}

impl ScratchDatabase {
    /// Creates one on the server of this URL, which may name any database that is there.
    pub fn create(server_url: &str) -> Result<Self> {
        let name = format!("{SCRATCH_PREFIX}{}", Uuid::now_v7().simple());
        let url = with_database(server_url, &name)?;
        let _creating = CREATING.read().unwrap_or_else(PoisonError::into_inner);
        create_database(server_url, &name)?;
        let place = Place {
            server_url: server_url.to_owned(),
            name,
        };
        scratch().push(place.clone());
        Ok(Self { place, url })
    }

    /// Its URL.
    pub fn url(&self) -> &str {
        &self.url
    }
}

impl Drop for ScratchDatabase {
    fn drop(&mut self) {
        self.place.clear();
        scratch().retain(|place| *place != self.place);
    }
}

impl Place {
    fn clear(&self) {
        if let Err(error) = drop_database(&self.server_url, &self.name) {
            let error: &(dyn std::error::Error + 'static) = &error;
            tracing::warn!(error, "could not drop the scratch database");
        }
    }
}

/// Drops all scratch databases of this process: for one that is to end at once, without dropping their
/// handles. Gives up after some seconds.
pub fn drop_scratch_databases() {
    let (done, waiting) = channel();
    thread::spawn(move || {
        let _nobody_creates = CREATING.write().unwrap_or_else(PoisonError::into_inner);
        let places = mem::take(&mut *scratch());
        places.iter().for_each(Place::clear);
        // Whoever has given up does not hear it.
        let _ = done.send(());
    });
    if waiting.recv_timeout(LAST_DROP_TIMEOUT).is_err() {
        tracing::warn!("gave up on dropping scratch databases");
    }
}

fn scratch() -> MutexGuard<'static, Vec<Place>> {
    SCRATCH.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Creates the database `name` on the server of `admin_url`; one that exists is kept.
pub(crate) fn create_database(admin_url: &str, name: &str) -> Result<()> {
    check_name(name)?;
    // A quoted identifier cannot be a parameter; the check above leaves nothing to escape.
    let statement = format!("create database \"{name}\"");
    match execute(admin_url, statement) {
        Err(sqlx::Error::Database(error))
            if error.code().is_some_and(|code| EXISTS.contains(&&*code)) =>
        {
            Ok(())
        }
        other => other.map_err(|source| Error::Database {
            action: "create",
            name: name.to_owned(),
            source,
        }),
    }
}

/// Drops the database `name` on the server of `admin_url`, whoever is connected to it; one that is
/// not there is as good as dropped.
fn drop_database(admin_url: &str, name: &str) -> Result<()> {
    check_name(name)?;
    let statement = format!("drop database if exists \"{name}\" with (force)");
    execute(admin_url, statement).map_err(|source| Error::Database {
        action: "drop",
        name: name.to_owned(),
        source,
    })
}

/// Asks the server of `url` for a sign of life; what it answered instead if there is none.
pub(crate) fn ping(url: &str) -> std::result::Result<(), String> {
    blocking(url, PING_TIMEOUT, async |connection: &mut PgConnection| {
        connection.ping().await
    })
    .map_err(|error| error.to_string())
}

/// `url` with another database. Done on the text, so that everything else stays as it was given;
/// except for a parameter that names a database, which would win over the path.
pub(crate) fn with_database(url: &str, name: &str) -> Result<String> {
    check_name(name)?;
    PgConnectOptions::from_str(url).map_err(|source| Error::DatabaseUrl { source })?;
    let parts = Parts::of(url);
    Ok(format!(
        "{}{}/{name}{}",
        parts.scheme,
        parts.authority,
        parts.parameters_without("dbname=")
    ))
}

/// `url` as it may be shown: without the password, and otherwise as it was given.
#[must_use]
pub fn without_password(url: &str) -> String {
    let parts = Parts::of(url);
    let (user, host) = match parts.authority.rsplit_once('@') {
        Some((credentials, host)) => {
            let user = credentials.split(':').next().unwrap_or_default();
            (format!("{user}@"), host)
        }
        None => (String::new(), parts.authority),
    };
    format!(
        "{}{user}{host}{}{}",
        parts.scheme,
        parts.path,
        parts.parameters_without("password=")
    )
}

/// The text of a URL.
struct Parts<'a> {
    /// With what sets it off.
    scheme: &'a str,
    /// User, password, host and port.
    authority: &'a str,
    /// With its slash, where there is one.
    path: &'a str,
    parameters: &'a str,
}

impl<'a> Parts<'a> {
    fn of(url: &'a str) -> Self {
        let (address, parameters) = url.split_once('?').unwrap_or((url, ""));
        let authority = address.find("://").map_or(0, |start| start + "://".len());
        let (scheme, rest) = address.split_at(authority);
        let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
        Self {
            scheme,
            authority,
            path,
            parameters,
        }
    }

    /// Those that do not begin so, set off.
    fn parameters_without(&self, prefix: &str) -> String {
        let kept = self.parameters.split('&');
        let kept: Vec<&str> = kept
            .filter(|parameter| !parameter.is_empty() && !parameter.starts_with(prefix))
            .collect();
        let separator = if kept.is_empty() { "" } else { "?" };
        format!("{separator}{}", kept.join("&"))
    }
}

/// The database that `url` names.
pub(crate) fn database_name(url: &str) -> Result<Option<String>> {
    let options =
        PgConnectOptions::from_str(url).map_err(|source| Error::DatabaseUrl { source })?;
    Ok(options.get_database().map(str::to_owned))
}

fn check_name(name: &str) -> Result<()> {
    let is_plain = |byte: u8| {
        byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_' || byte == b'-'
    };
    if !name.is_empty() && name.len() <= NAME_LIMIT && name.bytes().all(is_plain) {
        return Ok(());
    }
    Err(Error::DatabaseName {
        name: name.to_owned(),
    })
}

fn execute(url: &str, statement: String) -> sqlx::Result<()> {
    blocking(
        url,
        CONNECT_TIMEOUT,
        async move |connection: &mut PgConnection| {
            sqlx::raw_sql(sqlx::AssertSqlSafe(statement))
                .execute(connection)
                .await
                .map(drop)
        },
    )
}

/// Runs `work` on a connection to `url`, on a thread of its own: the caller's may be a runtime's,
/// where a second one is refused.
fn blocking<T: Send>(
    url: &str,
    connect_within: Duration,
    work: impl AsyncFnOnce(&mut PgConnection) -> sqlx::Result<T> + Send,
) -> sqlx::Result<T> {
    let options = PgConnectOptions::from_str(url)?;
    thread::scope(|scope| {
        let run = scope.spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .map_err(sqlx::Error::Io)?;
            runtime.block_on(async {
                let connecting = tokio::time::timeout(connect_within, options.connect());
                let mut connection = connecting.await.map_err(|_| sqlx::Error::PoolTimedOut)??;
                let result = work(&mut connection).await?;
                // The answer is in hand; a failed farewell changes nothing.
                let _ = connection.close().await;
                Ok(result)
            })
        });
        run.join()
            .expect("neither sqlx nor the closures here panic")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_would_need_quoting_are_refused() {
        for name in ["", "a\"b", "Orders", "a b", "a;b", &"a".repeat(64)] {
            assert!(check_name(name).is_err(), "{name}");
        }
        assert!(check_name("offset_zero-1").is_ok());
    }

    #[test]
    fn the_database_of_a_url_is_replaced_and_the_rest_is_kept() {
        let replaced = |url| with_database(url, "other").expect("the URL is well-formed");
        assert_eq!(
            replaced("postgres://me:secret@db.example:6543/orders"),
            "postgres://me:secret@db.example:6543/other"
        );
        assert_eq!(
            replaced("postgres://db/orders?sslmode=require"),
            "postgres://db/other?sslmode=require"
        );
        assert_eq!(replaced("postgres://db"), "postgres://db/other");
        assert_eq!(
            replaced("postgres://db/?dbname=orders"),
            "postgres://db/other"
        );
        assert_eq!(
            replaced("postgres://db?user=me&dbname=orders&sslmode=require"),
            "postgres://db/other?user=me&sslmode=require"
        );
        assert_eq!(
            database_name("postgres://db/orders")
                .expect("well-formed")
                .as_deref(),
            Some("orders")
        );
        assert_eq!(database_name("postgres://db").expect("well-formed"), None);
    }

    #[test]
    fn a_url_is_shown_without_its_password_and_otherwise_as_it_was_given() {
        for (url, shown) in [
            (
                "postgres://me:secret@db.example:6543/orders?sslmode=require",
                "postgres://me@db.example:6543/orders?sslmode=require",
            ),
            (
                "postgres://me:se:cr@et@db/orders",
                "postgres://me@db/orders",
            ),
            ("postgres://me@db", "postgres://me@db"),
            (
                "postgres://[::1]:5433/orders",
                "postgres://[::1]:5433/orders",
            ),
            (
                "postgres:///orders?host=/run&password=secret&user=me",
                "postgres:///orders?host=/run&user=me",
            ),
            ("postgres://db/?password=secret", "postgres://db/"),
        ] {
            assert_eq!(without_password(url), shown);
        }
    }
}
