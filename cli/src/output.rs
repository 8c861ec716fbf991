//! What commands print. Whoever reads their stdout may have seen enough and be gone, as `head` is after its lines: a command then ends
//! without a word, as if SIGPIPE had ended it.
//!
//! It learns of that by an error and not by the signal, so that it stops in order what it has started, and so that no socket whose other
//! end is gone ends it.

use std::{
    fmt,
    io::{self, ErrorKind, Write},
};

use anyhow::{Context, Result};

/// With what shells say that a program ends which SIGPIPE has ended.
pub const UNREAD: u8 = 141;

/// Nobody reads stdout any more.
#[derive(Debug)]
struct Unread;

impl fmt::Display for Unread {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("nobody reads stdout any more")
    }
}

impl std::error::Error for Unread {}

/// Prints a line, or several.
pub fn print(lines: fmt::Arguments<'_>) -> Result<()> {
    match writeln!(io::stdout().lock(), "{lines}") {
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Err(Unread.into()),
        written => written.context("writing to stdout"),
    }
}

/// Says something on stderr, as logs are written there: whether or not anybody reads it.
pub fn note(lines: fmt::Arguments<'_>) {
    let _ = writeln!(io::stderr().lock(), "{lines}");
}

/// Whether a command has ended because nobody reads what it prints.
pub fn is_unread<T>(ended: &Result<T>) -> bool {
    ended.as_ref().is_err_and(anyhow::Error::is::<Unread>)
}

#[cfg(test)]
mod tests {
    use anyhow::anyhow;

    use super::*;

    #[test]
    fn only_stdout_that_nobody_reads_ends_a_command_without_a_word() {
        let unread: Result<()> = Err(Unread.into());
        assert!(is_unread(&unread));
        assert!(is_unread(&unread.context("printing")));
        let of_a_socket = io::Error::from(ErrorKind::BrokenPipe);
        assert!(!is_unread::<()>(&Err(of_a_socket.into())));
        assert!(!is_unread::<()>(&Err(anyhow!("another"))));
        assert!(!is_unread(&Ok(())));
    }
}
