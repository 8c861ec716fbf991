//! The bare design, without any order system in it, and without any code of ours: HTTP, JSON, a writer a partition, one
//! transaction a batch.
//!
//! What it reaches is what a machine gives to this design; the ratio to it is what our own code costs. It runs in a process
//! of its own, as the command API does: `offset-zero bench --prototype PORT`.

use std::{net::SocketAddr, thread, time::Duration};

use anyhow::{Context, Result};
use axum::{Json, Router, extract::State, http::StatusCode, routing::post};
use crossbeam_channel::{Receiver, Sender};
use event_store::kafka::KafkaConfig;
use rdkafka::producer::{BaseRecord, DefaultProducerContext, Producer, ThreadedProducer};
use serde_json::{Value, json};
use tokio::{net::TcpListener, sync::oneshot};
use tracing::debug;
use uuid::Uuid;

use super::raw;

const TOPIC: &str = "BenchPrototype";
/// As many as a writer of ours takes, and as many as may wait in front of one.
const MAX_BATCH: usize = 1_000;
const QUEUE: usize = 4_096;
const CALL_TIMEOUT: Duration = Duration::from_secs(8);
/// Between two looks whether everything was delivered.
const GLANCE: Duration = Duration::from_micros(50);

/// An order on its way to a writer, and who waits for it.
struct Pending {
    id: String,
    payload: Vec<u8>,
    reply: oneshot::Sender<()>,
}

/// Serves until it is killed.
pub async fn serve(config: KafkaConfig, partitions: i32, port: u16) -> Result<()> {
    let topic = format!("{}{TOPIC}", config.namespace);
    raw::create_topic(&config, &topic, partitions)?;
    let writers = (0..partitions).map(|partition| {
        let (sender, inbox) = crossbeam_channel::bounded(QUEUE);
        let (config, topic) = (config.clone(), topic.clone());
        thread::spawn(move || write(&config, &topic, partition, &inbox));
        sender
    });
    let writers: Vec<Sender<Pending>> = writers.collect();
    let router = Router::new()
        .route("/health/ready", axum::routing::get(async || "ready"))
        .route("/v1/orders", post(place))
        .with_state(writers);
    let listener = TcpListener::bind(SocketAddr::from(([127, 0, 0, 1], port))).await?;
    axum::serve(listener, router).await.context("serving")
}

async fn place(
    State(writers): State<Vec<Sender<Pending>>>,
    Json(order): Json<Value>,
) -> Result<(StatusCode, Json<Value>), StatusCode> {
    let id = Uuid::now_v7();
    let writer = usize::from(id.as_bytes()[15]) % writers.len();
    let (reply, written) = oneshot::channel();
    let id = id.to_string();
    let queued = writers[writer].try_send(Pending {
        id: id.clone(),
        payload: order.to_string().into_bytes(),
        reply,
    });
    queued.map_err(|_| StatusCode::SERVICE_UNAVAILABLE)?;
    written.await.map_err(|_| StatusCode::SERVICE_UNAVAILABLE)?;
    Ok((StatusCode::CREATED, Json(json!({"id": id}))))
}

/// Ends with the first failure: a prototype has nothing to recover.
fn write(config: &KafkaConfig, topic: &str, partition: i32, inbox: &Receiver<Pending>) {
    let producer: ThreadedProducer<DefaultProducerContext> = raw::client(config)
        .set("transactional.id", format!("{topic}-{partition}"))
        .set("linger.ms", "0")
        .set("compression.type", "lz4")
        .create()
        .expect("the producer is configured");
    producer
        .init_transactions(CALL_TIMEOUT)
        .expect("initialised");
    while let Ok(first) = inbox.recv() {
        let more = inbox.try_iter().take(MAX_BATCH - 1);
        let batch: Vec<Pending> = std::iter::once(first).chain(more).collect();
        producer.begin_transaction().expect("begun");
        for Pending { id, payload, .. } in &batch {
            let record = BaseRecord::to(topic).partition(partition);
            let sent = producer.send(record.key(id).payload(payload));
            sent.map_err(|(error, _)| error).expect("queued");
        }
        // A commit with anything in flight sleeps 100 ms.
        while producer.in_flight_count() > 0 {
            thread::sleep(GLANCE);
        }
        let committed = producer.commit_transaction(CALL_TIMEOUT);
        committed.expect("the transaction commits");
        for Pending { reply, .. } in batch {
            if reply.send(()).is_err() {
                debug!("a client has gone");
            }
        }
    }
}
