//! The stack and all processes on it, started and stopped in order.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use anyhow::{Context, Result, anyhow};
use dev::{
    deployment::{GatewayFlags, Server, ServiceOutput, Wiring},
    postgres::ScratchDatabase,
    process::Process,
    services::Service,
    stack::StackOptions,
};
use runtime::signature::DEVELOPMENT_SECRET;

use crate::{args::Target, site::Site};

/// Partitions of every topic, unless told otherwise.
pub const PARTITIONS: i32 = 4;

/// Where the services listen.
#[derive(Debug, Clone, Copy)]
pub struct Ports {
    pub command_api: u16,
    pub query_api: u16,
    pub projectors: u16,
    pub gateway: u16,
}

/// Kafka, Postgres, the services on them, and what stands in for the world outside.
pub struct Running {
    pub wiring: Wiring,
    pub gateway: Server,
    pub command_api: Server,
    pub projectors: Server,
    pub query_api: Server,
    /// Where mails go that would be sent elsewhere.
    pub mails: PathBuf,
    carrier: Option<Service>,
    site: Site,
}

impl Running {
    /// Starts everything, as far as it was not asked for by address, and waits until it is ready. On given ports with one log on
    /// the terminal, else on free ports with a log file each. Without a carrier, goods stay until somebody has them leave.
    pub fn start(
        options: StackOptions,
        asked: &Target,
        ports: Option<Ports>,
        carrier_delay: Option<Duration>,
    ) -> Result<Self> {
        let site = Site::start(options, asked)?;
        let output = match (ports, site.stack.scratch()) {
            (None, Some(scratch)) => ServiceOutput::Folder(scratch.path().to_owned()),
            _ => ServiceOutput::Terminal,
        };
        let folder = match site.stack.scratch() {
            Some(scratch) => scratch.path().to_owned(),
            None => dev::dirs::state()?,
        };
        let (books, mails) = (folder.join("gateway.books"), folder.join("mails"));
        let mut wiring = Wiring {
            brokers: site.stack.brokers(),
            kafka_properties: site.kafka_properties(),
            database_url: site.database_url.clone(),
            namespace: site.namespace.clone(),
            partitions: asked.partitions,
            gateway_url: String::new(),
            output,
        };
        wiring.migrate().context("migrating the database")?;
        // Each has to know where the other is.
        let command_port = match ports {
            Some(ports) => ports.command_api,
            None => dev::ports::free()?,
        };
        let command_url = format!("http://127.0.0.1:{command_port}");
        let gateway = start_gateway(&wiring, ports, &command_url, &books)?;
        wiring.gateway_url.clone_from(&gateway.url);
        let state = folder.join("state");
        let folders = [
            "--mail-folder",
            &mails.to_string_lossy(),
            "--state-dir",
            &state.to_string_lossy(),
        ];
        let command_api = wiring.command_api_of(&[], Some(command_port), &folders)?;
        let projectors = wiring.projectors(ports.map(|ports| ports.projectors))?;
        let query_api = wiring.query_api(ports.map(|ports| ports.query_api))?;
        for server in [&gateway, &command_api, &projectors, &query_api] {
            server.wait_ready()?;
        }
        let carrier = carrier_delay.map(|delay| wiring.carrier(&command_url, delay));
        Ok(Self {
            carrier: carrier.transpose()?,
            wiring,
            gateway,
            mails,
            command_api,
            projectors,
            query_api,
            site,
        })
    }

    /// Starts everything for this, always with as many partitions, and stops it after.
    pub async fn with<T>(
        options: StackOptions,
        asked: &Target,
        work: impl AsyncFnOnce(&Arc<Self>) -> Result<T>,
    ) -> Result<T> {
        eprintln!("starting Kafka and Postgres");
        let asked = Target {
            partitions: PARTITIONS,
            ..asked.clone()
        };
        let start = move || Self::start(options, &asked, None, None);
        let running = Arc::new(tokio::task::spawn_blocking(start).await??);
        let done = work(&running).await;
        let stopped = match Arc::into_inner(running) {
            Some(running) => tokio::task::spawn_blocking(move || running.stop()).await?,
            None => Err(anyhow!("something is still at work on it")),
        };
        // What has failed first says more.
        let done = done?;
        stopped?;
        Ok(done)
    }

    /// The same Kafka and Postgres, for the commands that operate on them.
    pub fn target(&self) -> Target {
        self.site.target(self.wiring.partitions)
    }

    /// A database beside the stack's own.
    pub fn scratch_database(&self) -> Result<ScratchDatabase> {
        Ok(self.site.stack.scratch_database()?)
    }

    /// What has to go on for as long as it runs; what others stand on comes first.
    pub fn processes(&self) -> impl Iterator<Item = &Process> {
        let servers = [
            &self.gateway,
            &self.command_api,
            &self.projectors,
            &self.query_api,
        ];
        let services = servers.into_iter().map(|server| &server.service);
        let services = services.chain(&self.carrier).map(Service::process);
        self.site.stack.processes().chain(services)
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
        if let Some(carrier) = &self.carrier {
            carrier.stop()?;
        }
        for server in [
            &self.query_api,
            &self.command_api,
            &self.projectors,
            &self.gateway,
        ] {
            server.service.stop()?;
        }
        self.site.stop()
    }
}

fn start_gateway(
    wiring: &Wiring,
    ports: Option<Ports>,
    command_url: &str,
    books: &Path,
) -> Result<Server> {
    let webhook = format!("{command_url}/v1/payments/webhook");
    let flags = GatewayFlags {
        webhook: Some((&webhook, DEVELOPMENT_SECRET)),
        books: Some(books),
    };
    Ok(wiring.gateway(ports.map(|ports| ports.gateway), &flags)?)
}
