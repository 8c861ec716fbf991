//! What a rebuild can be told.

use std::process::ExitCode;

use event_store::log::Log;
use runtime::output::{self, UNREAD};
use serde::Serialize;
use serde_json::{Value, json};

use super::is_usage_error;
use crate::{
    Database, ProjectionName, ProjectorError, rebuild,
    rebuild::{Options, Show, Start, dry_run, may_begin},
};

/// What to rebuild, and how.
#[derive(Debug, Clone, Default, clap::Args)]
pub struct RebuildArgs {
    /// One or more of the projections.
    #[arg(required_unless_present = "all", value_name = "NAME")]
    pub names: Vec<String>,
    /// All projections, one after the other. Where one fails, the others are rebuilt all the same.
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
    /// Make nothing anew: have a version that was live before, and is kept, come up to the log and take the live one's place. The way back
    /// where a program makes wrong rows. First start projectors that make them right, and type this with what is of the same release: it
    /// makes the rows of what came since.
    #[arg(long, value_name = "VERSION", conflicts_with_all = ["all", "from", "verify", "dry_run"])]
    pub back_to: Option<i32>,
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
    /// Before anything is begun where one of them is refused, such as one that there is not. When one fails, after the others; says why.
    pub async fn run<S: Log>(
        &self,
        source: &S,
        database: &Database,
        json: bool,
        mut print: impl FnMut(&str),
    ) -> Result<bool, ProjectorError> {
        let asked = self.asked();
        let mut is_over = asked.iter().any(|(_, checked)| checked.is_err());
        let mut differ = false;
        let mut outcomes = Vec::new();
        for (projection, checked) in asked {
            let became = match checked {
                Err(refused) => Became::Refused(refused),
                Ok(_) if is_over => Became::NotAttempted,
                Ok(name) => match self.run_one(name, source, database).await {
                    Ok(done) => {
                        differ |= done.differs;
                        if !json {
                            print(&done.text);
                        }
                        Became::Done(done.report)
                    }
                    Err(error) => {
                        is_over = error.is_of_all();
                        Became::Failed(error)
                    }
                },
            };
            outcomes.push(Outcome { projection, became });
        }
        if json {
            let entries = outcomes.iter().map(Outcome::as_json);
            print(&format!("{:#}", Value::Array(entries.collect())));
        }
        match failure(outcomes) {
            Some(error) => Err(error),
            None => Ok(differ),
        }
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

    async fn run_one<S: Log>(
        &self,
        name: ProjectionName,
        source: &S,
        database: &Database,
    ) -> Result<Done, ProjectorError> {
        if self.dry_run {
            let found = dry_run(name, source, database, self.options(), &self.only).await?;
            return Ok(Done {
                differs: !found.is_equal(),
                report: as_json(&found),
                text: found.to_string(),
            });
        }
        let report = rebuild(name, source, database, self.options()).await?;
        Ok(Done {
            differs: false,
            report: as_json(&report),
            text: report.to_string(),
        })
    }

    /// With what the process ends that was asked for this, as `diff` does: 1 where rows differ, 2 where a dry run could not find that
    /// out, or there is no projection of a name. Any other rebuild that fails ends with 1; one of which nobody reads, without a word.
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
                let usage = is_usage_error(&error);
                ExitCode::from(if self.dry_run || usage { 2 } else { 1 })
            }
        }
    }

    /// Those that were named, each once, with what is known of each before anything is begun.
    fn asked(&self) -> Vec<(String, Result<ProjectionName, ProjectorError>)> {
        let all = ProjectionName::ALL.map(ProjectionName::as_str);
        let names: Vec<&str> = match self.all {
            true => all.to_vec(),
            false => self.names.iter().map(String::as_str).collect(),
        };
        let mut asked: Vec<(String, _)> = Vec::new();
        for name in names {
            if asked.iter().all(|(known, _)| known != name) {
                asked.push((name.to_owned(), self.checked(name)));
            }
        }
        asked
    }

    fn checked(&self, name: &str) -> Result<ProjectionName, ProjectorError> {
        let name = name.parse::<ProjectionName>()?;
        may_begin(name, &self.from)?;
        Ok(name)
    }

    fn options(&self) -> Options {
        Options {
            start: self.from.clone(),
            back_to: self.back_to,
            show: Show::detect(),
            require_equal: self.verify,
        }
    }
}

