//! What is wrong with the read models.

use std::{borrow::Cow, time::Duration};

use projectors::ProjectionName;
use tokio::time::{Instant, sleep, sleep_until};

use super::{Findings, LOOKS_APART, MAX_LAG};
use crate::projections::{self, ProjectionRow, UNFED_SECONDS, Unread};

/// How the projections were at an earlier look.
pub(super) struct Earlier {
    rows: Vec<ProjectionRow>,
    at: Instant,
}

impl Earlier {
    /// As they are now; nothing where that cannot be read, which the later look tells.
    pub(super) async fn look(database_url: &str, within: Duration) -> Self {
        let rows = projections::rows(database_url, within).await;
        Self {
            rows: rows.unwrap_or_default(),
            at: Instant::now(),
        }
    }

    /// Waits until whoever was far behind has had the time to come nearer.
    async fn grow_old(&self) {
        if self.rows.iter().any(is_far_behind) {
            sleep_until(self.at + LOOKS_APART).await;
        }
    }
}

/// Whether Postgres answers within that time, has the newest schema, and live projections that follow.
pub(super) async fn look(
    database_url: &str,
    within: Duration,
    earlier: Earlier,
    findings: &mut Findings,
) {
    let [before, after] = match look_again(database_url, within, earlier).await {
        Ok(looked) => looked,
        Err(unread) => {
            let check = match &unread {
                Unread::Unnamed(_) | Unread::Away { .. } | Unread::Silent { .. } => "postgres",
                Unread::Refused(_) => {
                    findings.well("postgres", "answers");
                    "projections"
                }
            };
            return findings.wrong(check, unread.to_string(), unread.remedy());
        }
    };
    findings.well("postgres", "answers");
    look_at_all(&before, &after, findings);
}

/// How they were and how they are, at two looks that are apart.
async fn look_again(
    database_url: &str,
    within: Duration,
    earlier: Earlier,
) -> Result<[Vec<ProjectionRow>; 2], Unread> {
    earlier.grow_old().await;
    let rows = projections::rows(database_url, within).await?;
    if !has_one_fallen_behind(&earlier.rows, &rows) {
        return Ok([earlier.rows, rows]);
    }
    // Much may have come at once; that alone is nothing wrong.
    sleep(LOOKS_APART).await;
    Ok([rows, projections::rows(database_url, within).await?])
}

/// Whether one is far behind of which the earlier look does not say so.
fn has_one_fallen_behind(before: &[ProjectionRow], after: &[ProjectionRow]) -> bool {
    let mut far_behind = after.iter().filter(|row| is_far_behind(row));
    far_behind.any(|row| far_behind_lag(before, row).is_none())
}

/// How far this version was behind, where that was far.
fn far_behind_lag(rows: &[ProjectionRow], of: &ProjectionRow) -> Option<i64> {
    let is_same = |row: &&ProjectionRow| row.name == of.name && row.version == of.version;
    let row = rows.iter().find(is_same)?;
    is_far_behind(row).then_some(row.lag)
}

fn look_at_all(earlier: &[ProjectionRow], rows: &[ProjectionRow], findings: &mut Findings) {
    let before = findings.0.len();
    for row in rows {
        look_at(row, far_behind_lag(earlier, row), findings);
    }
    if rows.iter().all(|row| row.state != "live") {
        findings.wrong("projections", "none is live", "start the projectors");
    }
    let detail = format!(
        "{} versions; those that are live are fed, and none stays far behind",
        rows.len()
    );
    findings.well_if_none_since(before, "projections", detail);
}

/// `far_behind` says how far it was behind before, where that was far.
fn look_at(row: &ProjectionRow, far_behind: Option<i64>, findings: &mut Findings) {
    let ProjectionRow { name, version, .. } = row;
    if let Some((detail, remedy)) = standstill(row, far_behind) {
        findings.wrong("projections", detail, remedy);
    }
    // A version that was replaced is nobody's concern.
    if row.state != "retired" && row.dead_letters > 0 {
        let detail = format!(
            "{name} version {version} has parked {} events",
            row.dead_letters
        );
        findings.wrong("projections", detail, remedy_of_parked(row));
    }
}

