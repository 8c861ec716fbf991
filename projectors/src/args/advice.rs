//! What to do where a command has met a Kafka that gives no answer. What Postgres has kept from being done says so by itself.

use anyhow::Error;
use event_store::LogError;

use crate::ProjectorError;

const OF_KAFKA: &str = "Kafka was asked in vain; see whether it runs, name another one with --kafka-brokers or KAFKA_BROKERS, or say with \
                        --kafka-property how it wants to be spoken to (docs/operating.md)";

/// The error, with what to do where its cause alone does not tell.
#[must_use]
pub fn advised(error: Error) -> Error {
    let is_advised = error.chain().any(is_of_kafka);
    match is_advised {
        true => error.context(OF_KAFKA),
        false => error,
    }
}

fn is_of_kafka(error: &(dyn std::error::Error + 'static)) -> bool {
    matches!(
        error.downcast_ref::<LogError>(),
        Some(LogError::Unavailable { .. })
    ) || error
        .downcast_ref::<ProjectorError>()
        .is_some_and(has_met_no_kafka)
}

fn has_met_no_kafka(error: &ProjectorError) -> bool {
    match error {
        ProjectorError::NotAllDone {
            of_all: Some(met), ..
        } => has_met_no_kafka(met),
        ProjectorError::Log(LogError::Unavailable { .. }) => true,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn away() -> LogError {
        LogError::Unavailable {
            attempted: "reading metadata",
            reason: "refused".to_owned(),
        }
    }

    /// Of all projections, which one has met that.
    fn of_all(met: Option<ProjectorError>) -> ProjectorError {
        ProjectorError::NotAllDone {
            done: 0,
            of: 8,
            told: "orders: reading metadata: refused".to_owned(),
            of_all: met.map(Box::new),
        }
    }

    #[test]
    fn only_where_kafka_was_asked_in_vain_is_kafka_to_be_looked_at() {
        let topic = LogError::Topic {
            topic: "OrderEvents".to_owned(),
            reason: "does not exist".to_owned(),
        };
        for (error, is_advised) in [
            (Error::from(away()), true),
            (Error::from(ProjectorError::Log(away())), true),
            (Error::from(away()).context("reading how far"), true),
            (Error::from(of_all(Some(away().into()))), true),
            (Error::from(of_all(None)), false),
            (Error::from(topic), false),
            (Error::msg("another"), false),
        ] {
            let advised = advised(error);
            let told = advised.to_string().contains("--kafka-brokers");
            assert_eq!(told, is_advised, "{advised:?}");
        }
    }
}
