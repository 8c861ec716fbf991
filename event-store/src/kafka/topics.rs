//! Creating topics, and refusing those that are not as they have to be.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use rdkafka::{
    admin::{
        AdminClient, AdminOptions, ConfigResource, ConfigResourceResult, NewTopic,
        ResourceSpecifier, TopicReplication,
    },
    client::DefaultClientContext,
    error::RDKafkaErrorCode,
    metadata::{Metadata, MetadataBroker, MetadataTopic},
};

use super::{KafkaConfig, Shared, unavailable};
use crate::{log::LogError, ownership::OWNERSHIP_TOPIC};

/// Where brokers keep what became of transactions.
const TRANSACTION_STATE: &str = "__transaction_state";
/// Has brokers see whether a partition was added to a transaction before they append to it (KIP-890).
const VERIFICATION: &str = "transaction.partition.verification.enable";
const ADMIN_TIMEOUT: Duration = Duration::from_secs(10);
/// A new topic shows in the metadata of every broker within this.
const VISIBLE_WITHIN: Duration = Duration::from_secs(10);

/// What "acknowledged" has to mean.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Durability {
    /// Replicas of each partition: 1 for development, 3 in production.
    pub replication: i32,
}

impl Durability {
    /// A single broker survives the kill of a process, not a power cut.
    pub const DEVELOPMENT: Self = Self { replication: 1 };
    /// From so many replicas on, a deployment is meant to lose nothing, and refuses to start where it could.
    pub const PRODUCTION_REPLICATION: i32 = 3;

    pub(super) fn min_in_sync(self) -> usize {
        if self.is_production() { 2 } else { 1 }
    }

    fn is_production(self) -> bool {
        self.replication >= Self::PRODUCTION_REPLICATION
    }

    /// What every topic needs that something depends on.
    fn settings(self) -> BTreeMap<&'static str, String> {
        BTreeMap::from([
            ("min.insync.replicas", self.min_in_sync().to_string()),
            ("unclean.leader.election.enable", "false".to_owned()),
        ])
    }
}

/// How a topic has to be.
#[derive(Debug, Clone)]
pub struct TopicSpec {
    pub(super) name: &'static str,
    partitions: i32,
    compacted: bool,
    pub(super) durability: Durability,
}

impl TopicSpec {
    /// A topic of events: kept for ever.
    #[must_use]
    pub fn events(name: &'static str, partitions: i32, durability: Durability) -> Self {
        Self {
            name,
            partitions,
            compacted: false,
            durability,
        }
    }

    /// The topic of owners: the last record of each key is enough.
    #[must_use]
    pub fn ownership(partitions: i32, durability: Durability) -> Self {
        Self {
            name: OWNERSHIP_TOPIC,
            partitions,
            compacted: true,
            durability,
        }
    }

    /// The settings that are created, and verified ever after.
    fn settings(&self) -> BTreeMap<&'static str, String> {
        let policy = if self.compacted { "compact" } else { "delete" };
        let mut settings = self.durability.settings();
        settings.extend([
            ("cleanup.policy", policy.to_owned()),
            ("retention.ms", "-1".to_owned()),
            ("retention.bytes", "-1".to_owned()),
        ]);
        if self.compacted {
            // Small segments, so that renewals are compacted away soon.
            settings.insert("segment.bytes", (16 << 20).to_string());
        }
        settings
    }
}

type Admin = AdminClient<DefaultClientContext>;

