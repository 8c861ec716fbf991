//! `offset-zero topics`: whether they are as they have to be.

use anyhow::{Result, bail};
use event_store::{
    LogError,
    kafka::{KafkaLog, TopicSpec},
};
use serde_json::{Value, json};

use crate::{
    args::{Target, TopicsCommand},
    output::print,
};

/// Looks at the topics, and fails where something is wrong.
pub async fn run(target: &Target, command: TopicsCommand, json: bool) -> Result<()> {
    match command {
        TopicsCommand::Check => {
            let log = KafkaLog::connect(&target.kafka.config())?;
            let specs = target.topic_specs();
            let wrong = match faults(&log, &specs).await {
                Ok(wrong) => wrong,
                Err(error) if json => {
                    let wrong = [error.to_string()];
                    print(format_args!("{}", report(specs.len(), &wrong)))?;
                    return Err(error.into());
                }
                Err(error) => return Err(error.into()),
            };
            if json {
                print(format_args!("{}", report(specs.len(), &wrong)))?;
            } else if wrong.is_empty() {
                print(format_args!(
                    "{} topics are as they have to be",
                    specs.len()
                ))?;
            }
            match wrong.is_empty() {
                true => Ok(()),
                false => bail!("{}", wrong.join("\n")),
            }
        }
    }
}

/// What is wrong with topics; nothing where all is well.
///
/// # Errors
/// When they cannot be looked at.
pub async fn faults(log: &KafkaLog, specs: &[TopicSpec]) -> Result<Vec<String>, LogError> {
    match log.verify_topics(specs).await {
        Ok(()) => Ok(Vec::new()),
        // The first of perhaps several.
        Err(LogError::Topic { .. }) => {
            let mut told = Vec::new();
            for spec in specs {
                let verified = log.verify_topics(std::slice::from_ref(spec)).await;
                told.extend(verified.err().map(|error| error.to_string()));
            }
            Ok(each_once(told))
        }
        Err(error) => Err(error),
    }
}

/// What is wrong with brokers is told of each topic.
fn each_once(told: Vec<String>) -> Vec<String> {
    let mut faults = Vec::new();
    for fault in told {
        if !faults.contains(&fault) {
            faults.push(fault);
        }
    }
    faults
}

fn report(checked: usize, wrong: &[String]) -> Value {
    json!({"checked": checked, "ok": wrong.is_empty(), "wrong": wrong})
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_wrong_with_a_broker_is_told_once() {
        let told = ["broker", "broker", "topic", "broker"].map(str::to_owned);
        assert_eq!(each_once(told.into()), ["broker", "topic"]);
    }

    #[test]
    fn programs_are_told_what_is_wrong() {
        assert_eq!(
            report(8, &[]),
            json!({"checked": 8, "ok": true, "wrong": []})
        );
        let wrong = ["OrderEvents: does not exist".to_owned()];
        let expected = json!({"checked": 8, "ok": false, "wrong": ["OrderEvents: does not exist"]});
        assert_eq!(report(8, &wrong), expected);
    }
}
