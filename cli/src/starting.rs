//! Signals while the stack starts. That cannot be broken off in order: half of it runs already, and nobody has it in hand yet.

use std::{io, pin::Pin};

use anyhow::{Context, Result};
use runtime::shutdown;
use tokio::task::JoinHandle;

use crate::{output::note, stopping};

/// Waits for what starts; answers whether it is to be stopped at once, since `stop` has ended meanwhile. A signal after that ends
/// the process, and all that it has started ends with it.
pub async fn started<T>(
    starting: JoinHandle<Result<T>>,
    stop: Pin<&mut impl Future<Output = ()>>,
) -> Result<(T, bool)> {
    let (started, is_stopping) = match watch(starting, stop, shutdown::signal).await? {
        Start::Done(started) => (started, false),
        Start::ToStop(started) => (started, true),
        Start::BrokenOff => stopping::at_once(),
    };
    Ok((started.context("starting the stack")??, is_stopping))
}

/// What has become of a start.
#[derive(Debug, PartialEq, Eq)]
enum Start<T> {
    /// It is over.
    Done(T),
    /// It is over, and there was a signal.
    ToStop(T),
    /// There was a second signal.
    BrokenOff,
}

/// `again` begins to listen for the second signal.
async fn watch<T, A: Future<Output = ()>>(
    mut starting: impl Future<Output = T> + Unpin,
    stop: impl Future<Output = ()>,
    again: impl FnOnce() -> io::Result<A>,
) -> io::Result<Start<T>> {
    tokio::select! {
        started = &mut starting => return Ok(Start::Done(started)),
        () = stop => {}
    }
    let again = again()?;
    note(format_args!(
        "stopping once it has started; once more: at once"
    ));
    tokio::select! {
        started = starting => Ok(Start::ToStop(started)),
        () = again => Ok(Start::BrokenOff),
    }
}

#[cfg(test)]
mod tests {
    use std::future::{pending, ready};

    use tokio::sync::oneshot;

    use super::*;

    #[tokio::test]
    async fn a_start_without_signals_is_done() {
        let nobody_listens =
            || -> io::Result<std::future::Pending<()>> { unreachable!("there was no signal") };
        let watched = watch(ready(7), pending(), nobody_listens).await;
        assert_eq!(watched.expect("no handler is refused"), Start::Done(7));
    }

    #[tokio::test]
    async fn a_signal_is_obeyed_once_it_has_started() {
        let (started, starting) = oneshot::channel();
        let again = || {
            started.send(7).expect("it is waited for");
            Ok(pending())
        };
        let watched = watch(starting, ready(()), again).await;
        let watched = watched.expect("no handler is refused");
        assert_eq!(watched, Start::ToStop(Ok(7)));
    }

    #[tokio::test]
    async fn a_second_signal_waits_for_nothing() {
        let watched = watch(pending::<()>(), ready(()), || Ok(ready(()))).await;
        assert_eq!(watched.expect("no handler is refused"), Start::BrokenOff);
    }
}
