//! Load over HTTP: so many connections, each with one request in flight.

use std::{
    fmt,
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail};
use hdrhistogram::Histogram;
use http_body_util::{BodyExt, Full};
use hyper::{
    Method, Request, Response, StatusCode,
    body::Bytes,
    client::conn::http1::{SendRequest, handshake},
    header,
};
use hyper_util::rt::TokioIo;
use serde::Serialize;
use tokio::{net::TcpStream, task::JoinSet, time::timeout};

/// Longer than anything may wait, and as long as [`Latencies`] can tell.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(60);

/// What one run measured.
pub struct Measured {
    /// Connections, each with one request in flight.
    pub connections: usize,
    /// Answered with the expected status.
    pub answered: u64,
    /// From the first request to the last answer.
    pub elapsed: Duration,
    /// From each request to its answer.
    pub latencies: Latencies,
}

impl Measured {
    /// Answers a second.
    pub fn rate(&self) -> f64 {
        self.answered as f64 / self.elapsed.as_secs_f64()
    }

    /// Counts another run of the same in.
    pub fn add(&mut self, other: &Self) -> Result<()> {
        self.answered += other.answered;
        self.elapsed += other.elapsed;
        self.latencies.add(&other.latencies)
    }
}

/// What the system does, and what something else does that is measured in turn with it.
pub struct Pair {
    pub ours: Measured,
    pub other: Measured,
}

impl Pair {
    /// The two in turn, twice, so that a machine that gets slower meanwhile is slower for both; so many seconds each.
    pub async fn measure(
        [ours, other]: [SocketAddr; 2],
        seconds: u64,
        run: impl AsyncFn(SocketAddr, Until) -> Result<Measured>,
    ) -> Result<Self> {
        let turn = Until::Elapsed(Duration::from_secs(seconds) / 2);
        let mut pair = Self {
            ours: run(ours, turn).await?,
            other: run(other, turn).await?,
        };
        pair.ours.add(&run(ours, turn).await?)?;
        pair.other.add(&run(other, turn).await?)?;
        Ok(pair)
    }
}

/// Of one load.
#[derive(Debug, Serialize)]
pub struct Figures {
    pub rate: f64,
    pub p50_ms: f64,
    pub p99_ms: f64,
}

/// Three cells of a table.
impl fmt::Display for Figures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            rate,
            p50_ms,
            p99_ms,
        } = self;
        write!(f, "{rate:.0} | {p50_ms:.1} ms | {p99_ms:.1} ms")
    }
}

impl From<&Measured> for Figures {
    fn from(measured: &Measured) -> Self {
        Self {
            rate: measured.rate(),
            p50_ms: measured.latencies.quantile_ms(0.5),
            p99_ms: measured.latencies.quantile_ms(0.99),
        }
    }
}

/// How long things took, in microseconds up to a minute.
pub struct Latencies(Histogram<u64>);

impl Latencies {
    pub fn new() -> Result<Self> {
        Ok(Self(Histogram::new_with_bounds(1, 60_000_000, 3)?))
    }

    pub fn record(&mut self, elapsed: Duration) -> Result<()> {
        Ok(self.0.record(u64::try_from(elapsed.as_micros())?)?)
    }

    pub fn add(&mut self, other: &Self) -> Result<()> {
        Ok(self.0.add(&other.0)?)
    }

    pub fn count(&self) -> u64 {
        self.0.len()
    }

    /// What so much of them kept below, in milliseconds.
    pub fn quantile_ms(&self, quantile: f64) -> f64 {
        self.0.value_at_quantile(quantile) as f64 / 1_000.0
    }
}

/// A request to send, and the status that is expected.
pub struct Shot {
    method: Method,
    path: String,
    body: String,
    expected: StatusCode,
}

impl Shot {
    pub fn post(path: String, body: String, expected: StatusCode) -> Self {
        Self {
            method: Method::POST,
            path,
            body,
            expected,
        }
    }

    pub fn get(path: String) -> Self {
        Self {
            method: Method::GET,
            path,
            body: String::new(),
            expected: StatusCode::OK,
        }
    }
}

