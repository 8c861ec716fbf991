//! Whether policies and effects go on.

use anyhow::Result;
use event_store::kafka::KafkaLog;
use tokio::time::{Instant, sleep, sleep_until};

use super::{Findings, LOOKS_APART, MAX_LAG, UNREADABLE};
use crate::policies::{self, PolicyLag};

/// How far they were behind at an earlier look.
pub(super) struct Earlier {
    /// None where that could not be read.
    lags: Vec<PolicyLag>,
    at: Instant,
}

impl Earlier {
    /// As they are now; nothing where that cannot be read, which the later look tells.
    pub(super) async fn look(log: &KafkaLog) -> Self {
        let lags = policies::lags(log).await;
        Self {
            lags: lags.unwrap_or_default(),
            at: Instant::now(),
        }
    }

    /// Waits until whoever was far behind has had the time to come nearer.
    async fn grow_old(&self) {
        if self.lags.iter().any(|of| of.lag > MAX_LAG) {
            sleep_until(self.at + LOOKS_APART).await;
        }
    }
}

/// Whether those that are far behind have come nearer since.
pub(super) async fn look(log: &KafkaLog, earlier: Earlier, findings: &mut Findings) {
    match look_again(log, earlier).await {
        Ok([before, after]) => look_at_all(&before, &after, findings),
        Err(error) => findings.wrong("policies", format!("{error:#}"), UNREADABLE),
    }
}

/// How they were and how they are, at two looks that are apart.
async fn look_again(log: &KafkaLog, earlier: Earlier) -> Result<[Vec<PolicyLag>; 2]> {
    earlier.grow_old().await;
    let lags = policies::lags(log).await?;
    if !has_one_fallen_behind(&earlier.lags, &lags) {
        return Ok([earlier.lags, lags]);
    }
    // Much may have come at once; that alone is nothing wrong.
    sleep(LOOKS_APART).await;
    Ok([lags, policies::lags(log).await?])
}

/// Whether one is far behind of which the earlier look does not say so.
fn has_one_fallen_behind(before: &[PolicyLag], after: &[PolicyLag]) -> bool {
    let mut far_behind = after.iter().filter(|of| of.lag > MAX_LAG);
    far_behind.any(|of| far_behind_lag(before, of.name).is_none())
}

/// How far a policy was behind, where that was far.
fn far_behind_lag(lags: &[PolicyLag], name: &str) -> Option<i64> {
    let of = lags.iter().find(|of| of.name == name)?;
    (of.lag > MAX_LAG).then_some(of.lag)
}

fn look_at_all(before: &[PolicyLag], after: &[PolicyLag], findings: &mut Findings) {
    const REMEDY: &str = "see the command API's log for what holds the policy up; `offset-zero policies list` shows whether it \
                          goes on";
    let found = findings.0.len();
    let mut behind = 0;
    for PolicyLag { name, lag } in after {
        behind += lag;
        if far_behind_lag(before, name).is_some_and(|before| *lag >= before) {
            let detail = format!("{name} is {lag} records behind, and no nearer");
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
        for (before, after) in [(0, 0), (3, 5), (0, MAX_LAG + 1), (5_000, 4_999)] {
            assert_eq!(looked_at(before, after), [true], "{before}, {after}");
        }
        for (before, after) in [(5_000, 5_000), (5_000, 5_001)] {
            assert_eq!(looked_at(before, after), [false], "{before}, {after}");
        }
    }

    #[test]
    fn who_was_not_seen_before_is_not_wrong_yet() {
        let mut findings = Findings::default();
        look_at_all(&[], &behind(5_000), &mut findings);
        assert!(findings.0.iter().all(|finding| finding.ok), "{findings:?}");
    }

    #[test]
    fn who_has_fallen_behind_since_or_was_not_seen_is_looked_at_once_more() {
        let is_looked_at =
            |before: &[PolicyLag], after| has_one_fallen_behind(before, &behind(after));
        let unseen: &[PolicyLag] = &[];
        for before in [unseen, &behind(0), &behind(MAX_LAG)] {
            assert!(is_looked_at(before, MAX_LAG + 1), "{before:?}");
            assert!(!is_looked_at(before, MAX_LAG), "{before:?}");
        }
        assert!(!is_looked_at(&behind(MAX_LAG + 1), 5_000));
    }

    #[tokio::test]
    async fn only_who_was_far_behind_is_given_time() {
        let is_waited_for = async |lag: i64| {
            let earlier = Earlier {
                lags: behind(lag).into(),
                at: Instant::now(),
            };
            timeout(Duration::ZERO, earlier.grow_old()).await.is_err()
        };
        assert!(is_waited_for(MAX_LAG + 1).await);
        assert!(!is_waited_for(MAX_LAG).await);
    }
}
