//! `offset-zero events`: what is in the log, as it is written.

use std::{collections::BTreeMap, ops::Range, sync::Arc, time::Duration};

use anyhow::{Context, Error, Result, anyhow, bail};
use domain::topics;
use event_store::{
    Batch, BatchLimits, LogError, Position, Progress, RawEvent, Recorded, StartAt, Subscription,
    Undecodable, kafka::KafkaLog, log::Log, partition_for,
};
use serde_json::{Value, json};
use tokio::{
    task::spawn_blocking,
    time::{Instant, timeout_at},
};
use tracing::warn;
use uuid::Uuid;

use crate::{
    args::{EventsCommand, Target},
    output,
};

/// An order has tens of events; more than this are not an order's.
const MAX_SHOWN: usize = 10_000;
/// Another producer's open transaction hides what follows until it times out (10 s) and its broker looks (every 10 s by default).
const PATIENCE: Duration = Duration::from_secs(30);
/// Of the partitions that are waited for in vain.
const MAX_NAMED: usize = 8;

/// Shows events.
pub async fn run(target: &Target, command: &EventsCommand, json: bool) -> Result<()> {
    let log = KafkaLog::connect(&target.kafka.config())?;
    match command {
        EventsCommand::Tail { topics, count } => tail(&log, topics, *count, json).await,
        EventsCommand::Show { order_id } => show(&log, *order_id, json).await,
        EventsCommand::Export { topics } => export(&log, topics).await,
    }
}

/// Of each partition, from where to read, and to where: where it ended when that was asked.
struct Span(BTreeMap<(Arc<str>, i32), Range<i64>>);

impl Span {
    /// All of these topics, where none named means all; given an order, only the partitions in which its events may lie.
    async fn of<L: Log>(log: &L, named: &[String], order_id: Option<Uuid>) -> Result<Self> {
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
        let asked = spawn_blocking(move || {
            let mut places = Vec::new();
            for topic in wanted {
                let partitions = partitions_to_read(topic, log.partitions(topic)?, order_id);
                places.extend(partitions.map(|partition| (topic, partition)));
            }
            let ends = log.end_offsets(&places)?;
            Ok::<_, LogError>((places, ends))
        });
        let (places, ends) = asked.await?.context("finding where the topics end")?;
        let places = places
            .into_iter()
            .map(|(topic, partition)| (Arc::<str>::from(topic), partition));
        Ok(Self(
            places.zip(ends.into_iter().map(|end| 0..end)).collect(),
        ))
    }

    /// Begins where the partitions end now.
    fn beginning_at_the_end(mut self) -> Self {
        for stretch in self.0.values_mut() {
            stretch.start = stretch.end;
        }
        self
    }

    /// Where to begin.
    fn starts(&self) -> Vec<StartAt> {
        let starts = self.0.iter().map(|((topic, partition), stretch)| StartAt {
            topic: Arc::clone(topic),
            partition: *partition,
            next_offset: stretch.start,
        });
        starts.collect()
    }

    /// Visits every record of it; ends early where the visitor says so, or where it comes no nearer to its end for so long.
    async fn visit<L: Log>(
        mut self,
        log: &L,
        patience: Duration,
        mut visit: impl FnMut(Entry) -> Result<()>,
    ) -> Result<()> {
        self.0.retain(|_, stretch| !stretch.is_empty());
        let mut subscription = subscribe(log, self.starts()).await?;
        let mut nearer_at = Instant::now();
        while !self.0.is_empty() {
            // Not left to the timeout alone: where others append without end, there is always a batch.
            if nearer_at.elapsed() >= patience {
                return Err(self.stalled(patience));
            }
            let next = timeout_at(nearer_at + patience, subscription.next_batch());
            let Ok(batch) = next.await else {
                continue;
            };
            let (entries, progress) = entries(batch?);
            for entry in entries {
                if self.covers(position(&entry)) {
                    visit(entry)?;
                }
            }
            if self.pass(&progress) {
                nearer_at = Instant::now();
            }
        }
        Ok(())
    }

    fn covers(&self, position: &Position) -> bool {
        let place = (Arc::clone(&position.topic), position.partition);
        let stretch = self.0.get(&place);
        stretch.is_some_and(|stretch| stretch.contains(&position.offset))
    }

    /// Leaves behind what was passed; answers whether any of it was part of the span.
    fn pass(&mut self, progress: &[Progress]) -> bool {
        let mut is_nearer = false;
        for Progress {
            topic,
            partition,
            next_offset,
        } in progress
        {
            let place = (Arc::clone(topic), *partition);
            let Some(stretch) = self.0.get_mut(&place) else {
                continue;
            };
            is_nearer = true;
            stretch.start = *next_offset;
            if stretch.is_empty() {
                self.0.remove(&place);
            }
        }
        is_nearer
    }

    /// That it comes no nearer to its end: where it stands, and what to do.
    fn stalled(&self, patience: Duration) -> Error {
        let places = self.0.iter().take(MAX_NAMED);
        let places = places.map(|((topic, partition), stretch)| {
            format!(
                "{topic}/{partition} at {} of {}",
                stretch.start, stretch.end
            )
        });
        let places: Vec<_> = places.collect();
        let more = match self.0.len() - places.len() {
            0 => String::new(),
            more => format!(" and {more} more"),
        };
        anyhow!(
            "reading events made no progress for {} s, with {}{more}: a transaction that nobody ends holds back what follows it, \
             or a broker does not answer; `offset-zero doctor` tells which",
            patience.as_secs(),
            places.join(", ")
        )
    }
}

