//! An API's outer shell: what every route of every server answers alike, and how connections are served.

mod unread;

use std::{
    convert::Infallible,
    io,
    panic::AssertUnwindSafe,
    pin::pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use axum::{
    Json, Router,
    extract::{MatchedPath, Request},
    http::{HeaderName, HeaderValue, StatusCode, header},
    middleware::{self, Next},
    response::{IntoResponse, Response},
    routing::get,
};
use futures::FutureExt;
use hyper::{
    server::conn::http1,
    service::{Service, service_fn},
};
use hyper_util::{
    rt::{TokioIo, TokioTimer},
    server::graceful::{GracefulShutdown, Watcher},
    service::TowerToHyperService,
};
use serde_json::json;
use tokio::{
    net::{TcpListener, TcpStream},
    sync::Semaphore,
};
use uuid::Uuid;

use crate::{
    health::Readiness,
    problem::{Cause, Problem},
    request_metrics,
    telemetry::Metrics,
};

/// Names a request in answers and logs.
pub const X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

const MAX_REQUEST_ID_LENGTH: usize = 128;
/// Each has one request at a time; who comes when there are as many waits in front of the door.
const MAX_CONNECTIONS: usize = 10_000;
/// What has more of them, or of bytes before the body, is answered 431 by hyper: a status alone, which no route and no layer sees.
const MAX_HEADERS: usize = 64;
const MAX_HEADER_BYTES: usize = 64 << 10;
/// Also how long a connection may idle between two requests.
const HEADER_READ_TIMEOUT: Duration = Duration::from_secs(60);
/// What is left of a body that nobody reads is thrown away before the answer; where it is more than that, or takes longer, the
/// connection ends with the answer.
const MAX_DISCARDED_BYTES: u64 = 64 << 20;
const DISCARD_TIMEOUT: Duration = Duration::from_secs(5);
/// A connection that is closed while the next request is on its way loses that: so clients are told first, with their next
/// answers, and have this long to hear it.
const FAREWELL: Duration = Duration::from_millis(250);
/// Then, for requests that are still open, which may still be discarding. What a process has to do after that fits into ten
/// seconds with it.
const SHUTDOWN_TIMEOUT: Duration = Duration::from_secs(7);
/// Between two tries to accept, when the process is out of file descriptors.
const ACCEPT_BACKOFF: Duration = Duration::from_millis(100);

/// The whole server: the API's routes, `/health/live`, `/health/ready`, `/metrics`, and around all of them request ids,
/// metrics, problems for unknown routes and methods, and panics as 500.
///
/// Handlers find the request's id in its `x-request-id` header, whoever minted it. Limits on bodies are in
/// [`crate::extract`].
pub fn app(api: Router, readiness: Readiness, metrics: Metrics) -> Router {
    api.route(
        "/health/live",
        get(async || Json(json!({ "status": "live" }))),
    )
    .route("/health/ready", get(async move || readiness.answer()))
    .route("/metrics", get(async move || exposition(&metrics)))
    .fallback(async || Problem::route_not_found())
    .method_not_allowed_fallback(async || Problem::method_not_allowed())
    .layer(middleware::from_fn(edge))
    // Handlers are made ready once, not for each request.
    .with_state(())
}

/// What a server bounds.
#[derive(Debug, Clone, Copy)]
struct Limits {
    connections: usize,
    header_read_timeout: Duration,
    discarded_bytes: u64,
    discard_timeout: Duration,
    farewell: Duration,
    shutdown_timeout: Duration,
}

impl Limits {
    const PRODUCTION: Self = Self {
        connections: MAX_CONNECTIONS,
        header_read_timeout: HEADER_READ_TIMEOUT,
        discarded_bytes: MAX_DISCARDED_BYTES,
        discard_timeout: DISCARD_TIMEOUT,
        farewell: FAREWELL,
        shutdown_timeout: SHUTDOWN_TIMEOUT,
    };
}

/// Serves connections until `shutdown` ends, says so to those that are open, then gives open requests some seconds.
pub async fn serve(listener: TcpListener, router: Router, shutdown: impl Future<Output = ()>) {
    serve_within(Limits::PRODUCTION, listener, router, shutdown).await;
}

async fn serve_within(
    limits: Limits,
    listener: TcpListener,
    router: Router,
    shutdown: impl Future<Output = ()>,
) {
    let graceful = GracefulShutdown::new();
    let slots = Arc::new(Semaphore::new(limits.connections));
    let leaving = Arc::new(AtomicBool::new(false));
    {
        let mut accepting = pin!(async {
            loop {
                let slot = Arc::clone(&slots).acquire_owned().await;
                let Some(stream) = accept(&listener).await else {
                    continue;
                };
                let connection = Connection {
                    router: router.clone(),
                    leaving: Arc::clone(&leaving),
                    limits,
                };
                let serving = connection.serve(stream, graceful.watcher());
                tokio::spawn(async move {
                    serving.await;
                    drop(slot);
                });
            }
        });
        tokio::select! {
            () = &mut accepting => {}
            () = shutdown => {}
        }
        leaving.store(true, Ordering::Relaxed);
        // Who is at the door already is let in, and told the same.
        drop(tokio::time::timeout(limits.farewell, accepting).await);
    }
    drop(listener);
    let open = graceful.count();
    if tokio::time::timeout(limits.shutdown_timeout, graceful.shutdown())
        .await
        .is_err()
    {
        tracing::warn!(open, "gave up on requests that did not end in time");
    }
}

async fn accept(listener: &TcpListener) -> Option<TcpStream> {
    let accepted = listener.accept().await.and_then(|(stream, _)| {
        // Answers are small and written whole: waiting for more to send only costs latency.
        stream.set_nodelay(true)?;
        Ok(stream)
    });
    match accepted {
        Ok(stream) => Some(stream),
        Err(error) if is_of_one_connection(&error) => None,
        Err(error) => {
            tracing::error!(%error, "cannot accept connections");
            tokio::time::sleep(ACCEPT_BACKOFF).await;
            None
        }
    }
}

fn is_of_one_connection(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset, InvalidInput};
    // InvalidInput: set_nodelay on a connection that is already gone, on some systems.
    matches!(
        error.kind(),
        ConnectionAborted | ConnectionRefused | ConnectionReset | InvalidInput
    )
}

