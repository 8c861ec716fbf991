//! `offset-zero`: everything that a person does with the system from a terminal.

#![warn(
    clippy::print_stdout,
    reason = "it panics where nobody reads; `output` does not"
)]

mod args;
mod bench;
mod client;
mod demo;
mod doctor;
mod events;
mod given;
mod operate;
mod output;
mod owners;
mod policies;
mod projections;
mod running;
mod simulated;
mod site;
mod starting;
mod stopping;
mod topics;
mod up;

use std::process::ExitCode;

use projectors::args::{advised, is_usage_error};
use runtime::{config, telemetry};

use crate::args::{Args, Command};

#[tokio::main]
async fn main() -> anyhow::Result<ExitCode> {
    let args: Args = config::parse();
    let telemetry = telemetry::init("offset-zero", &args.log)?;
    let done = match &args.command {
        Command::Dev(ports) => up::run(*ports, &args.target, args.json).await,
        Command::Demo => demo::run(&args.target, args.json).await,
        Command::Migrate => operate::migrate(&args.target, args.json).await,
        Command::Rebuild(wanted) => {
            let ran = operate::rebuild(&args.target, wanted, args.json).await;
            return Ok(wanted.exit_code(ran.map_err(advised)));
        }
        Command::Policies { command } => policies::run(&args.target, command, args.json).await,
        Command::Projections { command: None } => {
            projections::print(&args.target.database_url, args.json).await
        }
        Command::Projections {
            command: Some(command),
        } => operate::operate(&args.target, command.clone(), args.json).await,
        Command::DeadLetters { command } => {
            operate::dead_letters(&args.target, command, args.json).await
        }
        Command::Events { command } => events::run(&args.target, command, args.json).await,
        Command::Doctor => doctor::run(&args.target, args.json).await,
        Command::Topics { command } => topics::run(&args.target, *command, args.json).await,
        Command::Bench(options) => match (options.prototype, options.bare_reads) {
            (Some(port), _) => bench::prototype(&args.target, port).await,
            (None, Some(port)) => bench::bare_reads(&args.target, &options.bare_schema, port).await,
            (None, None) => bench::run(options, &args.target, args.json).await,
        },
        Command::Gateway(gateway) => simulated::gateway(gateway, telemetry.metrics).await,
        Command::Carrier(carrier) => simulated::carrier(carrier, &args.target).await,
    };
    match done {
        Ok(()) => Ok(ExitCode::SUCCESS),
        Err(error) if is_usage_error(&error) => {
            output::note(format_args!("Error: {error:?}"));
            Ok(ExitCode::from(2))
        }
        unread if output::is_unread(&unread) => Ok(output::UNREAD.into()),
        Err(error) => Err(advised(error)),
    }
}
