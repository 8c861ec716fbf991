//! What the demo tells people.

use std::fmt;

use crate::client::Answer;

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

    /// A line, or several.
    pub fn say(self, lines: fmt::Arguments<'_>) {
        match self {
            Self::Stdout => println!("{lines}"),
            Self::Stderr => eprintln!("{lines}"),
        }
    }

    /// What is done next.
    pub fn step(self, what: &str) {
        self.say(format_args!("\n== {what}"));
    }

    /// What one of the APIs answered.
    pub fn show(self, answer: &Answer) {
        let replayed = match answer.header("idempotency-replayed") {
            "" => String::new(),
            value => format!("  idempotency-replayed: {value}"),
        };
        self.say(format_args!("   {} {}", answer.status, answer.body));
        let position = answer.header("x-position");
        self.say(format_args!("   x-position: {position}{replayed}"));
    }
}
