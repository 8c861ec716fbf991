//! How a command that is in the log is answered.

use std::fmt::Display;

use axum::{
    Json,
    http::{HeaderName, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use domain::ids::OrderId;
use event_store::{Accepted, Position};
use runtime::entity_tag::EntityTag;
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

const X_POSITION: HeaderName = HeaderName::from_static("x-position");
const IDEMPOTENCY_REPLAYED: HeaderName = HeaderName::from_static("idempotency-replayed");

/// What has become of the thing that the command was about.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct CommandAnswer {
    /// Which: a UUID; of products and stock, the SKU.
    #[schema(example = "01890a5d-ac96-774b-bcce-b302099a8057")]
    id: String,
    /// Place of the command's last event in its stream, from 1.
    version: u32,
    /// Its status after the command.
    #[schema(example = "placed")]
    status: &'static str,
    /// The order that a cart has become.
    #[serde(skip_serializing_if = "Option::is_none")]
    order_id: Option<Uuid>,
}

/// An answer with its headers.
#[derive(Debug)]
pub(crate) struct Answered {
    body: CommandAnswer,
    location: Option<String>,
    positions: String,
    replayed: bool,
}

impl Answered {
    pub(crate) fn new<S>(id: impl Display, status: &'static str, accepted: &Accepted<S>) -> Self {
        let positions = accepted.positions.iter().map(Position::to_string);
        Self {
            body: CommandAnswer {
                id: id.to_string(),
                version: accepted.stream_version,
                status,
                order_id: None,
            },
            location: None,
            positions: positions.collect::<Vec<_>>().join(","),
            replayed: accepted.replayed,
        }
    }

    /// Makes it the answer to a creation, also when it is given again.
    pub(crate) fn created(mut self, location: String) -> Self {
        self.location = Some(location);
        self
    }

    /// Names the order that was opened.
    pub(crate) fn with_order(mut self, order_id: OrderId) -> Self {
        self.body.order_id = Some(order_id.as_uuid());
        self
    }
}

impl IntoResponse for Answered {
    fn into_response(self) -> Response {
        let value = |text: String| HeaderValue::try_from(text).expect("topics and ids are ASCII");
        let tag = EntityTag::of_version(self.body.version);
        let mut response = Json(self.body).into_response();
        let headers = response.headers_mut();
        headers.insert(header::ETAG, tag.header());
        headers.insert(X_POSITION, value(self.positions));
        if self.replayed {
            headers.insert(IDEMPOTENCY_REPLAYED, HeaderValue::from_static("true"));
        }
        if let Some(location) = self.location {
            headers.insert(header::LOCATION, value(location));
            *response.status_mut() = StatusCode::CREATED;
        }
        response
    }
}
