//! `GET /v1/orders/{id}/events`.

use std::time::Duration;

use axum::body::{Body, BodyDataStream};
use futures::StreamExt;
use serde_json::Value;
use tower::ServiceExt;
use uuid::Uuid;

use crate::world::{MAX_STREAMS, World};

const PATIENCE: Duration = Duration::from_secs(30);
const ALL: usize = usize::MAX;

/// An open stream.
pub(crate) struct Following {
    body: BodyDataStream,
    /// What has come and was not looked at.
    text: String,
}

/// An event: its id and its data.
type Told = (String, Value);

impl World {
    pub(crate) async fn follow(&self, id: Uuid, headers: &[(&str, &str)]) -> Following {
        let uri = format!("/v1/orders/{id}/events");
        let mut request = axum::http::Request::get(uri);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = request.body(Body::empty()).expect("a request");
        let answered = self.router.clone().oneshot(request).await;
        let response = answered.expect("infallible");
        assert_eq!(response.status(), 200);
        assert_eq!(response.headers()["content-type"], "text/event-stream");
        assert!(response.headers().contains_key("x-request-id"));
        Following {
            body: response.into_body().into_data_stream(),
            text: String::new(),
        }
    }
}

impl Following {
    /// The next block; none at the end.
    async fn block(&mut self) -> Option<String> {
        loop {
            if let Some((block, rest)) = self.text.split_once("\n\n") {
                let (block, rest) = (block.to_owned(), rest.to_owned());
                self.text = rest;
                return Some(block);
            }
            let next = tokio::time::timeout(PATIENCE, self.body.next()).await;
            let bytes = next.expect("something comes")?.expect("a body");
            self.text += std::str::from_utf8(&bytes).expect("UTF-8");
        }
    }

    /// The next event, signs of life left out; none at the end.
    async fn event(&mut self) -> Option<Told> {
        loop {
            let block = self.block().await?;
            if block == ": heartbeat" {
                continue;
            }
            let field = |name: &str| {
                let mut lines = block.lines();
                lines.find_map(|line| line.strip_prefix(&format!("{name}: ")))
            };
            assert_eq!(field("event"), Some("order"), "{block}");
            let id = field("id").expect("an id").to_owned();
            let order: Value = serde_json::from_str(field("data").expect("data")).expect("JSON");
            assert_eq!(order["version"].to_string(), id);
            return Some((id, order));
        }
    }

    pub(crate) async fn ids(&mut self, count: usize) -> Vec<String> {
        let mut ids = Vec::new();
        while ids.len() < count {
            ids.push(self.event().await.expect("one more").0);
        }
        ids
    }
}

#[tokio::test]
async fn shows_the_order_and_then_each_version_once() {
    let world = World::of_orders().await;
    let id = Uuid::now_v7();
    world.walk(id, 0, 2).await;
    let mut following = world.follow(id, &[]).await;
    let (first, order) = following.event().await.expect("as it is");
    assert_eq!((&*first, &order["status"]), ("2", &Value::from("placed")));
    // A payment is no version of its order; several versions may come at once.
    world.walk(id, 2, 4).await;
    world.walk(id, 4, 5).await;
    let (third, order) = following.event().await.expect("its next version");
    assert_eq!(third, "3");
    assert_eq!(order["payment"]["status"], "declined");
    world.walk(id, 5, ALL).await;
    for version in 4..=6 {
        let (told, order) = following.event().await.expect("one more");
        assert_eq!(told, version.to_string());
        let at_version = format!("/v1/orders/{id}?at_version={version}");
        assert_eq!(order, world.get(&at_version).await.json());
    }
    // Nothing more has happened, and the stream goes on.
    assert_eq!(following.block().await.as_deref(), Some(": heartbeat"));
}

#[tokio::test]
async fn goes_on_after_what_the_client_has_seen() {
    let world = World::of_orders().await;
    let id = Uuid::now_v7();
    world.walk(id, 0, 12).await;
    for (seen, ids) in [("0", &["1", "2", "3", "4", "5"][..]), ("3", &["4", "5"])] {
        let mut following = world.follow(id, &[("last-event-id", seen)]).await;
        assert_eq!(following.ids(ids.len()).await, ids);
    }
    let mut newest = world.follow(id, &[("last-event-id", "5")]).await;
    assert_eq!(newest.block().await.as_deref(), Some(": heartbeat"));
    world.walk(id, 12, ALL).await;
    assert_eq!(newest.ids(1).await, ["6"]);
    // However many come at once, each is as it was.
    let mut all = world.follow(id, &[("last-event-id", "0")]).await;
    for version in 1..=6 {
        let (_, order) = all.event().await.expect("one more");
        let at_version = format!("/v1/orders/{id}?at_version={version}");
        assert_eq!(order, world.get(&at_version).await.json());
    }
}

