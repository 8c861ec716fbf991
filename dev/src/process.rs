//! Children that end with us.
//!
//! Every child gets a process group of its own, so that a Ctrl-C in the terminal reaches only us
//! and we stop the parts in order, and a parent-death signal (Linux), so that it ends even when we
//! are killed with -9. A handle that is dropped stops its child.

mod launcher;
mod output;

use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::sys::signal::{self, Signal};
use nix::unistd::Pid;

use crate::error::{Error, Result};
use output::Log;
pub use output::Output;

/// How long a dropped handle lets its child end by itself.
const DROP_TIMEOUT: Duration = Duration::from_secs(10);
/// How often an exit, or a word, is looked for: waits are rare and short, so the poll costs nothing.
const POLL_INTERVAL: Duration = Duration::from_millis(5);

/// What to start, and how it is to be ended.
#[derive(Debug)]
pub struct Spec {
    /// What it is called in messages.
    pub name: String,
    /// The program with arguments, environment and user.
    pub command: Command,
    /// Where its output goes.
    pub output: Output,
    /// What asks it to end.
    pub stop_signal: Signal,
    /// What it gets when we die without stopping it. `SIGKILL` unless it has children of its own to end.
    pub parent_death_signal: Signal,
}

impl Spec {
    /// A child that ends by `SIGTERM`.
    pub fn new(name: impl Into<String>, command: Command, output: Output) -> Self {
        Self {
            name: name.into(),
            command,
            output,
            stop_signal: Signal::SIGTERM,
            parent_death_signal: Signal::SIGKILL,
        }
    }
}

/// A running (or ended) child. All methods take `&self`, so that a test's threads can share it.
#[derive(Debug)]
pub struct Process {
    name: String,
    pid: Pid,
    stop_signal: Signal,
    log: Log,
    // Signals are sent under this lock and only to a child that was not reaped yet: afterwards the
    // system may have given its id to another process.
    child: Mutex<Child>,
}

impl Process {
    /// Starts a child. Its stdin is empty.
    pub fn spawn(mut spec: Spec) -> Result<Self> {
        spec.command.stdin(Stdio::null());
        spec.output.direct(&mut spec.command)?;
        let program = spec.command.get_program().to_string_lossy().into_owned();
        let mut child = launcher::launch(spec.command, spec.parent_death_signal)
            .map_err(|source| Error::Spawn { program, source })?;
        let log = spec.output.follow(&mut child);
        let pid = Pid::from_raw(i32::try_from(child.id()).expect("a process id fits pid_t"));
        tracing::debug!(name = spec.name, %pid, "started");
        Ok(Self {
            name: spec.name,
            pid,
            stop_signal: spec.stop_signal,
            log,
            child: Mutex::new(child),
        })
    }

    /// What it is called in messages.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its process id, which is its group's id too.
    pub fn pid(&self) -> i32 {
        self.pid.as_raw()
    }

    /// Sends a signal to the process itself. Does nothing once it has ended.
    pub fn signal(&self, signal: Signal) -> Result<()> {
        self.deliver(signal, signal::kill)
    }

    /// Asks it to end, waits up to `timeout`, then kills its group. Returns once it is gone.
    pub fn stop(&self, timeout: Duration) -> Result<ExitStatus> {
        self.signal(self.stop_signal)?;
        // A stopped process keeps a signal pending until it continues.
        self.signal(Signal::SIGCONT)?;
        if let Some(status) = self.wait_exit(timeout) {
            return Ok(status);
        }
        tracing::warn!(
            name = self.name,
            ?timeout,
            "did not end by itself, killing it"
        );
        self.kill()
    }

    /// Kills its group with -9 and waits until it is gone.
    pub fn kill(&self) -> Result<ExitStatus> {
        self.deliver(Signal::SIGKILL, signal::killpg)?;
        loop {
            if let Some(status) = self.wait_exit(DROP_TIMEOUT) {
                return Ok(status);
            }
            tracing::warn!(
                name = self.name,
                "killed, but the system has not ended it yet"
            );
        }
    }

    /// Stops its clock (`SIGSTOP`), as a long pause of the machine would.
    pub fn pause(&self) -> Result<()> {
        self.deliver(Signal::SIGSTOP, signal::killpg)
    }

    /// Ends a [`pause`](Self::pause).
    pub fn resume(&self) -> Result<()> {
        self.deliver(Signal::SIGCONT, signal::killpg)
    }

    /// Waits until it has ended; `None` if it has not after `timeout`.
    pub fn wait_exit(&self, timeout: Duration) -> Option<ExitStatus> {
        let deadline = Instant::now() + timeout;
        loop {
            if let Some(status) = self.exit_status() {
                return Some(status);
            }
            if Instant::now() >= deadline {
                return None;
            }
            thread::sleep(POLL_INTERVAL);
        }
    }

    /// Waits until the end of its output has these words; answers whether it has them within `timeout`.
    pub fn wait_until_said(&self, words: &str, timeout: Duration) -> bool {
        let deadline = Instant::now() + timeout;
        while !self.has_said(words) {
            if Instant::now() >= deadline {
                return false;
            }
            thread::sleep(POLL_INTERVAL);
        }
        true
    }

    /// Whether the end of its output has these words.
    pub fn has_said(&self, words: &str) -> bool {
        self.log_tail(usize::MAX).contains(words)
    }

    /// How it ended, if it has.
    pub fn exit_status(&self) -> Option<ExitStatus> {
        self.child()
            .try_wait()
            .expect("only this handle reaps its child")
    }

    /// Whether it has not ended yet; a paused one runs.
    pub fn is_running(&self) -> bool {
        self.exit_status().is_none()
    }

    /// The last `lines` lines of its output.
    pub fn log_tail(&self, lines: usize) -> String {
        self.log.tail(lines)
    }

    fn deliver(
        &self,
        signal: Signal,
        send: impl FnOnce(Pid, Signal) -> nix::Result<()>,
    ) -> Result<()> {
        let mut child = self.child();
        if child
            .try_wait()
            .expect("only this handle reaps its child")
            .is_some()
        {
            return Ok(());
        }
        match send(self.pid, signal) {
            Ok(()) | Err(Errno::ESRCH) => Ok(()),
            Err(source) => Err(Error::Signal {
                name: self.name.clone(),
                signal: signal.as_str(),
                source,
            }),
        }
    }

    fn child(&self) -> MutexGuard<'_, Child> {
        self.child.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        if let Err(error) = self.stop(DROP_TIMEOUT) {
            tracing::error!(name = self.name, %error, "could not stop it");
        }
    }
}

/// Runs a program to its end, its output into `log`; the end of it is in the error if it fails.
/// Like every child it ends with us, so an interrupted download leaves nothing running.
pub(crate) fn run(what: &str, mut command: Command, log: &Path) -> Result<()> {
    command.env("LC_ALL", "C");
    let process = Process::spawn(Spec::new(what, command, Output::File(log.to_path_buf())))?;
    loop {
        if let Some(status) = process.wait_exit(Duration::from_secs(1)) {
            if status.success() {
                return Ok(());
            }
            return Err(Error::Command {
                what: what.to_owned(),
                status: status.to_string(),
                output: process.log_tail(20),
            });
        }
    }
}
