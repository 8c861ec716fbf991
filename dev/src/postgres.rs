//! A real Postgres server, natively, from the machine's own binaries.

mod binaries;
mod database;
mod relay;

use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt, chown};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;
use nix::unistd::{Uid, User};

use crate::error::{Error, FileContext, Result};
use crate::ports;
use crate::process::{self, Output, Process, Spec};
use crate::secured::Secured;
use binaries::Binaries;
pub use database::{ScratchDatabase, drop_scratch_databases, without_password};
pub(crate) use database::{create_database, database_name, ping, with_database};
pub use relay::Relay;

const START_TIMEOUT: Duration = Duration::from_secs(60);
const STOP_TIMEOUT: Duration = Duration::from_secs(20);
/// How long the children of a killed server may take to end.
const PREDECESSOR_TIMEOUT: Duration = Duration::from_secs(10);
const POLL_INTERVAL: Duration = Duration::from_millis(20);
const LOG_LINES: usize = 30;
/// Many tests at once, each with a pool or two of its own.
const MAX_CONNECTIONS: u32 = 300;
const SUPERUSER: &str = "postgres";

/// What a secured server reads, below its folder.
const CERTIFICATE: &str = "server.pem";
const KEY: &str = "server.key";
const PASSWORD: &str = "password";
const HOSTS: &str = "hosts.conf";
/// `pg_hba.conf` of a secured server.
const TLS_AND_PASSWORD_ONLY: &str = "hostssl all all 127.0.0.1/32 scram-sha-256\n";

/// How to run the server.
#[derive(Debug, Clone)]
pub struct PostgresOptions {
    /// Data and log; created and initialised where missing, kept where not. As root, the user
    /// `postgres` must be able to enter it.
    pub data_dir: PathBuf,
    /// The port to listen on; a free one where `None`.
    pub port: Option<u16>,
    /// Whether a commit survives a power cut. Tests do without: it halves the work of each.
    pub durable: bool,
}

/// A running server. Dropping it stops it.
#[derive(Debug)]
pub struct Postgres {
    options: PostgresOptions,
    secured: Option<Box<Secured>>,
    binaries: Binaries,
    user: Option<User>,
    port: u16,
    process: Process,
}

impl Postgres {
    /// Starts a server, initialises its data where there is none, and waits until it answers.
    pub fn start(options: PostgresOptions) -> Result<Self> {
        Self::start_as(options, None)
    }

    /// As [`start`](Self::start), one that takes nobody without TLS and the password. Its data has to be fresh.
    pub fn start_secured(options: PostgresOptions, secured: Secured) -> Result<Self> {
        Self::start_as(options, Some(secured))
    }

    fn start_as(options: PostgresOptions, secured: Option<Secured>) -> Result<Self> {
        let binaries = Binaries::find()?;
        let user = unprivileged_user()?;
        let port = ports::requested("postgres", options.port)?;
        prepare(&options, secured.as_ref(), &binaries, user.as_ref())?;
        let is_secured = secured.is_some();
        let process = spawn(&options, is_secured, &binaries, user.as_ref(), port)?;
        let mut postgres = Self {
            options,
            secured: secured.map(Box::new),
            binaries,
            user,
            port,
            process,
        };
        postgres.wait_ready()?;
        Ok(postgres)
    }

    /// The URL of a database, which need not exist. It says nothing of TLS, which is then used where the server has it.
    pub fn url(&self, database: &str) -> String {
        let password = match &self.secured {
            Some(secured) => format!(":{}", secured.password),
            None => String::new(),
        };
        format!(
            "postgres://{SUPERUSER}{password}@127.0.0.1:{}/{database}",
            self.port
        )
    }

    /// Creates a database; one that exists is kept.
    pub fn create_database(&self, name: &str) -> Result<()> {
        create_database(&self.url(SUPERUSER), name)
    }

    /// The server's log file.
    pub fn log_file(&self) -> PathBuf {
        self.options.data_dir.join("postgres.log")
    }

    /// The server's process, for faults and for its log.
    pub fn process(&self) -> &Process {
        &self.process
    }

    /// Stops it in order, without waiting for its clients to leave.
    pub fn stop(&self) -> Result<()> {
        self.process.stop(STOP_TIMEOUT).map(drop)
    }

    /// Kills it with -9. Its own children notice, and end.
    pub fn kill(&self) -> Result<()> {
        self.process.kill().map(drop)
    }

    /// Starts it again, after [`stop`](Self::stop) or [`kill`](Self::kill) or out of its running
    /// state, on the same data and port, and waits until it answers.
    pub fn restart(&mut self) -> Result<()> {
        self.stop()?;
        self.respawn()?;
        self.wait_ready()
    }

    fn respawn(&mut self) -> Result<()> {
        self.process = spawn(
            &self.options,
            self.secured.is_some(),
            &self.binaries,
            self.user.as_ref(),
            self.port,
        )?;
        Ok(())
    }

    fn wait_ready(&mut self) -> Result<()> {
        let start = Instant::now();
        loop {
            let Err(last_answer) = ping(&self.url(SUPERUSER)) else {
                return Ok(());
            };
            let log = || self.process.log_tail(LOG_LINES);
            if let Some(status) = self.process.exit_status() {
                if !is_predecessor_ending(&log()) || start.elapsed() >= PREDECESSOR_TIMEOUT {
                    return Err(Error::Exited {
                        name: "postgres".to_owned(),
                        status: status.to_string(),
                        log: log(),
                    });
                }
                self.respawn()?;
            } else if start.elapsed() >= START_TIMEOUT {
                let name = "postgres".to_owned();
                return Err(Error::NotReady {
                    name,
                    timeout: START_TIMEOUT,
                    last_answer,
                    log: log(),
                });
            }
            // Also the wait between two tries.
            self.process.wait_exit(POLL_INTERVAL);
        }
    }
}

