//! The command API's process.

use command_api::{Args, Server};
use runtime::{config, shutdown, telemetry};
use tokio::runtime::Runtime;

fn main() -> anyhow::Result<()> {
    let runtime = Runtime::new()?;
    let ran = runtime.block_on(run());
    // What the server has given up on, such as a writer that reads a long log to take over, would be waited for.
    runtime.shutdown_background();
    ran
}

async fn run() -> anyhow::Result<()> {
    let args: Args = config::parse();
    let telemetry = telemetry::init("command-api", &args.log)?;
    let shutdown = shutdown::signal()?;
    let server = Server::bind(&args, telemetry.metrics).await?;
    server.run(shutdown).await?;
    Ok(())
}
