//! `offset-zero dev`: the stack in the foreground, on data that survives.

use std::{
    fmt,
    path::{Path, PathBuf},
    pin::pin,
    time::Duration,
};

use anyhow::{Error, Result, anyhow};
use dev::{postgres::without_password, process::Process, stack::StackOptions};
use runtime::shutdown;
use serde::Serialize;
use tokio::time::interval;

use crate::{
    args::{DevPorts, Target},
    output::{note, print},
    running::{Ports, Running},
    starting::started,
};

/// How often it is looked whether all processes are still there.
const LOOK_INTERVAL: Duration = Duration::from_millis(500);
const LOG_LINES: usize = 30;

/// Runs until Ctrl-C, SIGTERM or SIGHUP, or until a part of it has ended by itself: what is left would look like a system that works.
pub async fn run(ports: DevPorts, asked: &Target, json: bool) -> Result<()> {
    asked.given.refuse(&["namespace", "replication_factor"])?;
    let mut stop = pin!(shutdown::signal()?);
    let options = StackOptions::persistent(ports.kafka_port, ports.postgres_port);
    let servers = Ports {
        command_api: ports.command_port,
        query_api: ports.query_port,
        projectors: ports.projectors_port,
        gateway: ports.gateway_port,
    };
    let delay = ports.carrier_delay.0;
    let asked = asked.clone();
    let start = move || Running::start(options, &asked, Some(servers), delay);
    let starting = tokio::task::spawn_blocking(start);
    let (running, is_stopping) = started(starting, stop.as_mut()).await?;
    let ended = match is_stopping {
        true => Ok(()),
        false => match announce(&running, json) {
            Ok(()) => tokio::select! {
                () = stop => Ok(()),
                ended = any_end(&running) => Err(ended),
            },
            Err(error) => Err(error),
        },
    };
    match &ended {
        Ok(()) => note(format_args!("stopping")),
        Err(ended) => note(format_args!("stopping: {ended}")),
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

/// Where everything is.
#[derive(Serialize)]
struct Ready<'a> {
    command_api: &'a str,
    query_api: &'a str,
    projectors: &'a str,
    gateway: &'a str,
    kafka: &'a str,
    postgres: String,
    mails: &'a Path,
    data: PathBuf,
    postgres_data: PathBuf,
}

impl<'a> Ready<'a> {
    fn of(running: &'a Running) -> Result<Self> {
        Ok(Self {
            command_api: &running.command_api.url,
            query_api: &running.query_api.url,
            projectors: &running.projectors.url,
            gateway: &running.gateway.url,
            kafka: &running.wiring.brokers,
            postgres: without_password(&running.wiring.database_url),
            mails: &running.mails,
            data: dev::dirs::state()?,
            postgres_data: dev::dirs::postgres_data()?,
        })
    }
}

/// For people.
impl fmt::Display for Ready<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "\nready; stop with Ctrl-C")?;
        writeln!(f, "  command API  {}   (docs: /docs)", self.command_api)?;
        writeln!(f, "  query API    {}   (docs: /docs)", self.query_api)?;
        writeln!(
            f,
            "  projectors   {}   (health and metrics)",
            self.projectors
        )?;
        writeln!(
            f,
            "  gateway      {}   (simulated; its books: /books)",
            self.gateway
        )?;
        writeln!(f, "  Kafka        {}", self.kafka)?;
        writeln!(f, "  Postgres     {}", self.postgres)?;
        writeln!(f, "  mails        {}", self.mails.display())?;
        writeln!(f, "  data         {}", self.data.display())?;
        writeln!(
            f,
            "               {} (Postgres)",
            self.postgres_data.display()
        )
    }
}

fn announce(running: &Running, json: bool) -> Result<()> {
    let ready = Ready::of(running)?;
    match json {
        true => print(format_args!("{}", serde_json::to_string(&ready)?)),
        false => print(format_args!("{ready}")),
    }
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use anyhow::Context;
    use dev::{
        dirs::Scratch,
        process::{Output, Spec},
    };

    use super::*;

    #[test]
    fn people_are_told_of_every_place_that_programs_are_told_of() -> Result<()> {
        let ready = Ready {
            command_api: "http://127.0.0.1:8080",
            query_api: "http://127.0.0.1:8081",
            projectors: "http://127.0.0.1:8082",
            gateway: "http://127.0.0.1:8083",
            kafka: "127.0.0.1:9092",
            postgres: "postgres://postgres@127.0.0.1:5433/offset_zero".to_owned(),
            mails: Path::new("/mails"),
            data: "/clone/.offset-zero".into(),
            postgres_data: "/var/lib/offset-zero/postgres".into(),
        };
        let text = ready.to_string();
        let places = serde_json::to_value(&ready)?;
        assert_eq!(places["query_api"], "http://127.0.0.1:8081");
        for (name, place) in places.as_object().context("an object")? {
            let place = place.as_str().context("a text")?;
            assert!(text.contains(place), "{name}: {text}");
        }
        Ok(())
    }

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
