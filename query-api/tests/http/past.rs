//! `GET /v1/orders/{id}?at_version=` and `?at_time=`.

use serde_json::{Value, json};
use uuid::Uuid;

use crate::world::{Answer, HISTORY, ORDERS, World, address, lines, money};

/// A journey, as its projection would have it: topic, second, and what has changed. Offsets are places here.
pub(crate) fn journey() -> Vec<(&'static str, u32, Value)> {
    let placed = json!({
        "customer_id": "ada", "lines": lines(), "totals": { "items": money(3998), "total": money(3998) },
        "shipping_address": address(), "placed_at": "2026-01-01T00:00:00.000001Z",
    });
    let error = json!({ "code": "declined", "detail": "no", "at": "2026-01-01T00:00:04Z" });
    let begun = |attempt: u128| {
        json!({ "payment": {
            "id": Uuid::from_u128(attempt), "attempt": attempt, "status": "pending", "amount": money(3998), "refunded": money(0),
        }})
    };
    let paid = |attempt, status| json!({ "payment": { "id": Uuid::from_u128(attempt), "status": status } });
    let sent = |status| json!({ "shipment": { "id": Uuid::nil(), "status": status } });
    let asked = json!({ "shipment": {
        "id": Uuid::nil(), "status": "dispatch_requested", "carrier": "ACME", "tracking_number": null,
    }});
    let refunded = json!({ "payment": { "id": Uuid::from_u128(2), "status": "refunded", "refunded": money(3998) } });
    vec![
        (
            "OrderEvents",
            1,
            json!({ "placed": placed, "status": "placed" }),
        ),
        ("OrderEvents", 2, json!({})),
        ("PaymentEvents", 3, begun(1)),
        ("PaymentEvents", 4, paid(1, "declined")),
        (
            "OrderEvents",
            4,
            json!({ "status": "awaiting_payment", "last_payment_error": error }),
        ),
        ("PaymentEvents", 5, begun(2)),
        ("PaymentEvents", 6, paid(1, "voided")),
        ("PaymentEvents", 7, paid(2, "authorised")),
        (
            "OrderEvents",
            8,
            json!({ "status": "paid", "last_payment_error": null }),
        ),
        ("ShippingEvents", 9, sent("created")),
        ("ShippingEvents", 10, asked),
        ("OrderEvents", 11, json!({ "stuck": true })),
        (
            "OrderEvents",
            12,
            json!({ "status": "cancelled", "stuck": false }),
        ),
        ("ShippingEvents", 13, sent("cancelled")),
        ("PaymentEvents", 14, refunded),
    ]
}

/// A row of the history; of what has changed nothing but payments and shipments, the version is that of their streams.
pub(crate) fn step(
    id: Uuid,
    topic: &str,
    position: usize,
    version: i32,
    time: &str,
    change: &Value,
) -> String {
    format!(
        "insert into history_1.history values ('{topic}', 1, {position}, '{id}', gen_random_uuid(), 'Any', 1, 'any-{id}', {version}, 1,
             '{time}', '{id}', '{id}', 'ada', '{{}}', '{change}');"
    )
}

impl World {
    /// Both projections of orders, with nothing in them.
    pub(crate) async fn of_orders() -> Self {
        Self::with_all(&[&ORDERS, &HISTORY]).await
    }

    /// Adds such steps of the journey; the order's own have the versions from 1.
    pub(crate) async fn walk(&self, id: Uuid, from: usize, to: usize) {
        let journey = journey();
        let mut version = 0;
        let mut script = String::new();
        for (position, (topic, second, change)) in journey.iter().take(to).enumerate() {
            version += i32::from(*topic == "OrderEvents");
            if position >= from {
                let time = format!("2026-01-01T00:00:{second:02}.000001Z");
                script += &step(id, topic, position, version, &time, change);
            }
        }
        self.execute(&script).await;
    }

    /// Adds a version's event again, after all others, as a log has it that was put together of two copies.
    pub(crate) async fn repeat(&self, id: Uuid, version: i32) {
        self.execute(&format!(
            "insert into history_1.history
             select topic, partition, position + 100, order_id, event_id, type, type_version, stream, version, place, time,
                 correlation_id, causation_id, actor, data, change
             from history_1.history where order_id = '{id}' and version = {version} and topic = 'OrderEvents'"
        ))
        .await;
    }

