//! What a resource looks like, by name: `ETag`, and reads that are only answered where that has changed.
//!
//! A tag is the version of the resource's own stream. Where a read also shows what other streams say, how far it has seen
//! those follows after dots, since they move without it: `"7"`, `"7.12.40"`.

use std::{convert::Infallible, fmt::Write};

use axum::{
    Json,
    extract::FromRequestParts,
    http::{HeaderMap, HeaderValue, StatusCode, header, request::Parts},
    response::{IntoResponse, Response},
};
use serde::Serialize;

/// A strong validator: the same tag, the same content.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EntityTag(String);

impl EntityTag {
    /// Of a resource whose stream stands at that version.
    #[must_use]
    pub fn of_version(version: impl Into<i64>) -> Self {
        Self(format!("\"{}\"", version.into()))
    }

    /// Of one that also shows what other streams say: how far each of them has been seen.
    #[must_use]
    pub fn with_others(version: impl Into<i64>, others: &[i64]) -> Self {
        let mut tag = format!("\"{}", version.into());
        for seen in others {
            write!(tag, ".{seen}").expect("a string takes everything");
        }
        tag.push('"');
        Self(tag)
    }

    /// As the header says it.
    #[must_use]
    pub fn header(&self) -> HeaderValue {
        HeaderValue::from_str(&self.0).expect("digits, dots and quotes are visible ASCII")
    }
}

/// What the client holds already: `If-None-Match`. One that cannot be read is no condition.
#[derive(Debug, Clone, Default)]
pub struct IfNoneMatch(Box<str>);

impl<S: Send + Sync> FromRequestParts<S> for IfNoneMatch {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        Ok(Self::read(&parts.headers))
    }
}

impl IfNoneMatch {
    fn read(headers: &HeaderMap) -> Self {
        let values = headers.get_all(header::IF_NONE_MATCH).iter();
        let values: Vec<_> = values.filter_map(|value| value.to_str().ok()).collect();
        Self(values.join(",").into())
    }

    /// The resource under its tag; 304 without it where the client holds it already.
    pub fn answer<T: Serialize>(&self, tag: &EntityTag, resource: T) -> Response {
        let etag = [(header::ETAG, tag.header())];
        if self.names(tag) {
            return (StatusCode::NOT_MODIFIED, etag).into_response();
        }
        (etag, Json(resource)).into_response()
    }

    /// Weakly compared, as RFC 9110 asks here. Our tags hold no comma, so whatever one splits is none of them.
    fn names(&self, tag: &EntityTag) -> bool {
        self.0.split(',').map(str::trim).any(|given| {
            let strong = given.strip_prefix("W/").unwrap_or(given);
            given == "*" || strong == tag.0
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_name_versions() {
        assert_eq!(EntityTag::of_version(7).header(), "\"7\"");
        assert_eq!(EntityTag::with_others(7, &[12, 40]).header(), "\"7.12.40\"");
        assert_eq!(EntityTag::with_others(7, &[]), EntityTag::of_version(7));
    }

    #[test]
    fn what_the_client_holds_is_not_sent_again() {
        let tag = EntityTag::of_version(7);
        for (given, status) in [
            (&[][..], 200),
            (&["\"7\""], 304),
            (&["W/\"7\""], 304),
            (&["\"6\", \"7\""], 304),
            (&["\"6\"", "\"7\""], 304),
            (&["*"], 304),
            (&["\"6\""], 200),
            (&["7"], 200),
            (&["\"7.1\""], 200),
            (&["nonsense"], 200),
        ] {
            let mut headers = HeaderMap::new();
            for value in given {
                let value = HeaderValue::from_str(value).expect("a header's value");
                headers.append(header::IF_NONE_MATCH, value);
            }
            let answer = IfNoneMatch::read(&headers).answer(&tag, "tea");
            assert_eq!(answer.status().as_u16(), status, "{given:?}");
            assert_eq!(answer.headers()[header::ETAG], "\"7\"");
        }
    }
}