/// Nothing is applied to a version that is not live or has failed, so there it is not tried again either.
fn remedy_of_parked(row: &ProjectionRow) -> String {
    let ProjectionRow { name, version, .. } = row;
    match (row.is_live(), has_failed(row)) {
        (true, false) => format!(
            "type: offset-zero dead-letters list {name}; once the cause is mended: offset-zero dead-letters retry {name} KEY"
        ),
        (true, true) => format!(
            "`offset-zero dead-letters list {name}` says why; once the cause is mended, type: offset-zero rebuild {name}"
        ),
        (false, _) => format!(
            "it is not live, so they cannot be tried again: once the cause is mended, type: offset-zero rebuild {name}; or drop it: \
             offset-zero projections drop {name} {version}"
        ),
    }
}

/// How a version stands still, and what to do; none where it goes on.
fn standstill(row: &ProjectionRow, far_behind: Option<i64>) -> Option<(String, Cow<'static, str>)> {
    let ProjectionRow { name, version, .. } = row;
    if has_failed(row) {
        let why = row.error.as_deref().unwrap_or("nobody said why");
        let remedy = match row.is_live() {
            true => format!("type: offset-zero rebuild {name}"),
            false => format!(
                "type: offset-zero rebuild {name}; or, where the live version is right, drop it: offset-zero projections drop {name} {version}"
            ),
        };
        let detail = format!("{name} version {version} has {}: {why}", row.state);
        Some((detail, remedy.into()))
    } else if let Some(seconds) = row.unbuilt_seconds.filter(|since| *since > UNFED_SECONDS) {
        Some((
            format!("{name} version {version} is being built, by nobody for {seconds:.0} s"),
            format!(
                "type the same rebuild again, which goes on with it: {}; or drop it: offset-zero projections drop {name} {version}",
                row.rebuild()
            )
            .into(),
        ))
    } else if row.paused {
        let remedy = format!("type: offset-zero projections resume {name}");
        Some((format!("{name} is paused"), remedy.into()))
    } else if let Some(seconds) = row.fed_seconds_ago.filter(|ago| *ago > UNFED_SECONDS) {
        let remedy: Cow<'static, str> = match name.parse::<ProjectionName>() {
            Ok(_) => "start the projectors, or see their log".into(),
            Err(_) => format!(
                "this release does not have it: once no process of the other one runs, type: offset-zero projections drop {name} {version}"
            )
            .into(),
        };
        let detail = format!("{name} is fed by nobody for {seconds:.0} s");
        Some((detail, remedy))
    } else if is_far_behind(row) && far_behind.is_some_and(|before| row.lag >= before) {
        Some((
            format!("{name} is {} records behind, and no nearer", row.lag),
            "see whether the projectors run, and their log; `offset-zero projections` shows whether it goes on".into(),
        ))
    } else {
        None
    }
}

/// For good.
fn has_failed(row: &ProjectionRow) -> bool {
    row.state == "failed" || row.state == "diverged"
}

fn is_far_behind(row: &ProjectionRow) -> bool {
    row.state == "live" && row.lag > MAX_LAG
}

#[cfg(test)]
mod tests {
    use tokio::{net::TcpListener, time::timeout};

    use super::*;

    /// What is wrong, and what to do about it.
    fn wrong(findings: Findings) -> Vec<(&'static str, String, Cow<'static, str>)> {
        let wrong = findings.0.into_iter().filter(|finding| !finding.ok);
        let told = wrong.map(|finding| {
            let remedy = finding.remedy.expect("it says what to do");
            (finding.check, finding.detail, remedy)
        });
        told.collect()
    }

    fn looked_at(earlier: &[ProjectionRow], rows: &[ProjectionRow]) -> Vec<String> {
        let mut findings = Findings::default();
        look_at_all(earlier, rows, &mut findings);
        let wrong = wrong(findings).into_iter();
        wrong.map(|(_, detail, _)| detail).collect()
    }

    #[tokio::test]
    async fn a_postgres_that_says_nothing_is_a_finding() {
        let silent = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = silent.local_addr().expect("it is bound");
        let url = format!("postgres://postgres@{address}/offset_zero");
        let holding = tokio::spawn(async move {
            let mut held = Vec::new();
            while let Ok((stream, _)) = silent.accept().await {
                held.push(stream);
            }
        });
        let within = Duration::from_millis(100);
        let mut findings = Findings::default();
        let looked = async {
            let earlier = Earlier::look(&url, within).await;
            look(&url, within, earlier, &mut findings).await;
        };
        let patience = Duration::from_secs(20);
        timeout(patience, looked).await.expect("it does not hang");
        holding.abort();
        let wrong = wrong(findings);
        let [("postgres", detail, _)] = wrong.as_slice() else {
            panic!("{wrong:?}");
        };
        let expected = format!("postgres at {address}/offset_zero has not answered within 0.1 s");
        assert_eq!(*detail, expected);
    }