    /// An order of which nothing has come but that its payment has begun.
    pub(crate) async fn of_a_payment_alone(&self) -> Uuid {
        let id = Uuid::now_v7();
        let (topic, _, change) = &journey()[2];
        self.execute(&step(id, topic, 100, 1, "now", change)).await;
        id
    }

    async fn then(&self, id: Uuid, query: &str) -> Answer {
        self.get(&format!("/v1/orders/{id}?{query}")).await
    }
}

/// Status, payment (its status, what is refunded), shipments' statuses, error's code.
fn short(order: &Value) -> Value {
    let shipments = order["shipments"].as_array().expect("a list").iter();
    let shipments: Vec<&Value> = shipments.map(|shipment| &shipment["status"]).collect();
    json!([
        order["status"],
        order["payment"]["status"],
        order["payment"]["refunded"]["amount"],
        shipments,
        order["last_payment_error"]["code"],
    ])
}

#[tokio::test]
async fn a_version_is_how_the_order_last_was_at_it() {
    let world = World::of_orders().await;
    let id = Uuid::now_v7();
    world.walk(id, 0, usize::MAX).await;
    for (version, tag, second, expected) in [
        (1, "\"1\"", 1, json!(["placed", null, null, [], null])),
        // Its payment is declined in the very moment in which the order hears of it.
        (2, "\"2.3.0\"", 3, json!(["placed", "pending", 0, [], null])),
        (
            3,
            "\"3.8.0\"",
            7,
            json!(["awaiting_payment", "authorised", 0, [], "declined"]),
        ),
        (
            4,
            "\"4.8.11\"",
            10,
            json!(["paid", "authorised", 0, ["dispatch_requested"], null]),
        ),
        (
            5,
            "\"5.8.11\"",
            11,
            json!(["paid", "authorised", 0, ["dispatch_requested"], null]),
        ),
        (
            6,
            "\"6.15.14\"",
            14,
            json!(["cancelled", "refunded", 3998, ["cancelled"], null]),
        ),
    ] {
        let answer = world.then(id, &format!("at_version={version}")).await;
        let order = answer.json();
        assert_eq!(order["version"], version);
        assert_eq!(answer.headers["etag"], tag, "{version}");
        assert_eq!(short(&order), expected, "{version}");
        assert_eq!(order["stuck"], version == 5);
        let updated = format!("2026-01-01T00:00:{second:02}.000001Z");
        assert_eq!(order["updated_at"], updated, "{version}");
        let held = [("if-none-match", tag)];
        let uri = format!("/v1/orders/{id}?at_version={version}");
        assert_eq!(world.send("GET", &uri, &held).await.status, 304);
    }
}

#[tokio::test]
async fn the_first_version_is_the_order_as_it_was_placed() {
    let world = World::of_orders().await;
    let id = Uuid::now_v7();
    world.walk(id, 0, usize::MAX).await;
    let expected = json!({
        "id": id,
        "customer_id": "ada",
        "status": "placed",
        "stuck": false,
        "version": 1,
        "lines": lines(),
        "totals": { "items": money(3998), "total": money(3998) },
        "payment": null,
        "last_payment_error": null,
        "shipments": [],
        "shipping_address": address(),
        "placed_at": "2026-01-01T00:00:00.000001Z",
        "updated_at": "2026-01-01T00:00:01.000001Z",
    });
    assert_eq!(world.then(id, "at_version=1").await.json(), expected);
    let last = world.then(id, "at_version=6").await.json();
    assert_eq!(
        last["payment"],
        json!({ "id": Uuid::from_u128(2), "status": "refunded", "amount": money(3998), "refunded": money(3998) })
    );
    assert_eq!(
        last["shipments"],
        json!([{ "id": Uuid::nil(), "status": "cancelled", "carrier": "ACME", "tracking_number": null }])
    );
}

