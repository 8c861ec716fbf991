//! What the process can be told.

use std::net::SocketAddr;

use clap::{Parser, Subcommand};
use event_store::kafka::KafkaConfig;
use runtime::telemetry::LogArgs;

use crate::{
    Database, ProjectionName, ProjectorError, operate,
    rebuild::{Options, Show},
};

/// Turns events into the tables that the query API reads.
#[derive(Debug, Clone, Parser)]
#[command(name = "projectors", version)]
pub struct Args {
    /// What to do; keeps the live versions up to date unless told otherwise.
    #[command(subcommand)]
    pub command: Option<Command>,

    /// The database to write to.
    #[arg(
        long,
        env = "DATABASE_URL",
        hide_env_values = true,
        default_value = "postgres://postgres@127.0.0.1:5433/offset_zero",
        global = true
    )]
    pub database_url: String,

    /// Kafka's bootstrap addresses, separated by commas.
    #[arg(
        long,
        env = "KAFKA_BROKERS",
        default_value = "127.0.0.1:9092",
        global = true
    )]
    pub kafka_brokers: String,

    /// Put before every topic's name, where deployments share a cluster.
    #[arg(long, env = "OFFSET_ZERO_NAMESPACE", default_value = "", global = true)]
    pub namespace: String,

    /// Address of health checks and metrics; port 0 takes a free one.
    #[arg(
        long,
        env = "OFFSET_ZERO_LISTEN",
        default_value = "127.0.0.1:8082",
        global = true
    )]
    pub listen: SocketAddr,

    /// Logging.
    #[command(flatten)]
    pub log: LogArgs,
}

/// What to do.
#[derive(Debug, Clone, Subcommand)]
pub enum Command {
    /// Keep the live versions up to date, until told to stop.
    Run,
    /// Apply the database migrations that are missing.
    Migrate,
    /// Operate on projections and their versions.
    Projections {
        /// What to do with them.
        #[command(subcommand)]
        command: ProjectionsCommand,
    },
    /// Build projections anew from offset zero, beside the live ones, and swap them in.
    Rebuild {
        /// Which, and how.
        #[command(flatten)]
        rebuild: RebuildArgs,
        /// Print a JSON report to stdout.
        #[arg(long)]
        json: bool,
    },
}

/// What to do with projections.
#[derive(Debug, Clone, Copy, Subcommand)]
pub enum ProjectionsCommand {
    /// Drop the tables of a version that is not live any more.
    Drop {
        /// The projection.
        name: ProjectionName,
        /// Which version.
        version: i32,
    },
}

impl ProjectionsCommand {
    /// Does it, and says what was done.
    ///
    /// # Errors
    /// When it cannot be done; says why.
    pub async fn run(self, database: &Database) -> Result<String, ProjectorError> {
        match self {
            Self::Drop { name, version } => {
                operate::drop_version(database, name, version).await?;
                Ok(format!("dropped version {version} of {name}"))
            }
        }
    }
}

/// What to rebuild, and how.
#[derive(Debug, Clone, clap::Args)]
pub struct RebuildArgs {
    /// One or more of the projections.
    #[arg(required_unless_present = "all", value_name = "NAME")]
    pub names: Vec<String>,
    /// All projections, one after the other.
    #[arg(long, conflicts_with = "names")]
    pub all: bool,
    /// Swap in nothing but what was proven equal to the live version. Unless asked for, both are compared all the same, but
    /// differences are only reported: a rebuild is also the cure for rows that are wrong.
    #[arg(long)]
    pub verify: bool,
}

impl RebuildArgs {
    /// The projections to rebuild, those that were named once.
    ///
    /// # Errors
    /// When there is none of such a name.
    pub fn projections(&self) -> Result<Vec<ProjectionName>, ProjectorError> {
        if self.all {
            return Ok(ProjectionName::ALL.to_vec());
        }
        let mut names = Vec::new();
        for name in &self.names {
            let name = name.parse()?;
            if !names.contains(&name) {
                names.push(name);
            }
        }
        Ok(names)
    }

    /// How to rebuild each of them.
    #[must_use]
    pub fn options(&self) -> Options {
        Options {
            show: Show::detect(),
            require_equal: self.verify,
        }
    }
}

impl Args {
    /// The Kafka that the flags name.
    #[must_use]
    pub fn kafka(&self) -> KafkaConfig {
        let mut config = KafkaConfig::new(&self.kafka_brokers);
        config.namespace.clone_from(&self.namespace);
        config
    }
}
