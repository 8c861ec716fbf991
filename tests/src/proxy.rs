//! A TCP proxy between Kafka's clients and the broker that delays, loses and repeats requests, answers and connections.
//!
//! It understands the frames and the head of a request, and nothing else of Kafka. Clients are told apart by their
//! `client.id`: each has a script of faults of its own, and one without a script is carried faithfully. So one proxy, and
//! one broker that advertises it (`KafkaOptions::proxy_port`), serve many tests at once.

mod connection;
mod fault;
mod frame;

use std::{
    collections::HashMap,
    io,
    net::Ipv4Addr,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use tokio::{
    io::AsyncWriteExt,
    net::{TcpListener, TcpStream},
    runtime::{Builder, Runtime},
    time::timeout,
};

use self::fault::Script;
pub use self::{
    fault::{Action, Fault, Gate, Strike, When},
    frame::{Api, Frame},
};

/// Longer than Kafka takes over any answer that it gives to one who comes alone.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(15);

/// A running proxy. Dropping it closes all connections.
pub struct Proxy {
    shared: Arc<Shared>,
    port: u16,
    /// Its own, so that it outlives the test that has started it; taken when it is dropped.
    runtime: Option<Runtime>,
}

impl Proxy {
    /// Listens on a loopback port, 0 for any, and leads to another.
    ///
    /// # Errors
    /// When the port is taken.
    pub fn start(port: u16, broker: u16) -> io::Result<Self> {
        let runtime = Builder::new_multi_thread()
            .worker_threads(1)
            .thread_name("proxy")
            .enable_all()
            .build()?;
        let listener = runtime.block_on(TcpListener::bind((Ipv4Addr::LOCALHOST, port)))?;
        let port = listener.local_addr()?.port();
        let shared = Arc::new(Shared {
            broker,
            scripts: Mutex::default(),
        });
        runtime.spawn(listen(listener, Arc::clone(&shared)));
        Ok(Self {
            shared,
            port,
            runtime: Some(runtime),
        })
    }

    /// Where to reach it.
    #[must_use]
    pub fn address(&self) -> String {
        format!("{}:{}", Ipv4Addr::LOCALHOST, self.port)
    }

    /// Faults for the client from now on, instead of those that have not happened; requests are counted anew.
    pub fn aim(&self, client_id: &str, faults: Vec<Fault>) {
        self.shared.script(client_id).aim(faults);
    }

    /// No further faults for the client. What is held stays held until its time.
    pub fn heal(&self, client_id: &str) {
        self.aim(client_id, Vec::new());
    }

    /// The client's faults that have happened, in their order.
    #[must_use]
    pub fn strikes(&self, client_id: &str) -> Vec<Strike> {
        self.shared.script(client_id).strikes()
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

struct Shared {
    broker: u16,
    scripts: Mutex<HashMap<String, Arc<Script>>>,
}

impl Shared {
    fn script(&self, client_id: &str) -> Arc<Script> {
        let mut scripts = self.scripts.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(scripts.entry(client_id.to_owned()).or_default())
    }

    async fn connect(&self) -> io::Result<TcpStream> {
        let broker = TcpStream::connect((Ipv4Addr::LOCALHOST, self.broker)).await?;
        broker.set_nodelay(true)?;
        Ok(broker)
    }

    /// One request on a connection of its own. None where no answer comes: of two equal requests to join a group, Kafka
    /// answers only one.
    async fn ask(&self, request: &Frame) -> io::Result<Option<Frame>> {
        let mut broker = self.connect().await?;
        broker.write_all(request.bytes()).await?;
        let answer = timeout(ANSWER_TIMEOUT, Frame::read(&mut broker)).await;
        answer.unwrap_or(Ok(None))
    }
}

async fn listen(listener: TcpListener, shared: Arc<Shared>) {
    while let Ok((client, _)) = listener.accept().await {
        // Whatever ends a connection, both of its sides see it closed, and that is all there is to say of it.
        tokio::spawn(connection::carry(client, Arc::clone(&shared)));
    }
}

#[cfg(test)]
mod tests;
