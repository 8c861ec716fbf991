//! What a command's headers say: who it is the repetition of, and what it is part of.

use std::sync::Arc;

use axum::{
    extract::FromRequestParts,
    http::{HeaderMap, HeaderName, Method, header, request::Parts},
};
use chrono::{DateTime, Utc};
use domain::ids::{CartId, CommandId, OrderId, RequestIdentity};
use event_store::{CommandMetadata, ExpectedVersion, Position, clock};
use runtime::{min_position::MinPosition, problem::Problem};
use utoipa::IntoParams;
use uuid::Uuid;

use crate::problems;

const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");
const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");

const MAX_KEY_LENGTH: usize = 255;
/// `00-<trace id>-<span id>-<flags>`, as W3C Trace Context fixes it for version 00.
const TRACEPARENT_LENGTH: usize = 55;

/// The headers of every command, for the API's description.
#[derive(IntoParams)]
#[into_params(parameter_in = Header)]
#[expect(dead_code, reason = "only described; `Intake` reads them")]
pub(crate) struct CommandHeaders {
    /// 1 to 255 visible ASCII characters. The same key and body again gives the first answer again, with
    /// `idempotency-replayed: true`; the same key with another body is refused.
    #[param(rename = "idempotency-key", max_length = 255)]
    idempotency_key: Option<String>,
    /// `"<version>"` as `ETag` says it, or `*`: the command is carried out only where that is the version it meets, or
    /// where there is anything at all; else 412. A repetition under the same key gets the first answer whatever it says.
    #[param(rename = "if-match", example = "\"7\"")]
    if_match: Option<String>,
    /// W3C trace context; travels with the events.
    traceparent: Option<String>,
}

/// The further headers of commands that look prices up, for the API's description.
#[derive(IntoParams)]
#[into_params(parameter_in = Header)]
#[expect(dead_code, reason = "only described; `MinPosition` reads them")]
pub(crate) struct PricingHeaders {
    /// Positions, separated by commas, that the catalogue must have seen: what `x-position` of a product's command said.
    #[param(rename = "x-min-position", example = "ProductEvents/3@1234")]
    x_min_position: Option<String>,
    /// `wait=N`: how many seconds to wait for that; 2 unless told, at most 30.
    #[param(rename = "prefer", example = "wait=5")]
    prefer: Option<String>,
}

/// A command as it came in, before anyone has looked at its body.
#[derive(Debug, Clone)]
pub(crate) struct Intake {
    method: Method,
    key: Option<Box<str>>,
    expected_version: Option<ExpectedVersion>,
    traceparent: Option<Box<str>>,
    pub(crate) received_at: DateTime<Utc>,
    /// Read of every command, as far as saying that it is malformed; waited for only where prices are looked up.
    pub(crate) min_position: MinPosition<Position>,
}

impl<S: Send + Sync> FromRequestParts<S> for Intake {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        Ok(Self {
            min_position: MinPosition::read(&parts.headers)?,
            method: parts.method.clone(),
            key: key(&parts.headers)?,
            expected_version: expected_version(&parts.headers)?,
            traceparent: traceparent(&parts.headers),
            received_at: clock::now(),
        })
    }
}

impl Intake {
    /// The same for every repetition with the same key; new where there is none.
    pub(crate) fn command_id(&self, principal: &str, path: &str) -> CommandId {
        match self.identity(principal, path) {
            Some(identity) => identity.command_id(),
            None => Uuid::now_v7().into(),
        }
    }

    /// Whether the client can repeat it, and be known by that.
    pub(crate) fn has_key(&self) -> bool {
        self.key.is_some()
    }

    /// The id of the order to create: the same for every repetition with the same key; new where there is none.
    pub(crate) fn order_id(&self, principal: &str, path: &str) -> OrderId {
        match self.identity(principal, path) {
            Some(identity) => identity.order_id(),
            None => Uuid::now_v7().into(),
        }
    }

    /// The id of the cart to open: as an order's.
    pub(crate) fn cart_id(&self, principal: &str, path: &str) -> CartId {
        match self.identity(principal, path) {
            Some(identity) => identity.cart_id(),
            None => Uuid::now_v7().into(),
        }
    }

    fn identity<'a>(&'a self, principal: &'a str, path: &'a str) -> Option<RequestIdentity<'a>> {
        self.key.as_deref().map(|key| RequestIdentity {
            principal,
            method: self.method.as_str(),
            path,
            key,
        })
    }

    /// What the events of a client's command will carry.
    pub(crate) fn metadata(
        self,
        command_id: CommandId,
        command_hash: Uuid,
        correlation_id: Uuid,
        actor: Arc<str>,
    ) -> CommandMetadata {
        CommandMetadata {
            command_id: command_id.as_uuid(),
            command_hash,
            correlation_id,
            // Nothing but the client's wish came before it.
            causation_id: command_id.as_uuid(),
            actor,
            time: self.received_at,
            traceparent: self.traceparent,
            expected_version: self.expected_version,
        }
    }
}

