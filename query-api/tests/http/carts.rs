//! `GET /v1/carts/{id}`.

use serde_json::json;
use uuid::Uuid;

use crate::world::{CARTS, World, money};

#[tokio::test]
async fn a_cart_has_the_shape_of_the_contract() {
    let world = World::with(&CARTS).await;
    let (empty, bought, order_id) = (Uuid::now_v7(), Uuid::now_v7(), Uuid::now_v7());
    let items =
        json!([{ "sku": "tea", "quantity": 2, "unit_price": money(1999), "total": money(3998) }]);
    let totals = json!({ "items": money(3998), "total": money(3998) });
    world
        .execute(&format!(
            "insert into carts_1.carts values
                 ('{empty}', null, 'open', 1, '[]', null, null),
                 ('{bought}', 'ada', 'checked_out', 3, '{items}', '{totals}', '{order_id}')"
        ))
        .await;
    assert_eq!(
        world.get(&format!("/v1/carts/{empty}")).await.json(),
        json!({ "id": empty, "customer_id": null, "status": "open", "items": [], "totals": null, "order_id": null })
    );
    assert_eq!(
        world.get(&format!("/v1/carts/{bought}")).await.json(),
        json!({
            "id": bought,
            "customer_id": "ada",
            "status": "checked_out",
            "items": items,
            "totals": totals,
            "order_id": order_id,
        })
    );
}

#[tokio::test]
async fn what_cannot_be_found_is_a_problem() {
    let world = World::with(&CARTS).await;
    let id = Uuid::now_v7();
    let answer = world.get(&format!("/v1/carts/{id}")).await;
    answer.problem(404, "cart-not-found");
    world.get("/v1/carts/42").await.problem(400, "invalid-id");
    let headers = [("x-min-position", "CartEvents/1@0"), ("prefer", "wait=0")];
    let answer = world
        .send("GET", &format!("/v1/carts/{id}"), &headers)
        .await;
    answer.problem(503, "not-yet-visible");
}
