//! `GET /v1/orders/{id}/events`: an order as it is, and then each version that it comes to, as server-sent events.

use std::{convert::Infallible, time::Duration, vec};

use axum::{
    extract::State,
    http::{HeaderMap, StatusCode},
    response::sse::{Event, KeepAlive, Sse},
};
use futures::{Stream, stream};
use runtime::{extract::ApiPath, problem::Problem};
use utoipa::IntoParams;
use uuid::Uuid;

use crate::{
    database::Database,
    min_position::{MinPosition, WaitHeaders},
    orders::{
        past::{self, FIRST_VERSION, Past},
        shape::Order,
    },
    streams::{Slot, Streams},
};

const LAST_EVENT_ID: &str = "last-event-id";
/// The others are read when these are sent, so that what a slow client is shown does not grow old.
const MAX_VERSIONS_AT_ONCE: usize = 100;
/// Between two looks, where something is told all the time.
const MIN_PAUSE: Duration = Duration::from_millis(100);
/// After a read that has failed. The stream goes on when Postgres is back.
const RETRY_PAUSE: Duration = Duration::from_secs(1);

/// Where a stream goes on.
#[derive(IntoParams)]
#[into_params(parameter_in = Header)]
#[expect(dead_code, reason = "describes what last_event_id reads")]
pub(crate) struct ResumeHeaders {
    /// The version that came last: the stream goes on with the next one; 0 begins with the first. Beyond the order's own version it
    /// waits for the one after that, and leaves out what comes before.
    #[param(rename = "last-event-id", example = 7)]
    last_event_id: Option<i32>,
}

/// Follows an order: first as it is, then each version that it comes to, none left out, none twice. It does not end with the
/// order.
///
/// `event: order`, `id: <version>`, `data:` the order. Topics share no order: what a payment or a shipment has done may be
/// seen a moment after the version that it led to, and then shows with the next one, or in `GET /v1/orders/{id}`. A comment
/// every 15 seconds is a sign of life.
///
/// Without `last-event-id` it begins with what `GET /v1/orders/{id}` shows already, or with a later version: that is waited for where it is
/// yet to come, as long as `prefer` says, before the stream is answered. Where that is in vain, it begins with what came before.
#[utoipa::path(
    get,
    path = "/v1/orders/{id}/events",
    params(("id" = Uuid, Path), ResumeHeaders, WaitHeaders),
    responses(
        (status = 200, description = "Goes on until the client leaves or the server stops", body = Order, content_type = "text/event-stream"),
        (status = 400, description = "`invalid-id`, `invalid-query`, `invalid-position`, `invalid-last-event-id`", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "`order-not-found`", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "`not-yet-visible`, `projection-parked`; `unavailable`, also where the server has too many streams", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(crate) async fn follow_order(
    State(database): State<Database>,
    State(streams): State<Streams>,
    ApiPath(id): ApiPath<Uuid>,
    min: MinPosition,
    headers: HeaderMap,
) -> Result<Sse<impl Stream<Item = Result<Event, Infallible>>>, Problem> {
    let last = last_event_id(&headers)?;
    let slot = streams.enter()?;
    let past = match last {
        // What it lacks comes later, in its turn.
        Some(_) => past::read(&database, id, FIRST_VERSION, &min).await?,
        None => past::read_newest(&database, id, &min).await?,
    };
    let before_newest = past.versions().next_back().map_or(0, |newest| newest - 1);
    let mut follower = Follower {
        database,
        id,
        sent: last.unwrap_or(before_newest),
        unsent: None,
        slot,
    };
    follower.take(past);
    let events = stream::unfold(follower, async |mut follower| {
        let order = follower.next().await?;
        Some((Ok(event(&order)), follower))
    });
    let heartbeat = KeepAlive::new()
        .interval(streams.heartbeat())
        .text("heartbeat");
    Ok(Sse::new(events).keep_alive(heartbeat))
}

fn last_event_id(headers: &HeaderMap) -> Result<Option<i32>, Problem> {
    let Some(value) = headers.get(LAST_EVENT_ID) else {
        return Ok(None);
    };
    let digits = value.to_str().ok();
    let digits = digits.filter(|text| text.bytes().all(|byte| byte.is_ascii_digit()));
    let version = digits.and_then(|text| text.parse().ok());
    version.map(Some).ok_or_else(|| {
        Problem::new(
            StatusCode::BAD_REQUEST,
            "invalid-last-event-id",
            "The last event's id is no version",
        )
    })
}

fn event(order: &Order) -> Event {
    let event = Event::default()
        .event("order")
        .id(order.version.to_string())
        .json_data(order);
    event.expect("an order has string keys, and compact JSON no line breaks")
}

/// A client, and what it has seen of the order.
struct Follower {
    database: Database,
    id: Uuid,
    /// The version that it was sent last.
    sent: i32,
    unsent: Option<Unsent>,
    slot: Slot,
}

/// The versions that come next, and what they are made from, one at a time: a change is small, and an order need not be.
struct Unsent {
    versions: vec::IntoIter<i32>,
    past: Past,
}

impl Follower {
    /// The next version, when there is one; none where the stream has to end.
    async fn next(&mut self) -> Option<Order> {
        loop {
            if self.slot.has_ended() {
                return None;
            }
            let unsent = self.unsent.as_mut();
            if let Some(order) = unsent.and_then(Unsent::next) {
                self.sent = order.version;
                return Some(order);
            }
            // A stream that waits holds nothing.
            self.unsent = None;
            let past = tokio::select! {
                past = later(&self.database, self.id, self.sent) => past?,
                () = self.slot.ended() => return None,
            };
            self.take(past);
        }
    }

    fn take(&mut self, past: Past) {
        let later = past.versions().filter(|version| *version > self.sent);
        let versions: Vec<i32> = later.take(MAX_VERSIONS_AT_ONCE).collect();
        self.unsent = Some(Unsent {
            versions: versions.into_iter(),
            past,
        });
    }
}

impl Unsent {
    fn next(&mut self) -> Option<Order> {
        self.versions
            .find_map(|version| self.past.at_version(version))
    }
}

/// The order's past once that goes beyond a version; none where it cannot be read for a reason that will stay.
async fn later(database: &Database, id: Uuid, version: i32) -> Option<Past> {
    let mut changes = database.changes().follow(past::PROJECTION);
    loop {
        match past::read_after(database, id, version).await {
            Ok(Some(past)) => return Some(past),
            // Nothing is held meanwhile.
            Ok(None) => {
                tokio::time::sleep(MIN_PAUSE).await;
                changes.moved().await;
            }
            Err(problem) if problem.status() == StatusCode::SERVICE_UNAVAILABLE => {
                tokio::time::sleep(RETRY_PAUSE).await;
            }
            Err(problem) => {
                tracing::error!(order = %id, ?problem, "a stream ended early");
                return None;
            }
        }
    }
}
