//! Three processes that are restarted one after the other, as a deployment does it, while clients go on.

use std::{
    collections::HashMap,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use dev::deployment::Server;
use system_tests::{Client, Journal, Stock, client::order, shop};
use tokio::task::JoinSet;
use uuid::Uuid;

use crate::{blocking, services, world};

const PROCESSES: usize = 3;
const CLIENTS: usize = 6;

/// Each client asks the processes in turn and, where it is told to, again: every order is accepted in the end, and each is in
/// the log once.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_rolling_restart_loses_and_doubles_nothing() {
    let world = Arc::new(world().await);
    let shop = services(&world, &["product"]).await;
    shop::fill(&Client::new(&shop.url)).await;
    let mut servers = Vec::new();
    for _ in 0..PROCESSES {
        servers.push(services(&world, &["order"]).await);
    }
    let clients: Vec<_> = servers
        .iter()
        .map(|server| Client::new(&server.url))
        .collect();
    let stopping = Arc::new(AtomicBool::new(false));
    let mut running = JoinSet::new();
    for number in 0..CLIENTS {
        running.spawn(place_until(clients.clone(), number, Arc::clone(&stopping)));
    }
    for index in 0..PROCESSES {
        let old = servers.remove(0);
        let port = old
            .url
            .rsplit(':')
            .next()
            .and_then(|port| port.parse().ok());
        let port: u16 = port.expect("a URL ends with its port");
        let world = Arc::clone(&world);
        let new: Server = blocking(move || {
            old.service.stop().expect("it ends in order");
            drop(old);
            world.services(&["order"], Some(port))
        })
        .await;
        println!("process {index} is back");
        servers.push(new);
    }
    stopping.store(true, Ordering::Release);
    let mut accepted = HashMap::new();
    let mut retries = 0;
    for (orders, again) in running.join_all().await {
        retries += again;
        accepted.extend(orders);
    }
    println!("{} orders, {retries} retries", accepted.len());
    assert!(accepted.len() > PROCESSES * CLIENTS, "there was no load");

    let mut in_log = Journal::read(&world.log()).await.placed();
    let mut expected: Vec<_> = accepted.into_values().collect();
    in_log.sort();
    expected.sort();
    assert_eq!(in_log, expected, "each once, and nothing else");
    Stock::at_rest(&world.log()).await;
    blocking(move || drop((servers, shop))).await;
}

/// Places orders; answers the id of each by its key, and how often it had to ask again.
async fn place_until(
    clients: Vec<Client>,
    number: usize,
    stopping: Arc<AtomicBool>,
) -> (Vec<(String, String)>, usize) {
    let mut orders = Vec::new();
    let mut retries = 0;
    for turn in number.. {
        if stopping.load(Ordering::Acquire) {
            break;
        }
        let key = Uuid::now_v7().to_string();
        let client = &clients[turn % clients.len()];
        let (answer, again) = client.persist("/v1/orders", &key, &order("ada")).await;
        assert_eq!(answer.status, 201, "{answer:?}");
        retries += again;
        orders.push((key, answer.id().to_owned()));
    }
    (orders, retries)
}
