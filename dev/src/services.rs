//! The workspace's own binaries as children.

use std::env;
use std::ffi::OsStr;
use std::io::{Read, Write};
use std::net::{TcpStream, ToSocketAddrs};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use crate::error::{Error, FileContext, Result};
use crate::process::{Output, Process, Spec};

const STOP_TIMEOUT: Duration = Duration::from_secs(15);
const REQUEST_TIMEOUT: Duration = Duration::from_secs(2);
const POLL_INTERVAL: Duration = Duration::from_millis(20);
/// A health answer is a few hundred bytes.
const ANSWER_LIMIT: u64 = 16 * 1024;
const LOG_LINES: usize = 30;
/// What the shell says to the program that was typed there, not to those that it starts: flags tell
/// them the namespace, where an empty one is no flag; a file with the flags of one program is refused
/// by the others; and a Kafka that we have started knows nothing of another's TLS. Nor is it for ours
/// what it says to the command API of a deployment: which part of the services that runs, how many
/// brokers there are, its name, where its peers reach it, where it keeps state, what its gateway signs
/// with, by which server its mails leave, where ours go into a folder, and who else is told of its
/// orders.
const NOT_INHERITED: [&str; 13] = [
    "OFFSET_ZERO_NAMESPACE",
    "OFFSET_ZERO_CONFIG",
    KAFKA_PROPERTIES,
    "OFFSET_ZERO_SERVICES",
    "OFFSET_ZERO_REPLICATION_FACTOR",
    "OFFSET_ZERO_MEMBER",
    "OFFSET_ZERO_ADVERTISE",
    "OFFSET_ZERO_STATE_DIR",
    "OFFSET_ZERO_STANDBY",
    "OFFSET_ZERO_GATEWAY_WEBHOOK_SECRET",
    "OFFSET_ZERO_SMTP_URL",
    "OFFSET_ZERO_NOTIFY_WEBHOOKS",
    "OFFSET_ZERO_NOTIFY_WEBHOOK_SECRET",
];
/// Where every program finds properties of librdkafka: `name=value`, separated by commas.
pub const KAFKA_PROPERTIES: &str = "OFFSET_ZERO_KAFKA_PROPERTIES";

/// Finds one of the workspace's binaries beside the running executable: in `target/<profile>`, also
/// when that is a test in `target/<profile>/deps` or an example beside it.
pub fn binary(name: &str) -> Result<PathBuf> {
    let executable = env::current_exe().on("find", &PathBuf::from("the running executable"))?;
    let folder = executable.parent().unwrap_or(&executable);
    let folder = match folder.file_name().and_then(OsStr::to_str) {
        Some("deps" | "examples") => folder.parent().unwrap_or(folder),
        _ => folder,
    };
    let path = folder.join(name);
    if path.is_file() {
        return Ok(path);
    }
    Err(Error::BinaryMissing {
        name: name.to_owned(),
        searched: folder.to_path_buf(),
    })
}

/// Runs one of the workspace's binaries in our own environment, as far as that concerns it.
pub(crate) fn command(binary: &Path) -> Command {
    let mut command = Command::new(binary);
    for variable in NOT_INHERITED {
        command.env_remove(variable);
    }
    command
}

/// A running binary of the workspace. Dropping it stops it.
#[derive(Debug)]
pub struct Service {
    process: Process,
}

impl Service {
    /// Starts the binary `name` with these arguments and, beside what it inherits of our environment,
    /// variables.
    pub fn spawn<A, K, V>(
        name: &str,
        arguments: impl IntoIterator<Item = A>,
        variables: impl IntoIterator<Item = (K, V)>,
        output: Output,
    ) -> Result<Self>
    where
        A: AsRef<OsStr>,
        K: AsRef<OsStr>,
        V: AsRef<OsStr>,
    {
        Self::spawn_as(name, name, arguments, variables, output)
    }

    /// As [`spawn`](Self::spawn), called something else in messages: one binary may be several services.
    pub fn spawn_as<A, K, V>(
        title: &str,
        name: &str,
        arguments: impl IntoIterator<Item = A>,
        variables: impl IntoIterator<Item = (K, V)>,
        output: Output,
    ) -> Result<Self>
    where
        A: AsRef<OsStr>,
        K: AsRef<OsStr>,
        V: AsRef<OsStr>,
    {
        let mut command = command(&binary(name)?);
        command.args(arguments).envs(variables);
        Ok(Self {
            process: Process::spawn(Spec::new(title, command, output))?,
        })
    }

    /// Its process, for faults and for its log.
    pub fn process(&self) -> &Process {
        &self.process
    }

