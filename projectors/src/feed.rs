//! One partition of one version: events in, rows and checkpoint out, exactly once in effect.

mod moving;

use std::{collections::BTreeMap, sync::Arc};

use event_store::{Batch, BatchLimits, Position, StartAt, Subscription};
use sqlx::{Connection, PgConnection};
use uuid::Uuid;

use self::moving::{Move, advance};
use crate::{
    Projection, ProjectorError,
    chunk::Chunk,
    parking::{Letter, Parking, is_beyond_limit},
    registry::{self, Checkpoint, Positions, Version},
    source::{Source, ask},
    written::WrittenKeys,
};

/// Applies the events of one partition number, in all topics of the projection, to one version.
pub(crate) struct Feed<P: Projection> {
    version: i32,
    partition: i32,
    connection: PgConnection,
    subscription: Box<dyn Subscription<P::Event>>,
    checkpoints: Vec<Checkpoint>,
    /// The last events applied, read once more to see that the log is still the same.
    unverified: Vec<(Arc<str>, i64, Uuid)>,
    parking: Parking,
    chunk: Chunk<P>,
    /// Where the table was empty when this feed began.
    written: Option<WrittenKeys>,
    moves: Vec<Move>,
    /// Whether events were read that were not asked for, and are lost to this feed.
    overrun: bool,
}

impl<P: Projection> Feed<P> {
    /// Goes on from the version's checkpoint; the connection must be to its schema.
    pub(crate) async fn open<S: Source>(
        source: &S,
        mut connection: PgConnection,
        version: &Version,
        partition: i32,
        checkpoints: Vec<Checkpoint>,
        limits: BatchLimits,
    ) -> Result<Self, ProjectorError> {
        let parking = Parking::load(&mut connection, P::NAME, version.number, partition).await?;
        let known = checkpoints.clone();
        let subscribe = move |source: &S| Ok(subscribe::<P, S>(source, partition, &known, limits));
        let subscription = ask(source, subscribe).await??;
        let last = |checkpoint: &Checkpoint| {
            let (offset, id) = checkpoint.last?;
            Some((Arc::clone(&checkpoint.topic), offset, id))
        };
        Ok(Self {
            version: version.number,
            partition,
            connection,
            subscription,
            unverified: checkpoints.iter().filter_map(last).collect(),
            checkpoints,
            parking,
            chunk: Chunk::default(),
            written: None,
            moves: Vec::new(),
            overrun: false,
        })
    }

    /// Remembers, in so many bytes, what it writes; if it begins with nothing, so that there is nothing else.
    pub(crate) fn remember_written(&mut self, bytes: usize) {
        if self.checkpoints.iter().all(|of| of.next_offset == 0) {
            self.written = Some(WrittenKeys::with_bytes(bytes));
        }
    }

    /// What comes next. May be dropped and called again.
    pub(crate) async fn next(&mut self) -> Result<Batch<P::Event>, ProjectorError> {
        let mut batch = self.subscription.next_batch().await?;
        if !self.unverified.is_empty() {
            self.verify(&mut batch)?;
        }
        Ok(batch)
    }

    /// As [`next`](Self::next), without what lies beyond these ends. Where there was something beyond, the feed has to be opened
    /// anew to go on from there.
    pub(crate) async fn next_before(
        &mut self,
        ends: &Positions,
    ) -> Result<Batch<P::Event>, ProjectorError> {
        let mut batch = self.next().await?;
        let mut end_of = BTreeMap::new();
        for progress in &mut batch.progress {
            let end = end(ends, &progress.topic, self.partition);
            self.overrun |= progress.next_offset > end;
            progress.next_offset = progress.next_offset.min(end);
            end_of.insert(Arc::clone(&progress.topic), end);
        }
        let is_before = |position: &Position| {
            let end = end_of.get(&position.topic);
            end.is_none_or(|end| position.offset < *end)
        };
        batch.events.retain(|event| is_before(&event.position));
        batch
            .undecodable
            .retain(|record| is_before(&record.position));
        Ok(batch)
    }

    /// Whether it has to be opened anew to go on.
    pub(crate) fn has_overrun(&self) -> bool {
        self.overrun
    }

    pub(crate) fn partition(&self) -> i32 {
        self.partition
    }

