//! The projectors' process.

use std::process::ExitCode;

use axum::Router;
use event_store::kafka::KafkaLog;
use projectors::{
    Database, ProjectionName, ProjectorError,
    args::{Args, Command, RebuildArgs},
};
use runtime::{
    config,
    health::Readiness,
    http, shutdown,
    telemetry::{self, Telemetry},
};
use tokio::{net::TcpListener, sync::watch};

#[tokio::main]
async fn main() -> anyhow::Result<ExitCode> {
    let args: Args = config::parse();
    let telemetry = telemetry::init("projectors", &args.log)?;
    match args.command.clone().unwrap_or(Command::Run) {
        Command::Run => run(&args, telemetry).await?,
        Command::Migrate => {
            projectors::migrate(&args.database_url).await?;
            println!("the database has the newest schema");
        }
        Command::Projections { command } => {
            let (log, database) = connect(&args)?;
            println!("{}", command.run(&log, &database).await?);
        }
        Command::DeadLetters { command, json } => {
            let (log, database) = connect(&args)?;
            println!("{}", command.run(&log, &database, json).await?);
        }
        Command::Rebuild {
            rebuild: wanted,
            json,
        } => return Ok(wanted.exit_code(rebuild(&args, &wanted, json).await)),
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
    let print = |text: &str| println!("{text}");
    Ok(wanted.run(&log, &database, json, print).await?)
}

fn connect(args: &Args) -> Result<(KafkaLog, Database), ProjectorError> {
    let log = KafkaLog::connect(&args.kafka.config())?;
    Ok((log, Database::new(&args.database_url)?))
}