    #[test]
    fn a_projection_is_wrong_where_it_is_far_behind_and_comes_no_nearer() {
        let lag = |lag| [ProjectionRow::live("orders", 2, lag)];
        let catching_up = looked_at(&lag(5_000), &lag(4_999));
        assert!(catching_up.is_empty(), "{catching_up:?}");
        for (before, after) in [(5_000, 5_000), (5_000, 5_001)] {
            let stuck = format!("orders is {after} records behind, and no nearer");
            assert_eq!(looked_at(&lag(before), &lag(after)), [stuck]);
        }
    }

    #[test]
    fn a_projection_that_has_fallen_behind_since_is_not_wrong_and_looked_at_once_more() {
        let lag = |lag| [ProjectionRow::live("orders", 2, lag)];
        for before in [0, MAX_LAG] {
            let (before, after) = (lag(before), lag(MAX_LAG + 1));
            assert!(looked_at(&before, &after).is_empty(), "{before:?}");
            assert!(has_one_fallen_behind(&before, &after), "{before:?}");
            assert!(!has_one_fallen_behind(&before, &lag(MAX_LAG)));
        }
        assert!(has_one_fallen_behind(&[], &lag(MAX_LAG + 1)));
        assert!(!has_one_fallen_behind(&lag(MAX_LAG + 1), &lag(5_000)));
    }

    #[test]
    fn a_projection_that_was_not_seen_before_may_be_catching_up() {
        let now = [ProjectionRow::live("orders", 2, 5_000)];
        for other in [("orders", 1), ("carts", 2)] {
            let earlier = [ProjectionRow::live(other.0, other.1, 10)];
            assert!(looked_at(&earlier, &now).is_empty(), "{other:?}");
        }
        assert!(looked_at(&[], &now).is_empty());
    }

    #[test]
    fn a_version_that_nobody_builds_is_wrong_once_a_rebuild_had_the_time_to_begin() {
        let live = || ProjectionRow::live("orders", 2, 0);
        for (seconds, is_wrong) in [(UNFED_SECONDS, false), (UNFED_SECONDS + 1.0, true)] {
            let unbuilt = ProjectionRow::unbuilt("orders", 3, seconds);
            let mut findings = Findings::default();
            look_at_all(&[], &[live(), unbuilt], &mut findings);
            let wrong = wrong(findings);
            assert_eq!(wrong.len(), usize::from(is_wrong), "{wrong:?}");
            for (_, detail, remedy) in wrong {
                let expected = "orders version 3 is being built, by nobody for 11 s";
                assert_eq!(detail, expected);
                assert!(remedy.contains("offset-zero rebuild orders;"), "{remedy}");
            }
        }
    }

    #[test]
    fn what_is_parked_is_tried_again_only_of_a_live_version_that_has_not_failed() {
        let mut live = ProjectionRow::live("orders", 2, 0);
        live.dead_letters = 3;
        let mut failed = ProjectionRow::live("carts", 2, 0);
        failed.state = "failed".to_owned();
        failed.dead_letters = 50;
        let mut building = ProjectionRow::live("orders", 3, 0);
        building.state = "building".to_owned();
        building.fed_seconds_ago = None;
        building.dead_letters = 1;
        let mut findings = Findings::default();
        look_at_all(&[], &[live, failed, building], &mut findings);
        let wrong = wrong(findings);
        let [
            (_, of_live, retry),
            (_, _, anew),
            (_, of_failed, list),
            (_, of_building, rebuild),
        ] = wrong.as_slice()
        else {
            panic!("{wrong:?}");
        };
        assert_eq!(of_live, "orders version 2 has parked 3 events");
        assert!(retry.contains("dead-letters retry orders KEY"), "{retry}");
        assert_eq!(anew, "type: offset-zero rebuild carts");
        assert_eq!(of_failed, "carts version 2 has parked 50 events");
        assert!(
            !list.contains("retry") && list.contains("rebuild carts"),
            "{list}"
        );
        assert_eq!(of_building, "orders version 3 has parked 1 events");
        assert!(!rebuild.contains("dead-letters"), "{rebuild}");
    }
}
