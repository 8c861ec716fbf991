//! Over sockets, since the order in which things come is what it is about.

use axum::extract::State;
use tokio::io::{AsyncBufReadExt, BufReader};

use super::*;
use crate::extract::{ApiJson, ApiPath};

type Client = BufReader<TcpStream>;

/// Nobody waits for as long as that here.
const PATIENT: Limits = Limits {
    discard_timeout: Duration::from_secs(3_600),
    ..BRIEF
};
const DEADLINE: Duration = Duration::from_secs(60);

fn api() -> Router {
    let api = Router::new()
        .route("/json", post(async |_: ApiJson<Value>| "read"))
        .route("/ids/{id}", post(async |_: ApiPath<Uuid>| "read"))
        .route("/same", post(async |request: Request| request.into_body()))
        .route("/late", post(async || StatusCode::REQUEST_TIMEOUT))
        .route("/panics", post(panics));
    app(api, Readiness::new([]), Metrics::default())
}

/// Says that the routes are done with a request, whatever is still to come of its body.
async fn announce(State(done): State<Arc<Notify>>, request: Request, next: Next) -> Response {
    let response = next.run(request).await;
    done.notify_one();
    response
}

async fn connect(server: &Server) -> Client {
    let stream = TcpStream::connect(server.address).await;
    BufReader::new(stream.expect("connected"))
}

async fn write(client: &mut Client, text: &str) {
    let written = tokio::time::timeout(DEADLINE, client.write_all(text.as_bytes())).await;
    written.expect("in time").expect("still open");
}

/// The next answer, its head and its body.
async fn answer(client: &mut Client) -> String {
    let answer = tokio::time::timeout(DEADLINE, read_answer(client)).await;
    answer.expect("in time")
}

async fn read_answer(client: &mut Client) -> String {
    let mut answer = String::new();
    while !answer.ends_with("\r\n\r\n") {
        let read = client.read_line(&mut answer).await.expect("answered");
        assert_ne!(read, 0, "closed after {answer:?}");
    }
    let length = answer
        .lines()
        .find_map(|line| line.strip_prefix("content-length: "));
    let length: usize = length.map_or(0, |length| length.parse().expect("a number"));
    let mut body = vec![0_u8; length];
    client.read_exact(&mut body).await.expect("a body");
    answer.push_str(std::str::from_utf8(&body).expect("text"));
    answer
}

/// The connection takes another request.
async fn goes_on(client: &mut Client) {
    let request = "GET /health/live HTTP/1.1\r\nhost: test\r\n\r\n";
    write(client, request).await;
    let answer = answer(client).await;
    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
}

/// The next answer is the last, and says so.
async fn is_told_and_closed(client: &mut Client, status: u16) {
    let answer = answer(client).await;
    let expected = format!("HTTP/1.1 {status} ");
    assert!(answer.starts_with(&expected), "{status}: {answer}");
    assert!(answer.contains("\r\nconnection: close\r\n"), "{answer}");
    is_closed(client).await;
}

async fn is_closed(client: &mut Client) {
    let mut rest = Vec::new();
    let read = tokio::time::timeout(DEADLINE, client.read_to_end(&mut rest)).await;
    read.expect("in time").expect("closed");
    assert!(rest.is_empty());
}

#[tokio::test]
async fn a_connection_outlives_bodies_that_nobody_reads() {
    let done = Arc::new(Notify::new());
    let announced = middleware::from_fn_with_state(Arc::clone(&done), announce);
    let server = server(api().layer(announced), PATIENT).await;
    let mut client = connect(&server).await;
    for (target, status) in [
        ("POST /nowhere", 404),
        ("POST /health/live", 405),
        ("POST /json", 415),
        ("POST /ids/7", 400),
        ("POST /panics", 500),
        ("GET /health/live", 200),
    ] {
        for (framing, body) in [
            ("content-length: 5", "hello"),
            ("transfer-encoding: chunked", "5\r\nhello\r\n0\r\n\r\n"),
        ] {
            let head = format!("{target} HTTP/1.1\r\nhost: test\r\n{framing}\r\n\r\n");
            write(&mut client, &head).await;
            done.notified().await;
            write(&mut client, body).await;
            let answer = answer(&mut client).await;
            let expected = format!("HTTP/1.1 {status} ");
            assert!(answer.starts_with(&expected), "{target}: {answer}");
            assert!(!answer.contains("connection: close"), "{answer}");
        }
    }
    goes_on(&mut client).await;
}

