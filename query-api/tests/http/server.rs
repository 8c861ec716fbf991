//! The process's own wiring, over a socket.

use std::{
    net::SocketAddr,
    time::{Duration, Instant},
};

use clap::Parser;
use metrics_exporter_prometheus::PrometheusBuilder;
use query_api::{Args, Server};
use runtime::telemetry::Metrics;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    sync::oneshot,
    task::JoinHandle,
};

use crate::world::World;

/// Less than open requests are given when the server stops.
const STOP_LIMIT: Duration = Duration::from_secs(5);

fn args(listen: &str, database_url: &str) -> Args {
    Args::parse_from([
        "query-api",
        "--listen",
        listen,
        "--database-url",
        database_url,
    ])
}

/// What is answered until the connection is closed.
async fn get(address: SocketAddr, path: &str, headers: &str) -> String {
    let mut client = TcpStream::connect(address).await.expect("connected");
    let request =
        format!("GET {path} HTTP/1.1\r\nhost: test\r\nconnection: close\r\n{headers}\r\n");
    client.write_all(request.as_bytes()).await.expect("sent");
    let mut answer = String::new();
    client.read_to_string(&mut answer).await.expect("answered");
    answer
}

/// A server that runs: where, how it is told to stop, and its end.
async fn started(args: &Args) -> (SocketAddr, oneshot::Sender<()>, JoinHandle<()>) {
    let server = Server::bind(args, Metrics::default()).await.expect("bound");
    let address = server.address().expect("an address");
    let (stop, stopped) = oneshot::channel();
    let running = tokio::spawn(server.run(async {
        let _ = stopped.await;
    }));
    (address, stop, running)
}

#[tokio::test]
async fn serves_until_it_is_told_to_stop() {
    let recorder = PrometheusBuilder::new().build_recorder();
    let _recording = metrics::set_default_local_recorder(&recorder);
    // Nothing listens there: a server starts all the same, and says what it lacks.
    let args = args("127.0.0.1:0", "postgres://postgres@127.0.0.1:1/nowhere");
    let (address, stop, running) = started(&args).await;

    for (path, status) in [
        ("/health/live", "200"),
        ("/health/ready", "503"),
        ("/metrics", "200"),
    ] {
        let answer = get(address, path, "").await;
        assert!(
            answer.starts_with(&format!("HTTP/1.1 {status}")),
            "{answer}"
        );
    }
    let told = recorder.handle().render();
    assert!(!told.contains("offset_zero_orders_stuck"), "{told}");
    stop.send(()).expect("still running");
    running.await.expect("ended without a panic");
    assert!(TcpStream::connect(address).await.is_err());
}

#[tokio::test]
async fn a_read_that_waits_is_answered_when_the_server_stops() {
    let world = World::new().await;
    let args = args("127.0.0.1:0", &world.url);
    let (address, stop, running) = started(&args).await;
    let headers = "x-min-position: OrderEvents/0@0\r\nprefer: wait=30\r\n";
    let waiting = tokio::spawn(get(address, "/v1/orders", headers));
    world.until_somebody_waits().await;

    let begun = Instant::now();
    stop.send(()).expect("still running");
    let answer = waiting.await.expect("no panic");
    assert!(begun.elapsed() < STOP_LIMIT, "{:?}", begun.elapsed());
    assert!(answer.starts_with("HTTP/1.1 503"), "{answer}");
    assert!(answer.contains("retry-after: 1\r\n"), "{answer}");
    assert!(answer.contains(r#""code":"not-yet-visible""#), "{answer}");
    running.await.expect("ended without a panic");
}

#[tokio::test]
async fn says_why_it_cannot_start() {
    let free = "127.0.0.1:0";
    let error = Server::bind(&args(free, "nowhere"), Metrics::default()).await;
    let error = error.expect_err("no Postgres URL");
    assert_eq!(error.to_string(), "cannot read the database's URL");

    let first = Server::bind(&args(free, "postgres://localhost"), Metrics::default()).await;
    let taken = first
        .as_ref()
        .expect("bound")
        .address()
        .expect("an address");
    let second = Server::bind(
        &args(&taken.to_string(), "postgres://localhost"),
        Metrics::default(),
    )
    .await;
    let error = second.expect_err("the address is taken");
    assert_eq!(error.to_string(), format!("cannot listen on {taken}"));
}
