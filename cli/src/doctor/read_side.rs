//! What is wrong with the read models.

use sqlx::{Connection, PgConnection};

use super::{Findings, MAX_LAG};
use crate::projections::{self, ProjectionRow, UNFED_SECONDS};

/// Whether Postgres answers, has the newest schema, and live projections that follow.
pub(super) async fn look(database_url: &str, findings: &mut Findings) {
    let mut connection = match PgConnection::connect(database_url).await {
        Ok(connection) => connection,
        Err(error) => {
            return findings.wrong(
                "postgres",
                error.to_string(),
                "start Postgres, or name another one with --database-url",
            );
        }
    };
    findings.well("postgres", "answers");
    let rows = match projections::rows(&mut connection).await {
        Ok(rows) => rows,
        Err(error) => {
            return findings.wrong(
                "projections",
                error.to_string(),
                "type: offset-zero migrate",
            );
        }
    };
    let before = findings.0.len();
    for row in &rows {
        look_at(row, findings);
    }
    if rows.iter().all(|row| row.state != "live") {
        findings.wrong("projections", "none is live", "start the projectors");
    }
    let detail = format!(
        "{} versions; those that are live are fed, and none is far behind",
        rows.len()
    );
    findings.well_if_none_since(before, "projections", detail);
}

fn look_at(row: &ProjectionRow, findings: &mut Findings) {
    let ProjectionRow { name, version, .. } = row;
    let mut wrong = |detail, remedy| findings.wrong("projections", detail, remedy);
    if row.state == "failed" || row.state == "diverged" {
        let why = row.error.as_deref().unwrap_or("nobody said why");
        wrong(
            format!("{name} version {version} has {}: {why}", row.state),
            "type: offset-zero rebuild NAME",
        );
    } else if row.paused {
        wrong(
            format!("{name} is paused"),
            "type: offset-zero projections resume NAME",
        );
    } else if let Some(seconds) = row.fed_seconds_ago.filter(|ago| *ago > UNFED_SECONDS) {
        wrong(
            format!("{name} is fed by nobody for {seconds:.0} s"),
            "start the projectors, or see their log",
        );
    } else if row.state == "live" && row.lag > MAX_LAG {
        wrong(
            format!("{name} is {} records behind", row.lag),
            "see whether the projectors run, and their log; `offset-zero projections` shows whether it goes on",
        );
    }
    // A version that was replaced is nobody's concern.
    if row.state != "retired" && row.dead_letters > 0 {
        wrong(
            format!(
                "{name} version {version} has parked {} events",
                row.dead_letters
            ),
            "type: offset-zero dead-letters list; once the cause is mended: offset-zero dead-letters retry NAME KEY",
        );
    }
}