#[tokio::test]
async fn waits_for_what_comes_after_a_version_that_is_not_there_yet() {
    let world = World::of_orders().await;
    let id = Uuid::now_v7();
    world.walk(id, 0, 2).await;
    let mut following = world.follow(id, &[("last-event-id", "4")]).await;
    assert_eq!(following.block().await.as_deref(), Some(": heartbeat"));
    world.walk(id, 2, ALL).await;
    assert_eq!(following.ids(2).await, ["5", "6"]);
}

#[tokio::test]
async fn an_event_that_is_there_twice_is_shown_once() {
    let world = World::of_orders().await;
    let id = Uuid::now_v7();
    world.walk(id, 0, 12).await;
    world.repeat(id, 3).await;
    world.walk(id, 12, ALL).await;
    let mut following = world.follow(id, &[("last-event-id", "0")]).await;
    assert_eq!(following.ids(6).await, ["1", "2", "3", "4", "5", "6"]);
    assert_eq!(following.block().await.as_deref(), Some(": heartbeat"));
}

#[tokio::test]
async fn leaves_nothing_out_however_much_there_is() {
    let world = World::of_orders().await;
    let id = Uuid::now_v7();
    world.walk(id, 0, 1).await;
    world
        .execute(&format!(
            "insert into history_1.history
             select 'OrderEvents', 1, n, '{id}', gen_random_uuid(), 'Any', 1, 'order-{id}', n, 1, '2026-01-02T00:00:00Z',
                 '{id}', '{id}', 'ada', '{{}}', '{{}}' from generate_series(2, 250) n"
        ))
        .await;
    let mut following = world.follow(id, &[("last-event-id", "0")]).await;
    let expected: Vec<String> = (1..=250).map(|version| version.to_string()).collect();
    assert_eq!(following.ids(250).await, expected);
}

#[tokio::test]
async fn says_before_it_begins_what_is_wrong() {
    let world = World::of_orders().await;
    let id = Uuid::now_v7();
    world.walk(id, 0, 1).await;
    let not_placed = world.of_a_payment_alone().await;
    for missing in [Uuid::now_v7(), not_placed] {
        let answer = world.get(&format!("/v1/orders/{missing}/events")).await;
        answer.problem(404, "order-not-found");
    }
    let uri = format!("/v1/orders/{id}/events");
    for last in ["", "seven", "-1", "+1", "1.0", "4294967296"] {
        let answer = world.send("GET", &uri, &[("last-event-id", last)]).await;
        answer.problem(400, "invalid-last-event-id");
    }
    let headers = [("x-min-position", "OrderEvents/1@0"), ("prefer", "wait=0")];
    let behind = world.send("GET", &uri, &headers).await;
    behind.problem(503, "not-yet-visible");
    // None of them holds a place.
    let mut following = world.follow(id, &[]).await;
    assert_eq!(following.ids(1).await, ["1"]);
}

#[tokio::test]
async fn there_are_only_so_many_at_once() {
    let world = World::of_orders().await;
    let id = Uuid::now_v7();
    world.walk(id, 0, 1).await;
    let mut open = Vec::new();
    for _ in 0..MAX_STREAMS {
        let mut following = world.follow(id, &[]).await;
        assert_eq!(following.ids(1).await, ["1"]);
        open.push(following);
    }
    let uri = format!("/v1/orders/{id}/events");
    let refused = world.get(&uri).await;
    refused.problem(503, "unavailable");
    assert!(refused.headers.contains_key("retry-after"));
    // There are fewer connections than streams: they hold none, so everything else is answered.
    let other = world.get(&format!("/v1/orders/{id}?at_version=1")).await;
    assert_eq!(other.status, 200);
    open.pop();
    world.walk(id, 1, 2).await;
    open.push(world.follow(id, &[("last-event-id", "1")]).await);
    for following in &mut open {
        assert_eq!(following.ids(1).await, ["2"]);
    }
}

#[tokio::test]
async fn ends_with_the_server() {
    let world = World::of_orders().await;
    let id = Uuid::now_v7();
    world.walk(id, 0, 1).await;
    let mut following = world.follow(id, &[]).await;
    assert_eq!(following.ids(1).await, ["1"]);
    world.streams.end();
    assert_eq!(following.event().await, None);
    let mut late = world.follow(id, &[]).await;
    assert_eq!(late.event().await, None);
}

#[tokio::test]
async fn survives_a_postgres_that_does_not_answer() {
    let world = World::of_orders().await;
    let id = Uuid::now_v7();
    world.walk(id, 0, 1).await;
    let mut following = world.follow(id, &[]).await;
    assert_eq!(following.ids(1).await, ["1"]);
    let of_streams = "select pg_terminate_backend(pid) from pg_stat_activity
        where application_name = 'query-api' and datname = current_database()";
    world.execute(of_streams).await;
    world
        .execute("update offset_zero.projections set live_version = null where name = 'history'")
        .await;
    assert_eq!(following.block().await.as_deref(), Some(": heartbeat"));
    world.walk(id, 1, 2).await;
    world
        .execute("update offset_zero.projections set live_version = 1")
        .await;
    assert_eq!(following.ids(1).await, ["2"]);
}
