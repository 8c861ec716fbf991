//! Errors as clients see them: RFC 9457 problem details.
//!
//! What clients may read is in the members; what only we may read is the *cause*, which travels beside the response to
//! the edge of [`crate::http::app`], is logged there once with the request's id, and never leaves the process.

use std::{fmt::Display, num::NonZeroU32};

use axum::{
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use serde::{Serialize, Serializer};
use utoipa::ToSchema;

use crate::entity_tag::EntityTag;

/// What a client is told to wait before it tries again, where nothing better is known.
pub const RETRY_AFTER_SECONDS: u32 = 1;

/// An answer that is not a success, as `application/problem+json`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct Problem {
    /// `urn:offset-zero:problem:<code>`.
    #[serde(rename = "type")]
    #[schema(value_type = String, example = "urn:offset-zero:problem:order-not-found")]
    kind: ProblemType,
    /// The same for every problem of this code.
    title: &'static str,
    /// The HTTP status.
    #[serde(serialize_with = "as_number")]
    #[schema(value_type = u16)]
    status: StatusCode,
    /// Stable; what programs go by.
    code: &'static str,
    /// What is particular to this request.
    #[schema(value_type = String)]
    detail: Option<Box<str>>,
    /// Where the request is invalid.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    errors: Vec<FieldError>,
    #[serde(skip)]
    retry_after_seconds: Option<NonZeroU32>,
    #[serde(skip)]
    entity_tag: Option<Box<EntityTag>>,
    #[serde(skip)]
    cause: Option<Box<str>>,
}

/// One invalid member of a request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct FieldError {
    /// JSON pointer (RFC 6901) into the body, or `/name` of a query parameter.
    pub pointer: String,
    /// Stable; what programs go by.
    pub code: &'static str,
    /// For people.
    pub detail: String,
}

/// Why a request failed, for our log only; an extension of the response.
#[derive(Debug, Clone)]
pub(crate) struct Cause(pub(crate) Box<str>);

#[derive(Debug, Clone, PartialEq, Eq)]
struct ProblemType(&'static str);

impl Serialize for ProblemType {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&format_args!("urn:offset-zero:problem:{}", self.0))
    }
}

fn as_number<S: Serializer>(status: &StatusCode, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_u16(status.as_u16())
}

impl Problem {
    /// A problem with a stable code (kebab case) and a title that is the same for all of its code.
    #[must_use]
    pub fn new(status: StatusCode, code: &'static str, title: &'static str) -> Self {
        Self {
            kind: ProblemType(code),
            title,
            status,
            code,
            detail: None,
            errors: Vec::new(),
            retry_after_seconds: None,
            entity_tag: None,
            cause: None,
        }
    }

    /// Says what is particular to this request.
    #[must_use]
    pub fn detail(mut self, detail: impl Display) -> Self {
        self.detail = Some(detail.to_string().into());
        self
    }

    /// Adds an invalid member, by its JSON pointer.
    #[must_use]
    pub fn error(
        mut self,
        pointer: impl Into<String>,
        code: &'static str,
        detail: impl Display,
    ) -> Self {
        self.errors.push(FieldError {
            pointer: pointer.into(),
            code,
            detail: detail.to_string(),
        });
        self
    }

    /// Sets `Retry-After`.
    #[must_use]
    pub fn retry_after(mut self, seconds: u32) -> Self {
        self.retry_after_seconds = NonZeroU32::new(seconds);
        self
    }

    /// Sets `ETag`: what the resource looks like.
    #[must_use]
    pub fn entity_tag(mut self, tag: EntityTag) -> Self {
        self.entity_tag = Some(Box::new(tag));
        self
    }

    /// Keeps the reason for our log; clients never see it.
    #[must_use]
    pub fn caused_by(mut self, cause: impl Display) -> Self {
        self.cause = Some(cause.to_string().into());
        self
    }

    /// The HTTP status.
    #[must_use]
    pub fn status(&self) -> StatusCode {
        self.status
    }

    /// The stable code.
    #[must_use]
    pub fn code(&self) -> &'static str {
        self.code
    }

    /// Itself where it holds errors: for a validation that has come to its end.
    ///
    /// # Errors
    /// When anything was found.
    pub fn if_any(self) -> Result<(), Self> {
        if self.errors().is_empty() {
            Ok(())
        } else {
            Err(self)
        }
    }

    /// Where nothing was said that is particular: the first invalid member, or else the title.
    fn default_detail(&self) -> Box<str> {
        match &*self.errors {
            [] => self.title.into(),
            [only] => only.told().into(),
            [first, others @ ..] => format!("{}, and {} more", first.told(), others.len()).into(),
        }
    }

    /// The invalid members.
    #[must_use]
    pub fn errors(&self) -> &[FieldError] {
        &self.errors
    }
}

impl FieldError {
    /// In one line. What is wrong with the body as a whole points nowhere.
    fn told(&self) -> String {
        if self.pointer.is_empty() {
            self.detail.clone()
        } else {
            format!("{}: {}", self.pointer, self.detail)
        }
    }
}