pub(super) async fn ensure(shared: &Arc<Shared>, specs: &[TopicSpec]) -> Result<(), LogError> {
    let config = &shared.config;
    // Where no broker is reached, this says so in seconds, and why; an admin client waits for a minute.
    all_metadata(shared).await?;
    let admin = admin(config)?;
    create(&admin, config, specs).await?;
    let deadline = tokio::time::Instant::now() + VISIBLE_WITHIN;
    loop {
        let metadata = all_metadata(shared).await?;
        match verify_topics(&admin, &metadata, config, specs).await {
            Err(LogError::Topic { reason, .. })
                if reason == MISSING && tokio::time::Instant::now() < deadline =>
            {
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
            Ok(()) => return verify_cluster(&admin, &metadata, specs).await,
            refused => return refused,
        }
    }
}

fn admin(config: &KafkaConfig) -> Result<Admin, LogError> {
    config
        .client()
        .create()
        .map_err(|error| unavailable("configuring the admin client", &error))
}

async fn create(admin: &Admin, config: &KafkaConfig, specs: &[TopicSpec]) -> Result<(), LogError> {
    for spec in specs {
        let name = config.physical(spec.name);
        let settings = spec.settings();
        let replication = TopicReplication::Fixed(spec.durability.replication);
        let mut topic = NewTopic::new(&name, spec.partitions, replication);
        for (setting, value) in &settings {
            topic = topic.set(setting, value);
        }
        let options = AdminOptions::new().operation_timeout(Some(ADMIN_TIMEOUT));
        let created = admin
            .create_topics([&topic], &options)
            .await
            .map_err(|error| unavailable("creating topics", &error))?;
        for result in created {
            match result {
                Ok(_) | Err((_, RDKafkaErrorCode::TopicAlreadyExists)) => {}
                Err((topic, code)) => {
                    return Err(LogError::Topic {
                        topic,
                        reason: format!("cannot be created: {code}"),
                    });
                }
            }
        }
    }
    Ok(())
}

const MISSING: &str = "does not exist";

pub(super) async fn verify(shared: &Arc<Shared>, specs: &[TopicSpec]) -> Result<(), LogError> {
    let metadata = all_metadata(shared).await?;
    let admin = admin(&shared.config)?;
    verify_topics(&admin, &metadata, &shared.config, specs).await?;
    verify_cluster(&admin, &metadata, specs).await
}

async fn verify_topics(
    admin: &Admin,
    metadata: &Metadata,
    config: &KafkaConfig,
    specs: &[TopicSpec],
) -> Result<(), LogError> {
    for spec in specs {
        verify_partitions(config, metadata, spec)?;
        verify_settings(admin, &config.physical(spec.name), spec.settings()).await?;
    }
    Ok(())
}

/// What all topics stand on, where anything is to survive the loss of a broker.
async fn verify_cluster(
    admin: &Admin,
    metadata: &Metadata,
    specs: &[TopicSpec],
) -> Result<(), LogError> {
    let mut durabilities = specs.iter().map(|spec| spec.durability);
    let Some(production) = durabilities.find(|durability| durability.is_production()) else {
        return Ok(());
    };
    verify_brokers(admin, metadata).await?;
    verify_internal_topics(admin, metadata, production).await
}

/// Metadata is a blocking call.
pub(super) async fn all_metadata(shared: &Arc<Shared>) -> Result<Metadata, LogError> {
    let shared = Arc::clone(shared);
    tokio::task::spawn_blocking(move || shared.all_metadata())
        .await
        .expect("the metadata call does not panic")
}

fn refuse(topic: &str, reason: impl Into<String>) -> Result<(), LogError> {
    Err(LogError::Topic {
        topic: topic.to_owned(),
        reason: reason.into(),
    })
}

fn verify_partitions(
    config: &KafkaConfig,
    metadata: &Metadata,
    spec: &TopicSpec,
) -> Result<(), LogError> {
    let name = config.physical(spec.name);
    let Some(topic) = metadata.topics().iter().find(|topic| topic.name() == name) else {
        return refuse(&name, MISSING);
    };
    let partitions = topic.partitions();
    if partitions.is_empty() {
        return refuse(&name, MISSING);
    }
    let expected = usize::try_from(spec.partitions).unwrap_or_default();
    if partitions.len() != expected {
        return refuse(
            &name,
            format!(
                "has {} partitions where {expected} are configured; the number is fixed at creation: configure {}, or replay into new topics",
                partitions.len(),
                partitions.len()
            ),
        );
    }
    require_replicas(topic, spec.durability.replication)
}

fn require_replicas(topic: &MetadataTopic, needed: i32) -> Result<(), LogError> {
    let needed = usize::try_from(needed).unwrap_or_default();
    let mut partitions = topic.partitions().iter();
    match partitions.any(|partition| partition.replicas().len() < needed) {
        true => refuse(
            topic.name(),
            format!("has fewer than {needed} replicas; reassign its partitions before going on"),
        ),
        false => Ok(()),
    }
}

async fn verify_settings(
    admin: &Admin,
    topic: &str,
    wanted: BTreeMap<&'static str, String>,
) -> Result<(), LogError> {
    let Some(Ok(resource)) = describe(admin, ResourceSpecifier::Topic(topic)).await? else {
        return refuse(topic, "cannot be described");
    };
    require(&resource, wanted)
        .or_else(|reason| refuse(topic, format!("{reason}; alter the topic's configuration")))
}

async fn describe(
    admin: &Admin,
    what: ResourceSpecifier<'_>,
) -> Result<Option<ConfigResourceResult>, LogError> {
    let options = AdminOptions::new().request_timeout(Some(ADMIN_TIMEOUT));
    let described = admin
        .describe_configs([&what], &options)
        .await
        .map_err(|error| unavailable("describing settings", &error))?;
    Ok(described.into_iter().next())
}

/// The error is the reason.
fn require(
    resource: &ConfigResource,
    wanted: BTreeMap<&'static str, String>,
) -> Result<(), String> {
    // What is stricter than asked for is fine; so is a segment size that somebody tuned.
    let lenient = ["segment.bytes"];
    for (setting, wanted) in wanted {
        let actual = setting_of(resource, setting);
        let stricter = setting == "min.insync.replicas" && at_least(actual, &wanted);
        if actual != Some(&wanted) && !stricter && !lenient.contains(&setting) {
            let actual = actual.unwrap_or("unset");
            return Err(format!("{setting} is {actual} where {wanted} is needed"));
        }
    }
    Ok(())
}

fn setting_of<'a>(resource: &'a ConfigResource, setting: &str) -> Option<&'a str> {
    resource.get(setting)?.value.as_deref()
}

