//! What the program can be told.

use std::{net::SocketAddr, path::PathBuf, str::FromStr, time::Duration};

use clap::{Parser, Subcommand, ValueEnum};
use command_api::ReactorName;
use dev::carrier::MAX_DELAY;
use event_store::kafka::{Durability, KafkaArgs, TopicSpec};
use projectors::args::{DeadLettersCommand, ProjectionsCommand, RebuildArgs};
use runtime::{signature::Secret, telemetry::LogArgs};
use uuid::Uuid;

use crate::{given::Given, policies, running::PARTITIONS};

/// Orders on Kafka: run the stack, look at it, rebuild its read models.
#[derive(Debug, Clone, Parser)]
#[command(name = "offset-zero", version, arg_required_else_help = true)]
pub struct Args {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,

    /// Which Kafka and Postgres.
    #[command(flatten)]
    pub target: Target,

    /// Print JSON to stdout instead of text.
    #[arg(long, global = true)]
    pub json: bool,

    /// Logging.
    #[command(flatten)]
    pub log: LogArgs,
}

/// Which Kafka and Postgres a command is about.
#[derive(Debug, Clone, clap::Args)]
pub struct Target {
    /// What of it somebody has said.
    #[command(flatten)]
    pub given: Given,

    /// The database of the read models.
    #[arg(
        long,
        env = "DATABASE_URL",
        hide_env_values = true,
        default_value = "postgres://postgres@127.0.0.1:5433/offset_zero",
        global = true
    )]
    pub database_url: String,

    /// Which Kafka.
    #[command(flatten)]
    pub kafka: KafkaArgs,

    /// Partitions of every topic, as fixed at creation.
    #[arg(long, env = "OFFSET_ZERO_PARTITIONS", default_value_t = PARTITIONS, global = true)]
    pub partitions: i32,

    /// Replicas that every topic has to have, for `doctor` and `topics check`: 3 in production.
    #[arg(
        long,
        env = "OFFSET_ZERO_REPLICATION_FACTOR",
        default_value_t = 1,
        global = true
    )]
    pub replication_factor: i32,
}

impl Target {
    /// Every topic that there has to be, and how.
    #[must_use]
    pub fn topic_specs(&self) -> Vec<TopicSpec> {
        let durability = Durability {
            replication: self.replication_factor,
        };
        command_api::topic_specs(self.partitions, durability)
    }
}

/// What to do.
#[derive(Debug, Clone, Subcommand)]
pub enum Command {
    /// Run the whole stack in the foreground until Ctrl-C, on data that stays.
    ///
    /// Starts Kafka and Postgres, too, each unless one is named.
    Dev(DevPorts),
    /// Boot the stack on fresh data, follow orders through it, rebuild their read model, leave nothing running.
    ///
    /// Starts Kafka and Postgres, too, each unless one is named, where it then keeps to topics and a database of its own.
    Demo,
    /// Apply the database migrations that are missing.
    Migrate,
    /// Build projections anew from offset zero, beside the live ones, and swap them in.
    Rebuild(RebuildArgs),
    /// Show every projection: version, state, lag. Or operate on them.
    Projections {
        /// What to do with them.
        #[command(subcommand)]
        command: Option<ProjectionsCommand>,
    },
    /// Look at how far policies and effects have come, or have them begin again.
    Policies {
        /// What to do with them.
        #[command(subcommand)]
        command: PoliciesCommand,
    },
    /// Look at events that could not be applied, try them again, or give up on them.
    DeadLetters {
        /// What to do with them.
        #[command(subcommand)]
        command: DeadLettersCommand,
    },
    /// Look at events, as they are written.
    Events {
        /// Which, and how.
        #[command(subcommand)]
        command: EventsCommand,
    },
    /// Look for what is wrong: brokers, topics, owners, transactions, every event, policies, Postgres, projections. Says what
    /// to do, and exits 1 where something is.
    Doctor,
    /// Look at the topics.
    Topics {
        /// What to do with them.
        #[command(subcommand)]
        command: TopicsCommand,
    },
    /// Measure this machine: raw Kafka and Postgres beside the whole system, as ratios. Build with --release.
    ///
    /// Starts Kafka and Postgres, too, each unless one is named, where it then keeps to topics and databases of its own.
    Bench(BenchOptions),
    /// Be the simulated payment gateway.
    #[command(hide = true)]
    Gateway(GatewayArgs),
    /// Be the simulated carrier.
    #[command(hide = true)]
    Carrier(CarrierArgs),
}

