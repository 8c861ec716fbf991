//! `offset-zero dev`: the stack in the foreground, on data that survives.

use anyhow::{Context, Result};
use dev::stack::StackOptions;
use runtime::shutdown;

use crate::{
    args::DevPorts,
    running::{Ports, Running},
};

/// Runs until Ctrl-C or SIGTERM.
pub async fn run(ports: DevPorts) -> Result<()> {
    let stop = shutdown::signal()?;
    let options = StackOptions::persistent(ports.kafka_port, ports.postgres_port);
    let servers = Ports {
        command_api: ports.command_port,
        query_api: ports.query_port,
        projectors: ports.projectors_port,
        gateway: ports.gateway_port,
    };
    let start = move || Running::start(options, Some(servers), ports.carrier_delay.0);
    let starting = tokio::task::spawn_blocking(start);
    // A Ctrl-C while it starts is obeyed as soon as there is something to stop in order.
    let running = starting.await.context("starting the stack")??;
    announce(&running)?;
    stop.await;
    println!("stopping");
    tokio::task::spawn_blocking(move || running.stop()).await?
}

fn announce(running: &Running) -> Result<()> {
    println!();
    println!("ready; stop with Ctrl-C");
    println!("  command API  {}   (docs: /docs)", running.command_api.url);
    println!("  query API    {}   (docs: /docs)", running.query_api.url);
    println!(
        "  projectors   {}   (health and metrics)",
        running.projectors.url
    );
    println!(
        "  gateway      {}   (simulated; its books: /books)",
        running.gateway.url
    );
    println!("  Kafka        {}", running.wiring.brokers);
    println!("  Postgres     {}", running.wiring.database_url);
    println!("  mails        {}", running.mails.display());
    println!("  data         {}", dev::dirs::state()?.display());
    println!(
        "               {} (Postgres)",
        dev::dirs::postgres_data()?.display()
    );
    println!();
    Ok(())
}
