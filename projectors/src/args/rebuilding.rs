//! What a rebuild can be told.

use std::process::ExitCode;

use event_store::log::Log;
use runtime::output::{self, UNREAD};
use serde::Serialize;

use crate::{
    Database, ProjectionName, ProjectorError, rebuild,
    rebuild::{Options, Show, Start, dry_run},
};

/// What to rebuild, and how.
#[derive(Debug, Clone, Default, clap::Args)]
pub struct RebuildArgs {
    /// One or more of the projections.
    #[arg(required_unless_present = "all", value_name = "NAME")]
    pub names: Vec<String>,
    /// All projections, one after the other.
    #[arg(long, conflicts_with = "names")]
    pub all: bool,
    /// Swap in nothing but what was proven equal to the live version. Unless asked for, both are compared all the same, but
    /// differences are only reported: a rebuild is also the cure for rows that are wrong.
    #[arg(long)]
    pub verify: bool,
    /// From where: ZERO; the offsets of some partitions, such as OrderEvents/3@1234,OrderEvents/0@17, where all others are left as
    /// they are; or a time, such as 2026-11-28T12:00:00Z. Rows of what lies before are kept. Only for projections whose rows are
    /// each made of one event, such as history.
    #[arg(long, value_name = "ZERO|OFFSETS|TIME", default_value_t)]
    pub from: Start,
    /// Change nothing: print how the rows that this program makes of the log differ from the live ones. Exits 1 where any do, and 2
    /// where that could not be found out.
    #[arg(long, conflicts_with = "verify")]
    pub dry_run: bool,
    /// In a dry run, only what this partition number's events make; may be repeated. Rows that only the live version has are then no
    /// differences.
    #[arg(long = "partition", value_name = "PARTITION", requires = "dry_run")]
    // The name is its id, and `partitions` is that of a flag that all of the CLI's commands have.
    pub only: Vec<i32>,
}

impl RebuildArgs {
    /// Does it, one projection after the other, and prints what became of each: a report, or an array of all of them as JSON. Answers
    /// whether a dry run has found differences.
    ///
    /// # Errors
    /// At the first projection that there is not, or that cannot be rebuilt; says why.
    pub async fn run<S: Log>(
        &self,
        source: &S,
        database: &Database,
        json: bool,
        mut print: impl FnMut(&str),
    ) -> Result<bool, ProjectorError> {
        let mut reports = Vec::new();
        let ran = self
            .run_each(source, database, |report, text| match json {
                true => reports.push(report),
                false => print(&text),
            })
            .await;
        // Where one could not be rebuilt, those before it were.
        if json {
            print(&format!("{:#}", serde_json::Value::Array(reports)));
        }
        ran
    }

    /// As [`run`](Self::run), on stdout. All of it is done whether or not anybody reads of it.
    ///
    /// # Errors
    /// Also when it cannot be printed.
    pub async fn run_and_print<S: Log>(
        &self,
        source: &S,
        database: &Database,
        json: bool,
    ) -> anyhow::Result<bool> {
        let mut printed = Ok(());
        let print = |text: &str| {
            if printed.is_ok() {
                printed = output::print(format_args!("{text}"));
            }
        };
        let differ = self.run(source, database, json, print).await?;
        printed?;
        Ok(differ)
    }

    async fn run_each<S: Log>(
        &self,
        source: &S,
        database: &Database,
        mut tell: impl FnMut(serde_json::Value, String),
    ) -> Result<bool, ProjectorError> {
        let mut differ = false;
        for name in self.projections()? {
            if self.dry_run {
                let found = dry_run(name, source, database, self.options(), &self.only).await?;
                differ |= !found.is_equal();
                tell(as_json(&found), found.to_string());
            } else {
                let report = rebuild(name, source, database, self.options()).await?;
                tell(as_json(&report), report.to_string());
            }
        }
        Ok(differ)
    }

    /// With what the process ends that was asked for this, as `diff` does: 1 where rows differ, 2 where a dry run could not find that
    /// out. Any other rebuild that fails ends with 1; one of which nobody reads, without a word.
    pub fn exit_code(&self, ran: anyhow::Result<bool>) -> ExitCode {
        match ran {
            Ok(false) => ExitCode::SUCCESS,
            Ok(true) => {
                eprintln!("a rebuild would change rows");
                ExitCode::from(1)
            }
            Err(error) if output::is_unread(error.as_ref()) => ExitCode::from(UNREAD),
            Err(error) => {
                eprintln!("Error: {error:?}");
                ExitCode::from(if self.dry_run { 2 } else { 1 })
            }
        }
    }

    /// Those that were named, each once.
    fn projections(&self) -> Result<Vec<ProjectionName>, ProjectorError> {
        if self.all {
            return Ok(ProjectionName::ALL.to_vec());
        }
        let mut names = Vec::new();
        for name in &self.names {
            let name = name.parse()?;
            if !names.contains(&name) {
                names.push(name);
            }
        }
        Ok(names)
    }

    fn options(&self) -> Options {
        Options {
            start: self.from.clone(),
            show: Show::detect(),
            require_equal: self.verify,
        }
    }
}

fn as_json(report: &impl Serialize) -> serde_json::Value {
    serde_json::to_value(report).expect("its maps have string keys")
}
