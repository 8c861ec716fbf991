//! Many orders for few pieces: none is sold twice, and none stays while somebody who could have had it is refused.

use std::sync::Arc;

use serde_json::json;
use system_tests::{Client, Stock, client, shop};
use tokio::task::JoinSet;
use uuid::Uuid;

use crate::{blocking, world};

const ORDERS: usize = 200;
const PIECES: u64 = 50;

/// Half of the orders want one SKU, half want two, in opposite orders; every piece ends up with somebody.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_200_orders_for_the_last_50_pieces_each_piece_goes_to_one() {
    let world = Arc::new(world().await);
    let server = {
        let world = Arc::clone(&world);
        blocking(move || world.command_api(None)).await
    };
    let commands = Client::new(&server.url);
    let mut position = String::new();
    for sku in ["ABACUS", "ZITHER"] {
        position = shop::create(&commands, sku, 100, PIECES).await;
    }
    let mut placing = JoinSet::new();
    for number in 0..ORDERS {
        let (commands, position) = (commands.clone(), position.clone());
        let skus: &[&str] = match number % 4 {
            0 => &["ABACUS"],
            1 => &["ZITHER"],
            2 => &["ABACUS", "ZITHER"],
            _ => &["ZITHER", "ABACUS"],
        };
        placing.spawn(async move { place(&commands, skus, &position).await });
    }
    placing.join_all().await;

    let stock = Stock::at_rest(&world.log()).await;
    for sku in ["ABACUS", "ZITHER"] {
        assert_eq!(stock.available(sku), 0, "somebody wanted it: {stock:#?}");
    }
    assert!(stock.holders() >= usize::try_from(PIECES).expect("small"));
    blocking(move || drop(server)).await;
}

async fn place(commands: &Client, skus: &[&str], position: &str) {
    let lines: Vec<_> = skus
        .iter()
        .map(|sku| json!({"sku": sku, "quantity": 1}))
        .collect();
    let mut order = client::order("ada");
    order["lines"] = json!(lines);
    let key = Uuid::now_v7().to_string();
    let headers = [
        ("idempotency-key", key.as_str()),
        ("x-min-position", position),
        ("prefer", "wait=30"),
    ];
    let placed = commands
        .send(reqwest::Method::POST, "/v1/orders", &headers, Some(&order))
        .await
        .expect("an answer");
    assert_eq!(placed.status, 201, "{placed:?}");
}
