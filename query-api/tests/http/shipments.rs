//! `GET /v1/shipments/{id}`.

use serde_json::json;
use uuid::Uuid;

use crate::world::{SHIPMENTS, World};

#[tokio::test]
async fn a_shipment_has_the_shape_of_the_contract() {
    let world = World::with(&SHIPMENTS).await;
    let (created, sent, order_id) = (Uuid::now_v7(), Uuid::now_v7(), Uuid::now_v7());
    let lines =
        json!([{ "line_id": Uuid::nil(), "sku": "tea", "quantity": 2, "location": "main" }]);
    world
        .execute(&format!(
            "insert into shipments_1.shipments values
                 ('{created}', 2, '{order_id}', 'created', '{lines}', null, null,
                     '2026-01-02T03:04:05Z', '2026-01-02T03:04:05Z'),
                 ('{sent}', 4, '{order_id}', 'dispatched', '{lines}', 'ACME', '42',
                     '2026-01-02T03:04:05Z', '2026-01-02T03:05:05Z')"
        ))
        .await;
    assert_eq!(
        world.get(&format!("/v1/shipments/{sent}")).await.json(),
        json!({
            "id": sent,
            "order_id": order_id,
            "status": "dispatched",
            "lines": lines,
            "carrier": "ACME",
            "tracking_number": "42",
            "created_at": "2026-01-02T03:04:05Z",
            "updated_at": "2026-01-02T03:05:05Z",
        })
    );
    let shipment = world.get(&format!("/v1/shipments/{created}")).await.json();
    assert_eq!(
        (&shipment["carrier"], &shipment["tracking_number"]),
        (&json!(null), &json!(null))
    );
}

#[tokio::test]
async fn what_cannot_be_found_is_a_problem() {
    let world = World::with(&SHIPMENTS).await;
    let never_to_be = Uuid::now_v7();
    world
        .execute(&format!(
            "insert into shipments_1.shipments (id, version, updated_at) values ('{never_to_be}', 2, '2026-01-02T03:04:05Z')"
        ))
        .await;
    for id in [Uuid::now_v7(), never_to_be] {
        let answer = world.get(&format!("/v1/shipments/{id}")).await;
        answer.problem(404, "shipment-not-found");
    }
    world
        .get("/v1/shipments/42")
        .await
        .problem(400, "invalid-id");
    let headers = [
        ("x-min-position", "ShippingEvents/1@0"),
        ("prefer", "wait=0"),
    ];
    let uri = format!("/v1/shipments/{never_to_be}");
    let answer = world.send("GET", &uri, &headers).await;
    answer.problem(503, "not-yet-visible");
}
