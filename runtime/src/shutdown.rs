//! When to stop.

use std::io;

use tokio::signal::unix::{SignalKind, signal as listen};

/// Listens for SIGTERM and SIGINT from now on; the future ends with the first of them.
///
/// # Errors
/// When the operating system refuses the handlers.
pub fn signal() -> io::Result<impl Future<Output = ()> + Send + 'static> {
    let mut terminate = listen(SignalKind::terminate())?;
    let mut interrupt = listen(SignalKind::interrupt())?;
    Ok(async move {
        let name = tokio::select! {
            _ = terminate.recv() => "SIGTERM",
            _ = interrupt.recv() => "SIGINT",
        };
        tracing::info!(signal = name, "stopping");
    })
}

#[cfg(test)]
mod tests {
    use std::{process::Command, time::Duration};

    use super::*;

    #[tokio::test]
    async fn ends_at_sigterm() {
        let signal = signal().expect("handlers");
        let pid = std::process::id().to_string();
        let status = Command::new("sh")
            .args(["-c", "kill -TERM \"$1\"", "sh", &pid])
            .status();
        assert!(status.expect("sh runs").success());
        let ended = tokio::time::timeout(Duration::from_secs(10), signal).await;
        ended.expect("the signal is heard");
    }
}