    /// Takes from the batch what was applied before, which must read back as it was.
    fn verify(&mut self, batch: &mut Batch<P::Event>) -> Result<(), ProjectorError> {
        let mut differing = None;
        let unverified = &mut self.unverified;
        batch.events.retain(|event| {
            let of_topic = unverified
                .iter()
                .position(|(topic, ..)| *topic == event.position.topic);
            let Some(index) = of_topic else {
                return true;
            };
            let (_, offset, id) = unverified.swap_remove(index);
            if (event.position.offset, event.metadata.event_id) != (offset, id) {
                differing = Some(event.position.clone());
            }
            false
        });
        match differing {
            Some(position) => Err(diverged(format!(
                "{position} is not the event that was applied there"
            ))),
            None => Ok(()),
        }
    }

    /// Has an event that [`absorb`](Self::absorb) has refused be parked when it comes again.
    pub(crate) fn park(&mut self, position: Position, reason: String) {
        self.parking.refuse(position, reason);
    }

    /// Folds a batch in memory; what is read for it lies behind the checkpoint, so it is still true at [`flush`](Self::flush).
    /// What cannot be decoded is parked. After an event that cannot be applied this feed is of no use any more: another one
    /// has to go on from the checkpoint, told to [`park`](Self::park) it. Answers how many events there were.
    pub(crate) async fn absorb(
        &mut self,
        mut batch: Batch<P::Event>,
    ) -> Result<usize, ProjectorError> {
        let count = batch.events.len();
        for progress in &batch.progress {
            let mut of_topic = batch.events.iter().rev();
            let last = of_topic
                .find(|event| event.position.topic == progress.topic)
                .map(|event| (event.position.offset, event.metadata.event_id));
            self.note(Move {
                topic: Arc::clone(&progress.topic),
                next_offset: progress.next_offset,
                end_offset: None,
                last,
            });
        }
        self.parking.set_aside(&mut batch);
        self.chunk
            .absorb(&mut self.connection, &batch.events, self.written.as_ref())
            .await?;
        Ok(count)
    }

    fn note(&mut self, new: Move) {
        match self.moves.iter_mut().find(|old| old.topic == new.topic) {
            Some(old) => {
                let last = new.last.or(old.last);
                *old = Move { last, ..new };
            }
            None => self.moves.push(new),
        }
    }

    /// Writes checkpoint and rows in one transaction; answers how many rows are new.
    pub(crate) async fn flush(&mut self) -> Result<u64, ProjectorError> {
        if self.moves.is_empty() {
            return Ok(0);
        }
        let chunk = std::mem::take(&mut self.chunk);
        if let Some(written) = &mut self.written {
            chunk.note_new(written);
        }
        let mut tx = self.connection.begin().await?;
        let moved = advance::<P>(
            &mut tx,
            self.version,
            self.partition,
            &self.checkpoints,
            &self.moves,
        )
        .await?;
        if !moved {
            tx.rollback().await?;
            return Err(ProjectorError::Superseded);
        }
        let new_rows = chunk.write(&mut tx).await?;
        if !self.parking.is_empty() {
            let causes = self.parking.write(&mut tx, P::NAME, self.version).await?;
            if let Some(last) = causes.last()
                && is_beyond_limit(&mut tx, P::NAME, self.version, last.position()).await?
            {
                return Err(too_many(last));
            }
            tx.commit().await?;
            told::<P>(self.version, &causes);
            self.parking.clear();
        } else {
            tx.commit().await?;
        }
        for done in self.moves.drain(..) {
            let checkpoint = self
                .checkpoints
                .iter_mut()
                .find(|checkpoint| checkpoint.topic == done.topic);
            if let Some(checkpoint) = checkpoint {
                checkpoint.next_offset = checkpoint.next_offset.max(done.next_offset);
            }
        }
        Ok(new_rows)
    }

    /// Notes the log's ends, which also shows that this feed is alive, and whether it has been superseded, or the log cut back.
    /// Answers how many records are yet to come.
    pub(crate) async fn refresh_ends<S: Source>(
        &mut self,
        source: &S,
    ) -> Result<i64, ProjectorError> {
        let partition = self.partition;
        let topics: Vec<_> = self
            .checkpoints
            .iter()
            .map(|checkpoint| Arc::clone(&checkpoint.topic))
            .collect();
        let ends = ask(source, move |source| {
            let places: Vec<_> = topics.iter().map(|topic| (&**topic, partition)).collect();
            source.end_offsets(&places)
        })
        .await?;
        let mut ended = std::iter::zip(&self.checkpoints, &ends);
        if let Some((checkpoint, end)) = ended.find(|(read, end)| read.next_offset > **end) {
            return Err(cut_back(checkpoint, partition, *end));
        }
        let lag = std::iter::zip(&self.checkpoints, &ends)
            .map(|(checkpoint, end)| end - checkpoint.next_offset)
            .sum();
        self.moves = std::iter::zip(&self.checkpoints, ends)
            .map(|(checkpoint, end)| Move {
                topic: Arc::clone(&checkpoint.topic),
                next_offset: checkpoint.next_offset,
                end_offset: Some(end),
                last: None,
            })
            .collect();
        self.flush().await?;
        Ok(lag)
    }

