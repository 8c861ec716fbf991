//! What is done outside: once, however often it is asked for.

use std::{
    collections::BTreeMap,
    fs,
    path::PathBuf,
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use axum::{Router, extract::State, http::HeaderMap, routing::post};
use dev::{deployment::Server, dirs::Scratch};
use event_store::{
    Checkpoint,
    log::{Log, LogError},
};
use reqwest::Method;
use serde_json::{Value, json};
use system_tests::{Client, Journal, Money, Stock, World, shop};
use tokio::net::TcpListener;
use uuid::Uuid;

use crate::{PATIENCE, blocking, services, world};

const ORDERS: usize = 12;
const KILLS: usize = 5;
/// A policy, or somebody else with a consumer group, and what it reads.
pub(crate) type Reader = (&'static str, &'static [&'static str]);
/// Everybody who does something outside, or has it done.
const REACTORS: [Reader; 4] = [
    ("payment-workflow", &["PaymentEvents", "OrderEvents"]),
    ("payment-gateway", &["PaymentEvents"]),
    ("notification-planning", &["OrderEvents", "PaymentEvents"]),
    ("notification-delivery", &["NotificationEvents"]),
];

/// A system that is told of orders: how often, by id.
#[derive(Clone, Default)]
struct Receiver(Arc<Mutex<BTreeMap<String, usize>>>);

impl Receiver {
    async fn listen(&self) -> String {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let router = Router::new()
            .route("/", post(Self::receive))
            .with_state(self.clone());
        tokio::spawn(async { axum::serve(listener, router).await });
        format!("http://{address}/")
    }

    async fn receive(State(this): State<Self>, headers: HeaderMap) {
        let id = headers["webhook-id"].to_str().expect("an id").to_owned();
        *this.0.lock().expect("no panic").entry(id).or_default() += 1;
    }

    fn known(&self) -> usize {
        self.0.lock().expect("no panic").len()
    }
}

/// The services that reach outside, where mails go, and whom they tell.
struct Outside {
    world: Arc<World>,
    port: u16,
    mails: Scratch,
    receiver: Receiver,
    url: String,
}

impl Outside {
    async fn new(world: &Arc<World>) -> Self {
        let receiver = Receiver::default();
        let url = receiver.listen().await;
        Self {
            world: Arc::clone(world),
            port: dev::ports::free().expect("a free port"),
            mails: Scratch::new().expect("a folder"),
            receiver,
            url,
        }
    }

    async fn start(&self) -> Server {
        let (world, port, url) = (Arc::clone(&self.world), self.port, self.url.clone());
        let mails = PathBuf::from(self.mails.path());
        blocking(move || {
            let flags = [
                "--mail-folder",
                &mails.to_string_lossy(),
                "--notify-webhook",
                &url,
            ];
            world.services_with(&["payment", "notification"], Some(port), &flags)
        })
        .await
    }

    fn mails(&self) -> Vec<String> {
        let files = fs::read_dir(self.mails.path()).expect("the folder is there");
        let paths = files.map(|file| file.expect("readable").path());
        let mails = paths.filter(|path| path.extension().is_some_and(|end| end == "eml"));
        mails
            .map(|path| fs::read_to_string(path).expect("a mail"))
            .collect()
    }
}

/// Whether everything was read that there is, by all of them, and nothing has come of it since.
fn is_read(world: &World, readers: &[Reader]) -> Result<bool, LogError> {
    let log = world.log();
    let places = readers.iter().flat_map(|(group, topics)| {
        let partitions = move |topic| {
            let partitions = 0..world.wiring.partitions;
            partitions.map(move |partition| (*group, topic, partition))
        };
        topics.iter().copied().flat_map(partitions)
    });
    let places: Vec<_> = places.collect();
    let ends = || {
        let ends = places.iter().map(|(_, topic, p)| log.end_offset(topic, *p));
        ends.collect::<Result<Vec<_>, _>>()
    };
    let before = ends()?;
    for ((group, topic, partition), end) in places.iter().zip(&before) {
        let read = log.committed(group, topic, *partition)?;
        if read.map_or(0, |read| read.next_offset) < *end {
            return Ok(false);
        }
    }
    Ok(ends()? == before)
}

async fn until(what: &str, is_so: impl Fn() -> bool) {
    let begun = Instant::now();
    while !is_so() {
        assert!(begun.elapsed() < PATIENCE, "{what}");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

/// Waits until everything that there is was read by all of them, what came of it included.
pub(crate) async fn read_to_the_end(world: &Arc<World>, readers: &'static [Reader]) {
    let begun = Instant::now();
    loop {
        let world = Arc::clone(world);
        if blocking(move || is_read(&world, readers))
            .await
            .expect("the log answers")
        {
            return;
        }
        assert!(begun.elapsed() < PATIENCE, "not everything was read");
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}

/// As if everybody had lost how far they had come.
fn forget(world: &World) {
    for (group, topics) in REACTORS {
        let places = topics.iter().flat_map(|topic| {
            (0..world.wiring.partitions).map(|partition| Checkpoint::zero(topic, partition))
        });
        let places: Vec<_> = places.collect();
        world.log().commit(group, &places).expect("the log answers");
    }
}

fn order(number: usize) -> Value {
    let mut order = system_tests::client::order(&format!("customer-{number}"));
    order["contact"] = json!({"email": format!("customer-{number}@example.com")});
    order
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_effect_happens_once_whatever_is_killed_forgotten_or_rebuilt() {
    let world = Arc::new(world().await);
    let outside = Outside::new(&world).await;
    let inside = services(&world, &["product", "order", "shipping"]).await;
    let commands = Client::new(&inside.url);
    shop::fill(&commands).await;
    let mut server = outside.start().await;
    for number in 0..ORDERS {
        let key = Uuid::now_v7().to_string();
        let placed = commands.post("/v1/orders", &key, &order(number)).await;
        let id = placed.expect("an answer").id().to_owned();
        let path = format!("/v1/orders/{id}/pay");
        let pay = json!({"payment_method": "tok_visa"});
        let paid = commands.post(&path, &key, &pay).await.expect("an answer");
        assert_eq!(paid.status, 200, "{paid:?}");
        if number % (ORDERS / KILLS) == 0 {
            blocking(move || server.service.kill())
                .await
                .expect("killed");
            server = outside.start().await;
        }
    }
    // An order and a payment for each, and nothing else: nobody dispatches.
    let told = 2 * ORDERS;
    until("not everybody was told", || {
        outside.mails().len() == told && outside.receiver.known() == told
    })
    .await;
    let log = world.log();
    Money::at_rest(&log, &world.wiring.gateway_url).await;
    read_to_the_end(&world, &REACTORS).await;

    blocking(move || server.service.kill())
        .await
        .expect("killed");
    let forgetful = Arc::clone(&world);
    blocking(move || forget(&forgetful)).await;
    let server = outside.start().await;
    read_to_the_end(&world, &REACTORS).await;
    let rebuilding = Arc::clone(&world);
    let read_side = blocking(move || {
        let read_side = rebuilding.read_side();
        for name in ["orders", "payments", "notifications"] {
            rebuilding.wiring.rebuild(name).expect("rebuilt");
        }
        read_side
    })
    .await;

    assert_eq!(
        (outside.mails().len(), outside.receiver.known()),
        (told, told)
    );
    let books = Client::new(&world.wiring.gateway_url);
    let books = books.send(Method::GET, "/books", &[], None).await;
    let books = books.expect("an answer").body;
    let placed = Journal::read(&log).await.placed();
    let payments = books["payments"].as_array().expect("books");
    let of_order = |id: &String| {
        let theirs = payments
            .iter()
            .filter(|payment| payment["order_id"] == **id);
        theirs.map(|payment| payment["requests"].as_u64()).collect()
    };
    for id in &placed {
        let requests: Vec<_> = of_order(id);
        assert_eq!(requests, [Some(1)], "{id} was asked for more than once");
    }
    Stock::at_rest(&log).await;
    blocking(move || drop((server, inside, read_side))).await;
}

/// Nobody wants to hear of what was long ago; only of what comes after.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_notification_service_that_is_deployed_last_tells_of_nothing_older() {
    let world = Arc::new(world().await);
    let outside = Outside::new(&world).await;
    let inside = services(&world, &["product", "order"]).await;
    let commands = Client::new(&inside.url);
    shop::fill(&commands).await;
    let place = async |number| {
        let key = Uuid::now_v7().to_string();
        let (placed, _) = commands.persist("/v1/orders", &key, &order(number)).await;
        placed.id().to_owned()
    };
    let old = place(0).await;
    let server = outside.start().await;
    let new = place(1).await;
    // What is old is called off when that is news.
    let path = format!("/v1/orders/{old}/cancel");
    let (cancelled, _) = commands.persist(&path, "c", &json!({})).await;
    assert_eq!(cancelled.status, 200, "{cancelled:?}");
    until("the news were not told", || outside.mails().len() == 2).await;
    read_to_the_end(&world, &REACTORS).await;
    let mails = outside.mails();
    assert_eq!(mails.len(), 2, "{mails:?}");
    let of = |id: &str| mails.iter().filter(|mail| mail.contains(id)).count();
    assert_eq!((of(&new), of(&old)), (1, 1), "{mails:?}");
    assert!(
        mails.iter().any(|mail| mail.contains("cancelled")),
        "{mails:?}"
    );
    blocking(move || drop((server, inside))).await;
}