/// A record, and why it is no event where it is none.
type Entry = Result<Recorded<RawEvent>, Undecodable>;

/// Each record of a batch, in its partition's order.
fn entries(batch: Batch<RawEvent>) -> (Vec<Entry>, Vec<Progress>) {
    let in_order = batch.undecodable.is_empty();
    let events = batch.events.into_iter().map(Ok);
    let mut entries: Vec<Entry> = events
        .chain(batch.undecodable.into_iter().map(Err))
        .collect();
    if !in_order {
        entries.sort_by(|one, other| position(one).cmp(position(other)));
    }
    (entries, batch.progress)
}

const fn position(entry: &Entry) -> &Position {
    match entry {
        Ok(event) => &event.position,
        Err(record) => &record.position,
    }
}

/// Which of so many partitions of a topic to read: of what is keyed by orders, that of the one.
fn partitions_to_read(topic: &str, partitions: i32, order_id: Option<Uuid>) -> Range<i32> {
    match order_id {
        Some(order_id) if topics::KEYED_BY_ORDER.contains(&topic) => {
            let partition = partition_for(order_id.to_string().as_bytes(), partitions);
            partition..partition + 1
        }
        Some(_) | None => 0..partitions,
    }
}

async fn subscribe<L: Log>(log: &L, from: Vec<StartAt>) -> Result<Box<dyn Subscription<RawEvent>>> {
    let log = log.clone();
    let subscribed = spawn_blocking(move || log.subscribe(&from, BatchLimits::default()));
    Ok(subscribed.await??)
}

/// Prints events as they come, so many or for ever.
async fn tail(log: &KafkaLog, topics: &[String], count: Option<u64>, json: bool) -> Result<()> {
    let span = Span::of(log, topics, None).await?.beginning_at_the_end();
    let mut subscription = subscribe(log, span.starts()).await?;
    let mut left = count.unwrap_or(u64::MAX);
    while left > 0 {
        let (entries, _) = entries(subscription.next_batch().await?);
        for entry in entries {
            if left == 0 {
                break;
            }
            left -= 1;
            print(&entry, json)?;
        }
    }
    Ok(())
}

/// Prints every event of an order's journey, the oldest first.
async fn show(log: &KafkaLog, order_id: Uuid, json: bool) -> Result<()> {
    let events = journey(log, order_id).await?;
    if events.is_empty() {
        bail!("no event is part of the order {order_id}");
    }
    events
        .into_iter()
        .try_for_each(|event| print(&Ok(event), json))
}

/// Every event of an order's journey, the oldest first.
async fn journey<L: Log>(log: &L, order_id: Uuid) -> Result<Vec<Recorded<RawEvent>>> {
    let mut events = Vec::new();
    let span = Span::of(log, &[], Some(order_id)).await?;
    let key = order_id.to_string();
    span.visit(log, PATIENCE, |entry| {
        match entry {
            Ok(event) if event.metadata.correlation_id == order_id => events.push(event),
            Err(record) if *record.key == *key => {
                warn!(position = %record.position, record.reason, "a record of the order is no event");
            }
            Ok(_) | Err(_) => {}
        }
        match events.len() <= MAX_SHOWN {
            true => Ok(()),
            false => bail!("more than {MAX_SHOWN} events are part of it"),
        }
    })
    .await?;
    events.sort_by_key(|event| (event.metadata.time, event.metadata.decision.index));
    Ok(events)
}

/// Prints every record, a line of JSON each, partition by partition as they come. Fails at the end where some are no events.
async fn export(log: &KafkaLog, topics: &[String]) -> Result<()> {
    let span = Span::of(log, topics, None).await?;
    match print_all(log, span).await? {
        0 => Ok(()),
        unreadable => bail!(
            "everything is exported, but {unreadable} records are no events: their lines have an `unreadable` that says why"
        ),
    }
}

/// Answers how many were no events.
async fn print_all<L: Log>(log: &L, span: Span) -> Result<usize> {
    let mut unreadable = 0;
    span.visit(log, PATIENCE, |entry| {
        unreadable += usize::from(entry.is_err());
        print(&entry, true)
    })
    .await?;
    Ok(unreadable)
}

fn print(entry: &Entry, json: bool) -> Result<()> {
    match (entry, json) {
        (Ok(event), true) => output::print(format_args!("{}", line(event))),
        (Err(record), true) => output::print(format_args!("{}", unreadable_line(record))),
        (Err(record), false) => output::print(format_args!(
            "{} (key {}) is no event: {}",
            record.position,
            output::printable_key(&record.key),
            output::printable(&record.reason)
        )),
        (Ok(event), false) => output::print(format_args!("{}", text(event))),
    }
}

/// For people. JSON escapes control characters up to U+001F; some terminals obey those from U+0080 on, too.
fn text(event: &Recorded<RawEvent>) -> String {
    let Recorded {
        position,
        metadata,
        event,
        ..
    } = event;
    format!(
        "{}  {:<24} {} {} by {}  {}\n    {}",
        metadata.time.format("%Y-%m-%dT%H:%M:%S%.3fZ"),
        output::printable(&event.name),
        output::printable(&metadata.stream),
        metadata.stream_version,
        output::printable(&metadata.actor),
        position,
        output::printable(&event.payload.to_string())
    )
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

fn unreadable_line(record: &Undecodable) -> Value {
    json!({
        "position": record.position.to_string(),
        "key": record.key,
        "id": record.event_id,
        "type": record.event_type,
        "stream": record.stream,
        "unreadable": record.reason,
    })
}

#[cfg(test)]
mod tests;
