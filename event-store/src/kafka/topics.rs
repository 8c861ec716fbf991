//! Creating topics, and refusing those that are not as they have to be.

use std::{collections::BTreeMap, time::Duration};

use rdkafka::{
    admin::{
        AdminClient, AdminOptions, ConfigResource, NewTopic, ResourceSpecifier, TopicReplication,
    },
    client::DefaultClientContext,
    error::RDKafkaErrorCode,
    metadata::Metadata,
};

use super::{KafkaConfig, METADATA_TIMEOUT, unavailable};
use crate::{log::LogError, ownership::OWNERSHIP_TOPIC};

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

    fn min_in_sync(self) -> i32 {
        if self.is_production() { 2 } else { 1 }
    }

    fn is_production(self) -> bool {
        self.replication >= Self::PRODUCTION_REPLICATION
    }
}

/// How a topic has to be.
#[derive(Debug, Clone)]
pub struct TopicSpec {
    name: &'static str,
    partitions: i32,
    compacted: bool,
    durability: Durability,
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
        let mut settings = BTreeMap::from([
            ("cleanup.policy", policy.to_owned()),
            ("retention.ms", "-1".to_owned()),
            ("retention.bytes", "-1".to_owned()),
            (
                "min.insync.replicas",
                self.durability.min_in_sync().to_string(),
            ),
            ("unclean.leader.election.enable", "false".to_owned()),
        ]);
        if self.compacted {
            // Small segments, so that renewals are compacted away soon.
            settings.insert("segment.bytes", (16 << 20).to_string());
        }
        settings
    }
}

type Admin = AdminClient<DefaultClientContext>;

pub(super) async fn ensure(config: &KafkaConfig, specs: &[TopicSpec]) -> Result<(), LogError> {
    create(&admin(config)?, config, specs).await?;
    let deadline = tokio::time::Instant::now() + VISIBLE_WITHIN;
    loop {
        match verify(config, specs).await {
            Err(LogError::Topic { reason, .. })
                if reason == MISSING && tokio::time::Instant::now() < deadline =>
            {
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
            verified => return verified,
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

pub(super) async fn verify(config: &KafkaConfig, specs: &[TopicSpec]) -> Result<(), LogError> {
    let admin = admin(config)?;
    let metadata = all_metadata(config).await?;
    for spec in specs {
        verify_partitions(config, &metadata, spec)?;
        verify_settings(&admin, config, spec).await?;
    }
    if specs.iter().any(|spec| spec.durability.is_production()) {
        verify_internal_topics(&metadata)?;
    }
    Ok(())
}

/// Metadata is a blocking call.
async fn all_metadata(config: &KafkaConfig) -> Result<Metadata, LogError> {
    let client = admin(config)?;
    tokio::task::spawn_blocking(move || client.inner().fetch_metadata(None, METADATA_TIMEOUT))
        .await
        .expect("the metadata call does not panic")
        .map_err(|error| unavailable("reading metadata", &error))
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
    let replicas = partitions
        .iter()
        .map(|partition| partition.replicas().len())
        .min();
    let needed = usize::try_from(spec.durability.replication).unwrap_or_default();
    if replicas.unwrap_or_default() < needed {
        return refuse(
            &name,
            format!("has fewer than {needed} replicas; reassign its partitions before going on"),
        );
    }
    Ok(())
}

async fn verify_settings(
    admin: &Admin,
    config: &KafkaConfig,
    spec: &TopicSpec,
) -> Result<(), LogError> {
    let name = config.physical(spec.name);
    let options = AdminOptions::new().request_timeout(Some(ADMIN_TIMEOUT));
    let described = admin
        .describe_configs([&ResourceSpecifier::Topic(&name)], &options)
        .await
        .map_err(|error| unavailable("describing topics", &error))?;
    let Some(Ok(resource)) = described.into_iter().next() else {
        return refuse(&name, "cannot be described");
    };
    // What is stricter than asked for is fine; so is a segment size that somebody tuned.
    let lenient = ["segment.bytes"];
    for (setting, wanted) in spec.settings() {
        let actual = setting_of(&resource, setting);
        let stricter = setting == "min.insync.replicas" && at_least(actual, &wanted);
        if actual != Some(&wanted) && !stricter && !lenient.contains(&setting) {
            let actual = actual.unwrap_or("unset");
            return refuse(
                &name,
                format!(
                    "{setting} is {actual} where {wanted} is needed; alter the topic's configuration"
                ),
            );
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
fn verify_internal_topics(metadata: &Metadata) -> Result<(), LogError> {
    for name in ["__transaction_state", "__consumer_offsets"] {
        let known = metadata.topics().iter().find(|topic| topic.name() == name);
        // Not there before its first use; the broker's defaults decide then.
        let Some(topic) = known else { continue };
        if topic
            .partitions()
            .iter()
            .any(|partition| partition.replicas().len() < 3)
        {
            return refuse(
                name,
                "has fewer than 3 replicas; reassign its partitions before going on",
            );
        }
    }
    Ok(())
}
