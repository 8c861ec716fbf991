//! Fetches Kafka's jars once per clone, from Maven Central.
//!
//! `.offset-zero/kafka-<version>/` holds `libs/`, the bootstrap snapshot of an empty cluster, the
//! logging configuration, and an archive of the broker's loaded classes (AppCDS) that halves its
//! start. A marker file says that it is complete; a lock keeps parallel tests apart.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;

use super::config;
use crate::dirs;
use crate::error::{FileContext, Result};
use crate::process;

/// The Kafka release of `dev/kafka/pom.xml`.
pub const KAFKA_VERSION: &str = "4.2.1";

const LOG4J: &str = include_str!("../../kafka/log4j2.properties");

/// A complete installation.
#[derive(Debug, Clone)]
pub(super) struct Installation {
    pub(super) root: PathBuf,
    pub(super) class_path: String,
}

impl Installation {
    /// Written by Kafka's own formatter; the same for every new one-node cluster.
    pub(super) fn bootstrap_checkpoint(&self) -> PathBuf {
        self.root.join("bootstrap.checkpoint")
    }

    pub(super) fn log4j(&self) -> PathBuf {
        self.root.join("log4j2.properties")
    }

    /// The archive of loaded classes; missing where this Java cannot make one.
    pub(super) fn class_archive(&self) -> PathBuf {
        self.root.join("broker.jsa")
    }
}

/// The installation of this clone, fetched where missing.
pub(super) fn installation() -> Result<Installation> {
    let state = dirs::state()?;
    let root = state.join(format!("kafka-{KAFKA_VERSION}"));
    let marker = root.join("complete");
    if !marker.exists() {
        let lock_path = state.join("kafka.lock");
        let lock = File::create(&lock_path).on("create", &lock_path)?;
        lock.lock().on("lock", &lock_path)?;
        // Another process may have been faster while we waited.
        if !marker.exists() {
            install(&state, &root)?;
            fs::write(&marker, "").on("write", &marker)?;
        }
    }
    open(root)
}

fn open(root: PathBuf) -> Result<Installation> {
    let class_path = class_path(&root.join("libs"))?;
    Ok(Installation { root, class_path })
}

fn install(state: &Path, root: &Path) -> Result<()> {
    tracing::info!(
        "fetching Apache Kafka {KAFKA_VERSION} from Maven Central, once for this clone (about 45 MB)"
    );
    if root.exists() {
        fs::remove_dir_all(root).on("remove", root)?;
    }
    fs::create_dir_all(root).on("create", root)?;
    let log4j = root.join("log4j2.properties");
    fs::write(&log4j, LOG4J).on("write", &log4j)?;

    let mut maven = Command::new("mvn");
    maven
        .args(["--quiet", "--batch-mode", "--file"])
        .arg(dirs::home()?.join("dev/kafka/pom.xml"));
    maven
        .arg("dependency:copy-dependencies")
        .arg(format!("-DoutputDirectory={}", root.join("libs").display()));
    process::run(
        "fetching Kafka with Maven",
        maven,
        &state.join("kafka-install.log"),
    )?;

    format_once(root)?;
    super::archive_classes(&open(root.to_path_buf())?)
}

/// Kafka's formatter costs a second of JVM, so it runs here once and not for every fresh cluster.
fn format_once(root: &Path) -> Result<()> {
    let data = root.join("format");
    fs::create_dir_all(&data).on("create", &data)?;
    let properties = data.join("server.properties");
    fs::write(
        &properties,
        config::server_properties(
            &data,
            config::Ports {
                clients: 9092,
                controller: 9093,
                proxied: None,
            },
            false,
            None,
        ),
    )
    .on("write", &properties)?;
    let mut format = Command::new("java");
    format.args([
        "-cp",
        &class_path(&root.join("libs"))?,
        "kafka.tools.StorageTool",
        "format",
    ]);
    format
        // One argument, since an id may begin with a dash and would be taken for a flag.
        .arg(format!("--cluster-id={}", config::random_id()))
        .arg("--config")
        .arg(&properties);
    process::run(
        "formatting Kafka's storage",
        format,
        &root.join("format.log"),
    )?;
    let checkpoint = config::log_dir(&data).join("bootstrap.checkpoint");
    let kept = root.join("bootstrap.checkpoint");
    fs::rename(&checkpoint, &kept).on("keep", &kept)?;
    fs::remove_dir_all(&data).on("remove", &data)
}

/// Sorted and spelled out: the class archive is only good for the very same class path.
fn class_path(libs: &Path) -> Result<String> {
    let mut jars: Vec<String> = Vec::new();
    for entry in fs::read_dir(libs).on("read", libs)? {
        jars.push(entry.on("read", libs)?.path().display().to_string());
    }
    jars.sort_unstable();
    Ok(jars.join(":"))
}
