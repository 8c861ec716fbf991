//! What programs print. Whoever reads their stdout may have seen enough and be gone, as `head` is after its lines: a program then ends
//! without a word, as if SIGPIPE had ended it.
//!
//! It learns of that by an error and not by the signal, so that it stops in order what it has started, and so that no socket whose other
//! end is gone ends it.

use std::{
    error::Error,
    fmt,
    io::{self, ErrorKind, Write},
};

/// With what shells say that a program ends which SIGPIPE has ended.
pub const UNREAD: u8 = 141;

/// Why something was not printed.
#[derive(Debug, thiserror::Error)]
pub enum PrintError {
    /// Whoever has read it is gone.
    #[error("nobody reads stdout any more")]
    Unread,
    /// It takes nothing, such as a file on a full disk.
    #[error("cannot write to stdout")]
    Refused(#[source] io::Error),
}

/// Prints a line, or several.
///
/// # Errors
/// When nobody reads them, or they cannot be written.
pub fn print(lines: fmt::Arguments<'_>) -> Result<(), PrintError> {
    write(io::stdout().lock(), lines)
}

fn write(mut out: impl Write, lines: fmt::Arguments<'_>) -> Result<(), PrintError> {
    match writeln!(out, "{lines}") {
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Err(PrintError::Unread),
        written => written.map_err(PrintError::Refused),
    }
}

/// Whether an error, or what it comes from, is that nobody reads stdout any more: the program is to end without a word, with [`UNREAD`].
#[must_use]
pub fn is_unread(error: &(dyn Error + 'static)) -> bool {
    let mut cause = Some(error);
    while let Some(error) = cause {
        if let Some(PrintError::Unread) = error.downcast_ref() {
            return true;
        }
        cause = error.source();
    }
    false
}

/// A text of anybody's making, such as a foreign record's key, as a terminal can be given it: with control characters written as escapes.
#[must_use]
pub fn printable(text: &str) -> String {
    let mut printable = String::with_capacity(text.len());
    for character in text.chars() {
        match character.is_control() {
            true => printable.extend(character.escape_debug()),
            false => printable.push(character),
        }
    }
    printable
}

/// A record's key, as [`printable`]; none is seen between quotes.
#[must_use]
pub fn printable_key(key: &str) -> String {
    match key.is_empty() {
        true => "\"\"".to_owned(),
        false => printable(key),
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::net::UnixStream;

    use super::*;

    #[test]
    fn only_a_reader_who_is_gone_is_no_fault() {
        let (ours, theirs) = UnixStream::pair().expect("a pair");
        drop(theirs);
        let unread = write(ours, format_args!("a line")).expect_err("nobody reads it");
        assert!(is_unread(&unread), "{unread:?}");
        let full: &mut [u8] = &mut [0; 3];
        let refused = write(full, format_args!("a line")).expect_err("it has no room");
        assert!(!is_unread(&refused), "{refused:?}");
    }

    #[test]
    fn only_control_characters_are_escaped() {
        assert_eq!(printable("a\nb\u{1b}[2J\0\u{85}"), r"a\nb\u{1b}[2J\0\u{85}");
        for whole in ["", "tea-\u{fc} \"1\" \\ 'x'", "\u{1f375}"] {
            assert_eq!(printable(whole), whole);
        }
        assert_eq!(printable_key(""), r#""""#);
        assert_eq!(printable_key("TEA\t"), r"TEA\t");
    }
}
