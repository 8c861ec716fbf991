//! The process's own wiring, over a socket.

use clap::Parser;
use metrics_exporter_prometheus::PrometheusBuilder;
use query_api::{Args, Server};
use runtime::telemetry::Metrics;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    sync::oneshot,
};

fn args(listen: &str, database_url: &str) -> Args {
    Args::parse_from([
        "query-api",
        "--listen",
        listen,
        "--database-url",
        database_url,
    ])
}

#[tokio::test]
async fn serves_until_it_is_told_to_stop() {
    let recorder = PrometheusBuilder::new().build_recorder();
    let _recording = metrics::set_default_local_recorder(&recorder);
    // Nothing listens there: a server starts all the same, and says what it lacks.
    let args = args("127.0.0.1:0", "postgres://postgres@127.0.0.1:1/nowhere");
    let server = Server::bind(&args, Metrics::default())
        .await
        .expect("bound");
    let address = server.address().expect("an address");
    let (stop, stopped) = oneshot::channel::<()>();
    let running = tokio::spawn(server.run(async {
        let _ = stopped.await;
    }));

    for (path, status) in [
        ("/health/live", "200"),
        ("/health/ready", "503"),
        ("/metrics", "200"),
    ] {
        let mut client = TcpStream::connect(address).await.expect("connected");
        let request = format!("GET {path} HTTP/1.1\r\nhost: test\r\nconnection: close\r\n\r\n");
        client.write_all(request.as_bytes()).await.expect("sent");
        let mut answer = String::new();
        client.read_to_string(&mut answer).await.expect("answered");
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
