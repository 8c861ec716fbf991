//! `GET /v1/payments/{id}`.

use serde_json::json;
use uuid::Uuid;

use crate::world::{PAYMENTS, World, money};

#[tokio::test]
async fn a_payment_has_the_shape_of_the_contract() {
    let world = World::with(&PAYMENTS).await;
    let (refunded, declined, order_id) = (Uuid::now_v7(), Uuid::now_v7(), Uuid::now_v7());
    let error = json!({ "code": "card-declined", "detail": "the card was declined" });
    world
        .execute(&format!(
            "insert into payments_1.payments values
                 ('{refunded}', 7, '{order_id}', 2, 'refunded', 'EUR', 3998, 3998, 1000, null,
                     '2026-01-02T03:04:05Z', '2026-01-02T03:05:05Z'),
                 ('{declined}', 2, '{order_id}', 1, 'declined', 'EUR', 3998, 0, 0, '{error}',
                     '2026-01-02T03:04:05Z', '2026-01-02T03:04:06Z')"
        ))
        .await;
    assert_eq!(
        world.get(&format!("/v1/payments/{refunded}")).await.json(),
        json!({
            "id": refunded,
            "order_id": order_id,
            "attempt": 2,
            "status": "refunded",
            "amount": money(3998),
            "captured": money(3998),
            "refunded": money(1000),
            "error": null,
            "version": 7,
            "created_at": "2026-01-02T03:04:05Z",
            "updated_at": "2026-01-02T03:05:05Z",
        })
    );
    let payment = world.get(&format!("/v1/payments/{declined}")).await.json();
    assert_eq!(
        (&payment["error"], &payment["captured"]),
        (&error, &money(0))
    );
}

#[tokio::test]
async fn what_cannot_be_found_is_a_problem() {
    let world = World::with(&PAYMENTS).await;
    let never_begun = Uuid::now_v7();
    world
        .execute(&format!(
            "insert into payments_1.payments (id, version, updated_at) values ('{never_begun}', 1, '2026-01-02T03:04:05Z')"
        ))
        .await;
    for id in [Uuid::now_v7(), never_begun] {
        let answer = world.get(&format!("/v1/payments/{id}")).await;
        answer.problem(404, "payment-not-found");
    }
    world
        .get("/v1/payments/42")
        .await
        .problem(400, "invalid-id");
    let headers = [
        ("x-min-position", "PaymentEvents/1@0"),
        ("prefer", "wait=0"),
    ];
    let uri = format!("/v1/payments/{never_begun}");
    let answer = world.send("GET", &uri, &headers).await;
    answer.problem(503, "not-yet-visible");
}
