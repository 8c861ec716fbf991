//! Whether policies and effects go on.

use anyhow::Result;
use event_store::kafka::KafkaLog;
use tokio::time::{Instant, sleep_until};

use super::{Findings, LOOKS_APART, MAX_LAG, UNREADABLE};
use crate::policies::{self, PolicyLag};

/// How far they were behind at an earlier look.
pub(super) struct Earlier {
    lags: Result<Vec<PolicyLag>>,
    at: Instant,
}

impl Earlier {
    /// As they are now; where that cannot be read, the later look tells.
    pub(super) async fn look(log: &KafkaLog) -> Self {
        Self {
            lags: policies::lags(log).await,
            at: Instant::now(),
        }
    }

    /// Waits until whoever was far behind has had the time to come nearer.
    async fn grow_old(&self) {
        let is_far_behind = |lags: &Vec<PolicyLag>| lags.iter().any(|of| of.lag > MAX_LAG);
        if self.lags.as_ref().is_ok_and(is_far_behind) {
            sleep_until(self.at + LOOKS_APART).await;
        }
    }
}

/// Whether those that are far behind have come nearer since.
pub(super) async fn look(log: &KafkaLog, earlier: Earlier, findings: &mut Findings) {
    earlier.grow_old().await;
    match (earlier.lags, policies::lags(log).await) {
        (Ok(before), Ok(after)) => look_at_all(&before, &after, findings),
        (Err(error), _) | (_, Err(error)) => {
            findings.wrong("policies", format!("{error:#}"), UNREADABLE);
        }
    }
}

/// Both of the same policies, in the same order.
fn look_at_all(before: &[PolicyLag], after: &[PolicyLag], findings: &mut Findings) {
    const REMEDY: &str = "see the command API's log for what holds the policy up; `offset-zero policies list` shows whether it \
                          goes on";
    let found = findings.0.len();
    let mut behind = 0;
    for (before, after) in std::iter::zip(before, after) {
        behind += after.lag;
        if after.lag > MAX_LAG && after.lag >= before.lag {
            let detail = format!(
                "{} is {} records behind, and no nearer",
                after.name, after.lag
            );
            findings.wrong("policies", detail, REMEDY);
        }
    }
    let detail = format!("{behind} records behind in all");
    findings.well_if_none_since(found, "policies", detail);
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::time::timeout;

    use super::*;

    fn behind(lag: i64) -> [PolicyLag; 1] {
        let name = "order-workflow";
        [PolicyLag { name, lag }]
    }

    #[test]
    fn a_policy_is_wrong_where_it_is_far_behind_and_comes_no_nearer() {
        let looked_at = |before: i64, after: i64| {
            let mut findings = Findings::default();
            look_at_all(&behind(before), &behind(after), &mut findings);
            let found = findings.0.iter().map(|finding| finding.ok);
            found.collect::<Vec<_>>()
        };
        for (before, after) in [(0, 0), (3, 5), (0, MAX_LAG), (5_000, 4_999)] {
            assert_eq!(looked_at(before, after), [true], "{before}, {after}");
        }
        for (before, after) in [(5_000, 5_000), (5_000, 5_001), (0, MAX_LAG + 1)] {
            assert_eq!(looked_at(before, after), [false], "{before}, {after}");
        }
    }

    #[tokio::test]
    async fn only_who_was_far_behind_is_given_time() {
        let is_waited_for = async |lag: i64| {
            let earlier = Earlier {
                lags: Ok(behind(lag).into()),
                at: Instant::now(),
            };
            timeout(Duration::ZERO, earlier.grow_old()).await.is_err()
        };
        assert!(is_waited_for(MAX_LAG + 1).await);
        assert!(!is_waited_for(MAX_LAG).await);
    }
}
