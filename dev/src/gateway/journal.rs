//! The file in which the books outlive the process: a JSON line for each recorded outcome, in order.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::Path;

use crate::error::{Error, FileContext, Result};

use super::request::Record;

/// An open journal; without a file it keeps nothing.
#[derive(Debug)]
pub(super) struct Journal {
    file: Option<File>,
    length: u64,
}

impl Journal {
    /// One that keeps nothing.
    pub(super) fn nowhere() -> Self {
        Self {
            file: None,
            length: 0,
        }
    }

    /// Opens the file, created where missing, and hands over what is in it.
    pub(super) fn open(path: &Path, mut known: impl FnMut(Record)) -> Result<Self> {
        let mut file = OpenOptions::new();
        let file = file.create(true).append(true).open(path);
        let file = file.on("open", path)?;
        let text = fs::read_to_string(path).on("read", path)?;
        // What a kill in the middle of a write has left behind was never answered.
        let whole = text.rfind('\n').map_or(0, |end| end + 1);
        for (index, line) in text[..whole].lines().enumerate() {
            let record = serde_json::from_str(line).map_err(|source| Error::Books {
                path: path.to_path_buf(),
                line: index + 1,
                source,
            })?;
            known(record);
        }
        let mut journal = Self {
            file: Some(file),
            length: whole as u64,
        };
        if whole < text.len() {
            tracing::warn!(path = %path.display(), "the last line is not whole, and is taken out");
            journal.cut().on("shorten", path)?;
        }
        Ok(journal)
    }

    /// Writes a record; it is with the operating system when this returns, so a kill of the process does not lose it.
    pub(super) fn append(&mut self, record: &Record) -> io::Result<()> {
        let Some(file) = &mut self.file else {
            return Ok(());
        };
        let mut line = serde_json::to_vec(record)?;
        line.push(b'\n');
        if let Err(error) = file.write_all(&line) {
            // Half a line would make the next one unreadable.
            self.cut()?;
            return Err(error);
        }
        self.length += line.len() as u64;
        Ok(())
    }

    fn cut(&mut self) -> io::Result<()> {
        match &mut self.file {
            Some(file) => file.set_len(self.length),
            None => Ok(()),
        }
    }
}
