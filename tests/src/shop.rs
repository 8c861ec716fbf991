//! What is sold in these tests.

use serde_json::{Value, json};
use uuid::Uuid;

use crate::{Answer, Client};

/// Of what [`crate::client::order`] buys there is more than any test needs.
const PLENTY: u64 = 1_000_000;

/// Creates the products that [`crate::client::order`] buys, and fills their stock.
pub async fn fill(commands: &Client) {
    for (sku, price) in [("TEA", 1_999), ("CUP", 250)] {
        create(commands, sku, price, PLENTY).await;
    }
}

/// Creates a product and receives so many pieces of it; answers where in the log that is.
pub async fn create(commands: &Client, sku: &str, price: i64, pieces: u64) -> String {
    let product = json!({
        "sku": sku, "name": format!("A fine {sku}"), "price": {"amount": price, "currency": "EUR"}
    });
    let created = accepted(commands, "/v1/products", &product).await;
    commands.has_seen(created.header("x-position"));
    let received = receive(commands, sku, pieces).await;
    format!("{},{received}", created.header("x-position"))
}

/// Receives so many pieces; answers where in the log that is.
pub async fn receive(commands: &Client, sku: &str, pieces: u64) -> String {
    let path = format!("/v1/stock/{sku}/receive");
    let received = accepted(commands, &path, &json!({"quantity": pieces})).await;
    received.header("x-position").to_owned()
}

/// A cart with so many of each SKU, checked out; the answer to the checkout.
pub async fn check_out(commands: &Client, customer_id: &str, items: &[(&str, u32)]) -> Answer {
    let cart = accepted(commands, "/v1/carts", &json!({"customer_id": customer_id})).await;
    let path = format!("/v1/carts/{}", cart.id());
    for (sku, quantity) in items {
        let item = commands
            .put(
                &format!("{path}/items/{sku}"),
                &json!({"quantity": quantity}),
            )
            .await;
        let item = item.expect("an answer");
        assert_eq!(item.status, 200, "{item:?}");
    }
    accepted(commands, &format!("{path}/checkout"), &delivery()).await
}

/// Where everything goes.
#[must_use]
pub fn delivery() -> Value {
    json!({
        "shipping_address": {
            "name": "Ada", "line1": "Main Street 1", "postal_code": "1000", "city": "London", "country": "GB"
        },
        "contact": {"email": "ada@example.com"}
    })
}

async fn accepted(commands: &Client, path: &str, body: &Value) -> Answer {
    let key = Uuid::now_v7().to_string();
    let answer = commands.post(path, &key, body).await.expect("an answer");
    assert!(matches!(answer.status, 200 | 201), "{path}: {answer:?}");
    answer
}
