mod unread;

use std::net::SocketAddr;

use axum::{
    body::{Body, to_bytes},
    routing::post,
};
use serde_json::Value;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    sync::{Notify, oneshot},
    task::JoinHandle,
};
use tower::ServiceExt;

use super::*;

fn router() -> Router {
    let api = Router::new()
        .route("/echo", get(async |request: Request| echo_id(&request)))
        .route("/only-post", post(async || "posted"))
        .route("/panics", get(panics))
        .route(
            "/fails",
            get(async || Problem::internal("the disk is full")),
        );
    app(api, Readiness::new(["kafka"]), Metrics::default())
}

fn echo_id(request: &Request) -> Vec<u8> {
    request.headers()[X_REQUEST_ID].as_bytes().to_vec()
}

async fn panics() -> &'static str {
    panic!("on purpose")
}

async fn send(router: Router, method: &str, uri: &str, id: &str) -> Response {
    let mut request = Request::builder().method(method).uri(uri);
    if !id.is_empty() {
        request = request.header(X_REQUEST_ID, id);
    }
    let request = request.body(Body::empty()).expect("request");
    router.oneshot(request).await.expect("infallible")
}

async fn problem(response: Response) -> Value {
    assert_eq!(
        response.headers()[header::CONTENT_TYPE],
        "application/problem+json"
    );
    assert!(response.headers().contains_key(X_REQUEST_ID));
    let body = to_bytes(response.into_body(), usize::MAX).await;
    serde_json::from_slice(&body.expect("body")).expect("json")
}

#[tokio::test]
async fn echoes_printable_request_ids_and_mints_others() {
    let longest = "x".repeat(128);
    for id in ["order-7/3", &longest] {
        let response = send(router(), "GET", "/echo", id).await;
        assert_eq!(response.headers()[X_REQUEST_ID], id);
        let body = to_bytes(response.into_body(), usize::MAX)
            .await
            .expect("body");
        assert_eq!(body, id.as_bytes());
    }
    for id in ["", "two words", "umlaut-\u{fc}", &format!("{longest}x")] {
        let response = send(router(), "GET", "/echo", id).await;
        let minted = response.headers()[X_REQUEST_ID]
            .to_str()
            .expect("printable");
        let minted = Uuid::parse_str(minted).expect("a UUID");
        assert_eq!(minted.get_version_num(), 7);
    }
}

#[tokio::test]
async fn unknown_routes_and_methods_are_problems() {
    for uri in ["/", "/nowhere", "/health", "/only-post/x"] {
        let response = send(router(), "GET", uri, "").await;
        assert_eq!(response.status(), StatusCode::NOT_FOUND);
        assert_eq!(problem(response).await["code"], "route-not-found");
    }
    for (method, uri, allow) in [
        ("GET", "/only-post", "POST"),
        ("DELETE", "/health/live", "GET,HEAD"),
        ("POST", "/metrics", "GET,HEAD"),
    ] {
        let response = send(router(), method, uri, "").await;
        assert_eq!(response.status(), StatusCode::METHOD_NOT_ALLOWED);
        assert_eq!(response.headers()[header::ALLOW], allow);
        assert_eq!(problem(response).await["code"], "method-not-allowed");
    }
}

#[tokio::test]
async fn panics_and_failures_are_problems_without_their_cause() {
    for uri in ["/panics", "/fails"] {
        let response = send(router(), "GET", uri, "").await;
        assert_eq!(response.status(), StatusCode::INTERNAL_SERVER_ERROR);
        let problem = problem(response).await;
        assert_eq!(problem["code"], "internal");
        assert_eq!(problem["detail"], problem["title"]);
    }
}

