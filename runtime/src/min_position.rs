//! "Read your own write": `x-min-position` and `Prefer: wait=N`, as both APIs read them.

use std::{num::IntErrorKind, str::FromStr, time::Duration};

use axum::http::{HeaderMap, HeaderName};

use crate::problem::Problem;

const X_MIN_POSITION: HeaderName = HeaderName::from_static("x-min-position");
const PREFER: HeaderName = HeaderName::from_static("prefer");

const DEFAULT_WAIT: Duration = Duration::from_secs(2);
const MAX_WAIT: Duration = Duration::from_secs(30);
/// More than all topics' partitions that one command can have written to.
const MAX_POSITIONS: usize = 64;

/// What must have been seen before a request is answered, and how long it may wait for it. `P` is what a position is read as.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MinPosition<P> {
    /// All of them; usually none.
    pub positions: Vec<P>,
    /// At most so long.
    pub wait: Duration,
}

impl<P: FromStr> MinPosition<P> {
    /// Reads the headers of a request.
    ///
    /// # Errors
    /// `invalid-position` where there is one that is none, or where there are too many.
    pub fn read(headers: &HeaderMap) -> Result<Self, Problem> {
        Ok(Self {
            positions: positions(headers)?,
            wait: wait(headers),
        })
    }
}

fn positions<P: FromStr>(headers: &HeaderMap) -> Result<Vec<P>, Problem> {
    let mut positions = Vec::new();
    for value in headers.get_all(X_MIN_POSITION) {
        let invalid = |_| Problem::invalid_position().detail("x-min-position is not plain text");
        for text in value.to_str().map_err(invalid)?.split(',').map(str::trim) {
            let position = text.parse().map_err(|_| {
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
    let seconds = preferences.filter_map(|preference| {
        let (name, value) = preference.split_once('=')?;
        let is_wait = name.trim().eq_ignore_ascii_case("wait");
        let seconds = match value.trim().trim_matches('"').parse::<u64>() {
            Err(error) if *error.kind() == IntErrorKind::PosOverflow => u64::MAX,
            parsed => parsed.ok()?,
        };
        is_wait.then_some(Duration::from_secs(seconds))
    });
    let first = seconds.take(1).next();
    first.map_or(DEFAULT_WAIT, |wait| wait.min(MAX_WAIT))
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    fn headers(name: &HeaderName, values: &[&'static str]) -> HeaderMap {
        let values = values.iter().map(|value| HeaderValue::from_static(value));
        values.map(|value| (name.clone(), value)).collect()
    }

    fn read(values: &[&'static str]) -> Result<Vec<u32>, Problem> {
        positions(&headers(&X_MIN_POSITION, values))
    }

    #[test]
    fn positions_come_in_any_number_of_headers() {
        assert_eq!(read(&["1, 2", "3"]), Ok(vec![1, 2, 3]));
        assert_eq!(read(&[]), Ok(vec![]));
        for values in [&[""][..], &["x"], &["1,"], &["1 2"]] {
            let problem = read(values).expect_err("no positions");
            assert_eq!(problem.code(), "invalid-position");
        }
    }

    #[test]
    fn refuses_more_positions_than_it_waits_for() {
        assert!(read(&["1"; MAX_POSITIONS]).is_ok());
        assert!(read(&["1"; MAX_POSITIONS + 1]).is_err());
    }

    #[test]
    fn waits_as_preferred_within_bounds() {
        for (values, seconds) in [
            (&[][..], 2),
            (&["wait=7"], 7),
            (&["respond-async, Wait = \"5\""], 5),
            (&["respond-async", "wait=0"], 0),
            (&["wait=31"], 30),
            (&["wait=18446744073709551616"], 30),
            (&["wait=-1"], 2),
            (&["wait=soon"], 2),
            (&["wait"], 2),
            (&["wait=4, wait=9"], 4),
        ] {
            let waited = wait(&headers(&PREFER, values));
            assert_eq!(waited, Duration::from_secs(seconds), "{values:?}");
        }
    }
}