/// The problems that every API has.
impl Problem {
    /// 404: no such route.
    #[must_use]
    pub fn route_not_found() -> Self {
        Self::new(
            StatusCode::NOT_FOUND,
            "route-not-found",
            "There is no such route",
        )
        .detail("those that there are, GET /openapi.json tells")
    }

    /// 405: the route does not know this method; `Allow` names those it knows.
    #[must_use]
    pub fn method_not_allowed() -> Self {
        Self::new(
            StatusCode::METHOD_NOT_ALLOWED,
            "method-not-allowed",
            "The route does not answer this method",
        )
        .detail("the header Allow names those that it does")
    }

    /// 422: understood, and invalid; add an [`error`](Self::error) for each member.
    #[must_use]
    pub fn validation() -> Self {
        Self::new(
            StatusCode::UNPROCESSABLE_ENTITY,
            "validation-failed",
            "The request is well-formed but invalid",
        )
    }

    /// 400: a position is not of the form `Topic/partition@offset`.
    #[must_use]
    pub fn invalid_position() -> Self {
        Self::new(
            StatusCode::BAD_REQUEST,
            "invalid-position",
            "A position reads Topic/partition@offset",
        )
    }

    /// 503: nothing was done; trying again may help.
    #[must_use]
    pub fn unavailable() -> Self {
        Self::new(
            StatusCode::SERVICE_UNAVAILABLE,
            "unavailable",
            "The service cannot answer just now",
        )
        .retry_after(RETRY_AFTER_SECONDS)
    }

    /// 500: our fault. The cause is logged, not told.
    #[must_use]
    pub fn internal(cause: impl Display) -> Self {
        Self::new(
            StatusCode::INTERNAL_SERVER_ERROR,
            "internal",
            "Something went wrong on our side",
        )
        .caused_by(cause)
    }
}

impl IntoResponse for Problem {
    fn into_response(mut self) -> Response {
        let cause = self.cause.take();
        let detail = self.detail.take();
        self.detail = Some(detail.unwrap_or_else(|| self.default_detail()));
        let body = serde_json::to_vec(&self).expect("a problem has string keys and plain values");
        let content_type = HeaderValue::from_static("application/problem+json");
        let mut response =
            (self.status, [(header::CONTENT_TYPE, content_type)], body).into_response();
        if let Some(seconds) = self.retry_after_seconds {
            let headers = response.headers_mut();
            headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds.get()));
        }
        if let Some(tag) = self.entity_tag {
            response.headers_mut().insert(header::ETAG, tag.header());
        }
        if let Some(cause) = cause {
            response.extensions_mut().insert(Cause(cause));
        }
        response
    }
}

#[cfg(test)]
mod tests {
    use axum::body::to_bytes;
    use serde_json::{Value, json};

    use super::*;

    async fn json_of(response: Response) -> Value {
        let body = to_bytes(response.into_body(), usize::MAX).await;
        serde_json::from_slice(&body.expect("body")).expect("json")
    }

    #[tokio::test]
    async fn has_the_members_of_rfc_9457_and_ours() {
        let response = Problem::validation()
            .detail("2 errors")
            .error("/lines/0/quantity", "out-of-range", "must be 1 to 100000")
            .into_response();
        assert_eq!(response.status(), StatusCode::UNPROCESSABLE_ENTITY);
        assert_eq!(
            response.headers()[header::CONTENT_TYPE],
            "application/problem+json"
        );
        assert_eq!(
            json_of(response).await,
            json!({
                "type": "urn:offset-zero:problem:validation-failed",
                "title": "The request is well-formed but invalid",
                "status": 422,
                "code": "validation-failed",
                "detail": "2 errors",
                "errors": [{
                    "pointer": "/lines/0/quantity",
                    "code": "out-of-range",
                    "detail": "must be 1 to 100000",
                }],
            })
        );
    }

    #[tokio::test]
    async fn has_a_detail_where_none_was_given() {
        let detail =
            async |problem: Problem| json_of(problem.into_response()).await["detail"].clone();
        let nothing = Problem::internal("a cause");
        assert_eq!(detail(nothing).await, "Something went wrong on our side");
        let one = Problem::validation().error("/quantity", "out-of-range", "must be 1 to 9");
        assert_eq!(detail(one.clone()).await, "/quantity: must be 1 to 9");
        let whole = Problem::validation().error("", "invalid-value", "duplicate field `sku`");
        assert_eq!(detail(whole).await, "duplicate field `sku`");
        let two = one.error("/sku", "missing-field", "is missing");
        assert_eq!(detail(two).await, "/quantity: must be 1 to 9, and 1 more");
    }

    #[tokio::test]
    async fn never_tells_the_cause() {
        let response = Problem::internal("password is hunter2").into_response();
        assert!(response.extensions().get::<Cause>().is_some());
        let body = json_of(response).await;
        assert_eq!(body["code"], "internal");
        assert!(!body.to_string().contains("hunter2"));
    }

    #[test]
    fn unavailable_says_when_to_retry() {
        let response = Problem::unavailable().retry_after(7).into_response();
        assert_eq!(response.headers()[header::RETRY_AFTER], "7");
    }
}
