//! "Read your own write": `x-min-position` and `Prefer: wait=N`.

use std::{str::FromStr, sync::Arc, time::Duration};

use axum::{
    extract::FromRequestParts,
    http::{HeaderMap, HeaderName, request::Parts},
};
use runtime::problem::Problem;
use utoipa::IntoParams;

const X_MIN_POSITION: HeaderName = HeaderName::from_static("x-min-position");
const PREFER: HeaderName = HeaderName::from_static("prefer");

const DEFAULT_WAIT: Duration = Duration::from_secs(2);
const MAX_WAIT: Duration = Duration::from_secs(30);
/// More than all topics' partitions that one command can have written to.
const MAX_POSITIONS: usize = 64;

/// What a read must have seen, and how long it may wait for it.
#[derive(Debug, Clone)]
pub(crate) struct MinPosition {
    pub(crate) positions: Arc<[Position]>,
    pub(crate) wait: Duration,
}

/// The headers, for the API's description.
#[derive(IntoParams)]
#[into_params(parameter_in = Header)]
#[expect(dead_code, reason = "describes what the extractor reads")]
pub(crate) struct WaitHeaders {
    /// Wait until this was projected, e.g. `OrderEvents/3@1234`; several are separated by commas.
    #[param(rename = "x-min-position")]
    min_position: Option<String>,
    /// `wait=N`: for at most N seconds; 2 unless told, 30 at most.
    prefer: Option<String>,
}

/// A record's place: `OrderEvents/3@1234`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Position {
    pub(crate) topic: String,
    pub(crate) partition: i32,
    pub(crate) offset: i64,
}

impl<S: Send + Sync> FromRequestParts<S> for MinPosition {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        Ok(Self {
            positions: positions(&parts.headers)?,
            wait: wait(&parts.headers),
        })
    }
}

fn positions(headers: &HeaderMap) -> Result<Arc<[Position]>, Problem> {
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
    Ok(positions.into())
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
        let seconds: u64 = value.trim().trim_matches('"').parse().ok()?;
        is_wait.then_some(Duration::from_secs(seconds))
    });
    let first = seconds.take(1).next();
    first.map_or(DEFAULT_WAIT, |wait| wait.min(MAX_WAIT))
}

#[derive(Debug)]
pub(crate) struct InvalidPosition;

impl FromStr for Position {
    type Err = InvalidPosition;

    fn from_str(text: &str) -> Result<Self, InvalidPosition> {
        let (topic, rest) = text.split_once('/').ok_or(InvalidPosition)?;
        let (partition, offset) = rest.split_once('@').ok_or(InvalidPosition)?;
        let is_topic = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
        if topic.is_empty() || !topic.bytes().all(is_topic) {
            return Err(InvalidPosition);
        }
        Ok(Self {
            topic: topic.to_owned(),
            partition: number(partition)?,
            offset: number(offset)?,
        })
    }
}

/// Digits only: no sign.
fn number<T: FromStr>(text: &str) -> Result<T, InvalidPosition> {
    if !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(InvalidPosition);
    }
    text.parse().map_err(|_| InvalidPosition)
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
    fn reads_positions_of_any_number_of_headers() {
        let values = [
            "OrderEvents/3@1234, InventoryEvents/0@0",
            "a.b-c_d/2@9223372036854775807",
        ];
        let positions = positions(&headers(&X_MIN_POSITION, &values)).expect("valid");
        let expected = [
            ("OrderEvents", 3, 1234),
            ("InventoryEvents", 0, 0),
            ("a.b-c_d", 2, i64::MAX),
        ];
        let expected = expected.map(|(topic, partition, offset)| Position {
            topic: topic.to_owned(),
            partition,
            offset,
        });
        assert_eq!(*positions, expected);
    }

    #[test]
    fn refuses_what_is_no_position() {
        for text in [
            "",
            "OrderEvents",
            "OrderEvents/3",
            "/3@1",
            "OrderEvents/@1",
            "OrderEvents/3@",
            "OrderEvents/-1@1",
            "OrderEvents/3@-1",
            "OrderEvents/+3@1",
            "OrderEvents/3@9223372036854775808",
            "OrderEvents/2147483648@1",
            "OrderEvents/3@1,",
            "Order Events/3@1",
            "OrderEvents/3@1 OrderEvents/3@2",
        ] {
            let problem = positions(&headers(&X_MIN_POSITION, &[text])).expect_err(text);
            assert_eq!(problem.code(), "invalid-position");
        }
    }

    #[test]
    fn refuses_more_positions_than_it_waits_for() {
        let many = vec!["OrderEvents/3@1234"; MAX_POSITIONS + 1];
        assert!(positions(&headers(&X_MIN_POSITION, &many)).is_err());
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
            (&["wait=soon"], 2),
            (&["wait"], 2),
            (&["wait=4, wait=9"], 4),
        ] {
            let waited = wait(&headers(&PREFER, values));
            assert_eq!(waited, Duration::from_secs(seconds), "{values:?}");
        }
    }
}
