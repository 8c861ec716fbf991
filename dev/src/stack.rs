//! Kafka and Postgres together, from wherever the caller or the environment says.
//!
//! What is there already wins, each for its part: what the caller names, or else `KAFKA_BROKERS` and
//! `DATABASE_URL`. Else `OFFSET_ZERO_STACK=docker` asks for containers, which keep nothing; else
//! both are started natively.

mod docker;

use std::env;
use std::thread;

use crate::dirs::{self, Scratch};
use crate::error::{Error, Result};
use crate::kafka::{Kafka, KafkaOptions};
use crate::postgres::{self, Postgres, PostgresOptions, ScratchDatabase};
use crate::process::Process;
use docker::{KafkaContainer, PostgresContainer};

/// The database of the stack that nobody asked for a particular one of.
pub const DEFAULT_DATABASE: &str = "offset_zero";
/// Where `make up` has Kafka.
pub const KAFKA_PORT: u16 = 9092;
/// Where `make up` has Postgres; 5432 is often taken by the machine's own.
pub const POSTGRES_PORT: u16 = 5433;

/// Which data and which ports.
#[derive(Debug, Clone, Copy)]
pub enum Placement {
    /// A scratch folder, removed at the end, and free ports: demo, tests, benchmarks.
    Fresh,
    /// The clone's own data and these ports: `make up`.
    Persistent {
        /// Kafka's.
        kafka_port: u16,
        /// Postgres'.
        postgres_port: u16,
    },
}

/// How to run the stack.
#[derive(Debug, Clone, Copy)]
pub struct StackOptions {
    /// Which data and which ports.
    pub placement: Placement,
    /// A broker tuned for load, see [`KafkaOptions::performance`].
    pub performance: bool,
    /// A Postgres that survives a power cut, see [`PostgresOptions::durable`].
    pub durable_postgres: bool,
}

impl StackOptions {
    /// For tests and demo: fresh data, free ports, quick to start.
    pub fn fresh() -> Self {
        Self {
            placement: Placement::Fresh,
            performance: false,
            durable_postgres: false,
        }
    }

    /// For `make up`: data that stays, on these ports.
    pub fn persistent(kafka_port: u16, postgres_port: u16) -> Self {
        let placement = Placement::Persistent {
            kafka_port,
            postgres_port,
        };
        Self {
            placement,
            performance: false,
            durable_postgres: true,
        }
    }

    /// For benchmarks: fresh data, a broker tuned for load, a Postgres that really writes.
    pub fn benchmark() -> Self {
        Self {
            placement: Placement::Fresh,
            performance: true,
            durable_postgres: true,
        }
    }
}

/// What is there already: it is used, and not started. Others may use it as well.
#[derive(Clone, Default)]
pub struct External {
    /// Kafka's bootstrap addresses.
    pub brokers: Option<String>,
    /// The URL of a Postgres server, or of a database there.
    pub database_url: Option<String>,
}

impl External {
    /// What `KAFKA_BROKERS` and `DATABASE_URL` name.
    pub fn of_environment() -> Self {
        Self {
            brokers: set_variable("KAFKA_BROKERS"),
            database_url: set_variable("DATABASE_URL"),
        }
    }
}

/// A running Kafka and Postgres. Dropping it stops what it started.
#[derive(Debug)]
pub struct Stack {
    kafka: KafkaSource,
    postgres: PostgresSource,
    // Last, so that the servers are gone before their data is.
    scratch: Option<Scratch>,
}

#[derive(Debug)]
enum KafkaSource {
    External(String),
    Native(Kafka),
    Docker(Box<KafkaContainer>),
}

#[derive(Debug)]
enum PostgresSource {
    External(String),
    Native(Box<Postgres>),
    Docker(Box<PostgresContainer>),
}

/// Who starts what is not given by address.
#[derive(Clone, Copy)]
enum Engine {
    Native,
    Docker,
}

impl Stack {
    /// Starts what the environment names none of, and waits until it answers.
    pub fn start(options: StackOptions) -> Result<Self> {
        Self::start_beside(External::of_environment(), options)
    }

