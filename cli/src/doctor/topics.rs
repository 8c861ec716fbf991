//! Whether the topics are as they have to be, and what cannot be looked at where they are not.

use anyhow::Result;
use domain::topics;
use event_store::{LogError, OWNERSHIP_TOPIC, kafka::KafkaLog, log::Log};
use tokio::task::spawn_blocking;

use super::{Findings, UNREADABLE};
use crate::{args::Target, topics::faults};

/// What to do about a topic that is not as it has to be.
const ALTER: &str = "the command API creates topics that are missing when it starts; others have to be altered, or named with \
                     --partitions, --replication-factor and --namespace";

/// Whether all topics are as they have to be; answers which of them nobody can look into.
pub(super) async fn look(
    log: &KafkaLog,
    target: &Target,
    findings: &mut Findings,
) -> Result<Unseen> {
    let specs = target.topic_specs();
    let before = findings.0.len();
    match faults(log, &specs).await {
        Ok(faults) => {
            for fault in faults {
                findings.wrong("topics", fault, ALTER);
            }
        }
        Err(error) => findings.wrong("topics", error.to_string(), UNREADABLE),
    }
    match log.weaknesses(&specs).await {
        Ok(weak) => {
            for partition in weak {
                findings.wrong(
                    "topics",
                    partition,
                    "start the brokers that are missing, or see their logs for why they do not follow: until then nothing can be \
                     written there",
                );
            }
        }
        Err(error) => findings.wrong("topics", error.to_string(), UNREADABLE),
    }
    let detail = format!("{} topics are as they have to be", specs.len());
    findings.well_if_none_since(before, "topics", detail);
    let (log, partitions) = (log.clone(), target.partitions);
    Ok(spawn_blocking(move || Unseen::of(&log, partitions)).await?)
}

/// Topics that are missing, or have another number of partitions than was said. Whoever reads them fails, or finds what is not wrong. A
/// topic that has another retention, say, can be read like any other.
pub(super) struct Unseen(Vec<&'static str>);

impl Unseen {
    fn of<L: Log>(log: &L, partitions: i32) -> Self {
        let all = topics::ALL.into_iter().chain([OWNERSHIP_TOPIC]);
        let unseen = all.filter(|topic| match log.partitions(topic) {
            Ok(found) => found != partitions,
            Err(LogError::Topic { .. }) => true,
            // What else is wrong is told by the check that meets it.
            Err(_) => false,
        });
        Self(unseen.collect())
    }

    /// Whether a check that reads these topics can be made; that it cannot is a finding.
    pub(super) fn allows(
        &self,
        check: &'static str,
        read: &[&str],
        findings: &mut Findings,
    ) -> bool {
        let unseen = self.0.iter().copied();
        let unseen: Vec<_> = unseen.filter(|topic| read.contains(topic)).collect();
        if unseen.is_empty() {
            return true;
        }
        let detail = format!(
            "not looked at: it reads what is missing or has another number of partitions: {}",
            unseen.join(", ")
        );
        findings.wrong(check, detail, "see to the topics first, then look again");
        false
    }
}

#[cfg(test)]
mod tests {
    use event_store::memory::MemoryLog;

    use super::*;

    const PARTITIONS: i32 = 4;
    const CHECKS: [(&str, &[&str]); 2] = [("owners", &[OWNERSHIP_TOPIC]), ("events", &topics::ALL)];

    /// What is not looked at, and what is said of it.
    fn skipped(unseen: &Unseen) -> Vec<(&'static str, String)> {
        let mut findings = Findings::default();
        for (check, read) in CHECKS {
            let found = findings.0.len();
            let is_allowed = unseen.allows(check, read, &mut findings);
            assert_eq!(is_allowed, findings.0.len() == found, "{check}");
        }
        let findings = findings.0.into_iter();
        findings
            .inspect(|finding| assert!(!finding.ok && finding.remedy.is_some(), "{finding:?}"))
            .map(|finding| (finding.check, finding.detail))
            .collect()
    }

    #[test]
    fn everything_is_looked_at_where_all_topics_are_there() {
        let log = MemoryLog::new(&topics::ALL, PARTITIONS);
        assert!(skipped(&Unseen::of(&log, PARTITIONS)).is_empty());
    }

    #[test]
    fn what_reads_a_topic_that_is_missing_is_skipped_and_nothing_else() {
        let all = topics::ALL;
        let (missing, others) = all.split_first().expect("there are some");
        let log = MemoryLog::new(others, PARTITIONS);
        let skipped = skipped(&Unseen::of(&log, PARTITIONS));
        let [(check, detail)] = skipped.as_slice() else {
            panic!("{skipped:?}");
        };
        assert_eq!(*check, "events");
        assert!(detail.starts_with("not looked at: "), "{detail}");
        assert!(
            detail.ends_with(&format!("partitions: {missing}")),
            "{detail}"
        );
    }

    #[test]
    fn everything_is_skipped_where_there_are_other_partitions() {
        let log = MemoryLog::new(&topics::ALL, PARTITIONS);
        for other in [PARTITIONS - 1, PARTITIONS + 1] {
            let skipped = skipped(&Unseen::of(&log, other));
            let checks: Vec<_> = skipped.iter().map(|(check, _)| *check).collect();
            assert_eq!(checks, ["owners", "events"]);
        }
    }

    /// Whoever reads it says what is wrong.
    #[test]
    fn a_log_that_is_out_of_reach_is_looked_at() {
        let log = MemoryLog::new(&topics::ALL, PARTITIONS);
        log.set_reachable(false);
        assert!(skipped(&Unseen::of(&log, PARTITIONS)).is_empty());
    }
}
