//! Configuration: flags, then the environment, then an optional TOML file, then what the binary defaults to. A variable that is set to
//! nothing is not set.

use std::{
    collections::BTreeMap,
    env,
    ffi::{OsStr, OsString},
    fs,
    path::PathBuf,
};

use clap::{
    Arg, ArgAction, Command, Parser,
    error::{ContextKind, ContextValue, ErrorKind},
    value_parser,
};

const FILE_FLAG: &str = "config";
const FILE_VARIABLE: &str = "OFFSET_ZERO_CONFIG";

/// The process's configuration; explains itself and exits where it cannot be had.
#[must_use]
pub fn parse<T: Parser>() -> T {
    try_parse_from(env::args_os().collect()).unwrap_or_else(|error| error.exit())
}

/// As [`parse`], from the given arguments, the first being the binary's name.
///
/// # Errors
/// Also for `--help` and `--version`; print it and exit, as [`clap::Error::exit`] does.
pub fn try_parse_from<T: Parser>(arguments: Vec<OsString>) -> Result<T, clap::Error> {
    let mut command = without_empty_variables(T::command().arg(file_argument()));
    if let Some(path) = file_path(&arguments) {
        let file = File::read(&path).map_err(|reason| {
            let message = format!("configuration file {}: {reason}\n", path.display());
            command.error(ErrorKind::ValueValidation, message)
        })?;
        file.check(&command).map_err(|reason| {
            let message = format!("configuration file {}: {reason}\n", path.display());
            command.error(ErrorKind::ValueValidation, message)
        })?;
        command = file.into_defaults(command);
    }
    let parsed = command.clone().try_get_matches_from(arguments);
    let mut matches = parsed.map_err(|error| without_secret(error, &command))?;
    T::from_arg_matches_mut(&mut matches).map_err(|error| error.format(&mut command))
}

