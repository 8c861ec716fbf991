//! The past of orders: what is kept of it, and that whoever reads it sees what was there.

use std::collections::BTreeMap;

use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};
use domain::topics::ORDER_EVENTS;
use event_store::Recorded;
use http_body_util::BodyExt;
use proptest::{collection::vec, prelude::*};
use query_api::{Database as Reading, Streams};
use serde_json::{Value, json};
use tower::ServiceExt;
use uuid::Uuid;

use super::{
    World,
    commands::now,
    delivering::topics,
    folding::{fold, origin},
    journeys::{interleave, recorded},
    merging::runner,
};
use crate::{
    History, Orders, Projection,
    chunk::Chunk,
    history::row::HistoryEvent,
    registry::{Version, ensure_live},
};

/// Enough for the router of one test.
const CONNECTIONS: u32 = 2;

#[test]
fn changes_are_the_same_however_their_topics_come() {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let world = runtime.block_on(World::new());
    let orders = vec((0_usize..3, [0_usize..=10, 0_usize..=9, 0_usize..=7]), 1..6);
    let inputs = (orders, vec(0_usize..3, 1..20), vec(1_usize..=8, 1..20));
    let result = runner().run(&inputs, |(orders, picks, cuts)| {
        let topics = topics::<HistoryEvent>(&orders);
        let in_turn = topics.concat();
        let mixed = interleave(&topics.each_ref().map(Vec::as_slice), &picks);
        let counting = |event: &&Recorded<_>| History::key(event).is_some();

        let whole = [in_turn.len().max(1)];
        let expected = runtime.block_on(fold::<History>(&world, &in_turn, &whole));
        prop_assert_eq!(expected.len(), in_turn.iter().filter(counting).count());
        prop_assert_eq!(
            &runtime.block_on(fold::<History>(&world, &mixed, &cuts)),
            &expected
        );
        Ok(())
    });
    result.expect("the same rows");
}

#[tokio::test]
async fn an_unknown_event_of_an_order_is_one_of_its_versions() {
    let world = World::new().await;
    let id = Uuid::nil();
    let unheard = |topic, stream: &str, offset| {
        let event = domain::ReadEvent::deserialize("Unheard", 3, &json!({}));
        let event: HistoryEvent = event.expect("whatever it says");
        recorded(event, topic, stream, 7, offset)
    };
    let events = [
        unheard(ORDER_EVENTS, &format!("order-{id}"), 4),
        unheard("PaymentEvents", &format!("payment-{id}"), 4),
    ];
    let rows = fold::<History>(&world, &events, &[2]).await;
    let [row] = rows.as_slice() else {
        panic!("one version: {rows:?}");
    };
    let expected = format!(",Unheard,3,order-{id},7,");
    assert!(row.starts_with(&format!("(OrderEvents,0,4,{id},")), "{row}");
    assert!(row.contains(&expected), "{row}");
    assert!(row.ends_with(",test,{},{})"), "{row}");
}

/// After each event the order is read as it is; then, with the topics come in any other order, as it was after each event and at each
/// version.
#[test]
fn the_past_is_what_was_there() {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let order = (0_usize..3, [1_usize..=10, 0_usize..=9, 0_usize..=7]);
    let picks = || vec(0_usize..3, 1..20);
    let inputs = (vec(order, 1..3), picks(), picks());
    let result = runner().run(&inputs, |(orders, picks, later_picks)| {
        let topics = topics::<HistoryEvent>(&orders);
        let mut events = interleave(&topics.each_ref().map(Vec::as_slice), &picks);
        for (number, event) in (1..).zip(&mut events) {
            event.metadata.time = START + TimeDelta::milliseconds(number);
        }
        let of_topic = |topic: &str| -> Vec<_> {
            let of_topic = events
                .iter()
                .filter(|event| &*event.position.topic == topic);
            of_topic.cloned().collect()
        };
        let topics = Orders::TOPICS.iter().map(|topic| of_topic(topic));
        let topics: Vec<Vec<_>> = topics.collect();
        let topics: Vec<&[_]> = topics.iter().map(Vec::as_slice).collect();
        let later = interleave(&topics, &later_picks);
        runtime.block_on(async {
            let shop = Reader::open().await;
            let seen = shop.watch(&events).await;
            shop.write::<History>(&shop.history, &later).await;
            shop.look_back(&seen).await
        })
    });
    result.expect("what was there");
}