    /// Starts what is not there already, both at once, and waits until it answers.
    pub fn start_beside(external: External, options: StackOptions) -> Result<Self> {
        let External {
            brokers,
            database_url,
        } = external;
        let engine = engine()?;
        let scratch = match options.placement {
            Placement::Fresh => Some(Scratch::new()?),
            Placement::Persistent { .. } => None,
        };
        let (kafka, postgres) = thread::scope(|scope| {
            let kafka = scope.spawn(|| match brokers {
                Some(brokers) => Ok(KafkaSource::External(brokers)),
                None => start_kafka(engine, options, scratch.as_ref()),
            });
            let postgres = match database_url {
                Some(url) => Ok(PostgresSource::External(url)),
                None => start_postgres(engine, options, scratch.as_ref()),
            };
            (
                kafka.join().expect("starting kafka does not panic"),
                postgres,
            )
        });
        Ok(Self {
            kafka: kafka?,
            postgres: postgres?,
            scratch,
        })
    }

    /// Kafka's bootstrap addresses.
    pub fn brokers(&self) -> String {
        match &self.kafka {
            KafkaSource::External(brokers) => brokers.clone(),
            KafkaSource::Native(kafka) => kafka.brokers(),
            KafkaSource::Docker(container) => container.brokers(),
        }
    }

    /// The URL of the database `name`, created where missing.
    pub fn database_url(&self, name: &str) -> Result<String> {
        let server = self.server_url();
        postgres::create_database(&server, name)?;
        postgres::with_database(&server, name)
    }

    /// A database that nobody else has, dropped with its handle: keep it no longer than the stack.
    pub fn scratch_database(&self) -> Result<ScratchDatabase> {
        ScratchDatabase::create(&self.server_url())
    }

    /// The URL of the stack's own database: the one that was named, where one was.
    pub fn default_database_url(&self) -> Result<String> {
        match &self.postgres {
            PostgresSource::External(url) if postgres::database_name(url)?.is_some() => {
                Ok(url.clone())
            }
            _ => self.database_url(DEFAULT_DATABASE),
        }
    }

    /// Whether Kafka was there already, so that others may use it as well.
    pub fn is_kafka_external(&self) -> bool {
        matches!(self.kafka, KafkaSource::External(_))
    }

    /// Whether Postgres was there already, so that others may use it as well.
    pub fn is_postgres_external(&self) -> bool {
        matches!(self.postgres, PostgresSource::External(_))
    }

    /// The native broker, for faults; `None` where Kafka runs elsewhere.
    pub fn kafka(&self) -> Option<&Kafka> {
        match &self.kafka {
            KafkaSource::Native(kafka) => Some(kafka),
            KafkaSource::External(_) | KafkaSource::Docker(_) => None,
        }
    }

    /// Like [`kafka`](Self::kafka), to restart it.
    pub fn kafka_mut(&mut self) -> Option<&mut Kafka> {
        match &mut self.kafka {
            KafkaSource::Native(kafka) => Some(kafka),
            KafkaSource::External(_) | KafkaSource::Docker(_) => None,
        }
    }

    /// The native Postgres, for faults; `None` where Postgres runs elsewhere.
    pub fn postgres(&self) -> Option<&Postgres> {
        match &self.postgres {
            PostgresSource::Native(postgres) => Some(postgres),
            PostgresSource::External(_) | PostgresSource::Docker(_) => None,
        }
    }

    /// Like [`postgres`](Self::postgres), to restart it.
    pub fn postgres_mut(&mut self) -> Option<&mut Postgres> {
        match &mut self.postgres {
            PostgresSource::Native(postgres) => Some(postgres),
            PostgresSource::External(_) | PostgresSource::Docker(_) => None,
        }
    }

    /// The processes of the servers that run natively.
    pub fn processes(&self) -> impl Iterator<Item = &Process> {
        let kafka = self.kafka().map(Kafka::process);
        let postgres = self.postgres().map(Postgres::process);
        kafka.into_iter().chain(postgres)
    }

    /// The throw-away folder of a fresh stack; callers may keep their logs in it.
    pub fn scratch(&self) -> Option<&Scratch> {
        self.scratch.as_ref()
    }

    /// Stops in order what was started here: Kafka, then Postgres. Their clients go first.
    pub fn stop(self) -> Result<()> {
        let kafka = self.kafka().map_or(Ok(()), Kafka::stop);
        let postgres = self.postgres().map_or(Ok(()), Postgres::stop);
        kafka.and(postgres)
    }