    /// Lets go of its connection, to which it has written what it has flushed.
    pub(crate) fn into_connection(self) -> PgConnection {
        self.connection
    }

    /// Rows held in memory.
    pub(crate) fn held(&self) -> usize {
        self.chunk.len()
    }

    /// How many records lie between what was read, written or not, and these ends.
    pub(crate) fn remaining(&self, ends: &Positions) -> i64 {
        let topics = self.checkpoints.iter().map(|of| &of.topic);
        topics
            .map(|topic| (end(ends, topic, self.partition) - self.read_to(topic)).max(0))
            .sum()
    }

    fn read_to(&self, topic: &Arc<str>) -> i64 {
        let unwritten = self
            .moves
            .iter()
            .find(|unwritten| unwritten.topic == *topic);
        let written = || {
            self.checkpoints
                .iter()
                .find(|written| written.topic == *topic)
        };
        match unwritten {
            Some(unwritten) => unwritten.next_offset,
            None => written().map_or(0, |written| written.next_offset),
        }
    }

    /// Marks the version as failed; see [`registry::fail`].
    pub(crate) async fn fail(
        &mut self,
        error: &ProjectorError,
    ) -> Result<ProjectorError, ProjectorError> {
        registry::fail::<P>(
            &mut self.connection,
            self.version,
            self.partition,
            &self.checkpoints,
            error,
        )
        .await
    }
}

/// Reads from the last event applied, so that it can be compared.
fn subscribe<P: Projection, S: Source>(
    source: &S,
    partition: i32,
    checkpoints: &[Checkpoint],
    limits: BatchLimits,
) -> Result<Box<dyn Subscription<P::Event>>, ProjectorError> {
    let cluster_id = source.cluster_id()?;
    let mut from = Vec::with_capacity(checkpoints.len());
    for checkpoint in checkpoints {
        let read = &checkpoint.cluster_id;
        if *read != cluster_id {
            return Err(diverged(format!(
                "the rows come from cluster {read}, this is {cluster_id}"
            )));
        }
        let end = source.end_offset(&checkpoint.topic, partition)?;
        if checkpoint.next_offset > end {
            return Err(cut_back(checkpoint, partition, end));
        }
        let last = checkpoint.last.map(|(offset, _)| offset);
        from.push(StartAt {
            topic: Arc::clone(&checkpoint.topic),
            partition,
            next_offset: last.unwrap_or(checkpoint.next_offset),
        });
    }
    Ok(source.subscribe(&from, limits)?)
}

fn too_many(last: &Letter) -> ProjectorError {
    ProjectorError::TooManyDeadLetters {
        position: last.position().clone(),
        reason: last.reason().to_owned(),
    }
}

fn told<P: Projection>(version: i32, causes: &[&Letter]) {
    let labels = [("projection", P::NAME)];
    metrics::counter!("offset_zero_projection_dead_letters_total", &labels)
        .increment(causes.len() as u64);
    for letter in causes {
        tracing::error!(
            projection = P::NAME, version, position = %letter.position(), key = letter.key(), reason = letter.reason(),
            "parked an event that cannot be applied, with what follows for its key"
        );
    }
}

/// Nothing is asked for of a topic that is not named.
fn end(ends: &Positions, topic: &str, partition: i32) -> i64 {
    ends.get(&(topic.to_owned(), partition))
        .copied()
        .unwrap_or(0)
}

fn cut_back(checkpoint: &Checkpoint, partition: i32, end: i64) -> ProjectorError {
    let Checkpoint {
        topic, next_offset, ..
    } = checkpoint;
    diverged(format!(
        "the rows hold {topic}/{partition} to offset {next_offset}, where it now ends at {end}"
    ))
}

fn diverged(reason: String) -> ProjectorError {
    ProjectorError::Diverged { reason }
}
