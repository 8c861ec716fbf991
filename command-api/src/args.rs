//! What the process can be told.

use std::{net::SocketAddr, path::PathBuf, time::Duration};

use chrono::TimeDelta;
use clap::{Parser, ValueEnum, value_parser};
use domain::{
    Context,
    cart::Carts,
    notification::Notifications,
    order::{OrderPolicy, Orders},
    payment::Payments,
    product::Products,
    shipping::Shipments,
};
use event_store::{
    StateConfig,
    kafka::{Durability, KafkaArgs},
    log::Member,
};
use runtime::{signature::Secret, telemetry::LogArgs};

use crate::{notifications::NotificationArgs, payments::PaymentKey};

/// Takes commands over HTTP and appends what happened to Kafka.
///
/// Topics are created at the first start. Any number of these can run beside each other: those that run a service share its
/// partitions, and hand commands on to whoever can decide them.
#[derive(Debug, Clone, Parser)]
#[command(name = "command-api", version)]
pub struct Args {
    /// Address to listen on; port 0 takes a free one.
    #[arg(long, env = "OFFSET_ZERO_LISTEN", default_value = "127.0.0.1:8080")]
    pub listen: SocketAddr,

    /// Where other processes reach this one, where that is not the address it listens on.
    #[arg(long, env = "OFFSET_ZERO_ADVERTISE", value_name = "HOST:PORT")]
    pub advertise: Option<String>,

    /// This process's own name among those that run the same services, kept over restarts: one that comes back under its
    /// name gets its partitions back at once, even if it was killed. By default made of host name and address.
    #[arg(long, env = "OFFSET_ZERO_MEMBER", value_name = "NAME")]
    pub member: Option<String>,

    /// A process that was not heard of for so long is taken for dead, and others take its partitions over.
    #[arg(
        long = "session-timeout",
        env = "OFFSET_ZERO_SESSION_TIMEOUT",
        value_name = "SECONDS",
        default_value_t = 10,
        value_parser = value_parser!(u32).range(6..=300)
    )]
    pub session_timeout_seconds: u32,

    /// What processes of this deployment sign the commands with that they hand on to each other; without it, a secret that
    /// anybody can read, for development.
    #[arg(
        long,
        env = "OFFSET_ZERO_PEER_SECRET",
        hide_env_values = true,
        value_name = "SECRET"
    )]
    pub peer_secret: Option<Secret>,

    /// Which services to run, separated by commas.
    #[arg(
        long,
        env = "OFFSET_ZERO_SERVICES",
        value_enum,
        value_delimiter = ',',
        default_values_t = ServiceName::ALL
    )]
    pub services: Vec<ServiceName>,

    /// How long an order waits to hear whether everything is in stock, before it expires.
    #[arg(
        long = "stock-deadline",
        env = "OFFSET_ZERO_STOCK_DEADLINE",
        value_name = "SECONDS",
        default_value_t = 60,
        value_parser = value_parser!(u32).range(1..)
    )]
    pub stock_deadline_seconds: u32,

    /// How long a customer has to pay, once everything is set aside, before the order expires.
    #[arg(
        long = "payment-deadline",
        env = "OFFSET_ZERO_PAYMENT_DEADLINE",
        value_name = "SECONDS",
        default_value_t = 1_800,
        value_parser = value_parser!(u32).range(1..)
    )]
    pub payment_deadline_seconds: u32,

    /// How long after its delivery an order is complete.
    #[arg(
        long = "completed-after",
        env = "OFFSET_ZERO_COMPLETED_AFTER",
        value_name = "SECONDS",
        default_value_t = 10,
        value_parser = value_parser!(u32).range(0..)
    )]
    pub completed_after_seconds: u32,

    /// Where the payment gateway is, for the payment service.
    #[arg(
        long,
        env = "OFFSET_ZERO_GATEWAY_URL",
        value_name = "URL",
        default_value = "http://127.0.0.1:8083"
    )]
    pub gateway_url: String,

    /// What the gateway signs its webhooks with; without it, a secret that anybody can read, for development.
    #[arg(
        long,
        env = "OFFSET_ZERO_GATEWAY_WEBHOOK_SECRET",
        hide_env_values = true,
        value_name = "SECRET"
    )]
    pub gateway_webhook_secret: Option<Secret>,

    /// What the order service seals payment methods with, and the payment service opens: the base64 of 32 bytes, the same for
    /// both. Without it, a key that anybody can read, for development.
    #[arg(
        long,
        env = "OFFSET_ZERO_PAYMENT_KEY",
        hide_env_values = true,
        value_name = "BASE64"
    )]
    pub payment_key: Option<PaymentKey>,

    /// Take commands and react to nothing: for measuring commands by themselves.
    #[arg(long, hide = true)]
    pub no_policies: bool,

    /// Which Kafka.
    #[command(flatten)]
    pub kafka: KafkaArgs,

    /// Partitions of every topic; fixed when the topics are created.
    #[arg(
        long,
        env = "OFFSET_ZERO_PARTITIONS",
        default_value_t = 4,
        value_parser = value_parser!(i32).range(1..=1024)
    )]
    pub partitions: i32,

    /// Replicas of every partition. From 3 on, start-up refuses a cluster that could lose what was acknowledged.
    #[arg(
        long,
        env = "OFFSET_ZERO_REPLICATION_FACTOR",
        default_value_t = Durability::DEVELOPMENT.replication,
        value_parser = value_parser!(i32).range(1..=16)
    )]
    pub replication_factor: i32,

    /// Keep state on disk in this folder too: a restart then reads only what is new, and memory holds only what is in use.
    /// Without it all state is in memory. It may be deleted at any time: all is built anew from Kafka.
    #[arg(long, env = "OFFSET_ZERO_STATE_DIR", value_name = "FOLDER")]
    pub state_dir: Option<PathBuf>,

    /// Follow the partitions that other processes own too, so that taking one over means reading only its last second. Costs
    /// about as much processor time as serving them does; needs a state folder that no other process has.
    #[arg(long, env = "OFFSET_ZERO_STANDBY", requires = "state_dir")]
    pub standby: bool,

    /// Notifications.
    #[command(flatten)]
    pub notifications: NotificationArgs,

    /// Logging.
    #[command(flatten)]
    pub log: LogArgs,
}

