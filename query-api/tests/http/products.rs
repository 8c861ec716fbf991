//! `GET /v1/products` and `GET /v1/products/{sku}`.

use serde_json::json;

use crate::world::{PRODUCTS, World, tampered};

/// Products of these SKUs; none of them has been repriced.
async fn insert(world: &World, skus: &[&str]) {
    for sku in skus {
        world
            .execute(&format!(
                "insert into products_1.products values ('{sku}', 'Tea', 1999, 'EUR', 'active', 1, 10, 3, 2)"
            ))
            .await;
    }
}

async fn skus(world: &World, query: &str) -> (Vec<String>, Option<String>) {
    let page = world.get(&format!("/v1/products?{query}")).await.json();
    let items = page["items"].as_array().expect("items").iter();
    let skus = items.map(|item| item["sku"].as_str().expect("a SKU").to_owned());
    let next = page["next_cursor"].as_str().map(str::to_owned);
    (skus.collect(), next)
}

#[tokio::test]
async fn a_product_has_the_shape_of_the_contract() {
    let world = World::with(&PRODUCTS).await;
    insert(&world, &["TEA-1"]).await;
    let expected = json!({
        "sku": "TEA-1",
        "name": "Tea",
        "price": { "amount": 1999, "currency": "EUR" },
        "status": "active",
        "on_hand": 10,
        "reserved": 3,
        "available": 7,
    });
    let answer = world.get("/v1/products/TEA-1").await.json();
    assert_eq!(answer, expected);
    let list = world.get("/v1/products").await.json();
    assert_eq!(list, json!({ "items": [expected], "next_cursor": null }));
}

#[tokio::test]
async fn what_is_not_in_the_catalogue_is_not_found() {
    let world = World::with(&PRODUCTS).await;
    // Its stock alone is known yet.
    world
        .execute(
            "insert into products_1.products values ('TEA-1', null, null, null, null, 0, 10, 0, 2)",
        )
        .await;
    for sku in ["TEA-1", "TEA-2", "tea-1"] {
        let answer = world.get(&format!("/v1/products/{sku}")).await;
        let problem = answer.problem(404, "product-not-found");
        assert!(
            problem["detail"]
                .as_str()
                .is_some_and(|detail| detail.contains(sku))
        );
    }
    assert_eq!(skus(&world, "").await, (vec![], None));
    for sku in ["%20", "a%20b", "gr%C3%B6n", &"x".repeat(65)] {
        let answer = world.get(&format!("/v1/products/{sku}")).await;
        answer.problem(400, "invalid-id");
    }
}

#[tokio::test]
async fn pages_are_in_the_order_of_bytes() {
    let world = World::with(&PRODUCTS).await;
    insert(&world, &["b", "B-2", "a", "-", "_", "B.1", "A", "9"]).await;
    let everything = ["-", "9", "A", "B-2", "B.1", "_", "a", "b"];
    for limit in [1, 3, 7, 8, 200] {
        let (mut all, mut cursor) = (Vec::new(), String::new());
        loop {
            let (page, next) = skus(&world, &format!("limit={limit}{cursor}")).await;
            assert!(page.len() <= limit);
            all.extend(page);
            let Some(next) = next else {
                break;
            };
            cursor = format!("&cursor={next}");
        }
        assert_eq!(all, everything, "{limit}");
    }
}

/// As a foreign producer may have written them.
#[tokio::test]
async fn a_page_may_end_with_a_sku_of_any_form() {
    let world = World::with(&PRODUCTS).await;
    let long = "x".repeat(1_000);
    let foreign = ["a b", "grün", &*long];
    insert(&world, &foreign).await;
    let (mut all, mut cursor) = (Vec::new(), String::new());
    loop {
        let (page, next) = skus(&world, &format!("limit=1{cursor}")).await;
        all.extend(page);
        let Some(next) = next else {
            break;
        };
        cursor = format!("&cursor={next}");
    }
    assert_eq!(all, foreign);
}

#[tokio::test]
async fn refuses_what_it_cannot_read() {
    let world = World::with(&PRODUCTS).await;
    insert(&world, &["a", "b"]).await;
    let (_, next) = skus(&world, "limit=1").await;
    let changed = tampered(&next.expect("a cursor"), 0, b"b");
    let changed = format!("cursor={changed}");
    for (query, status, code) in [
        ("limit=many", 400, "invalid-query"),
        ("sku=a", 400, "invalid-query"),
        ("cursor=nonsense", 400, "invalid-cursor"),
        (&*changed, 400, "invalid-cursor"),
        ("limit=0", 422, "validation-failed"),
        ("limit=201", 422, "validation-failed"),
        ("limit=99999999999999999999", 422, "validation-failed"),
    ] {
        let answer = world.get(&format!("/v1/products?{query}")).await;
        answer.problem(status, code);
    }
}

#[tokio::test]
async fn waits_for_both_of_its_topics() {
    let world = World::with(&PRODUCTS).await;
    insert(&world, &["a"]).await;
    world
        .execute(
            "update offset_zero.checkpoints set next_offset = 5 where topic = 'ProductEvents' and partition = 0",
        )
        .await;
    for (position, status) in [
        ("ProductEvents/0@4", 200),
        ("ProductEvents/0@5", 503),
        ("ProductEvents/0@4,InventoryEvents/0@0", 503),
        ("ProductEvents/0@4,OrderEvents/0@99", 200),
    ] {
        let headers = [("x-min-position", position), ("prefer", "wait=0")];
        for uri in ["/v1/products", "/v1/products/a"] {
            let answer = world.send("GET", uri, &headers).await;
            assert_eq!(answer.status, status, "{position}");
        }
    }
}
