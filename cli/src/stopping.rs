//! How what was started is stopped at once.

use std::process;

use dev::postgres::drop_scratch_databases;

/// As shells tell of a program that SIGINT has ended.
const INTERRUPTED: i32 = 130;

/// Ends the process at once, and what it has started with it. Of what it would have cleared away itself, only databases are dropped that
/// it has made on servers of others: nobody would ever find those.
pub fn at_once() -> ! {
    drop_scratch_databases();
    process::exit(INTERRUPTED)
}
