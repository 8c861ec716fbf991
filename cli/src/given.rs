//! What was said of Kafka and Postgres: a value alone does not show whether anybody has said it.

use anyhow::{Result, ensure};
use clap::{
    Arg, ArgMatches, Command, CommandFactory, Error, FromArgMatches, builder::OsStr,
    parser::ValueSource,
};
use dev::stack::External;

use crate::args::{Args, Target};

/// Flags of all commands that those which start everything by themselves do not heed, or not all of them do.
const SETTINGS: [&str; 3] = ["namespace", "partitions", "replication_factor"];

/// What was said. Goes before the flags that it looks at: clap lets go of each once it is read.
#[derive(Debug, Clone, Default)]
pub struct Given {
    /// By flag, environment or file.
    brokers: bool,
    /// By flag, environment or file.
    database_url: bool,
    /// Properties of Kafka's clients, by flag.
    pub properties: bool,
    /// Of [`SETTINGS`], by flag.
    typed: Vec<&'static str>,
}

impl Given {
    /// Refuses flags that a command would not heed. What the environment or a file says may be meant for other commands.
    pub fn refuse(&self, unheeded: &[&str]) -> Result<()> {
        for flag in &self.typed {
            ensure!(
                !unheeded.contains(flag),
                "this command starts everything its own way and does not heed --{}: leave it out",
                flag.replace('_', "-")
            );
        }
        Ok(())
    }
}

impl Target {
    /// What need not be started: what somebody has named. Named as nothing is not named, as in the environment.
    pub fn external(&self) -> External {
        let named =
            |is_given: bool, value: &String| (is_given && !value.is_empty()).then(|| value.clone());
        External {
            brokers: named(self.given.brokers, &self.kafka.brokers),
            database_url: named(self.given.database_url, &self.database_url),
        }
    }
}

/// By hand, since it has no flags of its own.
impl FromArgMatches for Given {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, Error> {
        let is_typed = |flag: &&str| matches.value_source(flag) == Some(ValueSource::CommandLine);
        Ok(Self {
            brokers: is_given(matches, "kafka-brokers"),
            database_url: is_given(matches, "database_url"),
            properties: is_typed(&"kafka-property"),
            typed: SETTINGS.into_iter().filter(is_typed).collect(),
        })
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), Error> {
        *self = Self::from_arg_matches(matches)?;
        Ok(())
    }
}

impl clap::Args for Given {
    fn augment_args(command: Command) -> Command {
        command
    }

    fn augment_args_for_update(command: Command) -> Command {
        command
    }
}

/// Whether somebody has given a flag its value. One from a file stands in the place of the default, so it shows by being another
/// than the program's own.
fn is_given(matches: &ArgMatches, flag: &str) -> bool {
    match matches.value_source(flag) {
        Some(ValueSource::DefaultValue) => {
            let command = Args::command();
            let known = command.get_arguments().find(|known| known.get_id() == flag);
            let default = known.map(Arg::get_default_values).unwrap_or_default();
            let default = default.iter().map(OsStr::as_os_str);
            let values = matches.get_raw(flag).into_iter().flatten();
            !values.eq(default)
        }
        source => source.is_some(),
    }
}

#[cfg(test)]
mod tests {
    use std::{env, ffi::OsString, fs};

    use clap::Parser;
    use dev::dirs::Scratch;
    use runtime::config;

    use super::*;

    const KAFKA: &str = "127.0.0.1:9092";
    const POSTGRES: &str = "postgres://postgres@127.0.0.1:5433/offset_zero";

    fn parsed(flags: &[&str]) -> Args {
        let line = ["offset-zero", "dev"].iter().chain(flags);
        Args::try_parse_from(line).expect("they are flags")
    }

    #[test]
    fn what_a_flag_names_is_not_started_even_where_it_names_the_default() {
        let flags = ["--kafka-brokers", KAFKA, "--database-url", POSTGRES];
        let external = parsed(&flags).target.external();
        assert_eq!(external.brokers.as_deref(), Some(KAFKA));
        assert_eq!(external.database_url.as_deref(), Some(POSTGRES));
    }

    #[test]
    fn what_nobody_names_is_started() {
        let is_set = |name| env::var(name).is_ok_and(|value| !value.is_empty());
        let external = parsed(&[]).target.external();
        assert_eq!(external.brokers.is_some(), is_set("KAFKA_BROKERS"));
        assert_eq!(external.database_url.is_some(), is_set("DATABASE_URL"));
        let nothing = ["--kafka-brokers", "", "--database-url", ""];
        let external = parsed(&nothing).target.external();
        assert_eq!((external.brokers, external.database_url), (None, None));
    }

    #[test]
    fn what_a_file_names_is_not_started() -> Result<()> {
        let scratch = Scratch::new()?;
        let path = scratch.path().join("offset-zero.toml");
        fs::write(&path, "kafka-brokers = \"kafka.example:9092\"")?;
        let line = ["offset-zero", "dev", "--config"].map(OsString::from);
        let line = line.into_iter().chain([path.into_os_string()]).collect();
        let args: Args = config::try_parse_from(line)?;
        let external = args.target.external();
        assert!(external.brokers.is_some());
        Ok(())
    }

    #[test]
    fn a_flag_that_would_not_be_heeded_is_refused() {
        let given = parsed(&["--replication-factor", "1", "--partitions", "2"])
            .target
            .given;
        let refused = given.refuse(&["namespace", "replication_factor"]);
        let told = refused.expect_err("it was typed").to_string();
        assert!(told.contains("--replication-factor"), "{told}");
        assert!(given.refuse(&["namespace"]).is_ok());
    }
}
