//! `ETag` and `If-None-Match` on reads of one thing.

use uuid::Uuid;

use crate::world::{CARTS, Order, PAYMENTS, PRODUCTS, SHIPMENTS, World};

impl World {
    /// The tag of what is there, which spares the answer to whoever holds it.
    async fn tag_of(&self, uri: &str) -> String {
        let answer = self.get(uri).await;
        answer.json();
        let tag = answer.headers["etag"].to_str().expect("text").to_owned();
        for held in [&*tag, &format!("W/{tag}"), &format!("\"0\", {tag}"), "*"] {
            let spared = self.send("GET", uri, &[("if-none-match", held)]).await;
            assert_eq!((spared.status.as_u16(), &*spared.text), (304, ""), "{held}");
            assert_eq!(spared.headers["etag"], *tag);
            assert!(spared.headers.contains_key("x-request-id"));
        }
        for held in ["\"0\"", "nonsense"] {
            let answer = self.send("GET", uri, &[("if-none-match", held)]).await;
            assert_eq!(answer.status, 200, "{held}");
        }
        tag
    }
}

#[tokio::test]
async fn an_order_changes_with_its_payments_and_shipments() {
    let world = World::new().await;
    let order = Order::placed_at("2026-01-02T03:04:05Z");
    world.insert(&order).await;
    let uri = format!("/v1/orders/{}", order.id);
    let mut seen = vec![world.tag_of(&uri).await];
    for change in [
        "version = 2",
        "payment_next_offset = 12",
        "shipping_next_offset = 40",
        "payment_next_offset = 14",
    ] {
        world
            .execute(&format!("update orders_1.orders set {change}"))
            .await;
        let held = seen.last().expect("a tag");
        let answer = world.send("GET", &uri, &[("if-none-match", held)]).await;
        assert_eq!(answer.status, 200, "{change}");
        seen.push(world.tag_of(&uri).await);
    }
    let expected = ["\"1\"", "\"2\"", "\"2.12.0\"", "\"2.12.40\"", "\"2.14.40\""];
    assert_eq!(seen, expected);
}

#[tokio::test]
async fn a_product_changes_with_its_stock() {
    let world = World::with(&PRODUCTS).await;
    world
        .execute("insert into products_1.products values ('tea', 'Tea', 1999, 'EUR', 'active', 3, 10, 3, 17)")
        .await;
    assert_eq!(world.tag_of("/v1/products/tea").await, "\"3.17\"");
}

#[tokio::test]
async fn carts_payments_and_shipments_are_one_stream_each() {
    let id = Uuid::now_v7();
    let time = "'2026-01-02T03:04:05Z'";
    for (projection, path, row) in [
        (
            &CARTS,
            "carts",
            format!("carts_1.carts values ('{id}', null, 'open', 5, '[]', null, null)"),
        ),
        (
            &PAYMENTS,
            "payments",
            format!(
                "payments_1.payments values ('{id}', 5, '{id}', 1, 'pending', 'EUR', 1, 0, 0, null, {time}, {time})"
            ),
        ),
        (
            &SHIPMENTS,
            "shipments",
            format!(
                "shipments_1.shipments values ('{id}', 5, '{id}', 'created', '[]', null, null, {time}, {time})"
            ),
        ),
    ] {
        let world = World::with(projection).await;
        world.execute(&format!("insert into {row}")).await;
        let uri = format!("/v1/{path}/{id}");
        assert_eq!(world.tag_of(&uri).await, "\"5\"");
    }
}

#[tokio::test]
async fn a_problem_has_no_tag() {
    let world = World::new().await;
    let uri = format!("/v1/orders/{}", Uuid::now_v7());
    let missing = world.send("GET", &uri, &[("if-none-match", "*")]).await;
    missing.problem(404, "order-not-found");
    assert!(!missing.headers.contains_key("etag"), "{missing:?}");
}