/// A bounded context that this process can run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum ServiceName {
    /// The catalogue, what is in stock, and who may have it.
    Product,
    /// Shopping carts.
    Cart,
    /// Orders.
    Order,
    /// Payments.
    Payment,
    /// Shipments.
    Shipping,
    /// What customers are told.
    Notification,
}

impl ServiceName {
    /// Every service.
    pub const ALL: [Self; 6] = [
        Self::Product,
        Self::Cart,
        Self::Order,
        Self::Payment,
        Self::Shipping,
        Self::Notification,
    ];

    /// As it is spelled in flags and topics' metadata.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Product => Products::SERVICE,
            Self::Cart => Carts::SERVICE,
            Self::Order => Orders::SERVICE,
            Self::Payment => Payments::SERVICE,
            Self::Shipping => Shipments::SERVICE,
            Self::Notification => Notifications::SERVICE,
        }
    }
}

impl Args {
    /// Whether this process is to run a service.
    #[must_use]
    pub fn runs(&self, service: ServiceName) -> bool {
        self.services.contains(&service)
    }

    /// How long orders wait for what.
    #[must_use]
    pub fn deadlines(&self) -> OrderPolicy {
        OrderPolicy {
            stock_within: TimeDelta::seconds(self.stock_deadline_seconds.into()),
            payment_within: TimeDelta::seconds(self.payment_deadline_seconds.into()),
            completed_after: TimeDelta::seconds(self.completed_after_seconds.into()),
        }
    }

    /// Where others reach a process that listens there. An address that stands for all of a host's is none of them.
    pub(crate) fn advertised(&self, bound: SocketAddr) -> String {
        match &self.advertise {
            Some(advertise) => advertise.clone(),
            None if bound.ip().is_unspecified() => format!("{}:{}", host_name(), bound.port()),
            None => bound.to_string(),
        }
    }

    /// How this process, which others reach there, takes part in sharing partitions out.
    pub(crate) fn membership(&self, address: &str) -> Member {
        let name = self.member.clone();
        Member {
            name: Some(name.unwrap_or_else(|| format!("{}/{address}", host_name()))),
            session_timeout: Duration::from_secs(self.session_timeout_seconds.into()),
        }
    }

    /// Where state is kept on disk.
    pub(crate) fn state(&self) -> Option<StateConfig> {
        let folder = self.state_dir.as_ref()?;
        Some(StateConfig {
            namespace: self.kafka.namespace.clone(),
            standby: self.standby,
            ..StateConfig::new(folder)
        })
    }

    pub(crate) fn durability(&self) -> Durability {
        Durability {
            replication: self.replication_factor,
        }
    }
}

fn host_name() -> String {
    let name = nix::unistd::gethostname();
    name.map_or_else(
        |_| "localhost".to_owned(),
        |name| name.to_string_lossy().into_owned(),
    )
}

#[cfg(test)]
mod tests;
