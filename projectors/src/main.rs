//! The projectors' process.

#![warn(
    clippy::print_stdout,
    reason = "it panics where nobody reads; `runtime::output` does not"
)]

use std::process::ExitCode;

use axum::Router;
use event_store::kafka::KafkaLog;
use projectors::{
    Database, ProjectionName, ProjectorError,
    args::{Args, Command, RebuildArgs, advised, is_usage_error},
};
use runtime::{
    config,
    health::Readiness,
    http,
    output::{self, UNREAD, print},
    shutdown,
    telemetry::{self, Telemetry},
};
use tokio::{net::TcpListener, sync::watch};

#[tokio::main]
async fn main() -> anyhow::Result<ExitCode> {
    let args: Args = config::parse();
    let telemetry = telemetry::init("projectors", &args.log)?;
    match carry_out(&args, telemetry).await {
        Err(error) if output::is_unread(error.as_ref()) => Ok(UNREAD.into()),
        Err(error) if is_usage_error(&error) => {
            eprintln!("Error: {error:?}");
            Ok(ExitCode::from(2))
        }
        ended => ended.map_err(advised),
    }
}

async fn carry_out(args: &Args, telemetry: Telemetry) -> anyhow::Result<ExitCode> {
    match args.command.clone().unwrap_or(Command::Run) {
        Command::Run => run(args, telemetry).await?,
        Command::Migrate => {
            let migrated = projectors::migrate(&args.database_url).await?;
            print(format_args!("{migrated}"))?;
        }
        Command::Projections { command } => {
            let (log, database) = connect(args)?;
            let done = command.run(&log, &database).await?;
            print(format_args!("{done}"))?;
        }
        Command::DeadLetters { command, json } => {
            let (log, database) = connect(args)?;
            let said = command.run(&log, &database, json).await?;
            print(format_args!("{said}"))?;
        }
        Command::Rebuild {
            rebuild: wanted,
            json,
        } => {
            let ran = rebuild(args, &wanted, json).await;
            return Ok(wanted.exit_code(ran.map_err(advised)));
        }
    }
    Ok(ExitCode::SUCCESS)
}

async fn run(args: &Args, telemetry: Telemetry) -> anyhow::Result<()> {
    let shutdown = shutdown::signal()?;
    let (log, database) = connect(args)?;
    let readiness = Readiness::new(ProjectionName::ALL.map(ProjectionName::as_str));
    let listener = TcpListener::bind(args.listen).await?;
    tracing::info!(address = %listener.local_addr()?, "listening");
    let router = http::app(Router::new(), readiness.clone(), telemetry.metrics);

    let (stop, stopping) = watch::channel(false);
    let mut feeding =
        tokio::spawn(async move { projectors::run(&log, &database, &readiness, &stopping).await });
    let serving = http::serve(listener, router, shutdown);
    tokio::select! {
        () = serving => {}
        // Before it is told to it ends only by a panic, and who only serves its health is not healthy.
        ended = &mut feeding => return Ok(ended??),
    }
    stop.send_replace(true);
    Ok(feeding.await??)
}

async fn rebuild(args: &Args, wanted: &RebuildArgs, json: bool) -> anyhow::Result<bool> {
    let (log, database) = connect(args)?;
    wanted.run_and_print(&log, &database, json).await
}

fn connect(args: &Args) -> Result<(KafkaLog, Database), ProjectorError> {
    let log = KafkaLog::connect(&args.kafka.config())?;
    Ok((log, Database::new(&args.database_url)?))
}
