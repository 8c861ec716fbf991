//! The bare design, without any order system in it: HTTP, JSON, a writer a partition, one transaction a batch.
//!
//! What it reaches is what a machine gives to this design; the ratio to it is what our own code costs. It runs in a process
//! of its own, as the command API does: `offset-zero bench --prototype PORT`.

use std::{net::SocketAddr, thread};

use anyhow::{Context, Result};
use axum::{Json, Router, extract::State, http::StatusCode, routing::post};
use crossbeam_channel::{Receiver, Sender};
use event_store::{
    kafka::{Durability, KafkaConfig, KafkaLog, TopicSpec},
    log::{Appender, AppenderId, Log, OutgoingRecord},
    partition_for,
};
use serde_json::{Value, json};
use tokio::{net::TcpListener, sync::oneshot};
use tracing::debug;
use uuid::Uuid;

const TOPIC: &str = "BenchPrototype";
const SERVICE: &str = "prototype";
/// As many as a writer of ours takes, and as many as may wait in front of one.
const MAX_BATCH: usize = 1_000;
const QUEUE: usize = 4_096;

/// An order on its way to a writer, and who waits for it.
struct Pending {
    record: OutgoingRecord,
    reply: oneshot::Sender<()>,
}

/// Serves until it is killed.
pub async fn serve(config: KafkaConfig, partitions: i32, port: u16) -> Result<()> {
    let log = KafkaLog::connect(&config)?;
    let topic = TopicSpec::events(TOPIC, partitions, Durability::DEVELOPMENT);
    log.ensure_topics(&[topic]).await?;
    let writers = (0..partitions).map(|partition| {
        let (sender, inbox) = crossbeam_channel::bounded(QUEUE);
        let log = log.clone();
        thread::spawn(move || write(&log, partition, &inbox));
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
    let id = Uuid::now_v7().to_string();
    let count = i32::try_from(writers.len()).map_err(|_| StatusCode::INTERNAL_SERVER_ERROR)?;
    let partition = partition_for(id.as_bytes(), count);
    let (reply, written) = oneshot::channel();
    let pending = Pending {
        record: OutgoingRecord {
            topic: TOPIC,
            partition,
            key: id.clone(),
            headers: event_store::Headers::default(),
            payload: order.to_string().into_bytes(),
        },
        reply,
    };
    let writer = usize::try_from(partition).map_err(|_| StatusCode::INTERNAL_SERVER_ERROR)?;
    let queued = writers[writer].try_send(pending);
    queued.map_err(|_| StatusCode::SERVICE_UNAVAILABLE)?;
    written.await.map_err(|_| StatusCode::SERVICE_UNAVAILABLE)?;
    Ok((StatusCode::CREATED, Json(json!({"id": id}))))
}

/// Ends with the first failure: a prototype has nothing to recover.
fn write(log: &KafkaLog, partition: i32, inbox: &Receiver<Pending>) {
    let id = AppenderId {
        service: SERVICE,
        partition,
    };
    let mut appender = log.appender(&id).expect("nobody else has this id");
    while let Ok(first) = inbox.recv() {
        let more = inbox.try_iter().take(MAX_BATCH - 1);
        let (records, replies): (Vec<_>, Vec<_>) = std::iter::once(first)
            .chain(more)
            .map(|pending| (pending.record, pending.reply))
            .unzip();
        appender.append(&records).expect("the transaction commits");
        for reply in replies {
            if reply.send(()).is_err() {
                debug!("a client has gone");
            }
        }
    }
}