/// How one connection is served.
struct Connection {
    router: Router,
    /// Whether the server is about to stop.
    leaving: Arc<AtomicBool>,
    limits: Limits,
}

impl Connection {
    async fn serve(self, stream: TcpStream, watcher: Watcher) {
        let answering = TowerToHyperService::new(self.router);
        let (leaving, limits) = (self.leaving, self.limits);
        let service = service_fn(move |request| {
            let (request, rest) = unread::watch(request);
            let (answered, leaving) = (answering.call(request), Arc::clone(&leaving));
            async move {
                let mut response = answered.await?;
                let goes_on = match rest {
                    None => true,
                    // The rest was waited for in vain already.
                    Some(_) if response.status() == StatusCode::REQUEST_TIMEOUT => false,
                    Some(rest) => {
                        let (bytes, timeout) = (limits.discarded_bytes, limits.discard_timeout);
                        rest.discard(bytes, timeout).await
                    }
                };
                if !goes_on || leaving.load(Ordering::Relaxed) {
                    let close = HeaderValue::from_static("close");
                    response.headers_mut().insert(header::CONNECTION, close);
                }
                Ok::<_, Infallible>(response)
            }
        });
        let connection = http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(limits.header_read_timeout)
            .max_headers(MAX_HEADERS)
            .max_buf_size(MAX_HEADER_BYTES)
            .serve_connection(TokioIo::new(stream), service);
        // A client's broken connection is its own business.
        if let Err(error) = watcher.watch(connection).await {
            tracing::debug!(%error, "connection ended");
        }
    }
}

async fn edge(mut request: Request, next: Next) -> Response {
    let started = Instant::now();
    let id = request_id(&request);
    request.headers_mut().insert(X_REQUEST_ID, id.clone());
    let method = request.method().clone();
    let route = request.extensions().get::<MatchedPath>().cloned();
    let route = route.as_ref().map(MatchedPath::as_str);

    let answered = AssertUnwindSafe(next.run(request)).catch_unwind().await;
    let mut response = answered.unwrap_or_else(|_| {
        Problem::internal("the handler panicked, as logged above").into_response()
    });

    if let Some(Cause(cause)) = response.extensions_mut().remove::<Cause>() {
        let (status, id) = (response.status().as_u16(), id.to_str().unwrap_or_default());
        tracing::error!(request_id = id, %method, route, status, %cause, "request failed");
    }
    response.headers_mut().insert(X_REQUEST_ID, id);
    request_metrics::record(&method, route, response.status(), started.elapsed());
    response
}

/// The client's own id where it can be printed, else a new one.
fn request_id(request: &Request) -> HeaderValue {
    let printable = |id: &&HeaderValue| {
        let graphic = id.as_bytes().iter().all(u8::is_ascii_graphic);
        graphic && (1..=MAX_REQUEST_ID_LENGTH).contains(&id.len())
    };
    let given = request.headers().get(X_REQUEST_ID).filter(printable);
    given.cloned().unwrap_or_else(|| {
        let mut buffer = Uuid::encode_buffer();
        let id = Uuid::now_v7().as_hyphenated().encode_lower(&mut buffer);
        HeaderValue::from_str(id).expect("a UUID is printable")
    })
}

fn exposition(metrics: &Metrics) -> Response {
    const CONTENT_TYPE: HeaderValue = HeaderValue::from_static("text/plain; version=0.0.4");
    ([(header::CONTENT_TYPE, CONTENT_TYPE)], metrics.render()).into_response()
}

#[cfg(test)]
mod tests;
