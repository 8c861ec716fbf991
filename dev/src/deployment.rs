//! The services of Offset Zero on a running stack: which flags each is started with, in one place.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use crate::error::Result;
use crate::ports;
use crate::process::{Output, Process, Spec};
use crate::services::{self, KAFKA_PROPERTIES, Service, binary};

/// The first start creates topics and takes over every partition; on a busy machine that takes a while.
const READY_WITHIN: Duration = Duration::from_secs(60);
/// Migrations and rebuilds end by themselves; this is for those that hang.
const COMMAND_WITHIN: Duration = Duration::from_secs(600);

/// What the services have in common: which log, which database, which topics.
#[derive(Debug, Clone)]
pub struct Wiring {
    /// Kafka, `host:port`.
    pub brokers: String,
    /// What clients of that Kafka have to be told, as [`KAFKA_PROPERTIES`] has it; empty where that is nothing.
    pub kafka_properties: String,
    /// Postgres.
    pub database_url: String,
    /// Put before topics, groups and transactional ids.
    pub namespace: String,
    /// Partitions of every topic.
    pub partitions: i32,
    /// Where the payment gateway is; empty where nobody pays.
    pub gateway_url: String,
    /// Where the services' output goes.
    pub output: ServiceOutput,
}

/// Where the services' output goes.
#[derive(Debug, Clone)]
pub enum ServiceOutput {
    /// A file for each service in this folder.
    Folder(PathBuf),
    /// Line by line to our own stderr, each after the service's name.
    Terminal,
}

/// A service that answers HTTP.
#[derive(Debug)]
pub struct Server {
    /// Its process.
    pub service: Service,
    /// `http://127.0.0.1:<port>`.
    pub url: String,
}

impl Server {
    /// Waits until it is ready to serve.
    pub fn wait_ready(&self) -> Result<()> {
        self.service.wait_ready(&self.url, READY_WITHIN)
    }
}

/// How a simulated gateway is started.
#[derive(Debug, Clone, Copy, Default)]
pub struct GatewayFlags<'a> {
    /// Where its webhooks go, and the secret that they are signed with.
    pub webhook: Option<(&'a str, &'a str)>,
    /// A file that it keeps its books in.
    pub books: Option<&'a Path>,
}

impl Wiring {
    /// Starts the command API with all services, on a free port where none is given; does not wait for it.
    pub fn command_api(&self, port: Option<u16>) -> Result<Server> {
        self.command_api_of(&[], port, &[])
    }

    /// As [`command_api`](Self::command_api), with some of the services (none means all) and further flags.
    pub fn command_api_of(
        &self,
        services: &[&str],
        port: Option<u16>,
        more: &[&str],
    ) -> Result<Server> {
        let services = flags(&[
            ("--services", &services.join(",")),
            ("--gateway-url", &self.gateway_url),
        ]);
        let more = more.iter().map(|flag| (*flag).to_owned()).collect();
        let arguments = [self.kafka(), self.topics(), services, more].concat();
        self.server("command-api", port, &arguments, self.properties())
    }

    /// Starts the projectors; does not wait for them.
    pub fn projectors(&self, port: Option<u16>) -> Result<Server> {
        let variables = self.database().into_iter().chain(self.properties());
        self.server("projectors", port, &self.kafka(), variables)
    }

    /// Starts the query API; does not wait for it.
    pub fn query_api(&self, port: Option<u16>) -> Result<Server> {
        self.server("query-api", port, &[], self.database())
    }

    /// Starts the simulated payment gateway, on a free port where none is given; does not wait for it.
    pub fn gateway(&self, port: Option<u16>, options: &GatewayFlags<'_>) -> Result<Server> {
        let (port, listen) = listen("gateway", port)?;
        let (webhook_url, secret) = options.webhook.unwrap_or_default();
        let books = options.books.map(Path::to_string_lossy).unwrap_or_default();
        let command = vec!["gateway".to_owned()];
        let more = flags(&[
            ("--listen", &listen),
            ("--webhook", webhook_url),
            ("--books", &books),
        ]);
        let service = Service::spawn_as(
            "gateway",
            CLI,
            [command, more].concat(),
            variable("OFFSET_ZERO_WEBHOOK_SECRET", secret),
            self.output.of(&format!("gateway-{port}")),
        )?;
        Ok(Server {
            service,
            url: format!("http://{listen}"),
        })
    }

    /// Starts the simulated carrier, which reports to the command API at this URL; it serves nothing, so there is
    /// nothing to wait for.
    pub fn carrier(&self, command_url: &str, delay: Duration) -> Result<Service> {
        let command = vec!["carrier".to_owned()];
        let more = flags(&[
            ("--command-url", command_url),
            ("--delay", &delay.as_secs_f64().to_string()),
        ]);
        Service::spawn_as(
            "carrier",
            CLI,
            [command, more, self.kafka()].concat(),
            self.properties(),
            self.output.of("carrier"),
        )
    }

    /// Brings the database to the newest schema.
    pub fn migrate(&self) -> Result<()> {
        self.command("projectors", &["migrate".to_owned()])
    }

