//! `offset-zero events`: what is in the log, as it is written.

use std::{
    collections::HashMap,
    io::{self, Write},
    sync::Arc,
};

use anyhow::{Context, Result, bail};
use domain::topics;
use event_store::{
    BatchLimits, LogError, RawEvent, Recorded, StartAt, Subscription, kafka::KafkaLog, log::Log,
    partition_for,
};
use serde_json::{Value, json};
use tokio::task::spawn_blocking;
use uuid::Uuid;

use crate::args::{EventsCommand, Target};

/// An order has tens of events; more than this are not an order's.
const MAX_SHOWN: usize = 10_000;

/// Shows events.
pub async fn run(target: &Target, command: &EventsCommand, json: bool) -> Result<()> {
    let log = KafkaLog::connect(&target.kafka())?;
    match command {
        EventsCommand::Tail { topics, count } => tail(&log, topics, *count, json).await,
        EventsCommand::Show { order_id } => show(&log, *order_id, json).await,
        EventsCommand::Export { topics } => export(&log, topics).await,
    }
}

/// Where to read, and where each partition ends now.
struct Span {
    from: Vec<StartAt>,
    ends: HashMap<(Arc<str>, i32), i64>,
}

impl Span {
    /// All partitions of these topics, or one; none named means all.
    async fn of(log: &KafkaLog, named: &[String], only: Option<i32>) -> Result<Self> {
        let unknown = named
            .iter()
            .find(|name| !topics::ALL.contains(&name.as_str()));
        if let Some(unknown) = unknown {
            bail!(
                "there is no topic {unknown}; there are: {}",
                topics::ALL.join(", ")
            );
        }
        let is_wanted = |topic: &&str| named.is_empty() || named.iter().any(|name| name == topic);
        let wanted: Vec<&'static str> = topics::ALL.into_iter().filter(is_wanted).collect();
        let log = log.clone();
        let span = spawn_blocking(move || {
            let mut span = Self {
                from: Vec::new(),
                ends: HashMap::new(),
            };
            for topic in wanted {
                let name: Arc<str> = topic.into();
                for partition in 0..log.partitions(topic)? {
                    if only.is_some_and(|only| only != partition) {
                        continue;
                    }
                    let end = log.end_offset(topic, partition)?;
                    span.ends.insert((Arc::clone(&name), partition), end);
                    span.from.push(StartAt {
                        topic: Arc::clone(&name),
                        partition,
                        next_offset: 0,
                    });
                }
            }
            Ok::<_, LogError>(span)
        });
        span.await?.context("finding where the topics end")
    }

    /// Begins where the partitions end now.
    fn beginning_at_the_end(mut self) -> Self {
        for start in &mut self.from {
            let end = self.ends.get(&(Arc::clone(&start.topic), start.partition));
            start.next_offset = end.copied().unwrap_or_default();
        }
        self
    }

    /// Visits every event up to where the partitions ended; ends early where the visitor says so.
    async fn visit(
        self,
        log: &KafkaLog,
        mut visit: impl FnMut(Recorded<RawEvent>) -> Result<()>,
    ) -> Result<()> {
        let mut left = self.ends;
        left.retain(|_, end| *end > 0);
        let mut subscription = subscribe(log, &self.from).await?;
        while !left.is_empty() {
            let batch = subscription.next_batch().await?;
            for event in batch.events {
                visit(event)?;
            }
            for progress in batch.progress {
                let place = (progress.topic, progress.partition);
                if left
                    .get(&place)
                    .is_some_and(|end| progress.next_offset >= *end)
                {
                    left.remove(&place);
                }
            }
        }
        Ok(())
    }
}

async fn subscribe(log: &KafkaLog, from: &[StartAt]) -> Result<Box<dyn Subscription<RawEvent>>> {
    let (log, from) = (log.clone(), from.to_vec());
    let subscribed = spawn_blocking(move || log.subscribe(&from, BatchLimits::default()));
    Ok(subscribed.await??)
}

/// Prints events as they come, so many or for ever.
async fn tail(log: &KafkaLog, topics: &[String], count: Option<u64>, json: bool) -> Result<()> {
    let span = Span::of(log, topics, None).await?.beginning_at_the_end();
    let mut subscription = subscribe(log, &span.from).await?;
    let mut left = count.unwrap_or(u64::MAX);
    while left > 0 {
        for event in subscription.next_batch().await?.events {
            if left == 0 {
                break;
            }
            left -= 1;
            print(&event, json)?;
        }
    }
    Ok(())
}

/// Prints every event of an order's journey, the oldest first.
async fn show(log: &KafkaLog, order_id: Uuid, json: bool) -> Result<()> {
    let partitions = {
        let log = log.clone();
        spawn_blocking(move || log.partitions(topics::ORDER_EVENTS)).await??
    };
    // An order has one partition in every topic; stock and carts, which have others, tell of it there too.
    let partition = partition_for(order_id.to_string().as_bytes(), partitions);
    let mut events = Vec::new();
    let span = Span::of(log, &[], Some(partition)).await?;
    span.visit(log, |event| {
        if event.metadata.correlation_id == order_id {
            events.push(event);
        }
        match events.len() <= MAX_SHOWN {
            true => Ok(()),
            false => bail!("more than {MAX_SHOWN} events are part of it"),
        }
    })
    .await?;
    if events.is_empty() {
        bail!("no event is part of the order {order_id}");
    }
    events.sort_by_key(|event| (event.metadata.time, event.metadata.decision.index));
    events.iter().try_for_each(|event| print(event, json))
}

/// Prints every event, a line of JSON each, partition by partition as they come.
async fn export(log: &KafkaLog, topics: &[String]) -> Result<()> {
    let span = Span::of(log, topics, None).await?;
    span.visit(log, |event| print(&event, true)).await
}

fn print(event: &Recorded<RawEvent>, json: bool) -> Result<()> {
    let mut out = io::stdout().lock();
    match json {
        true => writeln!(out, "{}", line(event))?,
        false => {
            let Recorded {
                position,
                metadata,
                event,
                ..
            } = event;
            writeln!(
                out,
                "{}  {:<24} {} {} by {}  {}",
                metadata.time.format("%Y-%m-%dT%H:%M:%S%.3fZ"),
                event.name,
                metadata.stream,
                metadata.stream_version,
                metadata.actor,
                position
            )?;
            writeln!(out, "    {}", event.payload)?;
        }
    }
    Ok(())
}

/// As the history of an order shows it, with the payload as it is stored.
fn line(event: &Recorded<RawEvent>) -> Value {
    let Recorded {
        position,
        metadata,
        event,
        ..
    } = event;
    json!({
        "id": metadata.event_id,
        "type": event.name,
        "type_version": event.version,
        "source": &*metadata.source,
        "stream": metadata.stream,
        "version": metadata.stream_version,
        "position": position.to_string(),
        "time": metadata.time,
        "correlation_id": metadata.correlation_id,
        "causation_id": metadata.causation_id,
        "command_id": metadata.command_id,
        "actor": &*metadata.actor,
        "data": event.payload,
    })
}
