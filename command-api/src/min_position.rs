//! "Read your own write", for commands: `x-min-position` and `Prefer: wait=N`.

use std::time::Duration;

use axum::http::{HeaderMap, HeaderName};
use event_store::{InvalidPosition, Position};
use runtime::problem::Problem;

const X_MIN_POSITION: HeaderName = HeaderName::from_static("x-min-position");
const PREFER: HeaderName = HeaderName::from_static("prefer");

const DEFAULT_WAIT: Duration = Duration::from_secs(2);
const MAX_WAIT: Duration = Duration::from_secs(30);
/// More than all topics' partitions that one command can have written to.
const MAX_POSITIONS: usize = 64;

/// What a command that prices must have seen, and how long it may wait for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct MinPosition {
    pub(crate) positions: Vec<Position>,
    pub(crate) wait: Duration,
}

impl MinPosition {
    pub(crate) fn read(headers: &HeaderMap) -> Result<Self, Problem> {
        Ok(Self {
            positions: positions(headers)?,
            wait: wait(headers),
        })
    }
}

fn positions(headers: &HeaderMap) -> Result<Vec<Position>, Problem> {
    let mut positions = Vec::new();
    for value in headers.get_all(X_MIN_POSITION) {
        let invalid = |_| Problem::invalid_position().detail("x-min-position is not plain text");
        for text in value.to_str().map_err(invalid)?.split(',').map(str::trim) {
            let position = text.parse().map_err(|InvalidPosition| {
                Problem::invalid_position().detail(format_args!("`{text}` does not"))
            })?;
            positions.push(position);
        }
    }
    if positions.len() > MAX_POSITIONS {
        let detail = format!("at most {MAX_POSITIONS} positions are waited for");
        return Err(Problem::invalid_position().detail(detail));
    }
    Ok(positions)
}

/// A preference that cannot be read is ignored, as RFC 7240 asks.
fn wait(headers: &HeaderMap) -> Duration {
    let values = headers.get_all(PREFER).iter();
    let preferences = values
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split([',', ';']));
    let mut seconds = preferences.filter_map(|preference| {
        let (name, value) = preference.split_once('=')?;
        let is_wait = name.trim().eq_ignore_ascii_case("wait");
        let seconds: u64 = value.trim().trim_matches('"').parse().ok()?;
        is_wait.then_some(Duration::from_secs(seconds))
    });
    seconds
        .next()
        .map_or(DEFAULT_WAIT, |wait| wait.min(MAX_WAIT))
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    fn headers(name: &HeaderName, values: &[&'static str]) -> HeaderMap {
        let values = values.iter().map(|value| HeaderValue::from_static(value));
        values.map(|value| (name.clone(), value)).collect()
    }

    #[test]
    fn positions_come_in_any_number_of_headers() {
        let values = [
            "OrderEvents/3@1234, InventoryEvents/0@0",
            "ProductEvents/2@7",
        ];
        let positions = positions(&headers(&X_MIN_POSITION, &values)).expect("valid");
        let texts: Vec<_> = positions.iter().map(Position::to_string).collect();
        assert_eq!(
            texts,
            [
                "OrderEvents/3@1234",
                "InventoryEvents/0@0",
                "ProductEvents/2@7"
            ]
        );
        let many = vec!["OrderEvents/3@1234"; MAX_POSITIONS + 1];
        for values in [
            &[""][..],
            &["OrderEvents"],
            &["OrderEvents/3@1,"],
            &many[..],
        ] {
            let problem = super::positions(&headers(&X_MIN_POSITION, values));
            let problem = problem.expect_err("no positions, or too many");
            assert_eq!(problem.code(), "invalid-position");
        }
    }

    #[test]
    fn waits_as_preferred_within_bounds() {
        for (values, seconds) in [
            (&[][..], 2),
            (&["wait=7"], 7),
            (&["respond-async, Wait = \"5\""], 5),
            (&["respond-async", "wait=0"], 0),
            (&["wait=31"], 30),
            (&["wait=-1"], 2),
            (&["wait"], 2),
            (&["wait=4, wait=9"], 4),
        ] {
            let waited = wait(&headers(&PREFER, values));
            assert_eq!(waited, Duration::from_secs(seconds), "{values:?}");
        }
    }
}
