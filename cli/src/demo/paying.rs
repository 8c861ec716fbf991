//! Paying, in every way that it can go.

use anyhow::{Result, ensure};
use serde_json::{Value, json};

use super::{Demo, buying::order_tea, order_url, wait_for, wait_for_status};
use crate::client::{Answer, post};

/// Pays by a card that is good.
pub async fn pay(demo: &Demo, order: &str) -> Result<()> {
    let prose = demo.prose;
    prose
        .step("paying: POST /v1/orders/{id}/pay, which the payment service asks the gateway for")?;
    let pay = json!({"payment_method": "tok_visa", "amount": {"amount": 5_497, "currency": "EUR"}});
    prose.show(&act(demo, order, "pay", "demo-pay-1", &pay).await?)?;
    wait_for_status(demo, order, "paid").await?;
    prose.say(format_args!("   the money is set aside"))
}

/// The simulated carrier moves the shipment.
pub async fn follow_to_delivery(demo: &Demo, order: &str) -> Result<()> {
    let prose = demo.prose;
    prose.step(
        "shipping: packed -> dispatch asked for -> approved by the order -> money taken -> dispatched -> delivered",
    )?;
    let shipped = ["shipped", "delivered", "completed"];
    let mut seen = until(demo, order, &shipped).await?;
    prose.say(format_args!("   {}", seen.text("status")))?;
    seen = until(demo, order, &shipped[1..]).await?;
    prose.say(format_args!("{:#}", seen.body))?;
    ensure!(
        seen.body["payment"]["status"] == "captured",
        "what was shipped must be paid"
    );
    Ok(())
}

/// A card that the gateway declines, and then one that is good.
pub async fn be_declined_and_pay_again(demo: &Demo) -> Result<()> {
    let prose = demo.prose;
    prose.step("an order whose card is declined, and that is paid by another one")?;
    let id = order_tea(demo, "demo-order-3").await?;
    let bad = json!({"payment_method": "tok_declined"});
    prose.show(&act(demo, &id, "pay", "demo-pay-3a", &bad).await?)?;
    let declined = wait_for(&order_url(demo, &id), |order| {
        order.body["last_payment_error"] != Value::Null
    })
    .await?;
    prose.say(format_args!(
        "   last_payment_error: {}",
        declined.body["last_payment_error"]
    ))?;
    let good = json!({"payment_method": "tok_visa"});
    prose.show(&act(demo, &id, "pay", "demo-pay-3b", &good).await?)?;
    let delivered = until(demo, &id, &["delivered", "completed"]).await?;
    prose.say(format_args!("   the order is {}", delivered.text("status")))
}

/// The money that was set aside is let go of.
pub async fn cancel_after_payment(demo: &Demo) -> Result<()> {
    let prose = demo.prose;
    prose.step("an order that is cancelled after it was paid: the payment is undone")?;
    let id = order_tea(demo, "demo-order-4").await?;
    let good = json!({"payment_method": "tok_visa"});
    prose.show(&act(demo, &id, "pay", "demo-pay-4", &good).await?)?;
    wait_for_status(demo, &id, "paid").await?;
    let reason = json!({"reason": "changed my mind"});
    prose.show(&act(demo, &id, "cancel", "demo-cancel-4", &reason).await?)?;
    let undone = wait_for(&order_url(demo, &id), |order| {
        order.body["payment"]["status"] == "voided"
    })
    .await?;
    prose.say(format_args!("   payment: {}", undone.body["payment"]))
}

/// The gateway does what it is asked, and its answer is lost.
pub async fn time_out(demo: &Demo) -> Result<()> {
    let prose = demo.prose;
    prose.step(
        "an order whose payment times out: what became of it is found out by asking, never guessed",
    )?;
    let id = order_tea(demo, "demo-order-5").await?;
    let silent = json!({"payment_method": "tok_timeout"});
    prose.show(&act(demo, &id, "pay", "demo-pay-5", &silent).await?)?;
    let paid = wait_for(&order_url(demo, &id), |order| {
        order.body["payment"]["status"] == "authorised"
            || order.body["payment"]["status"] == "captured"
    })
    .await?;
    prose.say(format_args!("   payment: {}", paid.body["payment"]))?;
    let delivered = until(demo, &id, &["delivered", "completed"]).await?;
    prose.say(format_args!("   the order is {}", delivered.text("status")))
}

async fn until(demo: &Demo, order: &str, statuses: &[&str]) -> Result<Answer> {
    wait_for(&order_url(demo, order), |order| {
        statuses.contains(&order.text("status"))
    })
    .await
}

async fn act(demo: &Demo, order: &str, action: &str, key: &str, body: &Value) -> Result<Answer> {
    let url = format!(
        "{}/v1/orders/{order}/{action}",
        demo.running.command_api.url
    );
    post(&url, key, body).await
}
