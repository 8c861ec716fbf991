//! The stack and the three services, started and stopped in order.

use anyhow::{Context, Result};
use dev::{
    deployment::{Server, ServiceOutput, Wiring},
    stack::{Stack, StackOptions},
};

use crate::args::Target;

/// Partitions of every topic, unless told otherwise.
pub const PARTITIONS: i32 = 4;

/// Where the services listen.
#[derive(Debug, Clone, Copy)]
pub struct Ports {
    pub command_api: u16,
    pub query_api: u16,
    pub projectors: u16,
}

/// Kafka, Postgres, and the services on them.
pub struct Running {
    pub wiring: Wiring,
    pub command_api: Server,
    pub projectors: Server,
    pub query_api: Server,
    stack: Stack,
}

impl Running {
    /// Starts everything and waits until it is ready. On given ports with one log on the terminal, else on free ports
    /// with a log file each.
    pub fn start(options: StackOptions, ports: Option<Ports>) -> Result<Self> {
        let stack = Stack::start(options).context("starting Kafka and Postgres")?;
        let output = match (ports, stack.scratch()) {
            (None, Some(scratch)) => ServiceOutput::Folder(scratch.path().to_owned()),
            _ => ServiceOutput::Terminal,
        };
        let wiring = Wiring {
            brokers: stack.brokers(),
            database_url: stack.default_database_url()?,
            namespace: String::new(),
            partitions: PARTITIONS,
            output,
        };
        wiring.migrate().context("migrating the database")?;
        let command_api = wiring.command_api(ports.map(|ports| ports.command_api))?;
        let projectors = wiring.projectors(ports.map(|ports| ports.projectors))?;
        let query_api = wiring.query_api(ports.map(|ports| ports.query_api))?;
        for server in [&command_api, &projectors, &query_api] {
            server.wait_ready()?;
        }
        Ok(Self {
            wiring,
            command_api,
            projectors,
            query_api,
            stack,
        })
    }

    /// The same Kafka and Postgres, for the commands that operate on them.
    pub fn target(&self) -> Target {
        Target {
            database_url: self.wiring.database_url.clone(),
            kafka_brokers: self.wiring.brokers.clone(),
            namespace: self.wiring.namespace.clone(),
            partitions: self.wiring.partitions,
            replication_factor: 1,
        }
    }

    /// Where the services' logs go.
    pub fn logs(&self) -> String {
        match &self.wiring.output {
            ServiceOutput::Folder(folder) => folder.display().to_string(),
            ServiceOutput::Terminal => "below".to_owned(),
        }
    }

    /// Stops the services, then what they stand on.
    pub fn stop(self) -> Result<()> {
        for server in [&self.query_api, &self.command_api, &self.projectors] {
            server.service.stop()?;
        }
        Ok(self.stack.stop()?)
    }
}
