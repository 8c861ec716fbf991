//! `GET /v1/notifications`.

use serde_json::json;
use uuid::Uuid;

use crate::world::{LONG_AGO, NOTIFICATIONS, World, tampered};

/// Some share their time. And one that is not requested yet, whose order is unknown.
async fn notify(world: &World, order_id: Uuid, count: u32) -> Vec<Uuid> {
    let mut rows: Vec<(u32, Uuid)> = (0..count).map(|n| (n / 2, Uuid::now_v7())).collect();
    let values = rows.iter().rev().map(|(second, id)| {
        format!(
            "('{id}', 3, '{order_id}', 'email', 'shipped', '2026-01-02T03:04:{second:02}Z', 'failed', 2, 'busy',
                '2026-01-02T03:05:05Z')"
        )
    });
    let values: Vec<_> = values.collect();
    world
        .execute(&format!(
            "insert into notifications_1.notifications values {};
             insert into notifications_1.notifications (id, version, status, tries, updated_at)
                 values ('{}', 1, 'sent', 1, '2026-01-02T03:04:05Z')",
            values.join(", "),
            Uuid::now_v7(),
        ))
        .await;
    rows.sort_unstable();
    rows.into_iter().map(|(_, id)| id).collect()
}

#[tokio::test]
async fn a_notification_has_the_shape_of_the_contract() {
    let world = World::with(&NOTIFICATIONS).await;
    let order_id = Uuid::now_v7();
    let ids = notify(&world, order_id, 1).await;
    let uri = format!("/v1/notifications?order_id={order_id}");
    assert_eq!(
        world.get(&uri).await.json(),
        json!({
            "items": [{
                "id": ids[0],
                "order_id": order_id,
                "channel": "email",
                "template": "shipped",
                "status": "failed",
                "tries": 2,
                "reason": "busy",
                "created_at": "2026-01-02T03:04:00Z",
                "updated_at": "2026-01-02T03:05:05Z",
            }],
            "next_cursor": null,
        })
    );
}

#[tokio::test]
async fn pages_are_oldest_first_and_of_one_order() {
    let world = World::with(&NOTIFICATIONS).await;
    let (order_id, other) = (Uuid::now_v7(), Uuid::now_v7());
    let expected = notify(&world, order_id, 9).await;
    notify(&world, other, 3).await;
    for limit in [1, 2, 8, 9, 200] {
        let (mut all, mut cursor) = (Vec::new(), String::new());
        loop {
            let uri = format!("/v1/notifications?order_id={order_id}&limit={limit}{cursor}");
            let page = world.get(&uri).await;
            all.extend(page.ids());
            let Some(next) = page.json()["next_cursor"].as_str().map(str::to_owned) else {
                break;
            };
            cursor = format!("&cursor={next}");
        }
        assert_eq!(all, expected, "{limit}");
    }
}

#[tokio::test]
async fn refuses_what_it_cannot_read() {
    let world = World::with(&NOTIFICATIONS).await;
    let (order_id, other) = (Uuid::now_v7(), Uuid::now_v7());
    notify(&world, order_id, 2).await;
    let of_unknown = format!("/v1/notifications?order_id={other}");
    assert_eq!(
        world.get(&of_unknown).await.json(),
        json!({ "items": [], "next_cursor": null })
    );
    let first = format!("/v1/notifications?order_id={order_id}&limit=1");
    let first = world.get(&first).await.json();
    let cursor = first["next_cursor"].as_str().expect("a cursor");
    let changed = tampered(cursor, 0, &LONG_AGO);
    for (query, status, code) in [
        (String::new(), 400, "invalid-query"),
        ("limit=1".to_owned(), 400, "invalid-query"),
        ("order_id=42".to_owned(), 400, "invalid-query"),
        (
            format!("order_id={order_id}&status=sent"),
            400,
            "invalid-query",
        ),
        (
            format!("order_id={other}&cursor={cursor}"),
            400,
            "invalid-cursor",
        ),
        (
            format!("order_id={order_id}&cursor={changed}"),
            400,
            "invalid-cursor",
        ),
        (
            format!("order_id={order_id}&limit=201"),
            422,
            "validation-failed",
        ),
        (
            format!("order_id={order_id}&limit=99999999999999999999"),
            422,
            "validation-failed",
        ),
    ] {
        let answer = world.get(&format!("/v1/notifications?{query}")).await;
        answer.problem(status, code);
    }
    let headers = [
        ("x-min-position", "NotificationEvents/0@0"),
        ("prefer", "wait=0"),
    ];
    let uri = format!("/v1/notifications?order_id={order_id}");
    let answer = world.send("GET", &uri, &headers).await;
    answer.problem(503, "not-yet-visible");
}
