//! Filling the shop, and buying.

use anyhow::{Result, ensure};
use serde_json::json;

use super::{Demo, delivery, wait_for, wait_for_status};
use crate::client::{post, put_at};

/// Answers where in the log the catalogue is.
pub async fn stock_the_shop(demo: &Demo) -> Result<String> {
    let prose = demo.prose;
    let api = &demo.running.command_api.url;
    prose.step("filling the shop: POST /v1/products, POST /v1/stock/{sku}/receive")?;
    let mut position = String::new();
    for (sku, name, price, pieces) in [
        ("TEA-EARL-GREY", "Earl Grey, 100 g", 1_999, 20),
        ("MUG-BLUE", "A blue mug", 1_499, 1),
    ] {
        let product =
            json!({"sku": sku, "name": name, "price": {"amount": price, "currency": "EUR"}});
        let created = post(&format!("{api}/v1/products"), sku, &product).await?;
        prose.show(&created)?;
        let received = json!({"quantity": pieces});
        prose.show(&post(&format!("{api}/v1/stock/{sku}/receive"), sku, &received).await?)?;
        created.header("x-position").clone_into(&mut position);
    }
    Ok(position)
}

/// Answers the order's id.
pub async fn check_out(demo: &Demo, stocked: &str) -> Result<String> {
    let prose = demo.prose;
    let carts = format!("{}/v1/carts", demo.running.command_api.url);
    prose.step("filling a cart: POST /v1/carts, PUT /v1/carts/{id}/items/{sku}")?;
    let cart = post(&carts, "demo-cart-1", &json!({"customer_id": "ada"})).await?;
    prose.show(&cart)?;
    let cart = format!("{carts}/{}", cart.text("id"));
    for (sku, quantity) in [("TEA-EARL-GREY", 2), ("MUG-BLUE", 1)] {
        let item = json!({"quantity": quantity});
        prose.show(&put_at(&format!("{cart}/items/{sku}"), stocked, &item).await?)?;
    }

    prose.step("checking out: POST /v1/carts/{id}/checkout")?;
    let bought = post(&format!("{cart}/checkout"), "demo-checkout-1", &delivery()).await?;
    prose.show(&bought)?;
    prose.step("the same request again, as after a lost answer")?;
    let again = post(&format!("{cart}/checkout"), "demo-checkout-1", &delivery()).await?;
    prose.show(&again)?;
    let order = bought.text("order_id").to_owned();
    ensure!(
        again.text("order_id") == order,
        "a retry must give the same order"
    );

    prose.step(
        "meanwhile: OrderPlaced -> InventoryCheck -> stock reserved -> InventoryConfirmed -> awaiting payment",
    )?;
    wait_for_status(demo, &order, "awaiting_payment").await?;
    Ok(order)
}

/// There was one mug.
pub async fn be_refused(demo: &Demo) -> Result<()> {
    let prose = demo.prose;
    prose.step("another order for the mug, of which there is none left")?;
    let order = json!({
        "customer_id": "grace",
        "lines": [{"sku": "TEA-EARL-GREY", "quantity": 1}, {"sku": "MUG-BLUE", "quantity": 1}],
        "shipping_address": delivery()["shipping_address"]
    });
    let orders = format!("{}/v1/orders", demo.running.command_api.url);
    let placed = post(&orders, "demo-order-2", &order).await?;
    prose.show(&placed)?;
    let rejected = wait_for_status(demo, placed.text("id"), "rejected").await?;
    prose.say(format_args!(
        "   the order is {}, and no tea is held for it:",
        rejected.text("status")
    ))?;
    let tea = format!("{}/v1/products/TEA-EARL-GREY", demo.running.query_api.url);
    let tea = wait_for(&tea, |tea| tea.body["reserved"] == 0).await?;
    prose.say(format_args!("   {}", tea.body))
}

/// An order for tea that awaits its payment.
pub async fn order_tea(demo: &Demo, key: &str) -> Result<String> {
    let prose = demo.prose;
    let order = json!({
        "customer_id": "grace",
        "lines": [{"sku": "TEA-EARL-GREY", "quantity": 1}],
        "shipping_address": delivery()["shipping_address"],
        "contact": {"email": "grace@example.com"}
    });
    let orders = format!("{}/v1/orders", demo.running.command_api.url);
    let placed = post(&orders, key, &order).await?;
    prose.show(&placed)?;
    let id = placed.text("id").to_owned();
    wait_for_status(demo, &id, "awaiting_payment").await?;
    Ok(id)
}