/// How the simulated gateway runs.
#[derive(Debug, Clone, clap::Args)]
pub struct GatewayArgs {
    /// Address to listen on; port 0 takes a free one.
    #[arg(long, default_value = "127.0.0.1:8083")]
    pub listen: SocketAddr,
    /// Where events are posted to.
    #[arg(long, value_name = "URL", requires = "webhook_secret")]
    pub webhook: Option<String>,
    /// What events are signed with: `whsec_` and base64, or plain text.
    #[arg(
        long,
        env = "OFFSET_ZERO_WEBHOOK_SECRET",
        hide_env_values = true,
        value_name = "SECRET"
    )]
    pub webhook_secret: Option<Secret>,
    /// Keep the books there, so that they outlive the process.
    #[arg(long, value_name = "FILE")]
    pub books: Option<PathBuf>,
}

/// How the simulated carrier runs.
#[derive(Debug, Clone, clap::Args)]
pub struct CarrierArgs {
    /// The command API.
    #[arg(long, value_name = "URL", default_value = "http://127.0.0.1:8080")]
    pub command_url: String,
    /// How long it takes for each step.
    #[arg(long, value_name = "SECONDS", default_value = "3", value_parser = delay)]
    pub delay: Duration,
}

fn delay(text: &str) -> Result<Duration, String> {
    let seconds: f64 = text.parse().map_err(|_| "not a number".to_owned())?;
    let delay = Duration::try_from_secs_f64(seconds).map_err(|error| error.to_string())?;
    match delay <= MAX_DELAY {
        true => Ok(delay),
        false => Err(format!("at most {} seconds", MAX_DELAY.as_secs())),
    }
}

/// What to do with policies.
#[derive(Debug, Clone, Subcommand)]
pub enum PoliciesCommand {
    /// Show how many records each is behind.
    List,
    /// Have policies read their topics from offset zero at their next start: for a log that is another one than they have
    /// read. Stop the command API first. What they did before is not done again: its commands and effects have the same ids.
    Reset {
        /// One or more of the policies.
        #[arg(required = true, value_name = "NAME", value_parser = policies::named)]
        policies: Vec<ReactorName>,
        /// Do so even where a process that runs them answers, such as another program at the address of one that was killed.
        /// Where it does run them, it goes on from its own place, and the reset is undone.
        #[arg(long)]
        force: bool,
    },
}

/// Which events, and how.
#[derive(Debug, Clone, Subcommand)]
pub enum EventsCommand {
    /// Print events as they come, until Ctrl-C.
    Tail {
        /// Only of this topic; may be repeated.
        #[arg(long = "topic", value_name = "TOPIC")]
        topics: Vec<String>,
        /// Stop after so many.
        #[arg(long)]
        count: Option<u64>,
    },
    /// Print every event of an order's journey, the oldest first.
    Show {
        /// The order.
        order_id: Uuid,
    },
    /// Print every event up to now, a line of JSON each.
    Export {
        /// Only of this topic; may be repeated.
        #[arg(long = "topic", value_name = "TOPIC")]
        topics: Vec<String>,
    },
}

/// What to do with topics.
#[derive(Debug, Clone, Copy, Subcommand)]
pub enum TopicsCommand {
    /// Verify that they are as they have to be; exit 1 and say what to do where they are not.
    Check,
}