/// After a kill -9 the last of the old server's children may still hold its data.
fn is_predecessor_ending(log: &str) -> bool {
    log.contains("pre-existing shared memory block")
        || log.contains("lock file \"postmaster.pid\" already exists")
}

/// Postgres refuses to run as root: then its package's user runs it.
fn unprivileged_user() -> Result<Option<User>> {
    if !Uid::effective().is_root() {
        return Ok(None);
    }
    User::from_name("postgres")
        .ok()
        .flatten()
        .map(Some)
        .ok_or(Error::PostgresUserMissing)
}

/// Creates and initialises the data folder where it is not yet.
fn prepare(
    options: &PostgresOptions,
    secured: Option<&Secured>,
    binaries: &Binaries,
    user: Option<&User>,
) -> Result<()> {
    let folder = &options.data_dir;
    fs::create_dir_all(folder).on("create", folder)?;
    let data = folder.join("data");
    give(folder, user)?;
    if let Some(secured) = secured {
        write_secrets(folder, secured, user)?;
    }
    if data.join("PG_VERSION").exists() {
        return Ok(());
    }
    // An interrupted initdb leaves a folder that the next one refuses.
    let partial = folder.join("data.partial");
    if partial.exists() {
        fs::remove_dir_all(&partial).on("remove", &partial)?;
    }
    let mut initdb = command(binaries, "initdb", user);
    initdb.args([
        "--username",
        SUPERUSER,
        "--auth",
        "trust",
        "--encoding",
        "UTF8",
        "--locale",
        "C",
        "--no-instructions",
    ]);
    if !options.durable {
        initdb.arg("--no-sync");
    }
    if secured.is_some() {
        initdb.arg("--pwfile").arg(folder.join(PASSWORD));
    }
    initdb.arg("--pgdata").arg(&partial).current_dir(folder);
    process::run("initialising Postgres", initdb, &folder.join("initdb.log"))?;
    fs::rename(&partial, &data).on("complete", &data)
}

/// Makes it that of the user who runs the server.
fn give(path: &Path, user: Option<&User>) -> Result<()> {
    match user {
        Some(user) => chown(path, Some(user.uid.as_raw()), Some(user.gid.as_raw()))
            .on("give to user postgres", path),
        None => Ok(()),
    }
}

/// Writes what a secured server reads. Postgres refuses a key that others can read.
fn write_secrets(folder: &Path, secured: &Secured, user: Option<&User>) -> Result<()> {
    for (name, content) in [
        (CERTIFICATE, &*secured.certificate),
        (KEY, &*secured.key),
        (PASSWORD, &*secured.password),
        (HOSTS, TLS_AND_PASSWORD_ONLY),
    ] {
        let path = folder.join(name);
        fs::write(&path, content).on("write", &path)?;
        fs::set_permissions(&path, Permissions::from_mode(0o600)).on("protect", &path)?;
        give(&path, user)?;
    }
    Ok(())
}

fn spawn(
    options: &PostgresOptions,
    is_secured: bool,
    binaries: &Binaries,
    user: Option<&User>,
    port: u16,
) -> Result<Process> {
    let folder = &options.data_dir;
    let mut postgres = command(binaries, "postgres", user);
    postgres
        .arg("-D")
        .arg(folder.join("data"))
        .current_dir(folder);
    let mut set = |setting: String| {
        postgres.arg("-c").arg(setting);
    };
    set(format!("port={port}"));
    // Loopback only, and no socket in a folder that other users share.
    set("listen_addresses=127.0.0.1".to_owned());
    set("unix_socket_directories=".to_owned());
    set(format!("max_connections={MAX_CONNECTIONS}"));
    set("shared_buffers=256MB".to_owned());
    set("max_wal_size=2GB".to_owned());
    set("timezone=UTC".to_owned());
    if is_secured {
        set("ssl=on".to_owned());
        for (setting, name) in [
            ("ssl_cert_file", CERTIFICATE),
            ("ssl_key_file", KEY),
            ("hba_file", HOSTS),
        ] {
            set(format!("{setting}={}", folder.join(name).display()));
        }
    }
    if !options.durable {
        for setting in ["fsync", "synchronous_commit", "full_page_writes"] {
            set(format!("{setting}=off"));
        }
    }
    let mut spec = Spec::new(
        "postgres",
        postgres,
        Output::File(folder.join("postgres.log")),
    );
    // Fast shutdown: SIGTERM would wait for every client to leave.
    spec.stop_signal = Signal::SIGINT;
    // Immediate shutdown: its children end with it, and the next start recovers.
    spec.parent_death_signal = Signal::SIGQUIT;
    Process::spawn(spec)
}

fn command(binaries: &Binaries, program: &str, user: Option<&User>) -> Command {
    let mut command = Command::new(binaries.path(program));
    if let Some(user) = user {
        command.uid(user.uid.as_raw()).gid(user.gid.as_raw());
    }
    // Settings for the caller's own Postgres clients are not meant for this server.
    for variable in ["PGDATA", "PGPORT", "PGHOST", "PGUSER", "PGDATABASE"] {
        command.env_remove(variable);
    }
    command.env("LC_ALL", "C");
    command
}
