//! "Read your own write": `x-min-position` and `Prefer: wait=N`.

use std::{str::FromStr, sync::Arc, time::Instant};

use axum::{extract::FromRequestParts, http::request::Parts};
use runtime::{min_position, problem::Problem};
use utoipa::IntoParams;

/// What a read must have seen, and until when it may wait for it.
#[derive(Debug, Clone)]
pub(crate) struct MinPosition {
    pub(crate) positions: Arc<[Position]>,
    /// Of the request: where it takes several reads, they share it.
    pub(crate) deadline: Instant,
}

impl MinPosition {
    /// Whatever there is.
    pub(crate) fn none() -> Self {
        Self {
            positions: Arc::default(),
            deadline: Instant::now(),
        }
    }
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

impl Position {
    /// Topic and partition.
    pub(crate) fn place(&self) -> (&str, i32) {
        (&self.topic, self.partition)
    }
}

impl<S: Send + Sync> FromRequestParts<S> for MinPosition {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        let min_position::MinPosition { positions, wait } =
            min_position::MinPosition::read(&parts.headers)?;
        Ok(Self {
            positions: positions.into(),
            deadline: Instant::now() + wait,
        })
    }
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
    use super::*;

    #[test]
    fn positions_are_read() {
        for (text, topic, partition, offset) in [
            ("OrderEvents/3@1234", "OrderEvents", 3, 1234),
            ("a.b-c_d/2@9223372036854775807", "a.b-c_d", 2, i64::MAX),
        ] {
            let position: Position = text.parse().expect("valid");
            let expected = Position {
                topic: topic.to_owned(),
                partition,
                offset,
            };
            assert_eq!(position, expected);
        }
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
            assert!(text.parse::<Position>().is_err(), "{text}");
        }
    }
}
