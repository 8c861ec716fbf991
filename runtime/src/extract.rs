//! Requests taken apart, with a problem for everything that can be wrong with them.

use std::{borrow::Cow, error::Error, fmt::Display, time::Duration};

use axum::{
    body::{HttpBody, to_bytes},
    extract::{FromRequest, FromRequestParts, Path, Query, Request},
    http::{HeaderMap, StatusCode, header, request::Parts},
};
use bytes::Bytes;
use http_body_util::LengthLimitError;
use serde::{
    Deserialize,
    de::{DeserializeOwned, IgnoredAny},
};
use serde_json::error::Category;
use serde_path_to_error::Segment;

use crate::{object::Object, problem::Problem};

/// The largest body that is read.
pub const MAX_BODY_BYTES: usize = 256 << 10;
const BODY_READ_TIMEOUT: Duration = Duration::from_secs(30);

/// A JSON object as a body.
#[derive(Debug, Clone, Copy)]
pub struct ApiJson<T>(pub T);

/// A JSON object as a body that may be absent, where all its members may be.
#[derive(Debug, Clone, Copy)]
pub struct OptionalJson<T>(pub T);

/// A body as it came, for whoever checks a signature over it.
#[derive(Debug, Clone)]
pub struct ApiBytes(pub Bytes);

/// The query's parameters.
#[derive(Debug, Clone, Copy)]
pub struct ApiQuery<T>(pub T);

/// The path's parameters, of a type that only an id can be wrong for.
#[derive(Debug, Clone, Copy)]
pub struct ApiPath<T>(pub T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for ApiJson<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, _: &S) -> Result<Self, Problem> {
        if !is_json(request.headers()) {
            return Err(unsupported_media_type());
        }
        parse(&read(request).await?).map(Self)
    }
}

impl<T: DeserializeOwned + Default, S: Send + Sync> FromRequest<S> for OptionalJson<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, _: &S) -> Result<Self, Problem> {
        let is_json = is_json(request.headers());
        let body = read(request).await?;
        if body.is_empty() {
            return Ok(Self(T::default()));
        }
        if !is_json {
            return Err(unsupported_media_type());
        }
        parse(&body).map(Self)
    }
}

impl<S: Send + Sync> FromRequest<S> for ApiBytes {
    type Rejection = Problem;

    async fn from_request(request: Request, _: &S) -> Result<Self, Problem> {
        read(request).await.map(Self)
    }
}

impl<T: DeserializeOwned, S: Send + Sync> FromRequestParts<S> for ApiQuery<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        let query = Query::try_from_uri(&parts.uri).map_err(|rejection| {
            Problem::new(
                StatusCode::BAD_REQUEST,
                "invalid-query",
                "The query cannot be read",
            )
            .detail(innermost(&rejection))
        });
        query.map(|Query(query)| Self(query))
    }
}

impl<T: DeserializeOwned + Send, S: Send + Sync> FromRequestParts<S> for ApiPath<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let path = Path::from_request_parts(parts, state).await;
        path.map(|Path(path)| Self(path)).map_err(|rejection| {
            Problem::new(
                StatusCode::BAD_REQUEST,
                "invalid-id",
                "The id in the path cannot be read",
            )
            .detail(innermost(&rejection))
        })
    }
}

/// Reads a JSON object from bytes, for whoever has checked a signature over them.
///
/// # Errors
/// What is wrong with it, in the words that clients are told of other bodies.
pub fn parse_object<'de, T: Deserialize<'de>>(json: &'de [u8]) -> Result<T, String> {
    // As of any body, since serde_json looks for that only in texts that somebody wants.
    let json = std::str::from_utf8(json).map_err(|error| error.to_string())?;
    let parsed = serde_json::from_str::<Object<T>>(json).map(|Object(parsed)| parsed);
    parsed.map_err(|error| {
        let text = error.to_string();
        match error.classify() {
            Category::Data => in_words_of_json(without_place(&text)).into_owned(),
            Category::Syntax | Category::Eof | Category::Io => text,
        }
    })
}

async fn read(request: Request) -> Result<Bytes, Problem> {
    let body = request.into_body();
    // What is declared to be too large is not asked for: its client may wait for `100 Continue`.
    if body.size_hint().lower() > MAX_BODY_BYTES as u64 {
        return Err(too_large());
    }
    let body = to_bytes(body, MAX_BODY_BYTES);
    let Ok(body) = tokio::time::timeout(BODY_READ_TIMEOUT, body).await else {
        return Err(Problem::new(
            StatusCode::REQUEST_TIMEOUT,
            "request-timeout",
            "The body did not arrive in time",
        ));
    };
    body.map_err(|error| {
        let past_the_limit = error
            .source()
            .is_some_and(<dyn Error>::is::<LengthLimitError>);
        if past_the_limit {
            too_large()
        } else {
            Problem::new(
                StatusCode::BAD_REQUEST,
                "incomplete-body",
                "The body could not be read to its end",
            )
        }
    })
}