/// What was done, for people and for programs.
struct Done {
    differs: bool,
    report: Value,
    text: String,
}

/// What became of a projection that was asked for.
struct Outcome {
    projection: String,
    became: Became,
}

enum Became {
    /// Rebuilt, or compared by a dry run.
    Done(Value),
    Failed(ProjectorError),
    /// Before anything was begun.
    Refused(ProjectorError),
    /// Since another one was refused, or has failed in a way in which this one would.
    NotAttempted,
}

impl Outcome {
    fn as_json(&self) -> Value {
        let (is_attempted, error) = match &self.became {
            Became::Done(report) => return report.clone(),
            Became::Failed(error) => (true, Some(error)),
            Became::Refused(error) => (false, Some(error)),
            Became::NotAttempted => (false, None),
        };
        let mut entry = json!({"projection": self.projection, "attempted": is_attempted});
        if let Some(error) = error {
            entry["error"] = error.in_full().into();
        }
        if let Some(ProjectorError::Differs {
            version,
            verification,
            ..
        }) = error
        {
            entry["version"] = (*version).into();
            entry["verification"] = as_json(verification);
        }
        entry
    }

    fn told(&self) -> String {
        let became = match &self.became {
            Became::Done(_) => "done".to_owned(),
            Became::Failed(error) | Became::Refused(error) => error.in_full(),
            Became::NotAttempted => "not attempted".to_owned(),
        };
        format!("{}: {became}", self.projection)
    }

    fn into_error(self) -> Option<ProjectorError> {
        match self.became {
            Became::Failed(error) | Became::Refused(error) => Some(error),
            Became::Done(_) | Became::NotAttempted => None,
        }
    }
}

/// What to say where not all is done: the error itself, where only one was asked for, or where one was refused, so that nothing was begun.
fn failure(outcomes: Vec<Outcome>) -> Option<ProjectorError> {
    let is_done = |outcome: &Outcome| matches!(outcome.became, Became::Done(_));
    let is_refused = |outcome: &Outcome| matches!(outcome.became, Became::Refused(_));
    let of = outcomes.len();
    let done = outcomes.iter().filter(|outcome| is_done(outcome)).count();
    if of > 1 && done < of && !outcomes.iter().any(is_refused) {
        let told: Vec<String> = outcomes.iter().map(Outcome::told).collect();
        return Some(ProjectorError::NotAllDone {
            done,
            of,
            told: told.join("\n    "),
            of_all: errors(outcomes)
                .find(ProjectorError::is_of_all)
                .map(Box::new),
        });
    }
    errors(outcomes).next()
}

fn errors(outcomes: Vec<Outcome>) -> impl Iterator<Item = ProjectorError> {
    outcomes.into_iter().filter_map(Outcome::into_error)
}

fn as_json(report: &impl Serialize) -> Value {
    serde_json::to_value(report).expect("its maps have string keys")
}

#[cfg(test)]
mod tests {
    use event_store::LogError;

    use super::*;

    fn of(projection: &str, became: Became) -> Outcome {
        Outcome {
            projection: projection.to_owned(),
            became,
        }
    }

    #[test]
    fn what_all_would_meet_is_kept_where_not_all_are_done_and_told_once() {
        let away = LogError::Unavailable {
            attempted: "reading metadata",
            reason: "refused".to_owned(),
        };
        let running = ProjectorError::RebuildRunning {
            projection: "orders",
        };
        let error = failure(vec![
            of("orders", Became::Failed(running)),
            of("carts", Became::Failed(away.into())),
            of("history", Became::NotAttempted),
        ]);
        let error = error.expect("not all are done");
        assert_eq!(error.in_full().matches("refused").count(), 1, "{error}");
        let met = match error {
            ProjectorError::NotAllDone {
                of_all: Some(met), ..
            } => met,
            other => panic!("{other:?}"),
        };
        assert!(matches!(
            *met,
            ProjectorError::Log(LogError::Unavailable { .. })
        ));
    }
}
