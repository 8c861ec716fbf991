//! `GET /v1/orders/{id}/history`.

use serde_json::{Value, json};
use uuid::Uuid;

use crate::world::{HISTORY, LONG_AGO, World, tampered};

/// A step of a journey: where it stands in the log, and when it was.
struct Step {
    topic: &'static str,
    offset: i64,
    second: u32,
    place: i32,
}

impl Step {
    fn insert(&self, order_id: Uuid, partition: i32) -> String {
        let Self {
            topic,
            offset,
            second,
            place,
        } = self;
        let (event_id, cause) = (Uuid::now_v7(), Uuid::nil());
        format!(
            "insert into history values ('{topic}', {partition}, {offset}, '{order_id}', '{event_id}', 'OrderPlaced', 1,
                'order-{order_id}', 7, {place}, '2026-01-01T00:00:{second:02}Z', '{order_id}', '{cause}', 'ada',
                '{{\"personal\": null}}');"
        )
    }
}

/// In the order in which they are shown, though they were not written so.
const STEPS: [(&str, i64, u32, i32); 6] = [
    ("CartEvents", 9, 1, 1),
    ("OrderEvents", 3, 1, 2),
    ("InventoryEvents", 8, 2, 1),
    ("InventoryEvents", 7, 3, 1),
    ("OrderEvents", 4, 4, 1),
    ("OrderEvents", 5, 4, 2),
];

async fn journey(world: &World, partition: i32) -> (Uuid, Vec<String>) {
    let order_id = Uuid::now_v7();
    let steps = STEPS.map(|(topic, offset, second, place)| Step {
        topic,
        offset,
        second,
        place,
    });
    let script: String = steps
        .iter()
        .rev()
        .map(|step| step.insert(order_id, partition))
        .collect();
    world
        .execute(&format!("set local search_path = history_1; {script}"))
        .await;
    let positions = steps
        .iter()
        .map(|step| format!("{}/{partition}@{}", step.topic, step.offset));
    (order_id, positions.collect())
}

fn positions(page: &Value) -> Vec<String> {
    let items = page["items"].as_array().expect("items").iter();
    let positions = items.map(|item| item["position"].as_str().expect("a position").to_owned());
    positions.collect()
}

#[tokio::test]
async fn an_item_has_the_shape_of_the_contract() {
    let world = World::with(&HISTORY).await;
    let (order_id, _) = journey(&world, 1).await;
    let page = world
        .get(&format!("/v1/orders/{order_id}/history?limit=1"))
        .await
        .json();
    let item = &page["items"][0];
    assert_eq!(
        item,
        &json!({
            "id": item["id"],
            "type": "OrderPlaced",
            "type_version": 1,
            "stream": format!("order-{order_id}"),
            "version": 7,
            "position": "CartEvents/1@9",
            "time": "2026-01-01T00:00:01Z",
            "correlation_id": order_id,
            "causation_id": Uuid::nil(),
            "actor": "ada",
            "data": { "personal": null },
        })
    );
    assert!(
        item["id"]
            .as_str()
            .is_some_and(|id| id.parse::<Uuid>().is_ok())
    );
}

#[tokio::test]
async fn pages_are_oldest_first() {
    let world = World::with(&HISTORY).await;
    let (order_id, expected) = journey(&world, 1).await;
    for limit in [1, 2, 4, 5, 6, 200] {
        let (mut all, mut cursor) = (Vec::new(), String::new());
        loop {
            let uri = format!("/v1/orders/{order_id}/history?limit={limit}{cursor}");
            let page = world.get(&uri).await.json();
            all.extend(positions(&page));
            let Some(next) = page["next_cursor"].as_str() else {
                break;
            };
            cursor = format!("&cursor={next}");
        }
        assert_eq!(all, expected, "{limit}");
    }
}

#[tokio::test]
async fn refuses_what_it_does_not_have() {
    let world = World::with(&HISTORY).await;
    let (order_id, _) = journey(&world, 1).await;
    let (other, _) = journey(&world, 0).await;
    let unknown = Uuid::now_v7();
    let answer = world.get(&format!("/v1/orders/{unknown}/history")).await;
    answer.problem(404, "order-not-found");
    world
        .get("/v1/orders/42/history")
        .await
        .problem(400, "invalid-id");

    let page = world
        .get(&format!("/v1/orders/{order_id}/history?limit=1"))
        .await
        .json();
    let cursor = page["next_cursor"].as_str().expect("a cursor");
    let changed = tampered(cursor, 0, &LONG_AGO);
    for (id, cursor) in [(other, cursor), (order_id, &*changed)] {
        let answer = world
            .get(&format!("/v1/orders/{id}/history?cursor={cursor}"))
            .await;
        answer.problem(400, "invalid-cursor");
    }
    for (query, status, code) in [
        ("limit=x", 400, "invalid-query"),
        ("limit=201", 422, "validation-failed"),
        ("limit=99999999999999999999", 422, "validation-failed"),
    ] {
        let answer = world
            .get(&format!("/v1/orders/{order_id}/history?{query}"))
            .await;
        answer.problem(status, code);
    }
    let headers = [
        ("x-min-position", "InventoryEvents/0@0"),
        ("prefer", "wait=0"),
    ];
    let uri = format!("/v1/orders/{order_id}/history");
    let answer = world.send("GET", &uri, &headers).await;
    answer.problem(503, "not-yet-visible");
}
