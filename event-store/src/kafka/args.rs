//! Which Kafka, as every program is told.

use std::{fmt, str::FromStr};

use super::KafkaConfig;

/// Which Kafka, and which part of it.
#[derive(Debug, Clone, clap::Args)]
pub struct KafkaArgs {
    /// Kafka's bootstrap addresses, separated by commas.
    #[arg(
        id = "kafka-brokers",
        long = "kafka-brokers",
        env = "KAFKA_BROKERS",
        value_name = "HOST:PORT",
        default_value = "127.0.0.1:9092",
        global = true
    )]
    pub brokers: String,

    /// A further property of librdkafka, such as `security.protocol=SSL`; may be given several times.
    #[arg(
        id = "kafka-property",
        long = "kafka-property",
        env = "OFFSET_ZERO_KAFKA_PROPERTIES",
        hide_env_values = true,
        value_delimiter = ',',
        value_name = "NAME=VALUE",
        global = true
    )]
    pub properties: Vec<KafkaProperty>,

    /// Put before every topic, group and transactional id, so that several deployments can share a cluster.
    #[arg(long, env = "OFFSET_ZERO_NAMESPACE", default_value = "", global = true)]
    pub namespace: String,
}

impl KafkaArgs {
    /// What the flags name.
    #[must_use]
    pub fn config(&self) -> KafkaConfig {
        let pair = |property: &KafkaProperty| (property.name.clone(), property.value.clone());
        KafkaConfig {
            brokers: self.brokers.clone(),
            namespace: self.namespace.clone(),
            properties: self.properties.iter().map(pair).collect(),
        }
    }
}

/// A property of librdkafka. Its value may be a secret, so it is never shown.
#[derive(Clone)]
pub struct KafkaProperty {
    name: String,
    value: String,
}

impl KafkaProperty {
    /// As it was given, secret or not.
    #[must_use]
    pub fn spelled(&self) -> String {
        format!("{}={}", self.name, self.value)
    }
}

/// Not of the form `name=value`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a property reads `name=value`")]
pub struct InvalidProperty;

impl FromStr for KafkaProperty {
    type Err = InvalidProperty;

    fn from_str(text: &str) -> Result<Self, InvalidProperty> {
        let (name, value) = text.split_once('=').ok_or(InvalidProperty)?;
        Ok(Self {
            name: name.to_owned(),
            value: value.to_owned(),
        })
    }
}

impl fmt::Debug for KafkaProperty {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}=…", self.name)
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Debug, Parser)]
    struct Program {
        #[command(flatten)]
        kafka: KafkaArgs,
    }

    #[test]
    fn properties_are_passed_on_and_never_shown() {
        let parse = |property| Program::try_parse_from(["", "--kafka-property", property]);
        let program = parse("sasl.password=a=b").expect("a property");
        let secret = ("sasl.password".to_owned(), "a=b".to_owned());
        assert_eq!(program.kafka.config().properties, [secret]);
        assert!(!format!("{program:?}").contains("a=b"));
        assert!(parse("sasl.password").is_err());
    }
}
