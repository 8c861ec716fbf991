//! The command API's process.

use command_api::{Args, Server};
use runtime::{config, shutdown, telemetry};

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let args: Args = config::parse();
    let telemetry = telemetry::init("command-api", &args.log)?;
    let shutdown = shutdown::signal()?;
    let server = Server::bind(&args, telemetry.metrics).await?;
    server.run(shutdown).await?;
    Ok(())
}
