//! From payment to delivery, and back out of every state.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use dev::deployment::Server;
use domain::order::OrderEvent;
use serde_json::{Value, json};
use system_tests::{Client, Journal, Money, Stock, World, shop};
use tokio::task::JoinSet;
use uuid::Uuid;

use crate::{PATIENCE, blocking, services, wait_for, world};

/// Everything that these tests run on.
pub(crate) struct Shop {
    world: Arc<World>,
    pub(crate) servers: Vec<Server>,
    pub(crate) commands: Client,
    pub(crate) queries: Client,
}

impl Shop {
    pub(crate) async fn open() -> Self {
        let world = Arc::new(world().await);
        let server = {
            let world = Arc::clone(&world);
            let flags = ["--completed-after", "1"];
            blocking(move || world.services_with(&[], None, &flags)).await
        };
        let (projectors, query_api) = {
            let world = Arc::clone(&world);
            blocking(move || world.read_side()).await
        };
        let commands = Client::new(&server.url);
        let queries = Client::new(&query_api.url);
        shop::fill(&commands).await;
        Self {
            world,
            servers: vec![server, projectors, query_api],
            commands,
            queries,
        }
    }

    /// An order that awaits its payment.
    async fn order(&self) -> String {
        let bought = shop::check_out(&self.commands, "ada", &[("TEA", 1), ("CUP", 2)]).await;
        let id = bought.body["order_id"]
            .as_str()
            .expect("an order")
            .to_owned();
        self.until(&id, "awaiting_payment").await;
        id
    }

    async fn paid_order(&self, token: &str) -> String {
        let id = self.order().await;
        self.pay(&id, token).await;
        self.until(&id, "paid").await;
        id
    }

    pub(crate) async fn pay(&self, id: &str, token: &str) {
        let body = json!({"payment_method": token});
        let paid = self.post(&format!("/v1/orders/{id}/pay"), &body).await;
        assert_eq!(
            (paid.0, &paid.1["status"]),
            (200, &json!("payment_pending")),
            "{paid:?}"
        );
    }

    pub(crate) async fn post(&self, path: &str, body: &Value) -> (u16, Value) {
        post(&self.commands, path, body).await
    }

    pub(crate) async fn until(&self, id: &str, status: &str) -> Value {
        let path = format!("/v1/orders/{id}");
        wait_for(&self.queries, &path, |order| order["status"] == status).await
    }

    async fn until_stuck(&self, id: &str) -> Value {
        let path = format!("/v1/orders/{id}");
        wait_for(&self.queries, &path, |order| order["stuck"] == true).await
    }

    /// Has its goods leave as soon as they are packed.
    pub(crate) async fn dispatch(&self, id: &str) {
        let (status, body) = dispatch(&self.commands, id).await;
        assert_eq!(status, 200, "{body}");
    }

    async fn at_rest(&self) -> (Stock, Money) {
        let log = self.world.log();
        let money = Money::at_rest(&log, &self.world.wiring.gateway_url).await;
        (Stock::at_rest(&log).await, money)
    }

    pub(crate) async fn close(self) {
        blocking(move || drop(self.servers)).await;
    }
}

async fn post(commands: &Client, path: &str, body: &Value) -> (u16, Value) {
    let key = Uuid::now_v7().to_string();
    let answer = commands.post(path, &key, body).await.expect("an answer");
    (answer.status, answer.body)
}

