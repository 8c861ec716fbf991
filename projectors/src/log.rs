//! Asking the log from async code.

use event_store::{LogError, log::Log};

/// Asks the log something on a thread that may block.
pub(crate) async fn ask<L: Log, T: Send + 'static>(
    log: &L,
    question: impl FnOnce(&L) -> Result<T, LogError> + Send + 'static,
) -> Result<T, crate::ProjectorError> {
    let log = log.clone();
    Ok(tokio::task::spawn_blocking(move || question(&log)).await??)
}
