//! Reading committed events as batches with positions.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use async_trait::async_trait;
use domain::ReadEvent;
use tokio::sync::mpsc;
use uuid::Uuid;

use crate::{
    checkpoint::Landmarks,
    codec::{self, Interned},
    envelope::{Position, Recorded},
    log::{Log, LogError, RawRecord, Reader},
};

/// From where to read one partition of one topic.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StartAt {
    /// Topic.
    pub topic: Arc<str>,
    /// Partition, from 0.
    pub partition: i32,
    /// The first offset to read.
    pub next_offset: i64,
}

impl StartAt {
    /// Topic and partition.
    pub(crate) fn place(&self) -> (&str, i32) {
        (&self.topic, self.partition)
    }

    /// Every partition of these topics, from offset zero.
    ///
    /// # Errors
    /// When the log cannot be reached, or lacks one of the topics.
    pub fn every<L: Log>(log: &L, topics: &[&str]) -> Result<Vec<Self>, LogError> {
        let mut places = Vec::new();
        for topic in topics {
            let name: Arc<str> = Arc::from(*topic);
            places.extend((0..log.partitions(topic)?).map(|partition| Self {
                topic: Arc::clone(&name),
                partition,
                next_offset: 0,
            }));
        }
        Ok(places)
    }
}

/// How far a batch has come in one partition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Progress {
    /// Topic.
    pub topic: Arc<str>,
    /// Partition, from 0.
    pub partition: i32,
    /// Where to go on; past control records too, so that it meets the end of the partition when all is read.
    pub next_offset: i64,
}

impl Progress {
    /// Topic and partition.
    pub fn place(&self) -> (&str, i32) {
        (&self.topic, self.partition)
    }
}

/// A record that is no event of ours, or of a version that we do not know.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Undecodable {
    /// Where it stands.
    pub position: Position,
    /// The record's key.
    pub key: Box<str>,
    /// `ce_id`, where it says.
    pub event_id: Option<Uuid>,
    /// `ce_type`, where it says.
    pub event_type: Option<Box<str>>,
    /// `ce_subject`, where it says.
    pub stream: Option<Box<str>>,
    /// What is wrong with it.
    pub reason: String,
}

/// Events in the order of their partitions, and how far they lead.
#[derive(Debug, Clone)]
pub struct Batch<E> {
    /// The events; may be empty when only control records were passed.
    pub events: Vec<Recorded<E>>,
    /// Records among them that could not be decoded: what becomes of them, and of what follows them, is for the reader to say.
    pub undecodable: Vec<Undecodable>,
    /// One entry for each partition that moved since the last batch.
    pub progress: Vec<Progress>,
    /// Bytes of payload that were read for it.
    pub bytes: usize,
}

/// How large a batch may grow and how long it may wait.
#[derive(Debug, Clone, Copy)]
pub struct BatchLimits {
    /// At most so many events.
    pub max_events: usize,
    /// At most so many bytes of payload, as long as there is one event.
    pub max_bytes: usize,
    /// A batch is handed out, full or not, so long after its first event; what is there is never waited on for more.
    pub max_wait_ms: u64,
    /// No batch comes sooner than so long after the one before, unless that was full: what comes record by record is gathered.
    pub every_ms: u64,
}

impl BatchLimits {
    fn are_reached(&self, events: usize, bytes: usize) -> bool {
        events >= self.max_events || bytes >= self.max_bytes
    }
}

impl Default for BatchLimits {
    fn default() -> Self {
        Self {
            max_events: 5_000,
            max_bytes: 8 << 20,
            max_wait_ms: 100,
            every_ms: 0,
        }
    }
}

/// A `read_committed` reader of some partitions.
#[async_trait]
pub trait Subscription<E>: Send {
    /// The next batch; waits until there is one. Safe to drop and call again: nothing is lost.
    ///
    /// # Errors
    /// When the log is out of reach, or does not hold the asked offset any more.
    async fn next_batch(&mut self) -> Result<Batch<E>, LogError>;
}

/// So many batches wait between the reading thread and the consumer: one is worked on while the next is read.
const BATCHES_AHEAD: usize = 2;
/// How long one wait for a record may be; also how soon a reading thread notices that its consumer has gone.
const POLL: Duration = Duration::from_millis(200);

/// Starts a thread that reads events ahead of the consumer, by so much and no more.
pub(crate) fn subscribe<L: Log, E: ReadEvent>(
    log: &L,
    from: &[StartAt],
    limits: BatchLimits,
) -> Result<Box<dyn Subscription<E>>, LogError> {
    let landmarks = Landmarks::default();
    let received = read_ahead(log, from, landmarks, limits, BATCHES_AHEAD, read::<E>)?;
    Ok(Box::new(Received(received)))
}

fn read<E: ReadEvent>(
    record: &RawRecord<'_>,
    interned: &mut Interned,
) -> Result<Result<Recorded<E>, Undecodable>, LogError> {
    Ok(codec::decode_parts(record, interned)
        .map_err(|reason| codec::undecodable(record, interned, &reason)))
}

/// What was read, made of records by the reader's own means.
pub(crate) struct Chunk<T> {
    pub(crate) items: Vec<T>,
    pub(crate) progress: Vec<Progress>,
    /// Of payload.
    pub(crate) bytes: usize,
}

