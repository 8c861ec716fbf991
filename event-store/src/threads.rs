//! Threads that nothing stands in for.

use std::{
    io,
    panic::{AssertUnwindSafe, catch_unwind},
    process,
    thread::{Builder, JoinHandle, current},
};

use tracing::error;

/// Starts a thread that the process is of no use without. Should it panic, the process ends at once: alive, it would go on to
/// hold what only that thread can serve, where others take over from a dead one.
pub(crate) fn start(
    name: String,
    run: impl FnOnce() + Send + 'static,
) -> io::Result<JoinHandle<()>> {
    Builder::new().name(name).spawn(move || {
        // Nobody looks at what it has left behind.
        if catch_unwind(AssertUnwindSafe(run)).is_err() {
            let thread = current();
            error!(
                thread = thread.name(),
                "panicked, and nothing stands in for it: the process ends"
            );
            process::abort();
        }
    })
}

#[cfg(test)]
mod tests {
    use std::{env, process::Command};

    use super::*;

    const THIS: &str = "threads::tests::a_panic_ends_the_process";
    /// Set where the process is the one that is to end.
    const IS_TO_END: &str = "OFFSET_ZERO_TEST_IS_TO_END";

    #[test]
    fn a_panic_ends_the_process() {
        if env::var_os(IS_TO_END).is_some() {
            let thread = start("ending".to_owned(), || panic!("on purpose"));
            drop(thread.expect("granted").join());
            return;
        }
        let program = env::current_exe().expect("a test has a program");
        let mut command = Command::new(program);
        command.args(["--exact", THIS]).env(IS_TO_END, "1");
        let ended = command.output().expect("it starts");
        // By a signal: a test that fails has a code, and so has one that does not.
        assert_eq!(ended.status.code(), None, "{ended:?}");
    }
}
