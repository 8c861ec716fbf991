//! What the process can be told.

mod advice;
mod rebuilding;

use std::net::SocketAddr;

use clap::{Parser, Subcommand};
use event_store::kafka::KafkaArgs;
use event_store::log::Log;
use runtime::{
    output::{printable, printable_key},
    telemetry::LogArgs,
};
use serde::Serialize;
use serde_json::json;

use crate::{
    Database, ProjectionName, ProjectorError,
    dead_letters::{self, DeadLetter, ParkedKey},
    operate,
};

pub use self::{advice::advised, rebuilding::RebuildArgs};

/// Turns events into the tables that the query API reads.
#[derive(Debug, Clone, Parser)]
#[command(name = "projectors", version)]
pub struct Args {
    /// What to do; keeps the live versions up to date unless told otherwise.
    #[command(subcommand)]
    pub command: Option<Command>,

    /// The database to write to.
    #[arg(
        long,
        env = "DATABASE_URL",
        hide_env_values = true,
        default_value = "postgres://postgres@127.0.0.1:5433/offset_zero",
        global = true
    )]
    pub database_url: String,

    /// Which Kafka.
    #[command(flatten)]
    pub kafka: KafkaArgs,

    /// Address of health checks and metrics; port 0 takes a free one.
    #[arg(
        long,
        env = "OFFSET_ZERO_LISTEN",
        default_value = "127.0.0.1:8082",
        global = true
    )]
    pub listen: SocketAddr,

    /// Logging.
    #[command(flatten)]
    pub log: LogArgs,
}

/// What to do.
#[derive(Debug, Clone, Subcommand)]
pub enum Command {
    /// Keep the live versions up to date, until told to stop.
    Run,
    /// Apply the database migrations that are missing.
    Migrate,
    /// Operate on projections and their versions.
    Projections {
        /// What to do with them.
        #[command(subcommand)]
        command: ProjectionsCommand,
    },
    /// Look at events that could not be applied, try them again, or give up on them.
    DeadLetters {
        /// What to do with them.
        #[command(subcommand)]
        command: DeadLettersCommand,
        /// Print JSON to stdout.
        #[arg(long)]
        json: bool,
    },
    /// Build projections anew from offset zero, beside the live ones, and swap them in.
    Rebuild {
        /// Which, and how.
        #[command(flatten)]
        rebuild: RebuildArgs,
        /// Print a JSON report to stdout.
        #[arg(long)]
        json: bool,
    },
}

/// What to do with projections.
#[derive(Debug, Clone, Subcommand)]
pub enum ProjectionsCommand {
    /// Drop the tables of a version that is not live, or of a projection that this release does not have.
    Drop {
        /// The projection.
        name: String,
        /// Which version.
        version: i32,
    },
    /// Halt a projection: its rows stay as they are, and can be read.
    Pause {
        /// The projection.
        name: ProjectionName,
    },
    /// Have it go on from where it was halted.
    Resume {
        /// The projection.
        name: ProjectionName,
    },
    /// Begin a projection anew with empty tables, at once: readers see them fill. To go on reading meanwhile, rebuild it.
    Reset {
        /// The projection.
        name: ProjectionName,
    },
}

impl ProjectionsCommand {
    /// Does it, and says what was done.
    ///
    /// # Errors
    /// When it cannot be done; says why.
    pub async fn run<S: Log>(
        self,
        source: &S,
        database: &Database,
    ) -> Result<String, ProjectorError> {
        match self {
            Self::Drop { name, version } => {
                operate::drop_version(database, &name, version).await?;
                Ok(format!("dropped version {version} of {name}"))
            }
            Self::Pause { name } => {
                operate::pause(database, name).await?;
                Ok(format!(
                    "halted {name}; to go on, type: offset-zero projections resume {name}"
                ))
            }
            Self::Resume { name } => {
                operate::resume(database, name).await?;
                Ok(format!("{name} goes on"))
            }
            Self::Reset { name } => {
                let version = operate::reset(source, database, name).await?;
                Ok(format!("version {version} of {name} begins with nothing"))
            }
        }
    }
}