fn at_least(actual: Option<&str>, wanted: &str) -> bool {
    let number = |text: &str| text.parse::<i32>().ok();
    actual.and_then(number) >= number(wanted)
}

/// In production the transactions' own log has to be as durable as ours: a lost commit decision loses the commit.
async fn verify_internal_topics(
    admin: &Admin,
    metadata: &Metadata,
    durability: Durability,
) -> Result<(), LogError> {
    for name in [TRANSACTION_STATE, "__consumer_offsets"] {
        let known = metadata.topics().iter().find(|topic| topic.name() == name);
        // Not there before its first use; the broker's defaults decide then.
        let Some(topic) = known else { continue };
        require_replicas(topic, Durability::PRODUCTION_REPLICATION)?;
        verify_settings(admin, name, durability.settings()).await?;
    }
    Ok(())
}

/// Without that check a request of a fenced producer that comes late opens a transaction that nobody ends, and readers wait
/// behind it for ever ([ADR-0001](../../../docs/adr/0001-a-fenced-single-writer.md)).
async fn verify_brokers(admin: &Admin, metadata: &Metadata) -> Result<(), LogError> {
    let brokers: Vec<i32> = metadata.brokers().iter().map(MetadataBroker::id).collect();
    for id in brokers {
        match describe(admin, ResourceSpecifier::Broker(id)).await? {
            Some(Ok(resource)) => {
                let wanted = BTreeMap::from([(VERIFICATION, "true".to_owned())]);
                require(&resource, wanted).or_else(|reason| {
                    let reason =
                        format!("of broker {id}, {reason}; configure it, with Kafka 3.6 or newer");
                    refuse(TRANSACTION_STATE, reason)
                })?;
            }
            // Not everybody may ask, least of all where others run the brokers.
            refused => {
                tracing::warn!(
                    broker = id,
                    ?refused,
                    "cannot see whether it has {VERIFICATION}=true, which is needed"
                );
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use rdkafka::admin::{ConfigEntry, ConfigSource, OwnedResourceSpecifier};

    use super::*;

    fn resource(settings: &[(&str, &str)]) -> ConfigResource {
        let entry = |(name, value): &(&str, &str)| ConfigEntry {
            name: (*name).to_owned(),
            value: Some((*value).to_owned()),
            source: ConfigSource::Default,
            is_read_only: false,
            is_default: true,
            is_sensitive: false,
        };
        ConfigResource {
            specifier: OwnedResourceSpecifier::Topic(TRANSACTION_STATE.to_owned()),
            entries: settings.iter().map(entry).collect(),
        }
    }

    #[test]
    fn the_log_of_transactions_has_to_be_as_durable_as_ours() {
        let production = Durability {
            replication: Durability::PRODUCTION_REPLICATION,
        };
        let with = |min_in_sync| {
            let unclean = ("unclean.leader.election.enable", "false");
            let resource = resource(&[("min.insync.replicas", min_in_sync), unclean]);
            require(&resource, production.settings())
        };
        assert_eq!(with("2"), Ok(()));
        assert_eq!(with("3"), Ok(()));
        let reason = "min.insync.replicas is 1 where 2 is needed";
        assert_eq!(with("1"), Err(reason.to_owned()));
    }

    #[test]
    fn a_broker_that_knows_no_verification_is_refused() {
        let wanted = || BTreeMap::from([(VERIFICATION, "true".to_owned())]);
        assert_eq!(
            require(&resource(&[(VERIFICATION, "true")]), wanted()),
            Ok(())
        );
        for (settings, actual) in [(vec![(VERIFICATION, "false")], "false"), (vec![], "unset")] {
            let reason = format!("{VERIFICATION} is {actual} where true is needed");
            assert_eq!(require(&resource(&settings), wanted()), Err(reason));
        }
    }
}