#[tokio::test]
async fn a_body_that_is_the_answer_is_left_alone() {
    let done = Arc::new(Notify::new());
    let announced = middleware::from_fn_with_state(Arc::clone(&done), announce);
    let server = server(api().layer(announced), PATIENT).await;
    let mut client = connect(&server).await;
    let head = "POST /same HTTP/1.1\r\nhost: test\r\ncontent-length: 5\r\n\r\n";
    write(&mut client, head).await;
    done.notified().await;
    write(&mut client, "hello").await;
    let answer = answer(&mut client).await;
    assert!(answer.ends_with("\r\n\r\nhello"), "{answer}");
    goes_on(&mut client).await;
}

#[tokio::test]
async fn who_writes_all_of_a_large_body_before_reading_is_told_that_it_is_too_large() {
    let server = server(api(), PATIENT).await;
    let body = " ".repeat(5 << 20);
    let length = body.len();
    let chunked = format!("{length:x}\r\n{body}\r\n0\r\n\r\n");
    for (head, body, is_last) in [
        (
            format!("HTTP/1.1\r\ncontent-length: {length}"),
            &body,
            false,
        ),
        (
            "HTTP/1.1\r\ntransfer-encoding: chunked".to_owned(),
            &chunked,
            false,
        ),
        (
            format!("HTTP/1.1\r\nconnection: close\r\ncontent-length: {length}"),
            &body,
            true,
        ),
        (format!("HTTP/1.0\r\ncontent-length: {length}"), &body, true),
    ] {
        let mut client = connect(&server).await;
        let head =
            format!("POST /json {head}\r\nhost: test\r\ncontent-type: application/json\r\n\r\n");
        write(&mut client, &head).await;
        write(&mut client, body).await;
        let answer = answer(&mut client).await;
        let status = answer.split(' ').nth(1);
        assert_eq!(status, Some("413"), "{head}: {answer}");
        assert!(answer.contains("body-too-large"), "{answer}");
        if is_last {
            is_closed(&mut client).await;
        } else {
            goes_on(&mut client).await;
        }
    }
}

#[tokio::test]
async fn asks_for_no_body_that_nobody_reads() {
    let server = server(api(), PATIENT).await;
    let head = |target: &str, length: usize| {
        format!(
            "POST {target} HTTP/1.1\r\nhost: test\r\ncontent-type: application/json\r\n\
             expect: 100-Continue\r\ncontent-length: {length}\r\n\r\n"
        )
    };
    for (target, length, status) in [
        ("/json", 5 << 20, 413),
        ("/nowhere", 5, 404),
        ("/health/live", 5, 405),
        ("/ids/7", 5, 400),
    ] {
        let mut client = connect(&server).await;
        write(&mut client, &head(target, length)).await;
        is_told_and_closed(&mut client, status).await;
    }
    // One that is read is asked for.
    let mut client = connect(&server).await;
    write(&mut client, &head("/json", 2)).await;
    let asked = answer(&mut client).await;
    assert_eq!(asked, "HTTP/1.1 100 Continue\r\n\r\n");
    write(&mut client, "{}").await;
    let read = answer(&mut client).await;
    assert!(read.starts_with("HTTP/1.1 200 "), "{read}");
    goes_on(&mut client).await;
}

#[tokio::test]
async fn waits_for_no_body_that_does_not_end() {
    let short = Limits {
        discard_timeout: Duration::from_millis(50),
        ..PATIENT
    };
    let small = Limits {
        discarded_bytes: 4,
        ..PATIENT
    };
    for (limits, target, body, status) in [
        (short, "/nowhere", "content-length: 5\r\n\r\nhell", 404),
        (
            short,
            "/nowhere",
            "transfer-encoding: chunked\r\n\r\n5\r\nhello\r\n",
            404,
        ),
        (small, "/nowhere", "content-length: 5\r\n\r\n", 404),
        (
            small,
            "/nowhere",
            "transfer-encoding: chunked\r\n\r\n5\r\nhello\r\n",
            404,
        ),
        // This says that the body was waited for in vain already.
        (PATIENT, "/late", "content-length: 5\r\n\r\n", 408),
    ] {
        let server = server(api(), limits).await;
        let mut client = connect(&server).await;
        let request = format!("POST {target} HTTP/1.1\r\nhost: test\r\n{body}");
        write(&mut client, &request).await;
        is_told_and_closed(&mut client, status).await;
    }
}

#[tokio::test]
async fn a_body_that_breaks_off_is_the_last() {
    let server = server(api(), PATIENT).await;
    for (target, status) in [("/json", 400), ("/nowhere", 404)] {
        let mut client = connect(&server).await;
        let request = format!(
            "POST {target} HTTP/1.1\r\nhost: test\r\ncontent-type: application/json\r\n\
             content-length: 5\r\n\r\nhell"
        );
        write(&mut client, &request).await;
        client.shutdown().await.expect("still open");
        is_told_and_closed(&mut client, status).await;
    }
}
