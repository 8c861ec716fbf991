//! What can go wrong while starting or stopping the stack, told so that the reader knows what to do.

use std::path::PathBuf;
use std::time::Duration;

/// A failure to start, stop or reach a part of the stack.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The clone's folder could not be found from where we run.
    #[error(
        "no folder with dev/kafka/pom.xml found upwards of {searched}; run inside the clone or set OFFSET_ZERO_HOME to its path"
    )]
    HomeNotFound {
        /// The folders the search began at.
        searched: String,
    },

    /// A file or folder could not be read, written, locked or removed.
    #[error("{action} {}", path.display())]
    File {
        /// What was attempted, as `create`, `read`, `lock`.
        action: &'static str,
        /// On which file or folder.
        path: PathBuf,
        /// Why the system refused.
        source: std::io::Error,
    },

    /// A program could not be started.
    #[error("start {program}; is it installed? `make setup` installs or names what is missing")]
    Spawn {
        /// The program's name or path.
        program: String,
        /// Why the system refused.
        source: std::io::Error,
    },

    /// A program that should end well did not.
    #[error("{what} failed with {status}:\n{output}")]
    Command {
        /// What was attempted.
        what: String,
        /// The exit status, in words.
        status: String,
        /// The end of what it printed.
        output: String,
    },

    /// A server or service ended while it was expected to become ready.
    #[error("{name} ended ({status}) before it was ready; the end of its log:\n{log}")]
    Exited {
        /// Which one.
        name: String,
        /// The exit status, in words.
        status: String,
        /// The tail of its log.
        log: String,
    },

    /// A server or service did not become ready in time.
    #[error("{name} was not ready after {timeout:?} ({last_answer}); the end of its log:\n{log}")]
    NotReady {
        /// Which one.
        name: String,
        /// How long it was given.
        timeout: Duration,
        /// What it last answered.
        last_answer: String,
        /// The tail of its log.
        log: String,
    },

    /// A signal could not be delivered.
    #[error("send {signal} to {name}")]
    Signal {
        /// The receiver.
        name: String,
        /// The signal's name.
        signal: &'static str,
        /// Why the system refused.
        source: nix::Error,
    },

    /// No Postgres server binaries of a supported version are on this machine.
    #[error(
        "no Postgres server binaries of version {minimum} or later found in PATH, /usr/lib/postgresql or Homebrew; run `make setup`, or set DATABASE_URL"
    )]
    PostgresMissing {
        /// The oldest supported major version.
        minimum: u32,
    },

    /// Postgres refuses to run as root, and there is no user to run it as.
    #[error(
        "postgres refuses to run as root and this machine has no user `postgres`; create one with `useradd --system postgres`, or run as another user"
    )]
    PostgresUserMissing,

    /// A database could not be created or dropped.
    #[error("{action} database {name}")]
    Database {
        /// What was attempted: `create` or `drop`.
        action: &'static str,
        /// The database's name.
        name: String,
        /// What the driver reported.
        source: sqlx::Error,
    },

    /// A name that cannot be a database's name here.
    #[error("`{name}` cannot be a database name: use 1 to 63 of a-z, 0-9, _ and -")]
    DatabaseName {
        /// The refused name.
        name: String,
    },

    /// What names the database is not a Postgres URL.
    #[error(
        "the database's URL (--database-url, DATABASE_URL) must look like postgres://user@host:port/database"
    )]
    DatabaseUrl {
        /// What the driver reported.
        source: sqlx::Error,
    },

    /// A Kafka client could not be made.
    #[error("create a kafka client for {brokers}")]
    KafkaClient {
        /// The bootstrap addresses.
        brokers: String,
        /// What the client reported.
        source: rdkafka::error::KafkaError,
    },

    /// What the simulated gateway has kept cannot be read.
    #[error("read the gateway's books: line {line} of {}", path.display())]
    Books {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: usize,
        /// What is wrong with it.
        source: serde_json::Error,
    },

    /// An HTTP client could not be made.
    #[error("create an http client")]
    HttpClient {
        /// What the client reported.
        source: reqwest::Error,
    },

    /// The simulated carrier cannot read the topic of shipments.
    #[error("read shipments")]
    Shipments {
        /// What the client reported.
        source: rdkafka::error::KafkaError,
    },

    /// `OFFSET_ZERO_STACK` holds something we don't know.
    #[error("OFFSET_ZERO_STACK is `{value}`; use `native` or `docker`")]
    UnknownStack {
        /// Its value.
        value: String,
    },

    /// Data is to stay, and containers would not keep it.
    #[error(
        "containers of OFFSET_ZERO_STACK=docker keep no data; type `docker compose up` for some that do, or unset the variable"
    )]
    NotKept,

    /// A container could not be started or asked.
    #[error("start {image} in Docker; is the Docker engine running?")]
    Container {
        /// The image.
        image: String,
        /// What testcontainers reported.
        source: testcontainers::TestcontainersError,
    },

    /// No free loopback port was found.
    #[error("find a free loopback port")]
    NoFreePort {
        /// Why the last try failed.
        source: std::io::Error,
    },

    /// A port that was asked for by number is in use.
    #[error(
        "port {port} for {name} is in use; stop what listens there (another `make up`?) or choose another port by flag or environment"
    )]
    PortTaken {
        /// What was to listen there.
        name: &'static str,
        /// The port.
        port: u16,
    },

    /// One of the workspace's binaries has not been built.
    #[error("{name} not found in {}; build it first: `cargo build --workspace --bins`", searched.display())]
    BinaryMissing {
        /// The binary.
        name: String,
        /// Where it should be.
        searched: PathBuf,
    },
}

/// A result of this crate.
pub type Result<T> = std::result::Result<T, Error>;

/// Gives an I/O error the action and the path that it lacks.
pub(crate) trait FileContext<T> {
    fn on(self, action: &'static str, path: &std::path::Path) -> Result<T>;
}

impl<T> FileContext<T> for std::io::Result<T> {
    fn on(self, action: &'static str, path: &std::path::Path) -> Result<T> {
        self.map_err(|source| Error::File {
            action,
            path: path.to_path_buf(),
            source,
        })
    }
}