#[tokio::test]
async fn health_follows_readiness() {
    let readiness = Readiness::new(["kafka"]);
    let router = app(Router::new(), readiness.clone(), Metrics::default());
    let live = send(router.clone(), "GET", "/health/live", "").await;
    assert_eq!(live.status(), StatusCode::OK);

    let response = send(router.clone(), "GET", "/health/ready", "").await;
    assert_eq!(response.status(), StatusCode::SERVICE_UNAVAILABLE);
    let body = problem(response).await;
    assert_eq!(body["errors"][0]["pointer"], "/checks/kafka");

    readiness.set("kafka", Ok(()));
    let response = send(router.clone(), "GET", "/health/ready", "").await;
    assert_eq!(response.status(), StatusCode::OK);
}

#[test]
fn requests_are_counted_by_route() {
    let recorder = metrics_exporter_prometheus::PrometheusBuilder::new().build_recorder();
    let handle = recorder.handle();
    metrics::with_local_recorder(&recorder, || {
        let runtime = tokio::runtime::Builder::new_current_thread().build();
        runtime.expect("runtime").block_on(async {
            for uri in ["/echo", "/echo?again", "/nowhere", "/neither"] {
                send(router(), "GET", uri, "").await;
            }
            send(router(), "BREW", "/echo", "").await;
        });
    });
    let text = handle.render();
    for line in [
        "http_request_duration_seconds_count{method=\"GET\",route=\"/echo\",status=\"200\"} 2",
        "http_request_duration_seconds_count{method=\"GET\",route=\"unmatched\",status=\"404\"} 2",
        "http_request_duration_seconds_count{method=\"other\",route=\"/echo\",status=\"405\"} 1",
    ] {
        assert!(text.contains(line), "{text}");
    }
}

struct Server {
    address: SocketAddr,
    stop: oneshot::Sender<()>,
    serving: JoinHandle<()>,
}

/// A server that takes its time for nothing.
const BRIEF: Limits = Limits {
    farewell: Duration::from_millis(1),
    ..Limits::PRODUCTION
};

async fn server(router: Router, limits: Limits) -> Server {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("bound");
    let (stop, stopped) = oneshot::channel::<()>();
    let serving = tokio::spawn(serve_within(limits, listener, router, async {
        let _ = stopped.await;
    }));
    Server {
        address,
        stop,
        serving,
    }
}

#[tokio::test]
async fn answers_open_requests_before_it_stops() {
    let (entered, proceed) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let (enter, wait) = (Arc::clone(&entered), Arc::clone(&proceed));
    let slow = async move || {
        enter.notify_one();
        wait.notified().await;
        "done"
    };
    let api = Router::new().route("/slow", get(slow));
    let server = server(app(api, Readiness::new([]), Metrics::default()), BRIEF).await;

    let mut client = TcpStream::connect(server.address).await.expect("connected");
    let mut idle = TcpStream::connect(server.address).await.expect("connected");
    let request = b"GET /slow HTTP/1.1\r\nhost: test\r\n\r\n";
    client.write_all(request).await.expect("sent");
    entered.notified().await;
    server.stop.send(()).expect("still serving");
    // An idle connection is closed at once, which shows that the shutdown has begun.
    let mut nothing = Vec::new();
    idle.read_to_end(&mut nothing).await.expect("closed");
    assert!(nothing.is_empty());

    proceed.notify_one();
    let mut answer = String::new();
    client.read_to_string(&mut answer).await.expect("answered");
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    assert!(answer.ends_with("done"), "{answer}");
    server.serving.await.expect("ended");
}

#[tokio::test]
async fn gives_up_on_requests_that_never_end() {
    let entered = Arc::new(Notify::new());
    let enter = Arc::clone(&entered);
    let endless = async move || {
        enter.notify_one();
        std::future::pending::<()>().await;
    };
    let api = Router::new().route("/endless", get(endless));
    let server = server(
        app(api, Readiness::new([]), Metrics::default()),
        Limits {
            shutdown_timeout: Duration::from_millis(50),
            ..BRIEF
        },
    )
    .await;
    let mut client = TcpStream::connect(server.address).await.expect("connected");
    let request = b"GET /endless HTTP/1.1\r\nhost: test\r\n\r\n";
    client.write_all(request).await.expect("sent");
    entered.notified().await;
    server.stop.send(()).expect("still serving");
    let ended = tokio::time::timeout(Duration::from_secs(5), server.serving).await;
    ended.expect("in time").expect("without a panic");
}