/// The receiving end of a reading thread.
pub(crate) type Chunks<T> = mpsc::Receiver<Result<Chunk<T>, LogError>>;

/// Starts a thread that reads ahead of the consumer, so many chunks at most. After an error it ends. Landmarks are met, and not
/// handed out.
pub(crate) fn read_ahead<L: Log, T: Send + 'static>(
    log: &L,
    from: &[StartAt],
    landmarks: Landmarks,
    limits: BatchLimits,
    ahead: usize,
    read: fn(&RawRecord<'_>, &mut Interned) -> Result<T, LogError>,
) -> Result<Chunks<T>, LogError> {
    let reader = log.reader(from)?;
    let (chunks, received) = mpsc::channel(ahead);
    let progress = from
        .iter()
        .map(|start| Progress {
            topic: Arc::clone(&start.topic),
            partition: start.partition,
            next_offset: start.next_offset,
        })
        .collect();
    let mut reading = Reading {
        reader,
        landmarks,
        read,
        interned: Interned::default(),
        limits,
        progress,
        usual: 0,
        not_before: Instant::now(),
    };
    std::thread::Builder::new()
        .name("subscription".to_owned())
        .spawn(move || {
            while !chunks.is_closed() {
                let Some(chunk) = reading.next().transpose() else {
                    continue;
                };
                let failed = chunk.is_err();
                if chunks.blocking_send(chunk).is_err() || failed {
                    return;
                }
            }
        })
        .map_err(|error| LogError::Unavailable {
            attempted: "starting a subscription",
            reason: error.to_string(),
        })?;
    Ok(received)
}

/// The next chunk of a reading thread.
pub(crate) async fn next_chunk<T>(chunks: &mut Chunks<T>) -> Result<Chunk<T>, LogError> {
    chunks.recv().await.unwrap_or_else(|| {
        Err(LogError::Unavailable {
            attempted: "reading",
            reason: "the subscription has ended after an error".to_owned(),
        })
    })
}

struct Received<E>(Chunks<Result<Recorded<E>, Undecodable>>);

#[async_trait]
impl<E: ReadEvent> Subscription<E> for Received<E> {
    async fn next_batch(&mut self) -> Result<Batch<E>, LogError> {
        let Chunk {
            items,
            progress,
            bytes,
        } = next_chunk(&mut self.0).await?;
        let mut batch = Batch {
            events: Vec::with_capacity(items.len()),
            undecodable: Vec::new(),
            progress,
            bytes,
        };
        for item in items {
            match item {
                Ok(event) => batch.events.push(event),
                Err(undecodable) => batch.undecodable.push(undecodable),
            }
        }
        Ok(batch)
    }
}

/// The reading thread's side.
struct Reading<R, T> {
    reader: R,
    landmarks: Landmarks,
    read: fn(&RawRecord<'_>, &mut Interned) -> Result<T, LogError>,
    interned: Interned,
    limits: BatchLimits,
    progress: Vec<Progress>,
    /// How many items the last chunk had: room for so many again, so that they are not moved while it grows.
    usual: usize,
    /// When the next chunk is due at the earliest.
    not_before: Instant,
}

impl<R: Reader, T> Reading<R, T> {
    /// What is there, up to the limits; none where nothing moved.
    fn next(&mut self) -> Result<Option<Chunk<T>>, LogError> {
        // Asleep, since whoever waits for records is woken by each.
        std::thread::sleep(self.not_before.saturating_duration_since(Instant::now()));
        let mut items = Vec::with_capacity(self.usual);
        let mut bytes = 0;
        let begun = Instant::now();
        let max_wait = Duration::from_millis(self.limits.max_wait_ms);
        while !self.limits.are_reached(items.len(), bytes) {
            let timeout = if items.is_empty() {
                POLL
            } else {
                Duration::ZERO
            };
            let (read, interned) = (self.read, &mut self.interned);
            let landmarks = &mut self.landmarks;
            let polled = self.reader.poll(timeout, |record| {
                bytes += record.payload.len();
                match landmarks.meet(record)? {
                    true => Ok(None),
                    false => read(record, interned).map(Some),
                }
            })?;
            match polled {
                Some(item) => items.extend(item?),
                None => break,
            }
            if begun.elapsed() > max_wait {
                break;
            }
        }
        self.usual = items.len();
        let progress = self.moved();
        self.landmarks.check_passed(&progress)?;
        let nothing = items.is_empty() && progress.is_empty();
        if !nothing && !self.limits.are_reached(items.len(), bytes) {
            self.not_before = Instant::now() + Duration::from_millis(self.limits.every_ms);
        }
        Ok((!nothing).then_some(Chunk {
            items,
            progress,
            bytes,
        }))
    }

    /// The partitions that moved since the last time.
    fn moved(&mut self) -> Vec<Progress> {
        let reader = &self.reader;
        let mut moved = Vec::new();
        for progress in &mut self.progress {
            let next_offset = reader.position(&progress.topic, progress.partition);
            if next_offset != progress.next_offset {
                progress.next_offset = next_offset;
                moved.push(progress.clone());
            }
        }
        moved
    }
}
