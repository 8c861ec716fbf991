//! Where a child's output goes, and how its end is read back for error messages.

use std::collections::VecDeque;
use std::fs::{File, OpenOptions};
use std::io::{self, BufRead, BufReader, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use crate::error::{FileContext, Result};

/// How many lines of a prefixed child are kept for [`Log::tail`].
const KEPT_LINES: usize = 200;
/// How much of a log file's end is read for [`Log::tail`].
const TAIL_BYTES: u64 = 64 * 1024;

/// Where a child's stdout and stderr go.
#[derive(Debug, Clone)]
pub enum Output {
    /// Appended to this file.
    File(PathBuf),
    /// Line by line to our own stderr, each after `prefix`: the one log of `make up`.
    Prefixed(String),
    /// Straight to our own stdout and stderr.
    Inherit,
}

/// A running child's log, as far as we can read it back.
#[derive(Debug)]
pub(super) enum Log {
    File(PathBuf),
    Lines(Arc<Mutex<VecDeque<String>>>),
    None,
}

impl Output {
    /// Directs `command` here.
    pub(super) fn direct(&self, command: &mut Command) -> Result<()> {
        match self {
            Self::File(path) => {
                let out = OpenOptions::new()
                    .create(true)
                    .append(true)
                    .open(path)
                    .on("open the log", path)?;
                let err = out.try_clone().on("open the log", path)?;
                command.stdout(out).stderr(err);
            }
            Self::Prefixed(_) => {
                command.stdout(Stdio::piped()).stderr(Stdio::piped());
            }
            Self::Inherit => {
                command.stdout(Stdio::inherit()).stderr(Stdio::inherit());
            }
        }
        Ok(())
    }

    /// Begins to carry the started child's output to where it belongs.
    pub(super) fn follow(self, child: &mut Child) -> Log {
        match self {
            Self::File(path) => Log::File(path),
            Self::Inherit => Log::None,
            Self::Prefixed(prefix) => {
                let lines = Arc::new(Mutex::new(VecDeque::with_capacity(KEPT_LINES)));
                if let Some(stdout) = child.stdout.take() {
                    copy_lines(stdout, prefix.clone(), Arc::clone(&lines));
                }
                if let Some(stderr) = child.stderr.take() {
                    copy_lines(stderr, prefix, Arc::clone(&lines));
                }
                Log::Lines(lines)
            }
        }
    }
}

impl Log {
    /// The last `count` lines, or what is known of them.
    pub(super) fn tail(&self, count: usize) -> String {
        match self {
            Self::File(path) => {
                file_tail(path, count).unwrap_or_else(|error| format!("(log unreadable: {error})"))
            }
            Self::Lines(lines) => {
                let lines = lines.lock().unwrap_or_else(PoisonError::into_inner);
                let skipped = lines.len().saturating_sub(count);
                lines
                    .iter()
                    .skip(skipped)
                    .cloned()
                    .collect::<Vec<_>>()
                    .join("\n")
            }
            Self::None => "(its output was not kept)".to_owned(),
        }
    }
}

fn copy_lines(
    source: impl Read + Send + 'static,
    prefix: String,
    lines: Arc<Mutex<VecDeque<String>>>,
) {
    // Ends with the pipe, that is, with the child; nobody needs to join it.
    thread::spawn(move || {
        let mut reader = BufReader::new(source);
        let mut bytes = Vec::new();
        while reader
            .read_until(b'\n', &mut bytes)
            .is_ok_and(|read| read > 0)
        {
            let line = String::from_utf8_lossy(&bytes).trim_end().to_owned();
            // Whether or not anybody reads it: a child whose output is not taken comes to a halt, or ends.
            let _ = writeln!(io::stderr().lock(), "{prefix}{line}");
            let mut lines = lines.lock().unwrap_or_else(PoisonError::into_inner);
            if lines.len() == KEPT_LINES {
                lines.pop_front();
            }
            lines.push_back(line);
            bytes.clear();
        }
    });
}

fn file_tail(path: &Path, count: usize) -> std::io::Result<String> {
    let mut file = File::open(path)?;
    let length = file.metadata()?.len();
    file.seek(SeekFrom::Start(length.saturating_sub(TAIL_BYTES)))?;
    let mut bytes = Vec::new();
    file.read_to_end(&mut bytes)?;
    let text = String::from_utf8_lossy(&bytes);
    let lines: Vec<&str> = text.lines().collect();
    Ok(lines[lines.len().saturating_sub(count)..].join("\n"))
}
