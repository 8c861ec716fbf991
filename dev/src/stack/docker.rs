//! Kafka and Postgres in containers, where `OFFSET_ZERO_STACK=docker` asks for it.
//!
//! Containers are for tests: they are removed when their handle is dropped. People who want to keep
//! data in Docker have `docker-compose.yml`.

use std::time::Duration;

use rdkafka::ClientConfig;
use testcontainers::core::{IntoContainerPort, WaitFor};
use testcontainers::runners::SyncRunner;
use testcontainers::{Container, GenericImage, ImageExt};

use crate::error::{Error, Result};
use crate::kafka::{KAFKA_VERSION, wait_for_metadata};
use crate::ports;

const POSTGRES_TAG: &str = "17";
const START_TIMEOUT: Duration = Duration::from_secs(120);

/// A broker in a container.
#[derive(Debug)]
pub(super) struct KafkaContainer {
    port: u16,
    _container: Container<GenericImage>,
}

impl KafkaContainer {
    pub(super) fn start() -> Result<Self> {
        // Kafka tells its clients where to reach it, so the mapped port must be known before.
        let port = ports::free()?;
        let image = format!("apache/kafka:{KAFKA_VERSION}");
        let mut request = GenericImage::new("apache/kafka", KAFKA_VERSION)
            .with_wait_for(WaitFor::message_on_stdout("Kafka Server started"))
            .with_mapped_port(port, 9092.tcp())
            .with_startup_timeout(START_TIMEOUT);
        for (name, value) in kafka_environment(port) {
            request = request.with_env_var(name, value);
        }
        let container = request
            .start()
            .map_err(|source| Error::Container { image, source })?;
        let brokers = format!("127.0.0.1:{port}");
        wait_for_metadata(&ClientConfig::new(), &brokers, START_TIMEOUT, &|| None)?;
        Ok(Self {
            port,
            _container: container,
        })
    }

    pub(super) fn brokers(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }
}

/// The same settings as the native broker's; the image has its variables for each.
fn kafka_environment(port: u16) -> Vec<(&'static str, String)> {
    let fixed = [
        ("KAFKA_NODE_ID", "1"),
        ("KAFKA_PROCESS_ROLES", "broker,controller"),
        (
            "KAFKA_LISTENERS",
            "PLAINTEXT://0.0.0.0:9092,CONTROLLER://127.0.0.1:9093",
        ),
        ("KAFKA_CONTROLLER_LISTENER_NAMES", "CONTROLLER"),
        (
            "KAFKA_LISTENER_SECURITY_PROTOCOL_MAP",
            "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT",
        ),
        ("KAFKA_CONTROLLER_QUORUM_VOTERS", "1@127.0.0.1:9093"),
        ("KAFKA_AUTO_CREATE_TOPICS_ENABLE", "false"),
        ("KAFKA_LOG_RETENTION_MS", "-1"),
        ("KAFKA_OFFSETS_TOPIC_REPLICATION_FACTOR", "1"),
        ("KAFKA_OFFSETS_TOPIC_NUM_PARTITIONS", "8"),
        ("KAFKA_TRANSACTION_STATE_LOG_REPLICATION_FACTOR", "1"),
        ("KAFKA_TRANSACTION_STATE_LOG_MIN_ISR", "1"),
        ("KAFKA_TRANSACTION_STATE_LOG_NUM_PARTITIONS", "8"),
        ("KAFKA_TRANSACTION_PARTITION_VERIFICATION_ENABLE", "true"),
        (
            "KAFKA_TRANSACTION_ABORT_TIMED_OUT_TRANSACTION_CLEANUP_INTERVAL_MS",
            "2000",
        ),
        ("KAFKA_GROUP_INITIAL_REBALANCE_DELAY_MS", "0"),
    ];
    let mut variables: Vec<_> = fixed.map(|(name, value)| (name, value.to_owned())).into();
    variables.push((
        "KAFKA_ADVERTISED_LISTENERS",
        format!("PLAINTEXT://127.0.0.1:{port}"),
    ));
    variables
}

/// A Postgres in a container.
#[derive(Debug)]
pub(super) struct PostgresContainer {
    port: u16,
    _container: Container<GenericImage>,
}

impl PostgresContainer {
    pub(super) fn start() -> Result<Self> {
        let port = ports::free()?;
        let image = format!("postgres:{POSTGRES_TAG}");
        let container = GenericImage::new("postgres", POSTGRES_TAG)
            // On stdout it says so once before the server that initialises is shut down again; the
            // real one says it on stderr, after that.
            .with_wait_for(WaitFor::message_on_stdout(
                "PostgreSQL init process complete",
            ))
            .with_wait_for(WaitFor::message_on_stderr(
                "database system is ready to accept connections",
            ))
            .with_mapped_port(port, 5432.tcp())
            .with_startup_timeout(START_TIMEOUT)
            .with_env_var("POSTGRES_HOST_AUTH_METHOD", "trust")
            .start()
            .map_err(|source| Error::Container { image, source })?;
        let container = Self {
            port,
            _container: container,
        };
        container.wait_ready()?;
        Ok(container)
    }

    pub(super) fn url(&self) -> String {
        format!("postgres://postgres@127.0.0.1:{}/postgres", self.port)
    }

    fn wait_ready(&self) -> Result<()> {
        let deadline = std::time::Instant::now() + START_TIMEOUT;
        loop {
            let Err(last_answer) = crate::postgres::ping(&self.url()) else {
                return Ok(());
            };
            if std::time::Instant::now() >= deadline {
                let name = "postgres".to_owned();
                return Err(Error::NotReady {
                    name,
                    timeout: START_TIMEOUT,
                    last_answer,
                    log: String::new(),
                });
            }
            std::thread::sleep(Duration::from_millis(50));
        }
    }
}