fn key(headers: &HeaderMap) -> Result<Option<Box<str>>, Problem> {
    let mut values = headers.get_all(IDEMPOTENCY_KEY).iter();
    let Some(value) = values.next() else {
        return Ok(None);
    };
    let visible = value.as_bytes().iter().all(u8::is_ascii_graphic);
    match value.to_str() {
        Ok(key)
            if visible && (1..=MAX_KEY_LENGTH).contains(&key.len()) && values.next().is_none() =>
        {
            Ok(Some(key.into()))
        }
        _ => Err(problems::invalid_idempotency_key(MAX_KEY_LENGTH)),
    }
}

fn expected_version(headers: &HeaderMap) -> Result<Option<ExpectedVersion>, Problem> {
    let mut values = headers.get_all(header::IF_MATCH).iter();
    let Some(value) = values.next() else {
        return Ok(None);
    };
    let text = value.to_str().ok().filter(|_| values.next().is_none());
    let expected = text.and_then(parse_if_match);
    expected.map(Some).ok_or_else(problems::invalid_if_match)
}

/// A strong tag of ours. What a read has seen of other streams follows the version after dots, and is no concern of a
/// command's.
fn parse_if_match(text: &str) -> Option<ExpectedVersion> {
    if text == "*" {
        return Some(ExpectedVersion::Any);
    }
    let tag = text.strip_prefix('"')?.strip_suffix('"')?;
    let (version, others) = tag.split_once('.').unwrap_or((tag, "0"));
    let is_number = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    if !is_number(version) || !others.split('.').all(is_number) {
        return None;
    }
    version.parse().ok().map(ExpectedVersion::Exactly)
}

/// One that is malformed is ignored, as the standard asks.
fn traceparent(headers: &HeaderMap) -> Option<Box<str>> {
    let text = headers.get(TRACEPARENT)?.to_str().ok()?;
    let lengths = text.split('-').map(str::len);
    let well_formed = text.len() == TRACEPARENT_LENGTH
        && lengths.eq([2, 32, 16, 2])
        && text
            .bytes()
            .all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f' | b'-'));
    well_formed.then(|| text.into())
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    fn headers(values: &[(&HeaderName, &[u8])]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in values {
            let value = HeaderValue::from_bytes(value).expect("a header's value");
            headers.append(*name, value);
        }
        headers
    }

    #[test]
    fn keys_are_visible_ascii() {
        let longest = "k".repeat(255);
        for text in ["k", "order-7/3~!", &longest] {
            let key = key(&headers(&[(&IDEMPOTENCY_KEY, text.as_bytes())]));
            assert_eq!(key.expect("a key").as_deref(), Some(text));
        }
        assert_eq!(key(&headers(&[])), Ok(None));
        for text in ["", "two words", "umlaut-ü", "tab\t", &format!("{longest}k")] {
            let problem = key(&headers(&[(&IDEMPOTENCY_KEY, text.as_bytes())]));
            let problem = problem.expect_err(text);
            assert_eq!(
                (problem.status().as_u16(), problem.code()),
                (400, "invalid-idempotency-key")
            );
        }
        let two = headers(&[(&IDEMPOTENCY_KEY, b"a"), (&IDEMPOTENCY_KEY, b"b")]);
        assert!(key(&two).is_err());
    }

    #[test]
    fn versions_are_expected_as_tags_name_them() {
        let read = |text: &str| expected_version(&headers(&[(&header::IF_MATCH, text.as_bytes())]));
        for (text, expected) in [
            ("*", ExpectedVersion::Any),
            ("\"0\"", ExpectedVersion::Exactly(0)),
            ("\"4294967295\"", ExpectedVersion::Exactly(u32::MAX)),
            ("\"7.12.40\"", ExpectedVersion::Exactly(7)),
        ] {
            assert_eq!(read(text), Ok(Some(expected)), "{text}");
        }
        assert_eq!(expected_version(&headers(&[])), Ok(None));
        for text in [
            "",
            "7",
            "\"",
            "\"\"",
            "\"+7\"",
            "\"-7\"",
            "\"7",
            "W/\"7\"",
            "\"seven\"",
            "\"7.\"",
            "\"7.x\"",
            "\".7\"",
            "\"6\", \"7\"",
            "\"4294967296\"",
        ] {
            let problem = read(text).expect_err(text);
            let told = (problem.status().as_u16(), problem.code());
            assert_eq!(told, (400, "invalid-if-match"), "{text}");
        }
        let two = headers(&[(&header::IF_MATCH, b"\"6\""), (&header::IF_MATCH, b"*")]);
        assert!(expected_version(&two).is_err());
    }

    #[test]
    fn traces_are_taken_over_where_they_are_well_formed() {
        let good = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
        let traced = |text: &str| traceparent(&headers(&[(&TRACEPARENT, text.as_bytes())]));
        assert_eq!(traced(good).as_deref(), Some(good));
        for text in [
            "",
            "00-1-2-01",
            &good.to_uppercase(),
            &good.replace('-', "0"),
        ] {
            assert_eq!(traced(text), None, "{text}");
        }
    }
}
