//! From cart to stock, through services that know each other by topics only.

use std::sync::Arc;

use dev::deployment::Server;
use domain::{Policy, order::OrderEvent, product::policy::InventoryPolicy};
use serde_json::{Value, json};
use system_tests::{Client, Stock, World, client::payment, shop};

use crate::{
    PATIENT, blocking,
    effects::{Reader, read_to_the_end},
    services, wait_for, wait_for_event, wait_for_status, world,
};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cart_becomes_an_order_that_is_confirmed_and_paid() {
    let world = Arc::new(world().await);
    let server = services(&world, &[]).await;
    let (projectors, query_api) = {
        let world = Arc::clone(&world);
        blocking(move || world.read_side()).await
    };
    let commands = Client::new(&server.url);
    let queries = Client::new(&query_api.url);
    shop::fill(&commands).await;
    wait_for_status(&queries, "/v1/products/TEA", 200).await;

    let bought = shop::check_out(&commands, "ada", &[("TEA", 2), ("CUP", 1)]).await;
    assert_eq!(bought.body["status"], "checked_out", "{bought:?}");
    let order_id = bought.body["order_id"]
        .as_str()
        .expect("an order")
        .to_owned();
    let path = format!("/v1/orders/{order_id}");
    let order = wait_for_order(&queries, &path, "awaiting_payment").await;
    assert_eq!(
        order["totals"]["total"],
        json!({"amount": 4_248, "currency": "EUR"})
    );

    let paid = commands
        .post(&format!("{path}/pay"), "pay", &payment())
        .await
        .expect("an answer");
    assert_eq!(
        (paid.status, &paid.body["status"]),
        (200, &json!("payment_pending")),
        "{paid:?}"
    );
    let seen = queries
        .get_at(&path, paid.header("x-position"))
        .await
        .expect("an answer");
    assert!(
        seen.body["version"].as_i64() >= paid.body["version"].as_i64(),
        "{seen:?}"
    );
    wait_for_order(&queries, &path, "paid").await;
    let cart = queries
        .get(&format!("/v1/carts/{}", bought.id()))
        .await
        .expect("an answer");
    assert_eq!(cart.body["order_id"], json!(order_id), "{cart:?}");

    Stock::at_rest(&world.log()).await;
    let product = wait_for(&queries, "/v1/products/TEA", |product| {
        product["reserved"] == 2
    })
    .await;
    assert_eq!(product["available"], 999_998, "{product}");
    blocking(move || drop((server, query_api, projectors))).await;
}

/// Everything that a customer sees goes on while the product service is down, and is made good when it is back.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn checkouts_are_answered_while_the_product_service_is_down() {
    const CHECKOUTS: usize = 60;
    let world = Arc::new(world().await);
    let product = services(&world, &["product"]).await;
    let shop_commands = Client::new(&product.url);
    shop::fill(&shop_commands).await;
    shop::create(&shop_commands, "RARE", 500, 10).await;
    let others = {
        let world = Arc::clone(&world);
        blocking(move || world.services_with(&["cart", "order"], None, &PATIENT)).await
    };
    let commands = Client::new(&others.url);
    blocking(move || product.service.kill())
        .await
        .expect("killed");

    for number in 0..CHECKOUTS {
        let sku = if number % 3 == 0 { "RARE" } else { "TEA" };
        let bought = shop::check_out(&commands, "ada", &[(sku, 1)]).await;
        assert_eq!(bought.status, 201, "{bought:?}");
    }
    let product = services(&world, &["product"]).await;
    let stock = Stock::at_rest(&world.log()).await;
    assert_eq!(stock.available("RARE"), 0);
    assert_eq!(stock.holders(), 10 + CHECKOUTS * 2 / 3);
    blocking(move || drop((product, others))).await;
}

/// Deadlines lie in events: a service that was killed before one is due finds it in the log. Whoever answers too late does
/// nothing, and holds nothing.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_order_that_nobody_answers_expires_also_after_a_restart() {
    const DEADLINE: &[&str] = &["--stock-deadline", "5"];
    const INVENTORY: [Reader; 1] = [(InventoryPolicy::NAME, InventoryPolicy::TOPICS)];
    let world = Arc::new(world().await);
    let product = services(&world, &["product"]).await;
    shop::fill(&Client::new(&product.url)).await;
    let order = hurried(&world, DEADLINE).await;
    blocking(move || product.service.kill())
        .await
        .expect("killed");
    let id = Client::new(&order.url).placed("ada").await;
    wait_for_event(&world, &id, |event| {
        matches!(event, OrderEvent::InventoryRequested(_))
    })
    .await;
    blocking(move || order.service.kill())
        .await
        .expect("killed");

    let order = hurried(&world, DEADLINE).await;
    wait_for_event(&world, &id, |event| matches!(event, OrderEvent::Expired(_))).await;
    let product = services(&world, &["product"]).await;
    // As long as it has read nothing, nobody holds anything either.
    read_to_the_end(&world, &INVENTORY).await;
    let stock = Stock::at_rest(&world.log()).await;
    assert_eq!(stock.holders(), 0);
    assert_eq!(stock.available("TEA"), 1_000_000);
    blocking(move || drop((product, order))).await;
}

/// A cart service that is deployed last knows the catalogue as well as one that was there from the first.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_service_that_is_deployed_last_builds_its_state_from_history() {
    let world = Arc::new(world().await);
    let product = services(&world, &["product"]).await;
    let first = services(&world, &["order"]).await;
    let catalogue = Client::new(&product.url);
    shop::fill(&catalogue).await;
    let reprice = json!({"price": {"amount": 2_100, "currency": "EUR"}});
    let repriced = catalogue
        .post("/v1/products/TEA/reprice", "r", &reprice)
        .await
        .expect("an answer");
    assert_eq!(repriced.status, 200, "{repriced:?}");
    let discontinued = catalogue
        .post("/v1/products/CUP/discontinue", "d", &json!({}))
        .await
        .expect("an answer");
    assert_eq!(discontinued.status, 200, "{discontinued:?}");
    let position = format!(
        "{},{}",
        repriced.header("x-position"),
        discontinued.header("x-position")
    );

    let last = services(&world, &["order"]).await;
    for server in [&first, &last] {
        let commands = Client::new(&server.url);
        for (sku, expected) in [("TEA", "price-changed"), ("CUP", "product-discontinued")] {
            let mut order = system_tests::client::order("ada");
            order["lines"] = json!([{"sku": sku, "quantity": 1, "unit_price": {"amount": 1, "currency": "EUR"}}]);
            let headers = [("x-min-position", position.as_str()), ("prefer", "wait=30")];
            let answer = commands
                .send(reqwest::Method::POST, "/v1/orders", &headers, Some(&order))
                .await;
            let answer = answer.expect("an answer");
            assert_eq!(
                (answer.status, answer.code()),
                (409, expected),
                "{answer:?}"
            );
        }
    }
    blocking(move || drop((product, first, last))).await;
}

/// The order service, with deadlines of its own.
async fn hurried(world: &Arc<World>, deadline: &'static [&'static str]) -> Server {
    let world = Arc::clone(world);
    blocking(move || world.services_with(&["order"], None, deadline)).await
}

async fn wait_for_order(queries: &Client, path: &str, status: &str) -> Value {
    wait_for(queries, path, |order| order["status"] == status).await
}
