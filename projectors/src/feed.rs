//! Some partitions of one version: events in, rows and checkpoints out, exactly once in effect.

mod applied;
mod moving;
mod parked;

use std::sync::Arc;

use event_store::{Batch, BatchLimits, Position, StartAt, Subscription, log::Log};
use sqlx::{Connection, PgConnection};

use self::{
    applied::Applied,
    moving::{Move, advance},
    parked::{of_each_place, told, told_of_dry_run, too_many},
};
use crate::{
    Projection, ProjectorError,
    chunk::Chunk,
    log::ask,
    parking::{Parking, Refused, is_beyond_limit, take_misplaced},
    registry::{self, Checkpoint, Origin, Positions, Version},
    written::WrittenKeys,
};

/// Applies the events of some partition numbers, in all topics of the projection, to one version.
pub(crate) struct Feed<P: Projection> {
    version: i32,
    connection: PgConnection,
    subscription: Box<dyn Subscription<P::Event>>,
    checkpoints: Vec<Checkpoint>,
    /// That each topic has, of which it feeds some.
    partitions_of_topic: i32,
    /// What was applied before it began, and is read once more.
    applied: Vec<Applied>,
    parking: Parking,
    chunk: Chunk<P>,
    /// Where the table was empty when this feed began.
    written: Option<WrittenKeys>,
    moves: Vec<Move>,
    /// Whether events were read that were not asked for, and are lost to this feed.
    overrun: bool,
    /// Whether it is that of a dry run, so that nothing that it writes stays.
    is_dry_run: bool,
}

impl<P: Projection> Feed<P> {
    /// Goes on from the version's checkpoints, of the partitions that are to be fed; the connection must be to its schema.
    pub(crate) async fn open<S: Log>(
        source: &S,
        origin: &Origin,
        mut connection: PgConnection,
        version: &Version,
        checkpoints: Vec<Checkpoint>,
        limits: BatchLimits,
    ) -> Result<Self, ProjectorError> {
        let partitions = registry::partitions_of(&checkpoints);
        let parking = Parking::load(&mut connection, P::NAME, version.number, &partitions).await?;
        let known = checkpoints.clone();
        let subscribe = move |source: &S| Ok(subscribe::<P, S>(source, &known, limits));
        let subscription = ask(source, subscribe).await??;
        Ok(Self {
            version: version.number,
            connection,
            subscription,
            applied: checkpoints.iter().filter_map(Applied::before).collect(),
            checkpoints,
            partitions_of_topic: origin.partitions,
            parking,
            chunk: Chunk::default(),
            written: None,
            moves: Vec::new(),
            overrun: false,
            is_dry_run: false,
        })
    }

    /// Makes it that of a dry run: of what it parks it says that a rebuild would, and what it writes goes with its connection.
    pub(crate) fn make_dry_run(&mut self) {
        self.is_dry_run = true;
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
        for mut applied in std::mem::take(&mut self.applied) {
            if applied.take_from(&mut batch)? {
                self.applied.push(applied);
            }
        }
        take_misplaced::<P>(&mut batch, self.partitions_of_topic);
        Ok(batch)
    }

