//! A real Apache Kafka broker, natively: one node in KRaft mode under the machine's Java.
//!
//! Only real Kafka honours what the event store relies on (fencing, isolation, durable commits), so
//! tests and demo run against it and not against a stand-in. The data survives restarts.

mod config;
mod install;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use rdkafka::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer};

use crate::error::{Error, FileContext, Result};
use crate::ports;
use crate::process::{Output, Process, Spec};
use crate::secured::Secured;
use config::{Ports, Proxied};
use install::Installation;
pub use install::KAFKA_VERSION;

/// Generous: a broker that recovers much data on a busy machine may take half of it.
const START_TIMEOUT: Duration = Duration::from_secs(90);
const STOP_TIMEOUT: Duration = Duration::from_secs(30);
const METADATA_TIMEOUT: Duration = Duration::from_millis(250);
const LOG_LINES: usize = 30;

/// Whom a secured broker knows.
pub const USER: &str = "offset-zero";

/// How to run the broker.
#[derive(Debug, Clone)]
pub struct KafkaOptions {
    /// Data, configuration and log; created and formatted where missing, kept where not.
    pub data_dir: PathBuf,
    /// The port to listen on; a free one where `None`.
    pub port: Option<u16>,
    /// JVM settings for load (1 GB heap, all compilers) instead of those for a quick start, and a controller that is patient with a
    /// busy disk instead of one that soon notices a kill.
    pub performance: bool,
    /// Where a proxy listens, for tests that break connections: see [`Kafka::proxied_port`].
    pub proxy_port: Option<u16>,
}

/// A running broker. Dropping it stops it.
#[derive(Debug)]
pub struct Kafka {
    options: KafkaOptions,
    secured: Option<Box<Secured>>,
    installation: Installation,
    ports: Ports,
    process: Process,
}

impl Kafka {
    /// Starts a broker, after fetching Kafka where this clone has none, and waits until it answers.
    pub fn start(options: KafkaOptions) -> Result<Self> {
        Self::start_from(install::installation()?, options, None, ClassArchive::Use)
    }

    /// As [`start`](Self::start), one that takes nobody but [`USER`], by SASL/PLAIN over TLS.
    pub fn start_secured(options: KafkaOptions, secured: Secured) -> Result<Self> {
        let installation = install::installation()?;
        Self::start_from(installation, options, Some(secured), ClassArchive::Use)
    }

    fn start_from(
        installation: Installation,
        options: KafkaOptions,
        secured: Option<Secured>,
        archive: ClassArchive,
    ) -> Result<Self> {
        let ports = Ports {
            clients: ports::requested("kafka", options.port)?,
            controller: ports::free()?,
            proxied: match options.proxy_port {
                Some(proxy) => Some(Proxied {
                    listener: ports::free()?,
                    proxy,
                }),
                None => None,
            },
        };
        fs::create_dir_all(&options.data_dir).on("create", &options.data_dir)?;
        config::format(&options.data_dir, &installation)?;
        if let Some(secured) = &secured {
            config::write_certificates(&options.data_dir, secured)?;
        }
        let properties = options.data_dir.join("server.properties");
        let settings = config::server_properties(
            &options.data_dir,
            ports,
            options.performance,
            secured.as_ref(),
        );
        fs::write(&properties, settings).on("write", &properties)?;
        let process = spawn(&options, &installation, archive)?;
        let kafka = Self {
            options,
            secured: secured.map(Box::new),
            installation,
            ports,
            process,
        };
        kafka.wait_ready()?;
        Ok(kafka)
    }

    /// The bootstrap address, `127.0.0.1:<port>`.
    pub fn brokers(&self) -> String {
        format!("127.0.0.1:{}", self.ports.clients)
    }

    /// The port that a proxy has to lead to. A client that reaches it is told that the broker is at
    /// [`KafkaOptions::proxy_port`], so all its connections come through the proxy.
    pub fn proxied_port(&self) -> Option<u16> {
        self.ports.proxied.map(|proxied| proxied.listener)
    }

    /// The broker's log file.
    pub fn log_file(&self) -> PathBuf {
        log_file(&self.options.data_dir)
    }

    /// The broker's process, for faults and for its log.
    pub fn process(&self) -> &Process {
        &self.process
    }

    /// Stops it in order.
    pub fn stop(&self) -> Result<()> {
        self.process.stop(STOP_TIMEOUT).map(drop)
    }

    /// Kills it with -9.
    pub fn kill(&self) -> Result<()> {
        self.process.kill().map(drop)
    }

    /// Starts it again, after [`stop`](Self::stop) or [`kill`](Self::kill) or out of its running
    /// state, on the same data and port, and waits until it answers.
    pub fn restart(&mut self) -> Result<()> {
        self.stop()?;
        self.process = spawn(&self.options, &self.installation, ClassArchive::Use)?;
        self.wait_ready()
    }

    /// Stops its clock.
    pub fn pause(&self) -> Result<()> {
        self.process.pause()
    }

