//! The process's own wiring, over a socket.

use std::net::SocketAddr;

use clap::Parser;
use command_api::{Args, Server};
use runtime::telemetry::Metrics;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    sync::oneshot,
};

use crate::api::example_order;

fn args(listen: &str) -> Args {
    // Nothing listens there: a server starts all the same, and says what it lacks.
    Args::parse_from([
        "command-api",
        "--listen",
        listen,
        "--kafka-brokers",
        "127.0.0.1:1",
    ])
}

async fn answer(address: SocketAddr, request: &str, body: &str) -> String {
    let mut client = TcpStream::connect(address).await.expect("connected");
    let length = body.len();
    let head = format!(
        "{request} HTTP/1.1\r\nhost: test\r\nconnection: close\r\n\
         content-type: application/json\r\ncontent-length: {length}\r\n\r\n{body}"
    );
    client.write_all(head.as_bytes()).await.expect("sent");
    let mut answer = String::new();
    client.read_to_string(&mut answer).await.expect("answered");
    answer
}

#[tokio::test]
async fn serves_without_kafka_until_it_is_told_to_stop() {
    let server = Server::bind(&args("127.0.0.1:0"), Metrics::default()).await;
    let server = server.expect("bound");
    let address = server.address().expect("an address");
    let (stop, stopped) = oneshot::channel::<()>();
    let running = tokio::spawn(server.run(async {
        drop(stopped.await);
    }));

    let order = example_order().to_string();
    for (request, body, expected) in [
        ("GET /health/live", "", "HTTP/1.1 200"),
        ("GET /health/ready", "", "HTTP/1.1 503"),
        ("POST /v1/orders", &*order, "HTTP/1.1 503"),
    ] {
        let answer = answer(address, request, body).await;
        assert!(answer.starts_with(expected), "{request}: {answer}");
    }
    stop.send(()).expect("still running");
    let ended = running.await.expect("ended without a panic");
    ended.expect("Kafka may come later");
    assert!(TcpStream::connect(address).await.is_err());
}

#[tokio::test]
async fn says_why_it_cannot_start() {
    let other = TcpListener::bind("127.0.0.1:0").await.expect("bound");
    let address = other.local_addr().expect("an address").to_string();
    let error = Server::bind(&args(&address), Metrics::default()).await;
    let error = error.map(drop).expect_err("the address is taken");
    assert_eq!(error.to_string(), format!("cannot listen on {address}"));
}
