//! Looking after how far policies and effects have come.

use std::collections::BTreeSet;

use anyhow::{Context, Result, ensure};
use command_api::{REACTORS, ReactorName};
use event_store::{Checkpoint, LogError, OWNERSHIP_TOPIC, kafka::KafkaLog, log::Log};
use serde::Serialize;
use serde_json::json;
use tokio::task::spawn_blocking;

use crate::{
    args::{PoliciesCommand, Target},
    client,
    output::print,
    owners::places,
};

/// Shows them, or has some of them begin again.
pub async fn run(target: &Target, command: &PoliciesCommand, json: bool) -> Result<()> {
    let log = KafkaLog::connect(&target.kafka.config())?;
    match command {
        PoliciesCommand::List => {
            let lags = lags(&log).await?;
            if json {
                return print(format_args!("{}", serde_json::to_string_pretty(&lags)?));
            }
            for PolicyLag { name, lag } in lags {
                print(format_args!("{name:<24} {lag:>10} records behind"))?;
            }
            Ok(())
        }
        PoliciesCommand::Reset { policies, force } => {
            if !*force {
                require_stopped(&log, policies).await?;
            }
            let names: Vec<_> = policies.iter().map(|policy| policy.name).collect();
            let policies = policies.clone();
            spawn_blocking(move || policies.iter().try_for_each(|one| reset(&log, one)))
                .await?
                .context("noting that policies begin again")?;
            match json {
                true => print(format_args!("{}", json!({"reset": names}))),
                false => print(format_args!(
                    "{} will read from offset zero at the next start",
                    names.join(", ")
                )),
            }
        }
    }
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
    let asked = spawn_blocking(move || {
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

/// A policy by its name.
///
/// # Errors
/// Where there is none; names those that there are.
pub fn named(name: &str) -> Result<ReactorName, String> {
    let known = REACTORS.iter().find(|reactor| reactor.name == name);
    known.copied().ok_or_else(|| {
        let known = REACTORS.map(|reactor| reactor.name).join(", ");
        format!("there is no policy {name}; there are: {known}")
    })
}

/// Refuses where a process that runs one of these policies is alive: what it notes next would undo the reset.
async fn require_stopped<L: Log>(log: &L, policies: &[ReactorName]) -> Result<()> {
    let services: BTreeSet<_> = policies.iter().map(|policy| policy.service).collect();
    let asked = log.clone();
    let owners = spawn_blocking(move || owners(&asked, &services)).await?;
    for (service, address) in owners.context("looking for who runs the policies")? {
        ensure!(
            !client::is_live(&format!("http://{address}")).await,
            "the process at {address} runs the service {service}, and would undo the reset: stop it first, or give --force"
        );
    }
    Ok(())
}

/// The services, each with the addresses of those that have a partition of it and have not let go of it.
fn owners<L: Log>(
    log: &L,
    services: &BTreeSet<&'static str>,
) -> Result<BTreeSet<(&'static str, String)>, LogError> {
    let partitions = log.partitions(OWNERSHIP_TOPIC)?;
    let places = places(log, services.iter().copied(), partitions)?;
    let held = places.into_iter().filter_map(|(service, _, owner)| {
        let owner = owner.filter(|owner| !owner.released)?;
        Some((service, owner.address))
    });
    Ok(held.collect())
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

#[cfg(test)]
mod tests {
    use event_store::{
        OwnershipRecord,
        log::{Appender, AppenderId, CommitterId, Lane},
        memory::MemoryLog,
    };
    use runtime::health::Readiness;
    use uuid::Uuid;

    use super::*;
    use crate::client::testing::server;

    const POLICY: ReactorName = REACTORS[0];

    /// A process says that it owns a partition of a service, or that it has let go of it.
    fn claim(log: &MemoryLog, service: &str, address: &str, released: bool) {
        let committer = CommitterId::new();
        let claim = OwnershipRecord {
            service: service.to_owned(),
            partition: 1,
            generation: 1,
            instance: Uuid::nil(),
            member: None,
            committer,
            address: address.to_owned(),
            released,
            unmended: false,
        };
        let mut appender = log
            .appender(&AppenderId::Committer(committer, Lane::A))
            .expect("the log is in reach");
        appender.append(&[claim.record()]).expect("appended");
    }

    #[tokio::test]
    async fn a_policy_is_not_reset_while_a_process_that_runs_it_is_alive() {
        let alive = server(Readiness::new(["kafka"])).await;
        let gone = format!("127.0.0.1:{}", dev::ports::free().expect("a port"));
        let log = MemoryLog::new(&[], 2);
        for (service, address, released, is_refused) in [
            (POLICY.service, &gone, false, false),
            ("another", &alive, false, false),
            (POLICY.service, &alive, false, true),
            (POLICY.service, &alive, true, false),
        ] {
            claim(&log, service, address, released);
            let refused = require_stopped(&log, &[POLICY]).await.err();
            assert_eq!(refused.is_some(), is_refused, "{refused:?}");
            if let Some(refused) = refused {
                assert!(refused.to_string().contains(address), "{refused}");
            }
        }
    }

    #[tokio::test]
    async fn a_policy_that_nobody_has_ever_run_is_reset() {
        let log = MemoryLog::new(&[], 2);
        let required = require_stopped(&log, &[POLICY]).await;
        assert!(required.is_ok(), "{required:?}");
    }
}
