//! `offset-zero topics`: whether they are as they have to be.

use anyhow::{Context, Result, bail};
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
            let looked = faults(&log, &specs).await;
            if json {
                print(format_args!("{}", report(specs.len(), &looked)))?;
            }
            match looked {
                Ok(wrong) if wrong.is_empty() && json => Ok(()),
                Ok(wrong) if wrong.is_empty() => print(format_args!(
                    "{} topics are as they have to be",
                    specs.len()
                )),
                // The report has named them.
                Ok(wrong) if json => bail!("{} faults were found", wrong.len()),
                Ok(wrong) => bail!("{}", wrong.join("\n")),
                Err(_) if json => bail!("no topic was checked"),
                Err(error) => Err(error).context("no topic was checked"),
            }
        }
    }
}

/// What is wrong with topics; nothing where all is well.
///
/// # Errors
/// When none of them can be looked at.
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

fn report(topics: usize, looked: &Result<Vec<String>, LogError>) -> Value {
    match looked {
        Ok(wrong) => json!({"checked": topics, "ok": wrong.is_empty(), "wrong": wrong}),
        Err(error) => {
            json!({"checked": 0, "ok": false, "wrong": [], "error": error.to_string()})
        }
    }
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
            report(8, &Ok(Vec::new())),
            json!({"checked": 8, "ok": true, "wrong": []})
        );
        let wrong = vec!["OrderEvents: does not exist".to_owned()];
        let expected = json!({"checked": 8, "ok": false, "wrong": ["OrderEvents: does not exist"]});
        assert_eq!(report(8, &Ok(wrong)), expected);
        let away = LogError::Unavailable {
            attempted: "looking",
            reason: "it is away".to_owned(),
        };
        let why = "the log is unavailable while looking: it is away";
        let expected = json!({"checked": 0, "ok": false, "wrong": [], "error": why});
        assert_eq!(report(8, &Err(away)), expected);
    }
}
