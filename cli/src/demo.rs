//! `offset-zero demo`: the whole stack on fresh data, orders through it, a read model rebuilt, and all gone again.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use dev::stack::StackOptions;
use serde_json::{Value, json};

use crate::{
    client::{Answer, get_at, post, put_at},
    operate,
    running::Running,
};

/// How long what goes on by itself may take.
const PATIENCE: Duration = Duration::from_secs(30);

/// Runs the demo; everything it starts has ended when it returns.
pub async fn run() -> Result<()> {
    let begun = Instant::now();
    step("starting Kafka and Postgres on fresh data and free ports");
    let running = tokio::task::spawn_blocking(|| Running::start(StackOptions::fresh(), None, None))
        .await
        .context("starting the stack")??;
    println!("   command API  {}", running.command_api.url);
    println!("   query API    {}", running.query_api.url);
    println!("   Kafka        {}", running.wiring.brokers);
    println!("   Postgres     {}", running.wiring.database_url);
    println!("   logs         {}", running.logs());
    let told = journey(&running).await;
    step("stopping everything");
    let stopped = tokio::task::spawn_blocking(move || running.stop()).await?;
    told.and(stopped)?;
    println!(
        "\ndone in {:.1} s; nothing is left running",
        begun.elapsed().as_secs_f64()
    );
    Ok(())
}

async fn journey(running: &Running) -> Result<()> {
    let stocked = stock_the_shop(running).await?;
    let order = buy(running, &stocked).await?;
    let paid = pay(running, &order).await?;
    be_refused(running).await?;
    rebuild(running, &order, &paid).await
}

/// Answers where in the log the catalogue is.
async fn stock_the_shop(running: &Running) -> Result<String> {
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
async fn buy(running: &Running, stocked: &str) -> Result<String> {
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

/// Answers where in the log the payment is.
async fn pay(running: &Running, order: &str) -> Result<String> {
    step("paying: POST /v1/orders/{id}/pay");
    let url = format!("{}/v1/orders/{order}/pay", running.command_api.url);
    let pay = json!({"payment_method": "tok_visa", "amount": {"amount": 5_497, "currency": "EUR"}});
    let paid = post(&url, "demo-pay-1", &pay).await?;
    show(&paid);
    let position = paid.header("x-position").to_owned();

    step("its status: GET /v1/orders/{id}, as of that position");
    let seen = get_at(&order_url(running, order), &position).await?;
    println!("{}", serde_json::to_string_pretty(&seen.body)?);
    ensure!(seen.text("status") == "paid", "the order must be paid");

    step("its history across services: GET /v1/orders/{id}/history");
    let history = get_at(&format!("{}/history", order_url(running, order)), &position).await?;
    for item in history.body["items"].as_array().into_iter().flatten() {
        let text = |member: &str| item[member].as_str().unwrap_or_default().to_owned();
        println!(
            "   {:<26} {:<50} {}",
            text("type"),
            text("stream"),
            text("position")
        );
    }
    Ok(position)
}

/// There was one mug.
async fn be_refused(running: &Running) -> Result<()> {
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
    let tea = wait_for(&tea, |tea| tea.body["available"] == 18).await?;
    println!("   {}", tea.body);
    Ok(())
}

async fn rebuild(running: &Running, order: &str, paid: &str) -> Result<()> {
    let before = get_at(&order_url(running, order), paid).await?;
    step("rebuilding the read model from offset zero, while the old one serves");
    operate::rebuild(&running.target(), &["orders".to_owned()], false).await?;
    let after = get_at(&order_url(running, order), paid).await?;
    ensure!(
        after.body == before.body,
        "the rebuilt row must equal the old one"
    );
    println!("   the rebuilt row is equal to the old one");
    let projections = get_at(&format!("{}/v1/projections", running.query_api.url), "").await?;
    println!("{}", serde_json::to_string_pretty(&projections.body)?);
    Ok(())
}

fn order_url(running: &Running, order: &str) -> String {
    format!("{}/v1/orders/{order}", running.query_api.url)
}

async fn wait_for_status(running: &Running, order: &str, status: &str) -> Result<Answer> {
    wait_for(&order_url(running, order), |order| {
        order.text("status") == status
    })
    .await
}

/// Reads until the answer is as wanted: what follows from a command is not covered by its position.
async fn wait_for(url: &str, wanted: impl Fn(&Answer) -> bool) -> Result<Answer> {
    let begun = Instant::now();
    loop {
        let last = get_at(url, "").await;
        match last {
            Ok(answer) if wanted(&answer) => return Ok(answer),
            Ok(answer) if begun.elapsed() > PATIENCE => bail!("{url} stays {}", answer.body),
            Err(error) if begun.elapsed() > PATIENCE => return Err(error),
            Ok(_) | Err(_) => tokio::time::sleep(Duration::from_millis(20)).await,
        }
    }
}

fn step(what: &str) {
    println!("\n== {what}");
}

fn show(answer: &Answer) {
    let replayed = match answer.header("idempotency-replayed") {
        "" => String::new(),
        value => format!("  idempotency-replayed: {value}"),
    };
    println!("   {} {}", answer.status, answer.body);
    println!("   x-position: {}{replayed}", answer.header("x-position"));
}

fn delivery() -> Value {
    json!({
        "shipping_address": {
            "name": "Ada Lovelace", "line1": "12 St James's Square",
            "postal_code": "SW1Y 4JH", "city": "London", "country": "GB"
        },
        "contact": {"email": "ada@example.com"}
    })
}
