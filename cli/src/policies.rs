//! Looking after how far policies and effects have come.

use anyhow::{Context, Result, bail};
use command_api::{REACTORS, ReactorName};
use event_store::{Checkpoint, LogError, kafka::KafkaLog, log::Log};
use serde::Serialize;
use serde_json::json;

use crate::args::{PoliciesCommand, Target};

/// Shows them, or has some of them begin again.
pub async fn run(target: &Target, command: &PoliciesCommand, json: bool) -> Result<()> {
    let log = KafkaLog::connect(&target.kafka.config())?;
    match command {
        PoliciesCommand::List => {
            let lags = lags(&log).await?;
            match json {
                true => println!("{}", serde_json::to_string_pretty(&lags)?),
                false => {
                    for PolicyLag { name, lag } in lags {
                        println!("{name:<24} {lag:>10} records behind");
                    }
                }
            }
        }
        PoliciesCommand::Reset { names } => {
            let named = named(names)?;
            tokio::task::spawn_blocking(move || named.iter().try_for_each(|one| reset(&log, one)))
                .await?
                .context("noting that policies begin again")?;
            match json {
                true => println!("{}", json!({"reset": names})),
                false => println!(
                    "{} will read from offset zero at the next start",
                    names.join(", ")
                ),
            }
        }
    }
    Ok(())
}

/// How far a policy is behind.
#[derive(Debug, Clone, Serialize)]
pub struct PolicyLag {
    /// Whose.
    pub name: &'static str,
    /// Records that it has yet to pass, in all partitions.
    pub lag: i64,
}

/// How far each of them is behind.
pub async fn lags(log: &KafkaLog) -> Result<Vec<PolicyLag>> {
    let log = log.clone();
    let asked = tokio::task::spawn_blocking(move || {
        let lags = REACTORS.iter().map(|reactor| {
            Ok(PolicyLag {
                name: reactor.name,
                lag: lag(&log, reactor)?,
            })
        });
        lags.collect::<Result<Vec<_>, LogError>>()
    });
    asked.await?.context("reading how far policies have come")
}

fn lag(log: &KafkaLog, reactor: &ReactorName) -> Result<i64, LogError> {
    let mut lag = 0;
    for topic in reactor.topics {
        for partition in 0..log.partitions(topic)? {
            let passed = log.committed(reactor.name, topic, partition)?;
            let passed = passed.map_or(0, |noted| noted.next_offset);
            lag += (log.end_offset(topic, partition)? - passed).max(0);
        }
    }
    Ok(lag)
}

fn named(names: &[String]) -> Result<Vec<ReactorName>> {
    let find = |name: &String| {
        let known = REACTORS.iter().find(|reactor| reactor.name == name);
        match known {
            Some(known) => Ok(*known),
            None => {
                let known = REACTORS.map(|reactor| reactor.name).join(", ");
                bail!("there is no policy {name}; there are: {known}")
            }
        }
    };
    names.iter().map(find).collect()
}

fn reset(log: &KafkaLog, reactor: &ReactorName) -> Result<(), LogError> {
    let mut places = Vec::new();
    for topic in reactor.topics {
        for partition in 0..log.partitions(topic)? {
            places.push(Checkpoint::zero(topic, partition));
        }
    }
    log.commit(reactor.name, &places)
}