    /// Polls `GET <url>/health/ready` until it answers 200. `url` is like `http://127.0.0.1:8080`.
    /// If it has ended, or takes longer than `timeout`, the error holds the tail of its log.
    pub fn wait_ready(&self, url: &str, timeout: Duration) -> Result<()> {
        let deadline = Instant::now() + timeout;
        let name = || self.process.name().to_owned();
        loop {
            let last_answer = match get_status(url, "/health/ready") {
                // Where it has ended, since it could not listen there, this is somebody else's answer.
                Ok(200) if self.process.is_running() => return Ok(()),
                Ok(status) => format!("status {status}"),
                Err(error) => error.to_string(),
            };
            // Also the wait between two tries.
            if let Some(status) = self.process.wait_exit(POLL_INTERVAL) {
                let log = self.process.log_tail(LOG_LINES);
                return Err(Error::Exited {
                    name: name(),
                    status: status.to_string(),
                    log,
                });
            }
            if Instant::now() >= deadline {
                let log = self.process.log_tail(LOG_LINES);
                return Err(Error::NotReady {
                    name: name(),
                    timeout,
                    last_answer,
                    log,
                });
            }
        }
    }

    /// Asks it to end and waits until it is gone.
    pub fn stop(&self) -> Result<()> {
        self.process.stop(STOP_TIMEOUT).map(drop)
    }

    /// Kills it with -9.
    pub fn kill(&self) -> Result<()> {
        self.process.kill().map(drop)
    }
}

/// The status of `GET <url><path>`. By hand, since this is all the HTTP that a blocking crate
/// without a client needs.
fn get_status(url: &str, path: &str) -> std::io::Result<u16> {
    let authority = url
        .strip_prefix("http://")
        .unwrap_or(url)
        .trim_end_matches('/');
    let invalid =
        |what: &str| std::io::Error::new(std::io::ErrorKind::InvalidData, what.to_owned());
    let address = authority
        .to_socket_addrs()?
        .next()
        .ok_or_else(|| invalid("the url names no address"))?;
    let mut stream = TcpStream::connect_timeout(&address, REQUEST_TIMEOUT)?;
    stream.set_read_timeout(Some(REQUEST_TIMEOUT))?;
    stream.set_write_timeout(Some(REQUEST_TIMEOUT))?;
    write!(
        stream,
        "GET {path} HTTP/1.1\r\nhost: {authority}\r\nconnection: close\r\n\r\n"
    )?;
    let mut answer = Vec::new();
    stream.take(ANSWER_LIMIT).read_to_end(&mut answer)?;
    let answer = String::from_utf8_lossy(&answer);
    let status = answer
        .strip_prefix("HTTP/1.1 ")
        .and_then(|rest| rest.get(..3))
        .and_then(|status| status.parse().ok());
    status.ok_or_else(|| invalid("the answer is not HTTP/1.1"))
}

#[cfg(test)]
mod tests {
    use std::io::{BufRead, BufReader};
    use std::net::TcpListener;
    use std::thread;

    use super::*;

    #[test]
    fn a_missing_binary_is_named_with_the_command_that_builds_it() {
        let error = binary("no-such-binary")
            .expect_err("it does not exist")
            .to_string();
        assert!(
            error.contains("no-such-binary") && error.contains("cargo build --workspace --bins"),
            "{error}"
        );
    }

    #[test]
    fn what_the_shell_says_of_the_program_that_was_typed_is_not_inherited() {
        let command = command(Path::new("projectors"));
        for variable in [
            "OFFSET_ZERO_NAMESPACE",
            "OFFSET_ZERO_CONFIG",
            "OFFSET_ZERO_STATE_DIR",
            "OFFSET_ZERO_GATEWAY_WEBHOOK_SECRET",
            "OFFSET_ZERO_SMTP_URL",
            "OFFSET_ZERO_NOTIFY_WEBHOOKS",
        ] {
            let mut set = command.get_envs();
            let is_removed = set.any(|(name, value)| name == variable && value.is_none());
            assert!(is_removed, "{variable}");
        }
    }

    #[test]
    fn the_status_of_an_answer_is_read() {
        let listener = TcpListener::bind("127.0.0.1:0").expect("loopback is there");
        let url = format!("http://{}", listener.local_addr().expect("it is bound"));
        let server = thread::spawn(move || {
            let (mut stream, _) = listener.accept().expect("the client connects");
            // All of it: a connection that is closed with something unread is reset, and the answer with it.
            let lines = BufReader::new(&stream).lines();
            let lines = lines.map(|line| line.expect("the client writes"));
            let request: Vec<String> = lines.take_while(|line| !line.is_empty()).collect();
            stream
                .write_all(b"HTTP/1.1 503 Service Unavailable\r\ncontent-length: 0\r\n\r\n")
                .expect("the client reads");
            request
        });
        assert_eq!(get_status(&url, "/health/ready").expect("it answers"), 503);
        assert_eq!(
            server.join().expect("the server ends")[0],
            "GET /health/ready HTTP/1.1"
        );
    }
}