/// The ports of `dev`.
#[derive(Debug, Clone, Copy, clap::Args)]
pub struct DevPorts {
    /// The command API's.
    #[arg(long, env = "OFFSET_ZERO_COMMAND_PORT", default_value_t = 8080)]
    pub command_port: u16,
    /// The query API's.
    #[arg(long, env = "OFFSET_ZERO_QUERY_PORT", default_value_t = 8081)]
    pub query_port: u16,
    /// The projectors' health checks and metrics.
    #[arg(long, env = "OFFSET_ZERO_PROJECTORS_PORT", default_value_t = 8082)]
    pub projectors_port: u16,
    /// The simulated payment gateway's.
    #[arg(long, env = "OFFSET_ZERO_GATEWAY_PORT", default_value_t = 8083)]
    pub gateway_port: u16,
    /// How many seconds the simulated carrier waits for each step; `off` where shipments are moved by hand.
    #[arg(
        long,
        env = "OFFSET_ZERO_CARRIER_DELAY",
        value_name = "SECONDS|off",
        default_value = "3"
    )]
    pub carrier_delay: CarrierDelay,
    /// Kafka's.
    #[arg(long, env = "OFFSET_ZERO_KAFKA_PORT", default_value_t = dev::stack::KAFKA_PORT)]
    pub kafka_port: u16,
    /// Postgres'.
    #[arg(long, env = "OFFSET_ZERO_POSTGRES_PORT", default_value_t = dev::stack::POSTGRES_PORT)]
    pub postgres_port: u16,
}

/// How much to measure.
#[derive(Debug, Clone, clap::Args)]
pub struct BenchOptions {
    /// Seconds of load at each number of connections.
    #[arg(long, default_value_t = 10)]
    pub seconds: u64,
    /// Orders placed and paid for the rebuild and for memory.
    #[arg(long, default_value_t = 100_000)]
    pub orders: u64,
    /// Orders placed and cancelled, all in one partition, for starting an order service again and for its standby.
    #[arg(long, default_value_t = 500_000)]
    pub finished: u64,
    /// Made-up orders, of two events each, for the speed of the log and for reads.
    #[arg(long, default_value_t = 1_000_000)]
    pub made_up: u64,
    /// Measure nothing but this; may be given several times.
    #[arg(long, value_name = "SECTION")]
    only: Vec<Section>,
    /// Write the table there too, as Markdown.
    #[arg(long, value_name = "FILE")]
    pub out: Option<PathBuf>,
    /// Try the benchmark itself, even of a debug build, and warm nothing up: the figures mean nothing.
    #[arg(long, hide = true)]
    pub smoke: bool,
    /// Be the prototype that is measured beside the system, on this port; the benchmark starts it itself.
    #[arg(long, value_name = "PORT", hide = true)]
    pub prototype: Option<u16>,
    /// Be the bare select that is measured beside the query API, on this port; the benchmark starts it itself.
    #[arg(long, value_name = "PORT", hide = true)]
    pub bare_reads: Option<u16>,
    /// Where the bare select finds its table.
    #[arg(long, value_name = "SCHEMA", default_value = "", hide = true)]
    pub bare_schema: String,
}

/// What can be measured by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Section {
    /// Orders over HTTP, beside a prototype and cqrs-es.
    Placing,
    /// An order service that starts again, and a standby that takes over.
    Restart,
    /// From a cart to the stock, through all services.
    Journeys,
    /// The order read model rebuilt from orders that were placed and paid; and from a command's answer to the row.
    Rebuild,
    /// Rebuilds of a long log beside raw consumption and COPY, and reads.
    LogSpeed,
}

impl BenchOptions {
    /// What to measure.
    pub fn sections(&self) -> Vec<Section> {
        match self.only.is_empty() {
            true => Section::value_variants().to_vec(),
            false => self.only.clone(),
        }
    }
}

/// How long the simulated carrier waits for each step; none where there is none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CarrierDelay(pub Option<Duration>);

impl FromStr for CarrierDelay {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text == "off" {
            return Ok(Self(None));
        }
        delay(text).map(|delay| Self(Some(delay)))
    }
}

#[cfg(test)]
mod tests;
