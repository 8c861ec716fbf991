//! Services that are killed in the middle of journeys: each goes on exactly where it was.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use dev::deployment::{GatewayFlags, Server};
use reqwest::Method;
use runtime::signature::DEVELOPMENT_SECRET;
use serde_json::{Value, json};
use system_tests::{Answer, Client, Money, Stock, World, client::order, shop};
use tokio::task::JoinSet;
use uuid::Uuid;

use crate::{PATIENCE, PATIENT, blocking, world};

const KILLS: usize = 50;
const CUSTOMERS: usize = 4;
const SERVICES: [&str; 6] = [
    "product",
    "cart",
    "order",
    "payment",
    "shipping",
    "notification",
];
/// What customers pay with, in turn; all of it works in the end.
const TOKENS: [&str; 4] = ["tok_visa", "tok_flaky", "tok_visa", "tok_slow"];

/// A process for each service, on a port of its own that it keeps.
struct Deployed {
    world: Arc<World>,
    ports: Vec<u16>,
    servers: Vec<Option<Server>>,
}

impl Deployed {
    async fn start(world: &Arc<World>) -> Self {
        let ports = SERVICES.map(|_| dev::ports::free().expect("a free port"));
        let mut deployed = Self {
            world: Arc::clone(world),
            ports: ports.to_vec(),
            servers: SERVICES.map(|_| None).into(),
        };
        for index in 0..SERVICES.len() {
            deployed.restart(index).await;
        }
        deployed
    }

    fn client(&self, service: &str) -> Client {
        let index = SERVICES.iter().position(|name| *name == service);
        let port = self.ports[index.expect("a service")];
        Client::new(&format!("http://127.0.0.1:{port}"))
    }

    async fn restart(&mut self, index: usize) {
        let (world, port) = (Arc::clone(&self.world), self.ports[index]);
        let start = move || world.services_with(&SERVICES[index..=index], Some(port), &PATIENT);
        let server = blocking(start).await;
        self.servers[index] = Some(server);
    }

    async fn kill(&mut self, index: usize) {
        let server = self.servers[index].take().expect("it runs");
        blocking(move || server.service.kill())
            .await
            .expect("killed");
    }

    async fn stop(self) {
        blocking(move || drop(self.servers)).await;
    }
}

/// Sends until it is answered definitely; the key makes that safe.
async fn insist(client: &Client, path: &str, key: &str, body: &Value) -> Answer {
    let begun = std::time::Instant::now();
    loop {
        let headers = [("idempotency-key", key)];
        let last = client.send(Method::POST, path, &headers, Some(body)).await;
        match last {
            Ok(answer) if answer.status < 500 && answer.status != 404 => return answer,
            last => assert!(begun.elapsed() < PATIENCE * 2, "{path}: {last:?}"),
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// One whole journey, as far as a customer and a warehouse go.
async fn journey(orders: &Client, shipments: &Client, number: usize) {
    let key = Uuid::now_v7().to_string();
    let placed = insist(orders, "/v1/orders", &key, &order("ada")).await;
    let id = placed.id().to_owned();
    let pay = json!({"payment_method": TOKENS[number % TOKENS.len()]});
    let paid = insist(orders, &format!("/v1/orders/{id}/pay"), &key, &pay).await;
    assert_eq!(paid.status, 200, "{paid:?}");
    if number % 5 == 4 {
        let path = format!("/v1/orders/{id}/cancel");
        let cancelled = insist(orders, &path, &key, &json!({})).await;
        assert_eq!(cancelled.status, 200, "{cancelled:?}");
        return;
    }
    // Not before it is packed.
    let path = format!("/v1/shipments/{id}/dispatch");
    let dispatched = insist(shipments, &path, &key, &json!({})).await;
    assert_eq!(dispatched.status, 200, "{dispatched:?}");
}

/// Customers who do not stop until they are told to; answers how many journeys were begun.
fn customers(deployed: &Deployed, stopping: &Arc<AtomicBool>) -> JoinSet<usize> {
    let mut customers = JoinSet::new();
    for customer in 0..CUSTOMERS {
        let (orders, shipments) = (deployed.client("order"), deployed.client("shipping"));
        let stopping = Arc::clone(stopping);
        customers.spawn(async move {
            let mut number = customer;
            while !stopping.load(Ordering::Acquire) {
                journey(&orders, &shipments, number).await;
                number += 1;
            }
            number - customer
        });
    }
    customers
}

async fn at_rest(world: &World, begun: usize) {
    let log = world.log();
    let money = Money::at_rest(&log, &world.wiring.gateway_url).await;
    let stock = Stock::at_rest(&log).await;
    let cancelled = money.bills.values().filter(|bill| bill.cancelled).count();
    println!("{begun} journeys, {cancelled} cancelled");
    assert_eq!(money.bills.len(), begun);
    assert_eq!(stock.shipped(), begun - cancelled);
}

/// The gateway's books agree with ours, however often the one who asks it is killed.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_paid_twice_or_lost_when_the_payment_service_is_killed() {
    let mut world = world().await;
    // A gateway of its own, whose webhooks come early, twice, and to a service that is away.
    let port = dev::ports::free().expect("a free port");
    let (back, gateway) = blocking(move || {
        let webhook = format!("http://127.0.0.1:{port}/v1/payments/webhook");
        let flags = GatewayFlags {
            webhook: Some((&webhook, DEVELOPMENT_SECRET)),
            books: None,
        };
        let gateway = world.wiring.gateway(None, &flags).expect("it starts");
        gateway.wait_ready().expect("it gets ready");
        world.wiring.gateway_url.clone_from(&gateway.url);
        (world, gateway)
    })
    .await;
    world = back;
    let world = Arc::new(world);
    let mut deployed = Deployed::start(&world).await;
    let payment = SERVICES.iter().position(|name| *name == "payment");
    let payment = payment.expect("a service");
    deployed.kill(payment).await;
    deployed.ports[payment] = port;
    deployed.restart(payment).await;
    shop::fill(&deployed.client("product")).await;

    let stopping = Arc::new(AtomicBool::new(false));
    let buying = customers(&deployed, &stopping);
    for round in 0..KILLS {
        // Spread over the time that a payment takes, and printed to repeat it.
        let delay = Duration::from_millis(u64::from(Uuid::now_v7().as_bytes()[15]));
        println!("round {round}: killed after {delay:?}");
        tokio::time::sleep(delay).await;
        deployed.kill(payment).await;
        deployed.restart(payment).await;
    }
    stopping.store(true, Ordering::Release);
    let begun: usize = buying.join_all().await.iter().sum();
    at_rest(&world, begun).await;
    deployed.stop().await;
    blocking(move || drop(gateway)).await;
}

/// Whole journeys while each service in turn dies and comes back: every one of them ends.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_journey_ends_although_each_service_in_turn_is_killed() {
    let world = Arc::new(world().await);
    let mut deployed = Deployed::start(&world).await;
    shop::fill(&deployed.client("product")).await;
    let stopping = Arc::new(AtomicBool::new(false));
    let buying = customers(&deployed, &stopping);
    for index in 0..SERVICES.len() {
        tokio::time::sleep(Duration::from_millis(500)).await;
        deployed.kill(index).await;
        tokio::time::sleep(Duration::from_millis(500)).await;
        deployed.restart(index).await;
    }
    stopping.store(true, Ordering::Release);
    let begun: usize = buying.join_all().await.iter().sum();
    at_rest(&world, begun).await;
    deployed.stop().await;
}
