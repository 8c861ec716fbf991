//! `offset-zero dev`: the stack in the foreground, on data that survives.

use std::time::Duration;

use anyhow::{Context, Error, Result, anyhow};
use dev::{process::Process, stack::StackOptions};
use runtime::shutdown;
use tokio::time::interval;

use crate::{
    args::DevPorts,
    running::{Ports, Running},
};

/// How often it is looked whether all processes are still there.
const LOOK_INTERVAL: Duration = Duration::from_millis(500);
const LOG_LINES: usize = 30;

/// Runs until Ctrl-C or SIGTERM, or until a part of it has ended by itself: what is left would look like a system that works.
pub async fn run(ports: DevPorts, partitions: i32) -> Result<()> {
    let stop = shutdown::signal()?;
    let options = StackOptions::persistent(ports.kafka_port, ports.postgres_port);
    let servers = Ports {
        command_api: ports.command_port,
        query_api: ports.query_port,
        projectors: ports.projectors_port,
        gateway: ports.gateway_port,
    };
    let delay = ports.carrier_delay.0;
    let start = move || Running::start(options, partitions, Some(servers), delay);
    let starting = tokio::task::spawn_blocking(start);
    // A Ctrl-C while it starts is obeyed as soon as there is something to stop in order.
    let running = starting.await.context("starting the stack")??;
    announce(&running)?;
    let ended = tokio::select! {
        () = stop => Ok(()),
        ended = any_end(&running) => Err(ended),
    };
    match &ended {
        Ok(()) => println!("stopping"),
        Err(ended) => println!("stopping: {ended}"),
    }
    let stopped = tokio::task::spawn_blocking(move || running.stop()).await?;
    ended.and(stopped)
}

/// Waits until one of its processes has ended.
async fn any_end(running: &Running) -> Error {
    let mut looks = interval(LOOK_INTERVAL);
    loop {
        looks.tick().await;
        if let Some(ended) = first_end(running.processes()) {
            return ended;
        }
    }
}

/// The first of these that has ended, and the tail of its log as the cause.
fn first_end<'a>(mut processes: impl Iterator<Item = &'a Process>) -> Option<Error> {
    processes.find_map(|process| {
        let status = process.exit_status()?;
        let log = anyhow!("the end of its log:\n{}", process.log_tail(LOG_LINES));
        Some(log.context(format!("{} has ended by itself ({status})", process.name())))
    })
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

#[cfg(test)]
mod tests {
    use std::process::Command;

    use dev::{
        dirs::Scratch,
        process::{Output, Spec},
    };

    use super::*;

    #[test]
    fn a_process_that_has_ended_is_named_with_the_end_of_its_log() -> Result<()> {
        let scratch = Scratch::new()?;
        let start = |name: &str, script: &str| {
            let mut shell = Command::new("sh");
            shell.args(["-c", script]);
            let log = Output::File(scratch.path().join(name));
            Process::spawn(Spec::new(name, shell, log))
        };
        let steady = start("steady", "exec sleep 60")?;
        let failing = start("failing", "echo no luck; exit 3")?;
        assert!(first_end([&steady].into_iter()).is_none());
        let patience = Duration::from_secs(20);
        failing.wait_exit(patience).context("it ends at once")?;
        let ended = first_end([&steady, &failing].into_iter()).context("one has ended")?;
        assert_eq!(
            ended.to_string(),
            "failing has ended by itself (exit status: 3)"
        );
        let told = format!("{ended:#}");
        assert!(told.ends_with("the end of its log:\nno luck"), "{told}");
        steady.kill()?;
        Ok(())
    }
}
