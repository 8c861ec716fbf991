//! When to stop.

use std::{fs, future::pending, io};

use tokio::signal::unix::{Signal, SignalKind, signal as listen};

/// SIGHUP, the first of all signals, in a set of them.
const HANGUP: u64 = 1;

/// Listens for SIGTERM, SIGINT and SIGHUP from now on; the future ends with the first of them.
///
/// SIGHUP comes where the terminal goes. Where it is ignored, as `nohup` has it, it stays so.
///
/// # Errors
/// When the operating system refuses the handlers.
pub fn signal() -> io::Result<impl Future<Output = ()> + Send + 'static> {
    let mut terminate = listen(SignalKind::terminate())?;
    let mut interrupt = listen(SignalKind::interrupt())?;
    let hangup = match is_hangup_ignored() {
        true => None,
        false => Some(listen(SignalKind::hangup())?),
    };
    Ok(async move {
        let name = tokio::select! {
            _ = terminate.recv() => "SIGTERM",
            _ = interrupt.recv() => "SIGINT",
            () = received(hangup) => "SIGHUP",
        };
        tracing::info!(signal = name, "stopping");
    })
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
    use std::{
        process::{self, Command},
        time::Duration,
    };

    use super::*;

    async fn is_ended_by(name: &str) -> bool {
        let signal = signal().expect("handlers");
        let pid = process::id().to_string();
        let status = Command::new("sh")
            .args(["-c", "kill -s \"$1\" \"$2\"", "sh", name, &pid])
            .status();
        assert!(status.expect("sh runs").success());
        let ended = tokio::time::timeout(Duration::from_secs(10), signal).await;
        ended.is_ok()
    }

    /// One test, since whoever listens hears the signals of all.
    #[tokio::test]
    async fn ends_at_sigterm_and_at_sighup_unless_that_is_ignored() {
        assert!(is_ended_by("TERM").await);
        // Elsewhere it is left alone, and would end the tests.
        if cfg!(target_os = "linux") {
            let is_ignored = is_hangup_ignored();
            assert_eq!(is_ended_by("HUP").await, !is_ignored);
        }
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