    fn server_url(&self) -> String {
        match &self.postgres {
            PostgresSource::External(url) => url.clone(),
            PostgresSource::Native(postgres) => postgres.url("postgres"),
            PostgresSource::Docker(container) => container.url(),
        }
    }
}

fn engine() -> Result<Engine> {
    match set_variable("OFFSET_ZERO_STACK").as_deref() {
        None | Some("native") => Ok(Engine::Native),
        Some("docker") => Ok(Engine::Docker),
        Some(value) => Err(Error::UnknownStack {
            value: value.to_owned(),
        }),
    }
}

/// Refuses data that is to stay where it would not: containers are removed when their handles are dropped.
fn require_keeping(engine: Engine, placement: Placement) -> Result<()> {
    match (engine, placement) {
        (Engine::Docker, Placement::Persistent { .. }) => Err(Error::NotKept),
        (Engine::Docker, Placement::Fresh) | (Engine::Native, _) => Ok(()),
    }
}

/// An environment variable; set to nothing is the same as not set.
fn set_variable(name: &str) -> Option<String> {
    env::var(name).ok().filter(|value| !value.is_empty())
}

fn start_kafka(
    engine: Engine,
    options: StackOptions,
    scratch: Option<&Scratch>,
) -> Result<KafkaSource> {
    require_keeping(engine, options.placement)?;
    match engine {
        Engine::Docker => {
            KafkaContainer::start().map(|container| KafkaSource::Docker(Box::new(container)))
        }
        Engine::Native => {
            let port = match options.placement {
                Placement::Fresh => None,
                Placement::Persistent { kafka_port, .. } => Some(kafka_port),
            };
            let data_dir = match scratch {
                Some(scratch) => scratch.path().join("kafka"),
                None => dirs::state()?.join("kafka"),
            };
            let options = KafkaOptions {
                data_dir,
                port,
                performance: options.performance,
                proxy_port: None,
            };
            Kafka::start(options).map(KafkaSource::Native)
        }
    }
}

fn start_postgres(
    engine: Engine,
    options: StackOptions,
    scratch: Option<&Scratch>,
) -> Result<PostgresSource> {
    require_keeping(engine, options.placement)?;
    match engine {
        Engine::Docker => {
            PostgresContainer::start().map(|container| PostgresSource::Docker(Box::new(container)))
        }
        Engine::Native => {
            let port = match options.placement {
                Placement::Fresh => None,
                Placement::Persistent { postgres_port, .. } => Some(postgres_port),
            };
            let data_dir = match scratch {
                Some(scratch) => scratch.path().join("postgres"),
                None => dirs::postgres_data()?,
            };
            let options = PostgresOptions {
                data_dir,
                port,
                durable: options.durable_postgres,
            };
            Postgres::start(options).map(|postgres| PostgresSource::Native(Box::new(postgres)))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_there_already_is_used_and_not_started() -> Result<()> {
        let url = "postgres://me@db.example/orders";
        let external = External {
            brokers: Some("kafka.example:9092".to_owned()),
            database_url: Some(url.to_owned()),
        };
        let stack = Stack::start_beside(external, StackOptions::fresh())?;
        assert_eq!(stack.brokers(), "kafka.example:9092");
        assert_eq!(stack.default_database_url()?, url);
        assert!(stack.is_kafka_external() && stack.is_postgres_external());
        assert_eq!(stack.processes().count(), 0);
        Ok(())
    }

    #[test]
    fn data_that_is_to_stay_is_not_put_into_containers() {
        let persistent = StackOptions::persistent(KAFKA_PORT, POSTGRES_PORT).placement;
        let refused = require_keeping(Engine::Docker, persistent).expect_err("it would be lost");
        let told = refused.to_string();
        assert!(told.contains("docker compose up"), "{told}");
        for (engine, placement) in [
            (Engine::Docker, Placement::Fresh),
            (Engine::Native, Placement::Fresh),
            (Engine::Native, persistent),
        ] {
            assert!(require_keeping(engine, placement).is_ok(), "{placement:?}");
        }
    }
}
