//! What commands print, and what they say beside that.

use std::{
    fmt,
    io::{self, Write},
};

use anyhow::Result;
use runtime::output;

pub use runtime::output::{UNREAD, printable, printable_key};

/// Prints a line, or several.
pub fn print(lines: fmt::Arguments<'_>) -> Result<()> {
    Ok(output::print(lines)?)
}

/// Says something on stderr, as logs are written there: whether or not anybody reads it.
pub fn note(lines: fmt::Arguments<'_>) {
    let _ = writeln!(io::stderr().lock(), "{lines}");
}

/// Whether a command has ended because nobody reads what it prints.
pub fn is_unread<T>(ended: &Result<T>) -> bool {
    let error = ended.as_ref().err();
    error.is_some_and(|error| output::is_unread(error.as_ref()))
}

#[cfg(test)]
mod tests {
    use std::io::ErrorKind;

    use anyhow::{Context, anyhow};
    use runtime::output::PrintError;

    use super::*;

    #[test]
    fn only_stdout_that_nobody_reads_ends_a_command_without_a_word() {
        let unread: Result<()> = Err(PrintError::Unread.into());
        assert!(is_unread(&unread));
        assert!(is_unread(&unread.context("printing")));
        let of_a_socket = io::Error::from(ErrorKind::BrokenPipe);
        assert!(!is_unread::<()>(&Err(of_a_socket.into())));
        assert!(!is_unread::<()>(&Err(anyhow!("another"))));
        assert!(!is_unread(&Ok(())));
    }
}