fn too_large() -> Problem {
    Problem::new(
        StatusCode::PAYLOAD_TOO_LARGE,
        "body-too-large",
        "The body is too large",
    )
    .detail(format_args!("at most {MAX_BODY_BYTES} bytes are read"))
}

/// `application/json`, or anything that ends in `+json`; parameters are ignored.
fn is_json(headers: &HeaderMap) -> bool {
    let value = headers.get(header::CONTENT_TYPE);
    let Some(text) = value.and_then(|value| value.to_str().ok()) else {
        return false;
    };
    let media_type = text.split(';').next().unwrap_or_default().trim();
    if media_type.eq_ignore_ascii_case("application/json") {
        return true;
    }
    let suffix = media_type.rsplit_once('+').map(|(_, suffix)| suffix);
    suffix.is_some_and(|suffix| suffix.eq_ignore_ascii_case("json"))
}

fn unsupported_media_type() -> Problem {
    Problem::new(
        StatusCode::UNSUPPORTED_MEDIA_TYPE,
        "unsupported-media-type",
        "The body has to be JSON",
    )
    .detail("the content-type has to be application/json")
}

/// Parses fast; only a body that fails is parsed again, to find out whether it is JSON at all, and where it is invalid.
fn parse<T: DeserializeOwned>(body: &[u8]) -> Result<T, Problem> {
    // First, since serde_json looks for that only in texts that somebody wants.
    let body = std::str::from_utf8(body).map_err(malformed)?;
    let parsed = serde_json::from_str::<Object<T>>(body).map(|Object(parsed)| parsed);
    parsed.map_err(|error| match error.classify() {
        // Reading has ended at what is invalid, whatever comes after that.
        Category::Data => match serde_json::from_str::<IgnoredAny>(body) {
            Ok(IgnoredAny) => invalid::<T>(body).unwrap_or_else(|| malformed(error)),
            Err(error) => malformed(error),
        },
        Category::Syntax | Category::Eof | Category::Io => malformed(error),
    })
}

fn malformed(error: impl Display) -> Problem {
    Problem::new(
        StatusCode::BAD_REQUEST,
        "malformed-json",
        "The body is not JSON",
    )
    .detail(error)
}

fn invalid<T: DeserializeOwned>(body: &str) -> Option<Problem> {
    let mut deserializer = serde_json::Deserializer::from_str(body);
    let error = serde_path_to_error::deserialize::<_, Object<T>>(&mut deserializer).err()?;
    let mut pointer = String::new();
    for segment in error.path() {
        match segment {
            Segment::Seq { index } => push_segment(&mut pointer, &index.to_string()),
            Segment::Map { key } => push_segment(&mut pointer, key),
            Segment::Enum { .. } | Segment::Unknown => {}
        }
    }
    let text = error.inner().to_string();
    let detail = without_place(&text);
    let code = if let Some(field) = detail.strip_prefix("missing field `") {
        push_segment(&mut pointer, field.trim_end_matches('`'));
        "missing-field"
    } else if detail.starts_with("unknown field") {
        "unknown-field"
    } else {
        "invalid-value"
    };
    Some(Problem::validation().error(pointer, code, in_words_of_json(detail)))
}

/// serde_json appends where it stood, which the names of members say better.
fn without_place(text: &str) -> &str {
    text.rsplit_once(" at line ").map_or(text, |(what, _)| what)
}

/// What serde says of a value, without Rust's names of types.
fn in_words_of_json(detail: &str) -> Cow<'_, str> {
    if let Some(what) = detail.strip_prefix("unknown variant ") {
        return format!("unknown value {what}").into();
    }
    let told = detail.split_once(": ").and_then(|(what, rest)| {
        // What was found may be a text of the client's; what was expected comes last.
        let (found, expected) = rest.rsplit_once(", expected ")?;
        Some((what, found, expected))
    });
    let Some((what @ ("invalid type" | "invalid value"), found, expected)) = told else {
        return detail.into();
    };
    let found: Cow<'_, str> = match found {
        "map" => "object".into(),
        "sequence" => "array".into(),
        _ => match found.strip_prefix("floating point ") {
            Some(number) => format!("number {number}").into(),
            None => found.into(),
        },
    };
    let expected = match expected {
        "i32" | "i64" | "u32" | "u64" if what == "invalid value" => "an integer in range",
        "i32" | "i64" | "u32" | "u64" => "an integer",
        "a sequence" => "an array",
        other => other,
    };
    format!("{what}: {found}, expected {expected}").into()
}

/// Appends a segment to a JSON pointer, escaped as RFC 6901 says.
fn push_segment(pointer: &mut String, segment: &str) {
    pointer.push('/');
    pointer.push_str(&segment.replace('~', "~0").replace('/', "~1"));
}

/// axum's rejections repeat their sources; the last one says it all.
fn innermost(error: &dyn Error) -> String {
    let mut error = error;
    while let Some(source) = error.source() {
        error = source;
    }
    error.to_string()
}

#[cfg(test)]
mod tests;
