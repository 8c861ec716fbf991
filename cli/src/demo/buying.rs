//! Filling the shop, and buying.

use anyhow::{Result, ensure};
use serde_json::json;

use super::{delivery, show, step, wait_for, wait_for_status};
use crate::{
    client::{post, put_at},
    running::Running,
};

/// Answers where in the log the catalogue is.
pub async fn stock_the_shop(running: &Running) -> Result<String> {
    let api = &running.command_api.url;
    step("filling the shop: POST /v1/products, POST /v1/stock/{sku}/receive");
    let mut position = String::new();
    for (sku, name, price, pieces) in [
        ("TEA-EARL-GREY", "Earl Grey, 100 g", 1_999, 20),
        ("MUG-BLUE", "A blue mug", 1_499, 1),
    ] {
        let product =
            json!({"sku": sku, "name": name, "price": {"amount": price, "currency": "EUR"}});
        let created = post(&format!("{api}/v1/products"), sku, &product).await?;
        show(&created);
        let received = json!({"quantity": pieces});
        show(&post(&format!("{api}/v1/stock/{sku}/receive"), sku, &received).await?);
        created.header("x-position").clone_into(&mut position);
    }
    Ok(position)
}

/// Answers the order's id.
pub async fn check_out(running: &Running, stocked: &str) -> Result<String> {
    let carts = format!("{}/v1/carts", running.command_api.url);
    step("filling a cart: POST /v1/carts, PUT /v1/carts/{id}/items/{sku}");
    let cart = post(&carts, "demo-cart-1", &json!({"customer_id": "ada"})).await?;
    show(&cart);
    let cart = format!("{carts}/{}", cart.text("id"));
    for (sku, quantity) in [("TEA-EARL-GREY", 2), ("MUG-BLUE", 1)] {
        let item = json!({"quantity": quantity});
        show(&put_at(&format!("{cart}/items/{sku}"), stocked, &item).await?);
    }

    step("checking out: POST /v1/carts/{id}/checkout");
    let bought = post(&format!("{cart}/checkout"), "demo-checkout-1", &delivery()).await?;
    show(&bought);
    step("the same request again, as after a lost answer");
    let again = post(&format!("{cart}/checkout"), "demo-checkout-1", &delivery()).await?;
    show(&again);
    let order = bought.text("order_id").to_owned();
    ensure!(
        again.text("order_id") == order,
        "a retry must give the same order"
    );

    step(
        "meanwhile: OrderPlaced -> InventoryCheck -> stock reserved -> InventoryConfirmed -> awaiting payment",
    );
    wait_for_status(running, &order, "awaiting_payment").await?;
    Ok(order)
}

/// There was one mug.
pub async fn be_refused(running: &Running) -> Result<()> {
    step("another order for the mug, of which there is none left");
    let order = json!({
        "customer_id": "grace",
        "lines": [{"sku": "TEA-EARL-GREY", "quantity": 1}, {"sku": "MUG-BLUE", "quantity": 1}],
        "shipping_address": delivery()["shipping_address"]
    });
    let orders = format!("{}/v1/orders", running.command_api.url);
    let placed = post(&orders, "demo-order-2", &order).await?;
    show(&placed);
    let rejected = wait_for_status(running, placed.text("id"), "rejected").await?;
    println!(
        "   the order is {}, and no tea is held for it:",
        rejected.text("status")
    );
    let tea = format!("{}/v1/products/TEA-EARL-GREY", running.query_api.url);
    let tea = wait_for(&tea, |tea| tea.body["reserved"] == 0).await?;
    println!("   {}", tea.body);
    Ok(())
}

/// An order for tea that awaits its payment.
pub async fn order_tea(running: &Running, key: &str) -> Result<String> {
    let order = json!({
        "customer_id": "grace",
        "lines": [{"sku": "TEA-EARL-GREY", "quantity": 1}],
        "shipping_address": delivery()["shipping_address"],
        "contact": {"email": "grace@example.com"}
    });
    let orders = format!("{}/v1/orders", running.command_api.url);
    let placed = post(&orders, key, &order).await?;
    show(&placed);
    let id = placed.text("id").to_owned();
    wait_for_status(running, &id, "awaiting_payment").await?;
    Ok(id)
}