/// A shipment is packed soon after its order was paid.
async fn dispatch(commands: &Client, id: &str) -> (u16, Value) {
    let begun = std::time::Instant::now();
    loop {
        let path = format!("/v1/shipments/{id}/dispatch");
        let answer = post(commands, &path, &json!({"carrier": "By hand"})).await;
        if answer.0 != 404 {
            return answer;
        }
        assert!(begun.elapsed() < PATIENCE, "{id} is not packed: {answer:?}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_order_goes_from_cart_to_delivery() {
    let shop = Shop::open().await;
    let id = shop.paid_order("tok_visa").await;
    shop.dispatch(&id).await;
    let shipped = shop.until(&id, "shipped").await;
    let path = format!("/v1/orders/{id}/cancel");
    let late = shop.post(&path, &json!({})).await;
    assert_eq!(
        (late.0, &late.1["code"]),
        (409, &json!("order-already-shipped"))
    );
    let (status, failed) = shop
        .post(&format!("/v1/shipments/{id}/fail"), &json!({}))
        .await;
    assert_eq!((status, &failed["status"]), (200, &json!("failed")));
    shop.dispatch(&id).await;
    let deliver = format!("/v1/shipments/{id}/deliver");
    let (status, others) = shop.post(&deliver, &json!({"carrier": "By drone"})).await;
    assert_eq!(
        (status, &others["code"]),
        (409, &json!("carriage-mismatch"))
    );
    let said = json!({"carrier": "By hand", "tracking_number": "1"});
    let (status, delivered) = shop.post(&deliver, &said).await;
    assert_eq!((status, &delivered["status"]), (200, &json!("delivered")));
    shop.until(&id, "completed").await;
    let (stock, money) = shop.at_rest().await;
    assert_eq!(stock.shipped(), 1);
    assert!(money.bills[&id].shipped, "{shipped}");
    // Who has reacted to everything is behind by nothing, though the log ends with control records.
    wait_for(&shop.commands, "/metrics", |text| {
        let lines = text.as_str().unwrap_or_default().lines();
        let mut lags = lines.filter(|line| line.starts_with("offset_zero_policy_lag_records{"));
        lags.next().is_some_and(|lag| lag.ends_with(" 0")) && lags.all(|lag| lag.ends_with(" 0"))
    })
    .await;
    shop.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_payment_that_fails_can_be_made_again() {
    let shop = Shop::open().await;
    let declined = shop.order().await;
    shop.pay(&declined, "tok_declined").await;
    let path = format!("/v1/orders/{declined}");
    let told = wait_for(&shop.queries, &path, |order| {
        order["last_payment_error"]["code"] == "card-declined"
    })
    .await;
    assert_eq!(told["status"], "awaiting_payment", "{told}");
    for (id, token) in [
        (declined, "tok_visa"),
        (shop.order().await, "tok_flaky"),
        // Its answer never comes: what became of it is found out by asking.
        (shop.order().await, "tok_timeout"),
    ] {
        shop.pay(&id, token).await;
        let order = shop.until(&id, "paid").await;
        assert_eq!(order["last_payment_error"], json!(null), "{order}");
        assert_eq!(order["payment"]["status"], "authorised", "{order}");
    }
    shop.at_rest().await;
    shop.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_paid_is_undone_when_the_order_is_cancelled() {
    let shop = Shop::open().await;
    let paid = shop.paid_order("tok_visa").await;
    let pending = shop.order().await;
    shop.pay(&pending, "tok_timeout").await;
    for id in [&paid, &pending] {
        let path = format!("/v1/orders/{id}/cancel");
        let cancelled = shop.post(&path, &json!({"reason": "no more"})).await;
        assert_eq!(cancelled.0, 200, "{cancelled:?}");
        let path = format!("/v1/orders/{id}");
        wait_for(&shop.queries, &path, |order| {
            order["payment"]["status"] == "voided"
        })
        .await;
    }
    let (stock, _) = shop.at_rest().await;
    assert_eq!((stock.shipped(), stock.holders()), (0, 0));
    shop.close().await;
}

/// The money is set aside, and then the gateway will not hand it over: the goods stay until somebody decides.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn goods_whose_money_is_refused_stay() {
    let shop = Shop::open().await;
    let [resumed, cancelled] = [
        shop.paid_order("tok_capture_refused").await,
        shop.paid_order("tok_capture_refused").await,
    ];
    for id in [&resumed, &cancelled] {
        shop.dispatch(id).await;
        let order = shop.until_stuck(id).await;
        assert_eq!(order["status"], "dispatching", "{order}");
    }
    // Where somebody looks who was called at night.
    let listed = shop.queries.get("/v1/orders?stuck=true").await;
    let listed = listed.expect("an answer").body;
    let listed = listed["items"].as_array().expect("a list");
    let listed: BTreeSet<_> = listed
        .iter()
        .filter_map(|order| order["id"].as_str())
        .collect();
    assert_eq!(listed, BTreeSet::from([&*resumed, &*cancelled]));
    wait_for(&shop.queries, "/metrics", |text| {
        let mut lines = text.as_str().unwrap_or_default().lines();
        lines.any(|line| line.starts_with("offset_zero_orders_stuck") && line.ends_with(" 2"))
    })
    .await;
    let again = shop
        .post(&format!("/v1/orders/{resumed}/resume"), &json!({}))
        .await;
    assert_eq!(again.0, 200, "{again:?}");
    shop.until(&resumed, "shipped").await;
    let off = shop
        .post(&format!("/v1/orders/{cancelled}/cancel"), &json!({}))
        .await;
    assert_eq!(off.0, 200, "{off:?}");
    let path = format!("/v1/orders/{cancelled}");
    wait_for(&shop.queries, &path, |order| {
        order["status"] == "cancelled" && order["stuck"] == false
    })
    .await;
    let silent = shop.paid_order("tok_capture_timeout").await;
    shop.dispatch(&silent).await;
    shop.until(&silent, "shipped").await;
    let (stock, money) = shop.at_rest().await;
    assert_eq!((stock.shipped(), stock.holders()), (2, 0));
    assert!(money.bills[&cancelled].cancelled);
    shop.close().await;
}

/// The order decides, and stock and money follow.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_a_cancel_and_a_dispatch_one_wins() {
    const RACES: usize = 500;
    const AT_ONCE: usize = 16;
    let world = Arc::new(world().await);
    let server = services(&world, &[]).await;
    let commands = Client::new(&server.url);
    shop::fill(&commands).await;
    let mut racing = JoinSet::new();
    let mut cancelled = 0;
    let mut spread = HEARD_WITHIN;
    for _ in 0..RACES {
        if racing.len() == AT_ONCE {
            let won = racing.join_next().await.expect("some").expect("no panic");
            cancelled += usize::from(won);
            // Towards as many cancels that come too late as ones that do not, however busy the machine is.
            spread = spread.mul_f64(if won { 1.25 } else { 0.8 });
            spread = spread.clamp(Duration::from_millis(1), MAX_SPREAD);
        }
        racing.spawn(race(commands.clone(), spread));
    }
    for won in racing.join_all().await {
        cancelled += usize::from(won);
    }
    let log = world.log();
    let money = Money::at_rest(&log, &world.wiring.gateway_url).await;
    let stock = Stock::at_rest(&log).await;
    println!("{cancelled} of {RACES} were cancelled, the last within {spread:?}");
    assert!((1..RACES).contains(&cancelled), "it was no race");
    assert_eq!((stock.shipped(), stock.holders()), (RACES - cancelled, 0));
    for (id, bill) in &money.bills {
        assert_ne!(bill.cancelled, bill.shipped, "{id}: {bill:?}");
    }
    let journal = Journal::read(&log).await;
    let ends = journal.events.iter().filter(|recorded| {
        matches!(
            recorded.event,
            OrderEvent::Cancelled(_) | OrderEvent::Shipped(_)
        )
    });
    assert_eq!(ends.count(), RACES);
    blocking(move || drop(server)).await;
}

/// What an order takes to hear of its dispatch, to begin with.
const HEARD_WITHIN: Duration = Duration::from_millis(120);
const MAX_SPREAD: Duration = Duration::from_secs(10);

/// Whether the cancel won, which is sent within the spread.
async fn race(commands: Client, spread: Duration) -> bool {
    let id = commands.placed("ada").await;
    let body = json!({"payment_method": "tok_visa"});
    // Early or not: it is carried out when the stock is there.
    let paid = post(&commands, &format!("/v1/orders/{id}/pay"), &body).await;
    assert_eq!(paid.0, 200, "{paid:?}");
    let asked = dispatch(&commands, &id).await;
    assert_eq!(asked.0, 200, "{asked:?}");
    // Spread over the time that the order takes to hear of it.
    let part = f64::from(Uuid::now_v7().as_bytes()[15]) / 256.0;
    tokio::time::sleep(spread.mul_f64(part)).await;
    let path = format!("/v1/orders/{id}/cancel");
    let cancelled = post(&commands, &path, &json!({})).await;
    match (cancelled.0, cancelled.1["code"].as_str()) {
        (200, _) => true,
        (409, Some("order-already-shipped")) => false,
        _ => panic!("{id}: {cancelled:?}"),
    }
}