/// What to do with events that could not be applied.
#[derive(Debug, Clone, Subcommand)]
pub enum DeadLettersCommand {
    /// List the keys that are parked.
    List {
        /// Only of this projection.
        name: Option<ProjectionName>,
    },
    /// Show what is parked under a key, in order. With --json also of what type each event is, but for those beyond a hundred whose
    /// type has to be read from the log: theirs is null.
    Show(ParkedArgs),
    /// Apply what is parked under a key, in order, until an event still cannot be applied (then exit 1).
    Retry(ParkedArgs),
    /// Give up on what is parked under a key: its row stays as it is until the next rebuild.
    Discard(ParkedArgs),
}

/// A key that is parked.
#[derive(Debug, Clone, clap::Args)]
pub struct ParkedArgs {
    /// The projection.
    pub name: ProjectionName,
    /// The record key: an order's id, a SKU, a cart's id.
    pub key: String,
}

impl DeadLettersCommand {
    /// Does it, and answers what to print.
    ///
    /// # Errors
    /// When it cannot be done, or an event still cannot be applied; says why.
    pub async fn run<S: Log>(
        &self,
        source: &S,
        database: &Database,
        json: bool,
    ) -> Result<String, ProjectorError> {
        match self {
            Self::List { name } => {
                let keys = dead_letters::list(database, *name).await?;
                let line = |of: &ParkedKey| {
                    let reason = printable(of.reason.as_deref().unwrap_or_default());
                    let key = printable_key(&of.key);
                    format!(
                        "{} {key}: {} parked, first {}: {reason}",
                        of.projection, of.letters, of.position
                    )
                };
                Ok(listed(&keys, json, "nothing is parked", line))
            }
            Self::Show(ParkedArgs { name, key }) => {
                let mut letters = dead_letters::show(database, *name, key).await?;
                if json && let Err(error) = dead_letters::name_types(source, &mut letters).await {
                    tracing::warn!(%error, "cannot read from the log of what types parked events are");
                }
                let line = |of: &DeadLetter| {
                    let stream = printable(of.stream.as_deref().unwrap_or("of no stream"));
                    let reason = printable(of.reason.as_deref().unwrap_or("follows"));
                    format!("{} {stream}: {reason}", of.position)
                };
                Ok(listed(&letters, json, "nothing is parked", line))
            }
            Self::Retry(ParkedArgs { name, key }) => {
                let retried = dead_letters::retry(source, database, *name, key).await?;
                match retried.stopped_by {
                    None => Ok(said(
                        json,
                        &retried,
                        format!("applied {} events", retried.applied),
                    )),
                    Some(reason) => Err(ProjectorError::StillDead {
                        applied: retried.applied,
                        reason: printable(&reason),
                    }),
                }
            }
            Self::Discard(ParkedArgs { name, key }) => {
                let discarded = dead_letters::discard(database, *name, key).await?;
                Ok(said(
                    json,
                    &json!({"discarded": discarded}),
                    format!("gave up on {discarded} events"),
                ))
            }
        }
    }
}

/// Whether what was typed names no projection: a program ends with 2 then, as with any other usage error.
#[must_use]
pub fn is_usage_error(error: &anyhow::Error) -> bool {
    matches!(
        error.downcast_ref(),
        Some(ProjectorError::UnknownProjection { .. })
    )
}

fn listed<T: Serialize>(
    items: &[T],
    json: bool,
    nothing: &str,
    line: impl Fn(&T) -> String,
) -> String {
    let lines: Vec<String> = items.iter().map(line).collect();
    let text = if lines.is_empty() {
        nothing.to_owned()
    } else {
        lines.join("\n")
    };
    said(json, items, text)
}

fn said<T: Serialize + ?Sized>(json: bool, value: &T, text: String) -> String {
    match json {
        true => serde_json::to_string_pretty(value).expect("its maps have string keys"),
        false => text,
    }
}