#[tokio::test]
async fn tells_clients_before_it_stops() {
    let limits = Limits {
        farewell: Duration::from_secs(60),
        ..BRIEF
    };
    let server = server(router(), limits).await;
    let mut client = TcpStream::connect(server.address).await.expect("connected");
    server.stop.send(()).expect("still serving");
    let mut answer = String::new();
    // The first request may be read before the server has heard of it.
    while !answer.contains("connection: close\r\n") {
        let request = b"GET /echo HTTP/1.1\r\nhost: test\r\nx-request-id: me\r\n\r\n";
        client.write_all(request).await.expect("still open");
        answer.clear();
        while !answer.ends_with("\r\n\r\nme") {
            let mut bytes = [0; 1_024];
            let read = client.read(&mut bytes).await.expect("answered");
            assert_ne!(read, 0, "closed without an answer");
            answer.push_str(std::str::from_utf8(&bytes[..read]).expect("text"));
        }
        assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    }
    let mut rest = Vec::new();
    client.read_to_end(&mut rest).await.expect("closed");
    assert!(rest.is_empty());
    server.serving.abort();
}

/// What comes back until the connection is closed.
async fn exchange(address: SocketAddr, request: &str) -> String {
    let mut client = TcpStream::connect(address).await.expect("connected");
    let sent = client.write_all(request.as_bytes()).await;
    sent.expect("sent");
    let mut answer = String::new();
    client.read_to_string(&mut answer).await.expect("answered");
    answer
}

#[tokio::test]
async fn what_is_no_request_is_answered_by_a_status_alone() {
    let server = server(router(), BRIEF).await;
    let with_headers = |count: usize| {
        let others = "x-other: 1\r\n".repeat(count - 2);
        format!("GET /echo HTTP/1.1\r\nhost: test\r\nconnection: close\r\n{others}\r\n")
    };
    let most = exchange(server.address, &with_headers(MAX_HEADERS)).await;
    assert!(most.starts_with("HTTP/1.1 200"), "{most}");
    // It ends where the room does, so that nothing of it is left unread.
    let start = "GET /";
    let endless = format!("{start}{}", "x".repeat(MAX_HEADER_BYTES - start.len()));
    for (request, status) in [
        (with_headers(MAX_HEADERS + 1), "HTTP/1.1 431"),
        (endless, "HTTP/1.1 431"),
        ("nonsense\r\n\r\n".to_owned(), "HTTP/1.1 400"),
    ] {
        let answer = exchange(server.address, &request).await;
        assert!(answer.starts_with(status), "{answer}");
        assert!(!answer.contains("x-request-id"), "{answer}");
        assert!(answer.ends_with("\r\n\r\n"), "{answer}");
    }
    server.stop.send(()).expect("still serving");
    server.serving.await.expect("ended");
}

#[tokio::test]
async fn a_client_that_never_finishes_its_request_holds_nobody_up() {
    let limits = Limits {
        connections: 1,
        header_read_timeout: Duration::from_millis(100),
        ..BRIEF
    };
    let server = server(router(), limits).await;
    let mut slow = TcpStream::connect(server.address).await.expect("connected");
    slow.write_all(b"GET /echo HTTP/1.1\r\nho")
        .await
        .expect("sent");
    // There is room for one: this one is served when the other is sent away.
    let mut next = TcpStream::connect(server.address).await.expect("connected");
    let request = b"GET /echo HTTP/1.1\r\nhost: test\r\nconnection: close\r\n\r\n";
    next.write_all(request).await.expect("sent");
    let mut answer = String::new();
    next.read_to_string(&mut answer).await.expect("answered");
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    let mut rest = Vec::new();
    slow.read_to_end(&mut rest).await.expect("closed");
    server.stop.send(()).expect("still serving");
    server.serving.await.expect("ended");
}