    /// Rebuilds a projection from offset zero and returns when it is live.
    pub fn rebuild(&self, projection: &str) -> Result<()> {
        let command = vec!["rebuild".to_owned(), projection.to_owned()];
        self.command("projectors", &[command, self.kafka()].concat())
    }

    fn kafka(&self) -> Vec<String> {
        flags(&[
            ("--kafka-brokers", &self.brokers),
            ("--namespace", &self.namespace),
        ])
    }

    /// For whoever is a client of Kafka.
    pub fn properties(&self) -> Option<Variable<'_>> {
        variable(KAFKA_PROPERTIES, &self.kafka_properties)
    }

    fn topics(&self) -> Vec<String> {
        flags(&[("--partitions", &self.partitions.to_string())])
    }

    fn database(&self) -> Option<Variable<'_>> {
        variable("DATABASE_URL", &self.database_url)
    }

    fn server<'a>(
        &self,
        name: &'static str,
        port: Option<u16>,
        arguments: &[String],
        variables: impl IntoIterator<Item = Variable<'a>>,
    ) -> Result<Server> {
        let (port, listen) = listen(name, port)?;
        let arguments = [flags(&[("--listen", &listen)]), arguments.to_vec()].concat();
        let output = self.output.of(&format!("{name}-{port}"));
        Ok(Server {
            service: Service::spawn(name, arguments, variables, output)?,
            url: format!("http://{listen}"),
        })
    }

    fn command(&self, name: &str, arguments: &[String]) -> Result<()> {
        let title = arguments.first().map_or(name, String::as_str);
        let command = self.on_database(&binary(name)?, arguments);
        let process = Process::spawn(Spec::new(title, command, self.output.of(title)))?;
        match process.wait_exit(COMMAND_WITHIN) {
            Some(status) if status.success() => Ok(()),
            ended => Err(crate::Error::Exited {
                name: title.to_owned(),
                status: ended.map_or("still running".to_owned(), |status| status.to_string()),
                log: process.log_tail(LOG_LINES),
            }),
        }
    }

    fn on_database(&self, binary: &Path, arguments: &[String]) -> Command {
        let mut command = services::command(binary);
        command
            .args(arguments)
            .envs(self.database())
            .envs(self.properties());
        command
    }
}

/// Also runs what is simulated.
const CLI: &str = "offset-zero";
/// What is secret is no flag: the arguments of a process are for all to read.
pub type Variable<'a> = (&'static str, &'a str);
const LOG_LINES: usize = 30;

impl ServiceOutput {
    fn of(&self, name: &str) -> Output {
        match self {
            Self::Folder(folder) => Output::File(Path::new(folder).join(format!("{name}.log"))),
            Self::Terminal => Output::Prefixed(format!("{name} | ")),
        }
    }
}

/// The port, once nobody listens there, or a free one, and the address with it.
fn listen(name: &'static str, port: Option<u16>) -> Result<(u16, String)> {
    let port = ports::requested(name, port)?;
    Ok((port, format!("127.0.0.1:{port}")))
}

fn flags(pairs: &[(&str, &str)]) -> Vec<String> {
    let given = pairs.iter().filter(|(_, value)| !value.is_empty());
    given
        .flat_map(|(flag, value)| [(*flag).to_owned(), (*value).to_owned()])
        .collect()
}

/// As [`flags`], of one variable.
fn variable<'a>(name: &'static str, value: &'a str) -> Option<Variable<'a>> {
    (!value.is_empty()).then_some((name, value))
}

#[cfg(test)]
mod tests {
    use std::ffi::OsStr;

    use super::*;

    #[test]
    fn what_may_be_secret_is_told_by_the_environment_and_not_by_flags() {
        let wiring = Wiring {
            brokers: "127.0.0.1:9092".to_owned(),
            kafka_properties: "sasl.password=secret".to_owned(),
            database_url: "postgres://me:secret@db/orders".to_owned(),
            namespace: String::new(),
            partitions: 4,
            gateway_url: String::new(),
            output: ServiceOutput::Terminal,
        };
        let command = wiring.on_database(Path::new("projectors"), &wiring.kafka());
        for (variable, expected) in [
            ("DATABASE_URL", &wiring.database_url),
            (KAFKA_PROPERTIES, &wiring.kafka_properties),
        ] {
            let mut variables = command.get_envs();
            let expected = (OsStr::new(variable), Some(OsStr::new(expected)));
            assert!(variables.any(|told| told == expected), "{command:?}");
        }
        let arguments: Vec<_> = command.get_args().collect();
        assert_eq!(arguments, ["--kafka-brokers", "127.0.0.1:9092"]);
    }

    #[test]
    fn a_line_on_the_terminal_is_set_apart_from_the_name_before_it() {
        let output = ServiceOutput::Terminal.of("carrier");
        assert!(
            matches!(&output, Output::Prefixed(prefix) if prefix == "carrier | "),
            "{output:?}"
        );
    }
}