#[tokio::test]
async fn a_time_shows_what_had_happened_by_then() {
    let world = World::of_orders().await;
    let id = Uuid::now_v7();
    world.walk(id, 0, usize::MAX).await;
    for (time, version, payment) in [
        ("00:00:01.000001Z", 1, Value::Null),
        ("00:00:03.0000009Z", 2, Value::Null),
        ("00:00:03.000001Z", 2, json!("pending")),
        ("01:00:04.000001%2B01:00", 3, json!("declined")),
        ("00:00:05.5Z", 3, json!("pending")),
        ("00:00:13Z", 6, json!("authorised")),
        ("23:00:00Z", 6, json!("refunded")),
    ] {
        let order = world
            .then(id, &format!("at_time=2026-01-01T{time}"))
            .await
            .json();
        assert_eq!(order["version"], version, "{time}");
        assert_eq!(order["payment"]["status"], payment, "{time}");
    }
    let early = world.then(id, "at_time=2026-01-01T00:00:01Z").await;
    early.problem(404, "order-not-found");
}

#[tokio::test]
async fn an_event_that_is_there_twice_changes_nothing() {
    const QUERIES: [&str; 3] = [
        "at_version=4",
        "at_version=6",
        "at_time=2026-01-02T00:00:00Z",
    ];
    let world = World::of_orders().await;
    let id = Uuid::now_v7();
    world.walk(id, 0, usize::MAX).await;
    let mut before = Vec::new();
    for query in QUERIES {
        before.push(world.then(id, query).await.json());
    }
    world.repeat(id, 4).await;
    for (query, before) in std::iter::zip(QUERIES, before) {
        assert_eq!(world.then(id, query).await.json(), before, "{query}");
    }
}

#[tokio::test]
async fn what_never_was_is_a_problem() {
    let world = World::of_orders().await;
    let (id, unknown) = (Uuid::now_v7(), Uuid::now_v7());
    world.walk(id, 0, 5).await;
    let not_placed = world.of_a_payment_alone().await;
    for (id, query, status, code) in [
        (id, "at_version=4", 404, "version-not-found"),
        (id, "at_version=99999999999", 404, "version-not-found"),
        (
            id,
            "at_version=99999999999999999999",
            404,
            "version-not-found",
        ),
        (unknown, "at_version=1", 404, "order-not-found"),
        (
            unknown,
            "at_time=2026-01-01T00:00:00Z",
            404,
            "order-not-found",
        ),
        (not_placed, "at_version=1", 404, "order-not-found"),
        (
            not_placed,
            "at_time=2100-01-01T00:00:00Z",
            404,
            "order-not-found",
        ),
        (id, "at_version=one", 400, "invalid-query"),
        (id, "at_version=", 400, "invalid-query"),
        (id, "at_version=1&at_version=1", 400, "invalid-query"),
        (id, "at_time=yesterday", 400, "invalid-query"),
        (id, "version=1", 400, "invalid-query"),
    ] {
        world.then(id, query).await.problem(status, code);
    }
    for (query, pointer, code) in [
        ("at_version=0", "/at_version", "out-of-range"),
        ("at_version=-1", "/at_version", "out-of-range"),
        (
            "at_version=-99999999999999999999",
            "/at_version",
            "out-of-range",
        ),
        (
            "at_version=1&at_time=2026-01-01T00:00:00Z",
            "/at_time",
            "invalid-value",
        ),
    ] {
        let problem = world
            .then(id, query)
            .await
            .problem(422, "validation-failed");
        let error = &problem["errors"][0];
        assert_eq!(
            (&error["pointer"], &error["code"]),
            (&json!(pointer), &json!(code))
        );
    }
}

#[tokio::test]
async fn waits_for_the_projection_that_keeps_the_past() {
    let world = World::of_orders().await;
    let id = Uuid::now_v7();
    world.walk(id, 0, 2).await;
    world
        .execute("update offset_zero.checkpoints set next_offset = 2 where name = 'orders'")
        .await;
    let uri = format!("/v1/orders/{id}?at_version=3");
    let headers = [("x-min-position", "OrderEvents/1@1"), ("prefer", "wait=0")];
    let behind = world.send("GET", &uri, &headers).await;
    behind.problem(503, "not-yet-visible");
    world
        .execute("update offset_zero.checkpoints set next_offset = 2 where name = 'history'")
        .await;
    let there = world.send("GET", &uri, &headers).await;
    there.problem(404, "version-not-found");
}