    /// As [`next`](Self::next), without what lies beyond these ends. Where there was something beyond, the feed has to be opened
    /// anew to go on from there.
    pub(crate) async fn next_before(
        &mut self,
        ends: &Positions,
    ) -> Result<Batch<P::Event>, ProjectorError> {
        let mut batch = self.next().await?;
        for progress in &mut batch.progress {
            let end = end(ends, progress.place());
            self.overrun |= progress.next_offset > end;
            progress.next_offset = progress.next_offset.min(end);
        }
        let progress = &batch.progress;
        let is_before = |position: &Position| {
            let mut of_place = progress.iter();
            let reached = of_place.find(|reached| reached.place() == position.place());
            reached.is_none_or(|reached| position.offset < reached.next_offset)
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

    /// The partition numbers that it feeds.
    pub(crate) fn partitions(&self) -> Vec<i32> {
        registry::partitions_of(&self.checkpoints)
    }

    /// Of its checkpoints. As long as another feed has the same ones, nobody has begun to feed these partitions in between.
    pub(crate) fn epochs(&self) -> Vec<i64> {
        self.checkpoints.iter().map(|of| of.epoch).collect()
    }

    /// Has events that [`absorb`](Self::absorb) has refused be parked when they come again.
    pub(crate) fn park(&mut self, refused: &mut Refused) {
        let checkpoints = &self.checkpoints;
        let is_to_come = |position: &Position| {
            let mut of_place = checkpoints.iter();
            let of_place = of_place.find(|of| of.place() == position.place());
            of_place.is_some_and(|of| position.offset >= of.next_offset)
        };
        self.parking.refuse(refused.keep(self.version, is_to_come));
    }

    /// Whether such are yet to come: until then each batch is to be flushed, or what it refuses would be found out over and over.
    pub(crate) fn awaits_refused(&self) -> bool {
        self.parking.awaits_refused()
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
            let mut from_the_end = batch.events.iter().rev();
            let last = from_the_end
                .find(|event| event.position.place() == progress.place())
                .map(|event| (event.position.offset, event.metadata.event_id));
            self.note(Move {
                topic: Arc::clone(&progress.topic),
                partition: progress.partition,
                next_offset: progress.next_offset,
                end_offset: None,
                last,
            });
        }
        self.parking.set_aside(&mut batch);
        self.chunk.weigh(batch.bytes);
        self.chunk
            .absorb(&mut self.connection, &batch.events, self.written.as_ref())
            .await?;
        Ok(count)
    }

    fn note(&mut self, new: Move) {
        let mut moves = self.moves.iter_mut();
        match moves.find(|old| old.place() == new.place()) {
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
        let (from, to) = (&self.checkpoints, &self.moves);
        if !advance::<P>(&mut tx, self.version, from, to).await? {
            tx.rollback().await?;
            return Err(ProjectorError::Superseded);
        }
        let new_rows = chunk.write(&mut tx).await?;
        if !self.parking.is_empty() {
            let causes = self.parking.write(&mut tx, P::NAME, self.version).await?;
            for (first, last) in of_each_place(&causes) {
                if is_beyond_limit(&mut tx, P::NAME, self.version, first.position()).await? {
                    return Err(too_many(last));
                }
            }
            tx.commit().await?;
            match self.is_dry_run {
                true => told_of_dry_run::<P>(&causes),
                false => told::<P>(self.version, &causes),
            }
            self.parking.clear();
        } else {
            tx.commit().await?;
        }
        for done in self.moves.drain(..) {
            let mut checkpoints = self.checkpoints.iter_mut();
            if let Some(checkpoint) = checkpoints.find(|from| from.place() == done.place()) {
                checkpoint.next_offset = checkpoint.next_offset.max(done.next_offset);
            }
        }
        Ok(new_rows)
    }

    /// Asks where the log ends, beside whatever the feed does meanwhile: a broker under load takes its time. Fails where the log
    /// was cut back.
    pub(crate) fn ask_ends<S: Log>(
        &self,
        source: &S,
    ) -> impl Future<Output = Result<Vec<i64>, ProjectorError>> + use<P, S> {
        let (source, held) = (source.clone(), self.checkpoints.clone());
        async move { ask(&source, move |source| Ok(ends(source, &held))).await? }
    }

    /// Notes the answer of [`ask_ends`](Self::ask_ends), which also shows that this feed is alive, and whether it has been
    /// superseded. Answers how many records are yet to come; what has been applied since it asked may lie beyond those ends.
    pub(crate) async fn note_ends(&mut self, ends: Vec<i64>) -> Result<i64, ProjectorError> {
        let lag = std::iter::zip(&self.checkpoints, &ends)
            .map(|(checkpoint, end)| (end - checkpoint.next_offset).max(0))
            .sum();
        self.moves = std::iter::zip(&self.checkpoints, ends)
            .map(|(checkpoint, end)| Move {
                topic: Arc::clone(&checkpoint.topic),
                partition: checkpoint.partition,
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

    /// Bytes of the events' payloads that those rows were made of.
    pub(crate) fn held_bytes(&self) -> usize {
        self.chunk.bytes()
    }

    /// How many records lie between what was read, written or not, and these ends.
    pub(crate) fn remaining(&self, ends: &Positions) -> i64 {
        let places = self.checkpoints.iter();
        places
            .map(|of| (end(ends, of.place()) - self.read_to(of)).max(0))
            .sum()
    }

    fn read_to(&self, written: &Checkpoint) -> i64 {
        let mut unwritten = self.moves.iter();
        let unwritten = unwritten.find(|to| to.place() == written.place());
        // What was applied before is read again first.
        unwritten.map_or(written.next_offset, |to| {
            to.next_offset.max(written.next_offset)
        })
    }

    /// Marks the version as failed; see [`registry::fail`].
    pub(crate) async fn fail(
        &mut self,
        error: &ProjectorError,
    ) -> Result<ProjectorError, ProjectorError> {
        let left = &self.checkpoints;
        registry::fail::<P>(&mut self.connection, self.version, left, error).await
    }
}

/// Reads from the last events applied, so that they can be compared.
fn subscribe<P: Projection, S: Log>(
    source: &S,
    checkpoints: &[Checkpoint],
    limits: BatchLimits,
) -> Result<Box<dyn Subscription<P::Event>>, ProjectorError> {
    let cluster_id = source.cluster_id()?;
    if let Some(other) = checkpoints.iter().find(|of| of.cluster_id != cluster_id) {
        return Err(diverged(format!(
            "the rows come from cluster {}, this is {cluster_id}",
            other.cluster_id
        )));
    }
    ends(source, checkpoints)?;
    let from: Vec<StartAt> = checkpoints
        .iter()
        .map(|checkpoint| StartAt {
            topic: Arc::clone(&checkpoint.topic),
            partition: checkpoint.partition,
            next_offset: checkpoint
                .last
                .map_or(checkpoint.next_offset, |(offset, _)| offset),
        })
        .collect();
    Ok(source.subscribe(&from, limits)?)
}

/// Where the log ends, in the order of the checkpoints; an error where it was cut back, so that it ends before one of them.
fn ends<S: Log>(source: &S, checkpoints: &[Checkpoint]) -> Result<Vec<i64>, ProjectorError> {
    let places: Vec<(&str, i32)> = checkpoints.iter().map(Checkpoint::place).collect();
    let ends = source.end_offsets(&places)?;
    let mut ended = std::iter::zip(checkpoints, &ends);
    match ended.find(|(checkpoint, end)| checkpoint.next_offset > **end) {
        Some((checkpoint, end)) => Err(cut_back(checkpoint, *end)),
        None => Ok(ends),
    }
}

/// Nothing is asked for of a topic that is not named.
fn end(ends: &Positions, (topic, partition): (&str, i32)) -> i64 {
    ends.get(&(topic.to_owned(), partition))
        .copied()
        .unwrap_or(0)
}

fn cut_back(checkpoint: &Checkpoint, end: i64) -> ProjectorError {
    let Checkpoint {
        topic,
        partition,
        next_offset,
        ..
    } = checkpoint;
    diverged(format!(
        "the rows hold {topic}/{partition} to offset {next_offset}, where it now ends at {end}"
    ))
}

fn diverged(reason: String) -> ProjectorError {
    ProjectorError::Diverged { reason }
}
