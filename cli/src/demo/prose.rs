//! What the demo tells people.

use std::fmt;

use anyhow::Result;

use crate::{client::Answer, output};

/// Where it is told: on stderr where stdout is for JSON.
#[derive(Debug, Clone, Copy)]
pub enum Prose {
    Stdout,
    Stderr,
}

impl Prose {
    /// Beside JSON, or alone.
    pub fn beside(json: bool) -> Self {
        match json {
            true => Self::Stderr,
            false => Self::Stdout,
        }
    }

    /// A line, or several. Fails where nobody reads them, so that what is told of ends.
    pub fn say(self, lines: fmt::Arguments<'_>) -> Result<()> {
        match self {
            Self::Stdout => output::print(lines),
            Self::Stderr => {
                output::note(lines);
                Ok(())
            }
        }
    }

    /// What is done next.
    pub fn step(self, what: &str) -> Result<()> {
        self.say(format_args!("\n== {what}"))
    }

    /// What one of the APIs answered.
    pub fn show(self, answer: &Answer) -> Result<()> {
        let replayed = match answer.header("idempotency-replayed") {
            "" => String::new(),
            value => format!("  idempotency-replayed: {value}"),
        };
        self.say(format_args!("   {} {}", answer.status, answer.body))?;
        let position = answer.header("x-position");
        self.say(format_args!("   x-position: {position}{replayed}"))
    }
}
