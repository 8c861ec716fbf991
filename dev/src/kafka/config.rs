//! The broker's configuration and the storage of a fresh one-node cluster.

use std::fs;
use std::path::{Path, PathBuf};

use uuid::Uuid;

use super::USER;
use super::install::Installation;
use crate::error::{FileContext, Result};
use crate::secured::Secured;

const LOOPBACK: &str = "127.0.0.1";

/// The certificate of the broker's authority, below the data folder.
pub(super) fn authority(data_dir: &Path) -> PathBuf {
    data_dir.join("authority.pem")
}

/// The broker's private key and certificate, below the data folder.
fn keystore(data_dir: &Path) -> PathBuf {
    data_dir.join("keystore.pem")
}

/// Where the broker keeps its logs below the data folder.
pub(super) fn log_dir(data_dir: &Path) -> PathBuf {
    data_dir.join("logs")
}

/// Where the broker listens.
#[derive(Debug, Clone, Copy)]
pub(super) struct Ports {
    pub(super) clients: u16,
    pub(super) controller: u16,
    pub(super) proxied: Option<Proxied>,
}

/// A second listener, whose clients are told that the broker is where a proxy is.
#[derive(Debug, Clone, Copy)]
pub(super) struct Proxied {
    pub(super) listener: u16,
    pub(super) proxy: u16,
}

/// One node that is broker and controller. What differs from Kafka's defaults, and why:
pub(super) fn server_properties(
    data_dir: &Path,
    ports: Ports,
    patient: bool,
    secured: Option<&Secured>,
) -> String {
    let session_timeout = match patient {
        // Kafka's own default. Postgres building indexes kept the disk so busy that heartbeats took more than two seconds.
        true => 9_000,
        false => 2_000,
    };
    let log_dir = log_dir(data_dir);
    let log_dir = log_dir.display();
    let Ports {
        clients: port,
        controller: controller_port,
        ..
    } = ports;
    let (listener, advertised) = ports.proxied.map_or_else(Default::default, |proxied| {
        let Proxied { listener, proxy } = proxied;
        (
            format!(",PROXIED://{LOOPBACK}:{listener}"),
            format!(",PROXIED://{LOOPBACK}:{proxy}"),
        )
    });
    let (protocol, security) = match secured {
        Some(secured) => ("SASL_SSL", security(data_dir, &secured.password)),
        None => ("PLAINTEXT", String::new()),
    };
    format!(
        "\
process.roles=broker,controller
node.id=1
controller.quorum.voters=1@{LOOPBACK}:{controller_port}
listeners={protocol}://{LOOPBACK}:{port},CONTROLLER://{LOOPBACK}:{controller_port}{listener}
advertised.listeners={protocol}://{LOOPBACK}:{port}{advertised}
controller.listener.names=CONTROLLER
listener.security.protocol.map={protocol}:{protocol},CONTROLLER:PLAINTEXT,PROXIED:PLAINTEXT
inter.broker.listener.name={protocol}
{security}log.dirs={log_dir}

# a misspelt topic is an error, not a new topic
auto.create.topics.enable=false
# events are for ever; a topic that wants less says so itself
log.retention.ms=-1
unclean.leader.election.enable=false

# a single node can only replicate to itself
default.replication.factor=1
min.insync.replicas=1
offsets.topic.replication.factor=1
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
# 50 each by default: a quarter of a second of file creation for nothing
offsets.topic.num.partitions=8
transaction.state.log.num.partitions=8

transaction.partition.verification.enable=true
# a transaction left open by a killed writer holds all readers back until it is found
transaction.abort.timed.out.transaction.cleanup.interval.ms=2000

# no second member is about to join: assign at once
group.initial.rebalance.delay.ms=0
# so long the controller waits after a kill -9 for the broker that it remembers
broker.session.timeout.ms={session_timeout}
broker.heartbeat.interval.ms=500
"
    )
}

/// Of a listener that speaks SASL_SSL; the broker is a client of its own there, too.
fn security(data_dir: &Path, password: &str) -> String {
    let keystore = keystore(data_dir);
    let authority = authority(data_dir);
    format!(
        "\
ssl.keystore.type=PEM
ssl.keystore.location={}
ssl.truststore.type=PEM
ssl.truststore.location={}
sasl.enabled.mechanisms=PLAIN
sasl.mechanism.inter.broker.protocol=PLAIN
listener.name.sasl_ssl.plain.sasl.jaas.config=org.apache.kafka.common.security.plain.PlainLoginModule required \
username=\"{USER}\" password=\"{password}\" user_{USER}=\"{password}\";
",
        keystore.display(),
        authority.display()
    )
}

/// Writes what a secured broker reads at its start.
pub(super) fn write_certificates(data_dir: &Path, secured: &Secured) -> Result<()> {
    let Secured {
        certificate, key, ..
    } = secured;
    let keystore = keystore(data_dir);
    fs::write(&keystore, format!("{key}{certificate}")).on("write", &keystore)?;
    let authority = authority(data_dir);
    fs::write(&authority, &secured.authority).on("write", &authority)
}

/// A random id as Kafka spells it: 16 bytes in URL-safe base64.
pub(super) fn random_id() -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let bits = Uuid::new_v4().as_u128();
    // 128 bits are 21 groups of six and two bits over, padded with zeros at the end.
    let groups =
        (0..21).map(|group| usize::try_from(bits >> (122 - 6 * group) & 0x3f).expect("six bits"));
    let last = usize::try_from((bits & 0x3) << 4).expect("six bits");
    groups
        .chain([last])
        .map(|index| char::from(ALPHABET[index]))
        .collect()
}

/// Formats a fresh data folder, as `StorageTool format` does; keeps one that is formatted.
pub(super) fn format(data_dir: &Path, installation: &Installation) -> Result<()> {
    let log_dir = log_dir(data_dir);
    let meta = log_dir.join("meta.properties");
    if meta.exists() {
        return Ok(());
    }
    fs::create_dir_all(&log_dir).on("create", &log_dir)?;
    let checkpoint = log_dir.join("bootstrap.checkpoint");
    fs::copy(installation.bootstrap_checkpoint(), &checkpoint).on("write", &checkpoint)?;
    // A directory id that begins with a dash is reserved in some of Kafka's tools.
    let [cluster_id, directory_id] = [random_id(), random_id()].map(|id| id.replacen('-', "A", 1));
    let content =
        format!("version=1\nnode.id=1\ncluster.id={cluster_id}\ndirectory.id={directory_id}\n");
    // Written last: its presence says that the folder is formatted.
    let partial = log_dir.join("meta.properties.partial");
    fs::write(&partial, content).on("write", &partial)?;
    fs::rename(&partial, &meta).on("write", &meta)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_22_characters_that_hold_16_bytes() {
        let id = random_id();
        assert_eq!(id.len(), 22);
        assert!(
            id.bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_')
        );
        assert!(
            id.ends_with(['A', 'Q', 'g', 'w']),
            "the last two bits alone: {id}"
        );
        assert_ne!(id, random_id());
    }
}