    /// Lets it go on after a [`pause`](Self::pause).
    pub fn resume(&self) -> Result<()> {
        self.process.resume()
    }

    /// What a client of it has to be told beside its address.
    fn client(&self) -> ClientConfig {
        let mut client = ClientConfig::new();
        if let Some(secured) = &self.secured {
            let authority = config::authority(&self.options.data_dir);
            client
                .set("security.protocol", "SASL_SSL")
                .set("ssl.ca.location", authority.display().to_string())
                .set("sasl.mechanism", "PLAIN")
                .set("sasl.username", USER)
                .set("sasl.password", &secured.password);
        }
        client
    }

    fn wait_ready(&self) -> Result<()> {
        let brokers = self.brokers();
        tracing::debug!(
            brokers,
            controller_port = self.ports.controller,
            "waiting for kafka"
        );
        wait_for_metadata(&self.client(), &brokers, START_TIMEOUT, &|| {
            self.process.exit_status().map(|status| Error::Exited {
                name: "kafka".to_owned(),
                status: status.to_string(),
                log: self.process.log_tail(LOG_LINES),
            })
        })
        .map_err(|error| match error {
            Error::NotReady {
                name,
                timeout,
                last_answer,
                ..
            } => Error::NotReady {
                name,
                timeout,
                last_answer,
                log: self.process.log_tail(LOG_LINES),
            },
            other => other,
        })
    }
}

/// Waits until a Kafka at `brokers` answers this client's metadata request with at least one broker.
/// `failure` is asked between tries and ends the wait early.
pub(crate) fn wait_for_metadata(
    client: &ClientConfig,
    brokers: &str,
    timeout: Duration,
    failure: &dyn Fn() -> Option<Error>,
) -> Result<()> {
    let client: BaseConsumer = client
        .clone()
        .set("bootstrap.servers", brokers)
        // The port is refused until the broker listens: librdkafka would back off up to 10 s and
        // complain on stderr about each try.
        .set("reconnect.backoff.ms", "20")
        .set("reconnect.backoff.max.ms", "100")
        .set("log_level", "0")
        .create()
        .map_err(|source| Error::KafkaClient {
            brokers: brokers.to_owned(),
            source,
        })?;
    let deadline = Instant::now() + timeout;
    loop {
        let last_answer = match client.fetch_metadata(None, METADATA_TIMEOUT) {
            Ok(metadata) if !metadata.brokers().is_empty() => return Ok(()),
            Ok(_) => "it knows no broker yet".to_owned(),
            Err(error) => error.to_string(),
        };
        if let Some(error) = failure() {
            return Err(error);
        }
        if Instant::now() >= deadline {
            return Err(Error::NotReady {
                name: "kafka".to_owned(),
                timeout,
                last_answer,
                log: String::new(),
            });
        }
    }
}

fn spawn(
    options: &KafkaOptions,
    installation: &Installation,
    archive: ClassArchive,
) -> Result<Process> {
    let mut java = Command::new("java");
    if options.performance {
        java.args(["-Xms1g", "-Xmx1g"]);
    } else {
        // One compiler and the simplest collector: half the start time, a third of the memory.
        java.args(["-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Xmx384m"]);
        java.arg("-Xlog:cds=off")
            .args(class_archive_flag(installation, archive));
    }
    java.arg(format!(
        "-Dlog4j2.configurationFile={}",
        installation.log4j().display()
    ));
    java.args(["-cp", &installation.class_path, "kafka.Kafka"]);
    java.arg(options.data_dir.join("server.properties"));
    // What the caller's environment holds for its own Java is not meant for the broker.
    java.env_remove("CLASSPATH").env_remove("JAVA_TOOL_OPTIONS");
    java.current_dir(&options.data_dir);
    Process::spawn(Spec::new(
        "kafka",
        java,
        Output::File(log_file(&options.data_dir)),
    ))
}

/// What a broker does with the archive of loaded classes.
#[derive(Debug, Clone, Copy)]
enum ClassArchive {
    /// Loads it, where it is there; Java ignores one that another JVM has made.
    Use,
    /// Writes it when it ends in order.
    Make,
}

fn class_archive_flag(installation: &Installation, archive: ClassArchive) -> Option<String> {
    let path = installation.class_archive();
    match archive {
        ClassArchive::Use => path
            .exists()
            .then(|| format!("-XX:SharedArchiveFile={}", path.display())),
        ClassArchive::Make => Some(format!("-XX:ArchiveClassesAtExit={}", path.display())),
    }
}

/// Runs a broker once for the classes that it loads.
fn archive_classes(installation: &Installation) -> Result<()> {
    let data_dir = installation.root.join("rehearsal");
    let options = KafkaOptions {
        data_dir: data_dir.clone(),
        port: None,
        performance: false,
        proxy_port: None,
    };
    Kafka::start_from(installation.clone(), options, None, ClassArchive::Make)?.stop()?;
    fs::remove_dir_all(&data_dir).on("remove", &data_dir)
}

fn log_file(data_dir: &Path) -> PathBuf {
    data_dir.join("kafka.log")
}
