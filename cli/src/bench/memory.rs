//! What a process holds in memory.

use anyhow::{Context, Result};

/// Resident memory of a process, in MiB. Linux only; elsewhere it is not known.
pub fn resident_mib(pid: i32) -> Result<f64> {
    status_mib(pid, "VmRSS:")
}

/// The most that it has held so far.
pub fn peak_mib(pid: i32) -> Result<f64> {
    status_mib(pid, "VmHWM:")
}

fn status_mib(pid: i32, entry: &str) -> Result<f64> {
    let path = format!("/proc/{pid}/status");
    let status = std::fs::read_to_string(&path).with_context(|| format!("reading {path}"))?;
    let line = status.lines().find_map(|line| line.strip_prefix(entry));
    let kib: f64 = line
        .and_then(|line| line.trim().strip_suffix("kB"))
        .with_context(|| format!("no {entry}"))?
        .trim()
        .parse()?;
    Ok(kib / 1_024.0)
}