const START: DateTime<Utc> = DateTime::from_timestamp_micros(1_767_225_600_000_001).expect("2026");

/// What is answered of an order, and under which tag.
type Answer = (u16, String, Value);

/// What was answered of an order after its event of that time.
struct Seen {
    id: Uuid,
    at: DateTime<Utc>,
    answer: Answer,
}

/// Both projections, and the query API on top of them.
struct Reader {
    world: World,
    orders: Version,
    history: Version,
    router: axum::Router,
}

impl Reader {
    async fn open() -> Self {
        let world = World::new().await;
        let mut connection = world.connect().await;
        let orders = ensure_live::<Orders>(&mut connection, &origin()).await;
        let history = ensure_live::<History>(&mut connection, &origin()).await;
        let reading = Reading::new(&world.url, CONNECTIONS).expect("a URL");
        Self {
            world,
            orders: orders.expect("created"),
            history: history.expect("created"),
            router: query_api::router(reading, Streams::default()),
        }
    }

    /// As a feed does, but for the checkpoint.
    async fn write<P: Projection>(&self, version: &Version, events: &[Recorded<P::Event>]) {
        let connection = self.world.database.connect_to(&version.schema).await;
        let mut connection = connection.expect("connects");
        let mut chunk = Chunk::<P>::default();
        let absorbed = chunk.absorb(&mut connection, events, None).await;
        absorbed.expect("absorbs");
        chunk.write(&mut connection).await.expect("writes");
    }

    /// Writes event by event what orders are, and looks at the order after each.
    async fn watch(&self, events: &[Recorded<HistoryEvent>]) -> Vec<Seen> {
        let mut seen = Vec::new();
        for told in events {
            let event = Recorded {
                position: told.position.clone(),
                key: told.key.clone(),
                metadata: told.metadata.clone(),
                event: told.event.view.clone(),
            };
            let Some(id) = Orders::key(&event) else {
                continue;
            };
            self.write::<Orders>(&self.orders, std::slice::from_ref(&event))
                .await;
            let (at, answer) = (told.metadata.time, self.get(id, "").await);
            seen.push(Seen { id, at, answer });
        }
        seen
    }

    async fn look_back(&self, seen: &[Seen]) -> Result<(), TestCaseError> {
        let mut at_versions = BTreeMap::new();
        for Seen { id, at, answer } in seen {
            let at = at.to_rfc3339_opts(SecondsFormat::Micros, true);
            let then = self.get(*id, &format!("?at_time={at}")).await;
            prop_assert_eq!(&then, answer, "{} at {}", id, at);
            if let Some(version) = answer.2["version"].as_i64() {
                // The last answer of a version is what is to be seen of it.
                at_versions.insert((id, version), answer);
            }
        }
        for ((id, version), answer) in &at_versions {
            let then = self.get(**id, &format!("?at_version={version}")).await;
            prop_assert_eq!(&&then, answer, "{} at version {}", id, version);
        }
        let ids: Vec<&Uuid> = at_versions.keys().map(|(id, _)| *id).collect();
        for id in ids {
            let last = at_versions.keys().filter(|(of, _)| *of == id).count();
            let beyond = self.get(*id, &format!("?at_version={}", last + 1)).await;
            prop_assert_eq!(&beyond.2["code"], "version-not-found");
            let at = now().to_rfc3339_opts(SecondsFormat::Micros, true);
            let (here, now) = (
                self.get(*id, "").await,
                self.get(*id, &format!("?at_time={at}")).await,
            );
            prop_assert_eq!(here, now);
        }
        Ok(())
    }

    async fn get(&self, id: Uuid, query: &str) -> Answer {
        let request = axum::http::Request::get(format!("/v1/orders/{id}{query}"));
        let request = request.body(axum::body::Body::empty()).expect("a request");
        let (parts, body) = self
            .router
            .clone()
            .oneshot(request)
            .await
            .expect("infallible")
            .into_parts();
        let body = body.collect().await.expect("a body").to_bytes();
        let tag = parts.headers.get("etag");
        let tag = tag.map_or("", |tag| tag.to_str().expect("text"));
        let body = serde_json::from_slice(&body).expect("JSON");
        (parts.status.as_u16(), tag.to_owned(), body)
    }
}