/// When a run ends.
#[derive(Clone, Copy)]
pub enum Until {
    /// After this time.
    Elapsed(Duration),
    /// After so many requests, over all connections.
    Sent(u64),
}

/// One connection that is kept alive.
pub struct Connection {
    sender: SendRequest<Full<Bytes>>,
    host: String,
}

impl Connection {
    pub async fn open(address: SocketAddr) -> Result<Self> {
        let stream = TcpStream::connect(address).await.context("connecting")?;
        stream.set_nodelay(true)?;
        let (sender, connection) = handshake(TokioIo::new(stream)).await?;
        tokio::spawn(connection);
        Ok(Self {
            sender,
            host: address.to_string(),
        })
    }

    /// Sends one request and reads the whole answer.
    pub async fn send(
        &mut self,
        method: Method,
        path: &str,
        body: String,
    ) -> Result<(StatusCode, Bytes)> {
        let answer = self.ask(method, path, &[], body).await?;
        Ok((answer.status(), answer.into_body()))
    }

    /// As [`send`](Self::send), with headers both ways.
    pub async fn ask(
        &mut self,
        method: Method,
        path: &str,
        headers: &[(&str, &str)],
        body: String,
    ) -> Result<Response<Bytes>> {
        let mut request = Request::builder()
            .method(method)
            .uri(path)
            .header(header::HOST, &self.host)
            .header(header::CONTENT_TYPE, "application/json");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = request.body(Full::new(Bytes::from(body)))?;
        let answering = async {
            let (head, body) = self.sender.send_request(request).await?.into_parts();
            let body = body.collect().await?.to_bytes();
            anyhow::Ok(Response::from_parts(head, body))
        };
        timeout(ANSWER_TIMEOUT, answering).await.with_context(|| {
            let seconds = ANSWER_TIMEOUT.as_secs();
            format!("http://{}{path}: no answer within {seconds} s", self.host)
        })?
    }
}

/// Sends what `next` says, on so many connections at once; `seen` is shown each answer with its number.
pub async fn run<N, S>(
    address: SocketAddr,
    connections: usize,
    until: Until,
    next: N,
    seen: S,
) -> Result<Measured>
where
    N: Fn(u64) -> Shot + Send + Sync + 'static,
    S: Fn(u64, Bytes) + Send + Sync + 'static,
{
    let run = Arc::new(Run {
        begun: Instant::now(),
        until,
        sent: AtomicU64::new(0),
        next,
        seen,
    });
    let mut tasks = JoinSet::new();
    for _ in 0..connections {
        let connection = Connection::open(address).await?;
        tasks.spawn(Arc::clone(&run).shoot(connection));
    }
    let mut latencies = Latencies::new()?;
    while let Some(finished) = tasks.join_next().await {
        latencies.add(&finished??)?;
    }
    Ok(Measured {
        connections,
        answered: latencies.count(),
        elapsed: run.begun.elapsed(),
        latencies,
    })
}

struct Run<N, S> {
    begun: Instant,
    until: Until,
    sent: AtomicU64,
    next: N,
    seen: S,
}

impl<N, S> Run<N, S>
where
    N: Fn(u64) -> Shot,
    S: Fn(u64, Bytes),
{
    async fn shoot(self: Arc<Self>, mut connection: Connection) -> Result<Latencies> {
        let mut latencies = Latencies::new()?;
        while let Some(number) = self.claim() {
            let shot = (self.next)(number);
            let begun = Instant::now();
            let (status, body) = connection.send(shot.method, &shot.path, shot.body).await?;
            if status != shot.expected {
                bail!(
                    "{} answered {status}: {}",
                    shot.path,
                    String::from_utf8_lossy(&body)
                );
            }
            latencies.record(begun.elapsed())?;
            (self.seen)(number, body);
        }
        Ok(latencies)
    }

    fn claim(&self) -> Option<u64> {
        let number = self.sent.fetch_add(1, Ordering::Relaxed);
        let more = match self.until {
            Until::Elapsed(limit) => self.begun.elapsed() < limit,
            Until::Sent(limit) => number < limit,
        };
        more.then_some(number)
    }
}
