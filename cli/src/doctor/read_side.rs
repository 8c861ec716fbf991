//! What is wrong with the read models.

use sqlx::{Connection, PgConnection};

use super::{Findings, MAX_LAG};
use crate::operate::{self, ProjectionRow};

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
    let rows = match operate::projection_rows(&mut connection).await {
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
    let detail = format!("{} versions, none failed or far behind", rows.len());
    findings.well_if_none_since(before, "projections", detail);
}

fn look_at(row: &ProjectionRow, findings: &mut Findings) {
    let ProjectionRow {
        name,
        version,
        state,
        lag,
        error,
        ..
    } = row;
    if state == "failed" {
        let why = error.as_deref().unwrap_or("nobody said why");
        findings.wrong(
            "projections",
            format!("{name} version {version} has failed: {why}"),
            "type: offset-zero rebuild NAME",
        );
    } else if state == "live" && *lag > MAX_LAG {
        findings.wrong(
            "projections",
            format!("{name} is {lag} records behind"),
            "see whether the projectors run, and their log; `offset-zero projections` shows whether it goes on",
        );
    }
}