/// Deployments set a variable to nothing where they mean none: clap would take that for a value, such as a list of one empty item.
fn without_empty_variables(command: Command) -> Command {
    let without = |arg: Arg| match arg.get_env().is_some_and(is_set_to_nothing) {
        true => arg.env(None::<&'static str>),
        false => arg,
    };
    command
        .mut_args(without)
        .mut_subcommands(without_empty_variables)
}

fn is_set_to_nothing(variable: &OsStr) -> bool {
    env::var_os(variable) == Some(OsString::new())
}

/// What a flag's parser refuses is often nearly right, such as a secret that lacks its last character, and errors end up in logs.
fn without_secret(error: clap::Error, command: &Command) -> clap::Error {
    let Some(ContextValue::String(refused)) = error.get(ContextKind::InvalidArg) else {
        return error;
    };
    let mut flags = BTreeMap::new();
    collect_flags(command, &mut flags);
    // It reads `--flag <VALUE>`.
    let flag = refused.split(' ').next().unwrap_or_default();
    let flag = flags.get(flag.trim_start_matches('-'));
    let is_secret = flag.is_some_and(|flag| flag.is_hide_env_values_set());
    match is_secret {
        true => without_value(error),
        false => error,
    }
}

fn without_value(mut error: clap::Error) -> clap::Error {
    // A value that is missing is an empty one.
    if let Some(ContextValue::String(value)) = error.get(ContextKind::InvalidValue)
        && !value.is_empty()
    {
        let hidden = ContextValue::String("…".to_owned());
        error.insert(ContextKind::InvalidValue, hidden);
    }
    error
}

fn file_argument() -> Arg {
    Arg::new(FILE_FLAG)
        .long(FILE_FLAG)
        .env(FILE_VARIABLE)
        .value_name("FILE")
        .value_parser(value_parser!(PathBuf))
        .global(true)
        .help(
            "A TOML file with any of these flags as keys, e.g. `listen = \"0.0.0.0:8080\"`; \
             flags win over the environment, the environment over the file",
        )
}

/// Found before clap looks at the arguments, since the file may supply what they lack.
fn file_path(arguments: &[OsString]) -> Option<PathBuf> {
    let mut arguments = arguments.iter().skip(1).take_while(|a| *a != "--");
    let flag = format!("--{FILE_FLAG}");
    let inline = format!("{flag}=");
    while let Some(argument) = arguments.next() {
        if *argument == *flag {
            return arguments.next().map(PathBuf::from);
        }
        if let Some(path) = argument.to_str().and_then(|a| a.strip_prefix(&inline)) {
            return Some(PathBuf::from(path));
        }
    }
    let path = env::var_os(FILE_VARIABLE).filter(|path| !path.is_empty());
    path.map(PathBuf::from)
}

/// A file's values as they would be typed after `--key`.
struct File(BTreeMap<String, Vec<String>>);

impl File {
    fn read(path: &PathBuf) -> Result<Self, String> {
        let text = fs::read_to_string(path).map_err(|error| error.to_string())?;
        let table: toml::Table = text.parse().map_err(|error: toml::de::Error| {
            let message = error.to_string();
            message.trim_end().to_owned()
        })?;
        let mut values = BTreeMap::new();
        for (key, value) in table {
            let typed = match value {
                toml::Value::Array(items) => items.into_iter().map(typed).collect(),
                value => typed(value).map(|text| vec![text]),
            };
            let typed =
                typed.ok_or_else(|| format!("`{key}` has to be a plain value or a list"))?;
            values.insert(key.replace('_', "-"), typed);
        }
        Ok(Self(values))
    }

    /// Keys must be flags, and values what these flags take.
    fn check(&self, command: &Command) -> Result<(), String> {
        let mut known = BTreeMap::new();
        collect_flags(command, &mut known);
        for (key, values) in &self.0 {
            let Some(flag) = known.get(&**key) else {
                let names: Vec<_> = known.keys().copied().collect();
                return Err(format!(
                    "unknown key `{key}`; known are {}",
                    names.join(", ")
                ));
            };
            // Defaults are trusted by clap, so the flag's parser is asked here.
            let typed = values.iter().map(|value| format!("--{key}={value}"));
            let parsed = Command::new("configuration")
                .no_binary_name(true)
                .arg(
                    Arg::new("value")
                        .long((*key).clone())
                        .action(ArgAction::Append)
                        .value_delimiter(flag.get_value_delimiter())
                        .value_parser(flag.get_value_parser().clone()),
                )
                .try_get_matches_from(typed);
            if let Err(error) = parsed {
                let error = match flag.is_hide_env_values_set() {
                    true => without_value(error),
                    false => error,
                };
                let text = error.to_string();
                let line = text.lines().next().unwrap_or_default();
                return Err(line.trim_start_matches("error: ").to_owned());
            }
        }
        Ok(())
    }

    fn into_defaults(self, command: Command) -> Command {
        fn apply(command: Command, values: &BTreeMap<String, Vec<String>>) -> Command {
            let with_default = |arg: Arg| match arg.get_long().and_then(|long| values.get(long)) {
                Some(values) => arg.default_values(values.clone()).required(false),
                None => arg,
            };
            command
                .mut_args(with_default)
                .mut_subcommands(|subcommand| apply(subcommand, values))
        }
        apply(command, &self.0)
    }
}

fn collect_flags<'a>(command: &'a Command, flags: &mut BTreeMap<&'a str, &'a Arg>) {
    for flag in command.get_arguments() {
        if let Some(long) = flag.get_long().filter(|long| *long != FILE_FLAG) {
            flags.insert(long, flag);
        }
    }
    for subcommand in command.get_subcommands() {
        collect_flags(subcommand, flags);
    }
}

fn typed(value: toml::Value) -> Option<String> {
    match value {
        toml::Value::String(text) => Some(text),
        toml::Value::Integer(number) => Some(number.to_string()),
        toml::Value::Float(number) => Some(number.to_string()),
        toml::Value::Boolean(flag) => Some(flag.to_string()),
        toml::Value::Datetime(time) => Some(time.to_string()),
        toml::Value::Array(_) | toml::Value::Table(_) => None,
    }
}

#[cfg(test)]
mod tests;
