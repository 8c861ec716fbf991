//! A stack, and what of it is ours. Where others use its Kafka or Postgres as well, fresh data means topics and a database that
//! nobody else has.

use anyhow::{Context, Result};
use dev::{
    postgres::ScratchDatabase,
    stack::{Placement, Stack, StackOptions},
};
use event_store::kafka::{KafkaArgs, KafkaProperty};
use uuid::Uuid;

use crate::{args::Target, given::Given};

/// Kafka and Postgres, and which part of them is used.
pub struct Site {
    /// Put before topics; empty where nobody else uses Kafka, and where data is to stay.
    pub namespace: String,
    /// The database of the read models.
    pub database_url: String,
    /// What Kafka's clients have to be told, such as how TLS and SASL are spoken.
    properties: Vec<KafkaProperty>,
    /// Where the URL leads, unless that is the stack's default. Goes before the stack: it is dropped by the server.
    database: Option<ScratchDatabase>,
    /// What all of it stands on.
    pub stack: Stack,
}

impl Site {
    /// Starts what of the stack is not named, and takes what is ours of it.
    pub fn start(options: StackOptions, asked: &Target) -> Result<Self> {
        let stack = Stack::start_beside(asked.external(), options)
            .context("starting Kafka and Postgres")?;
        let properties = told(asked, stack.is_kafka_external());
        let namespace = namespace(options.placement, stack.is_kafka_external());
        if !namespace.is_empty() {
            tracing::info!(namespace, "taking topics of our own, which will remain");
        }
        let is_fresh = matches!(options.placement, Placement::Fresh);
        let database = match is_fresh && stack.is_postgres_external() {
            true => Some(stack.scratch_database()?),
            false => None,
        };
        let database_url = match &database {
            Some(database) => database.url().to_owned(),
            None => stack.default_database_url()?,
        };
        Ok(Self {
            namespace,
            database_url,
            properties,
            database,
            stack,
        })
    }

    /// The same, for the commands that operate on it.
    pub fn target(&self, partitions: i32) -> Target {
        Target {
            given: Given::default(),
            database_url: self.database_url.clone(),
            kafka: KafkaArgs {
                brokers: self.stack.brokers(),
                properties: self.properties.clone(),
                namespace: self.namespace.clone(),
            },
            partitions,
            replication_factor: 1,
        }
    }

    /// What programs that speak to its Kafka are to find in their environment.
    pub fn kafka_properties(&self) -> String {
        spelled(&self.properties)
    }

    /// Gives back what nobody needs any more, and stops the stack. Its clients go first.
    pub fn stop(self) -> Result<()> {
        drop(self.database);
        Ok(self.stack.stop()?)
    }
}

/// Topics of another deployment, or of another demo, would be read as if they were ours.
fn namespace(placement: Placement, is_external: bool) -> String {
    match (placement, is_external) {
        (Placement::Fresh, true) => format!("{}.", Uuid::now_v7().simple()),
        (Placement::Fresh, false) | (Placement::Persistent { .. }, _) => String::new(),
    }
}

/// What its clients are told. A Kafka of our own speaks plainly, whatever the shell says of another; what is typed is meant for it.
fn told(asked: &Target, is_external: bool) -> Vec<KafkaProperty> {
    match is_external || asked.given.properties {
        true => asked.kafka.properties.clone(),
        false => Vec::new(),
    }
}

/// As the environment spells them.
pub fn spelled(properties: &[KafkaProperty]) -> String {
    let properties: Vec<_> = properties.iter().map(KafkaProperty::spelled).collect();
    properties.join(",")
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;
    use crate::args::Args;

    #[test]
    fn fresh_data_in_a_kafka_of_others_has_a_namespace_that_nobody_else_has() {
        let namespaces = [(); 2].map(|()| namespace(Placement::Fresh, true));
        assert_ne!(namespaces[0], namespaces[1]);
        for namespace in namespaces {
            let name = namespace.strip_suffix('.').expect("a separator");
            assert!(name.parse::<Uuid>().is_ok(), "{name}");
        }
    }

    #[test]
    fn programs_are_told_the_properties_of_a_kafka_that_was_named_and_otherwise_what_was_typed() {
        let line = [
            "offset-zero",
            "demo",
            "--kafka-property=security.protocol=SASL_SSL",
            "--kafka-property=sasl.password=a=b",
        ];
        let asked = Args::try_parse_from(line).expect("they are flags").target;
        let expected = "security.protocol=SASL_SSL,sasl.password=a=b";
        for is_external in [true, false] {
            assert_eq!(spelled(&told(&asked, is_external)), expected);
        }
        let by_the_shell = Target {
            given: Given::default(),
            ..asked
        };
        assert_eq!(spelled(&told(&by_the_shell, true)), expected);
        assert_eq!(spelled(&told(&by_the_shell, false)), "");
    }

    #[test]
    fn what_is_ours_alone_or_is_to_stay_has_no_namespace() {
        let persistent = Placement::Persistent {
            kafka_port: 9092,
            postgres_port: 5433,
        };
        for (placement, is_external) in [
            (Placement::Fresh, false),
            (persistent, false),
            (persistent, true),
        ] {
            assert_eq!(namespace(placement, is_external), "", "{placement:?}");
        }
    }
}
