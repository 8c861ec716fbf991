//! When what was started is to be stopped, and how it is at once.

use std::{fs, future::pending, io, process};

use dev::postgres::drop_scratch_databases;
use runtime::shutdown;
use tokio::signal::unix::{Signal, SignalKind, signal as listen};

/// As shells tell of a program that SIGINT has ended.
const INTERRUPTED: i32 = 130;
/// SIGHUP, the first of all signals, in a set of them.
const HANGUP: u64 = 1;

/// Listens for SIGTERM, SIGINT and SIGHUP from now on; the future ends with the first of them.
///
/// SIGHUP comes where the terminal goes. Where it is ignored, as `nohup` has it, it stays so.
pub fn signal() -> io::Result<impl Future<Output = ()> + Send + 'static> {
    let told = shutdown::signal()?;
    let hangup = match is_hangup_ignored() {
        true => None,
        false => Some(listen(SignalKind::hangup())?),
    };
    Ok(async move {
        tokio::select! {
            () = told => {}
            () = received(hangup) => tracing::info!(signal = "SIGHUP", "stopping"),
        }
    })
}

/// Ends the process at once, and what it has started with it. Of what it would have cleared away itself, only databases are dropped that
/// it has made on servers of others: nobody would ever find those.
pub fn at_once() -> ! {
    drop_scratch_databases();
    process::exit(INTERRUPTED)
}

async fn received(signal: Option<Signal>) {
    match signal {
        Some(mut signal) => {
            signal.recv().await;
        }
        None => pending().await,
    }
}

/// Where the system does not tell, the signal is left alone as well.
fn is_hangup_ignored() -> bool {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    ignored(&status).is_none_or(|ignored| ignored & HANGUP != 0)
}

/// The signals that a process ignores, by what Linux tells of it.
fn ignored(status: &str) -> Option<u64> {
    let mut lines = status.lines();
    let set = lines.find_map(|line| line.strip_prefix("SigIgn:"))?;
    u64::from_str_radix(set.trim(), 16).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[cfg(target_os = "linux")]
    #[tokio::test]
    async fn ends_at_sighup_unless_that_is_ignored() {
        use std::{process::Command, time::Duration};

        let is_ignored = is_hangup_ignored();
        let signal = signal().expect("handlers");
        let pid = process::id().to_string();
        let status = Command::new("sh")
            .args(["-c", "kill -HUP \"$1\"", "sh", &pid])
            .status();
        assert!(status.expect("sh runs").success());
        let ended = tokio::time::timeout(Duration::from_secs(10), signal).await;
        assert_eq!(ended.is_err(), is_ignored);
    }

    #[test]
    fn what_nohup_starts_ignores_sighup() {
        let status =
            |ignored: &str| format!("Name:\tdev\nSigBlk:\t0000000000000000\nSigIgn:\t{ignored}\n");
        // SIGPIPE alone, and SIGHUP beside it.
        assert_eq!(ignored(&status("0000000000001000")), Some(0x1000));
        assert_eq!(ignored(&status("0000000000001001")), Some(0x1000 | HANGUP));
        assert_eq!(ignored("Name:\tdev\n"), None);
    }
}
