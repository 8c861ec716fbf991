//! Running a policy, or an effect: events of its topics become commands of its service, each carried out once however often
//! its event is delivered.
//!
//! For every partition, a task reads the policy's topics from where its group has come, and notes how far it is when all
//! commands of what it has read have been carried out. The work of a partition is for whoever owns the writer of that
//! number; should two have it for a while, the commands' ids make that harmless.

mod gathering;
mod lag;
mod ledger;
mod reactions;
mod reactor;

use std::{panic, sync::Arc, time::Duration};

use domain::Context;
use tokio::{
    sync::watch,
    task::{JoinSet, spawn_blocking},
};
use tracing::{error, info, warn};

use self::{gathering::Gathering, lag::Lag, ledger::Ledger, reactions::Reacting};
pub use self::{
    ledger::NOTED_AGAIN_EVERY,
    reactor::{Doing, Effect, Reactor},
};
use crate::{
    checkpoint::{Checkpoint, Landmarks, LastEvent, Passed, Proof},
    codec::{self, Interned},
    envelope::Recorded,
    inbox::PartitionStatus,
    log::{Log, LogError, RawRecord},
    ownership::OWNERSHIP_TOPIC,
    store::EventStore,
    subscription::{BatchLimits, read_ahead},
};

/// Before reading is tried again where the log was out of reach.
const PAUSE: Duration = Duration::from_secs(1);
/// Of what is read at a time; what has come until then is reacted to together.
const LIMITS: BatchLimits = BatchLimits {
    max_events: 100,
    max_bytes: 1 << 20,
    max_wait_ms: 20,
    every_ms: 0,
};
const CHUNKS_AHEAD: usize = 16;
/// Few, since how far it is is noted when all commands of what is reacted to are done, and all of it is done again after a crash.
const REACTED_TO_AT_ONCE: usize = 1_000;

/// Runs a policy, or an effect, on every partition until told to stop.
///
/// # Errors
/// When the topics do not have the store's number of partitions; when an event cannot be decoded; and when the log does
/// not hold the place that the group had come to, or another event there, so that it is not the log that was read before. None of these mends
/// itself, so the whole policy ends: an operator is needed.
pub async fn run_policy<P: Reactor, L: Log>(
    policy: Arc<P>,
    log: L,
    store: EventStore<P::Context>,
    stop: watch::Receiver<bool>,
) -> Result<(), LogError> {
    let partitions = counted::<P, L>(&log, &store).await?;
    let mut followers = JoinSet::new();
    let mut lags = Vec::new();
    for partition in 0..partitions {
        let lag = Arc::new(Lag::new(P::NAME, partition));
        lags.push(Arc::clone(&lag));
        let follower = Follower {
            log: log.clone(),
            partition,
            reacting: Arc::new(Reacting::new(Arc::clone(&policy), store.clone(), partition)),
            lag,
        };
        followers.spawn(follower.run(stop.clone()));
    }
    tokio::select! {
        ended = all(followers) => ended,
        never = lag::keep_telling(P::NAME, &log, &store, &lags) => match never {},
    }
}

/// Waits until all have ended, or one has failed.
async fn all(mut followers: JoinSet<Result<(), LogError>>) -> Result<(), LogError> {
    while let Some(ended) = followers.join_next().await {
        match ended {
            Ok(ended) => ended?,
            Err(failed) => panic::resume_unwind(failed.into_panic()),
        }
    }
    Ok(())
}

async fn counted<P: Reactor, L: Log>(
    log: &L,
    store: &EventStore<P::Context>,
) -> Result<i32, LogError> {
    let expected = i32::try_from(store.status().len()).expect("Kafka counts partitions in 31 bits");
    for topic in P::TOPICS {
        let partitions = blocking(log, |log| log.partitions(topic)).await?;
        if partitions != expected {
            return Err(LogError::Topic {
                topic: (*topic).to_owned(),
                reason: format!(
                    "has {partitions} partitions where {}'s have {expected}",
                    <P::Context as Context>::SERVICE
                ),
            });
        }
    }
    Ok(expected)
}

/// Asks the log on a thread where that may block.
async fn blocking<L: Log, T: Send + 'static>(
    log: &L,
    ask: impl FnOnce(&L) -> Result<T, LogError> + Send + 'static,
) -> Result<T, LogError> {
    let log = log.clone();
    match spawn_blocking(move || ask(&log)).await {
        Ok(answer) => answer,
        Err(failed) if failed.is_panic() => panic::resume_unwind(failed.into_panic()),
        Err(cancelled) => Err(LogError::Unavailable {
            attempted: "asking the log",
            reason: cancelled.to_string(),
        }),
    }
}

/// An event, and the key of its record: events of one journey at one key are reacted to one after the other.
struct Keyed<E> {
    key: Box<[u8]>,
    recorded: Recorded<E>,
}

fn read_keyed<E: domain::ReadEvent>(
    record: &RawRecord<'_>,
    interned: &mut Interned,
) -> Result<Keyed<E>, LogError> {
    Ok(Keyed {
        key: record.key.into(),
        recorded: codec::decode(record, interned)?,
    })
}

/// The last of each topic.
fn last_events<E>(items: &[Keyed<E>]) -> Vec<(Arc<str>, LastEvent)> {
    let mut lasts: Vec<(Arc<str>, LastEvent)> = Vec::new();
    for Keyed { recorded, .. } in items.iter().rev() {
        let topic = &recorded.position.topic;
        if lasts.iter().all(|(known, _)| known != topic) {
            let last = LastEvent {
                offset: recorded.position.offset,
                event_id: recorded.metadata.event_id,
            };
            lasts.push((Arc::clone(topic), last));
        }
    }
    lasts
}

/// One partition of a policy.
struct Follower<P: Reactor, L: Log> {
    log: L,
    partition: i32,
    reacting: Arc<Reacting<P>>,
    lag: Arc<Lag>,
}

/// Why a follower no longer reads.
enum Left {
    Stopped,
    /// The writer of this number is somebody else's now, and so is the policy's work there.
    Superseded,
}

impl<P: Reactor, L: Log> Follower<P, L> {
    async fn run(self, mut stop: watch::Receiver<bool>) -> Result<(), LogError> {
        loop {
            tokio::select! {
                biased;
                () = stopped(&mut stop) => return Ok(()),
                () = self.until(|status| status == PartitionStatus::Ready) => {}
            }
            match self.follow(&mut stop).await {
                Ok(Left::Stopped) => return Ok(()),
                Ok(Left::Superseded) => {
                    self.lag.forget();
                    info!(
                        policy = P::NAME,
                        partition = self.partition,
                        "left to another process"
                    );
                }
                Err(error @ LogError::Unavailable { .. }) => {
                    warn!(policy = P::NAME, partition = self.partition, %error, "will read again");
                    tokio::select! {
                        () = stopped(&mut stop) => return Ok(()),
                        () = tokio::time::sleep(PAUSE) => {}
                    }
                }
                Err(error @ (LogError::Diverged { .. } | LogError::OffsetLost { .. })) => {
                    error!(
                        policy = P::NAME,
                        partition = self.partition,
                        %error,
                        "cannot go on: restore the log that was read, or, where this is the one to go on with, have the \
                         policy read it from offset zero: offset-zero policies reset {}",
                        P::NAME
                    );
                    return Err(error);
                }
                Err(error) => {
                    error!(policy = P::NAME, partition = self.partition, %error, "cannot go on");
                    return Err(error);
                }
            }
        }
    }

    async fn follow(&self, stop: &mut watch::Receiver<bool>) -> Result<Left, LogError> {
        let (from, witness) = self.start().await?;
        let mut ledger = Ledger::new(self.log.clone(), P::NAME, from.clone(), witness);
        self.lag.note(ledger.done());
        let mut received = blocking(&self.log, move |log| {
            let starts: Vec<_> = from.iter().map(Checkpoint::start).collect();
            let landmarks = Landmarks::of(&from);
            let read = read_keyed::<P::Event>;
            read_ahead(log, &starts, landmarks, LIMITS, CHUNKS_AHEAD, read)
        })
        .await
        .map(Gathering::new)?;
        let left = tokio::select! {
            biased;
            () = stopped(stop) => Ok(Left::Stopped),
            () = self.until(is_elsewhere) => Ok(Left::Superseded),
            failed = self.work(&mut received, &mut ledger) => failed,
        };
        match left {
            Ok(Left::Stopped) => ledger.finish().await,
            // What another process, or an operator, notes from now on must not be taken back.
            Ok(Left::Superseded) | Err(_) => ledger.heed_running().await,
        }
        left
    }

    /// Where the group has come to. A log that does not reach there, or is another, is not the one that it was read from.
    async fn start(&self) -> Result<(Vec<Checkpoint>, Checkpoint), LogError> {
        let partition = self.partition;
        blocking(&self.log, move |log| {
            let cluster_id: Arc<str> = log.cluster_id()?.into();
            let witness = log.committed(P::NAME, OWNERSHIP_TOPIC, partition)?;
            let mut records = 0;
            let start = |topic: &&'static str| {
                let noted = log.committed(P::NAME, topic, partition)?;
                if noted.is_none() {
                    if let Some(witness) = &witness {
                        witness.verify_missing(topic)?;
                    }
                    records += log.end_offset(topic, partition)?;
                }
                let mut checkpoint = noted.unwrap_or_else(|| Checkpoint::zero(topic, partition));
                checkpoint.verify(log)?;
                // What was noted without a proof, by an older version, is believed, and has one from the next time on.
                checkpoint.proof.get_or_insert_with(|| Proof {
                    cluster_id: Arc::clone(&cluster_id),
                    passed: Passed::Nothing,
                });
                Ok(checkpoint)
            };
            let from: Result<Vec<_>, LogError> = P::TOPICS.iter().map(start).collect();
            let from = from?;
            if records > 0 {
                warn!(
                    policy = P::NAME,
                    partition, records, "no place is noted here: reads from offset zero"
                );
            }
            let witness = Checkpoint::witness(partition, P::TOPICS, Arc::clone(&cluster_id));
            Ok((from, witness))
        })
        .await
    }

    /// Reads and reacts until it fails.
    async fn work(
        &self,
        received: &mut Gathering<Keyed<P::Event>>,
        ledger: &mut Ledger<L>,
    ) -> Result<Left, LogError> {
        loop {
            tokio::select! {
                biased;
                chunk = received.next(REACTED_TO_AT_ONCE) => {
                    let chunk = chunk?;
                    let lasts = last_events(&chunk.items);
                    self.reacting.react_to(chunk.items).await;
                    ledger.note(&chunk.progress, &lasts);
                    self.lag.note(ledger.done());
                }
                () = ledger.is_due() => {}
            }
            ledger.commit_if_due().await;
        }
    }

    /// Waits until the writer of our number stands so.
    async fn until(&self, wanted: impl Fn(PartitionStatus) -> bool) {
        match self.reacting.store().changes(self.partition) {
            // It ends with the store, which we hold.
            Some(mut changes) => drop(changes.wait_for(|status| wanted(*status)).await),
            None => std::future::pending().await,
        }
    }
}

/// While a writer merely takes over again, its commands are tried again.
fn is_elsewhere(status: PartitionStatus) -> bool {
    match status {
        PartitionStatus::Starting | PartitionStatus::Ready => false,
        PartitionStatus::Elsewhere | PartitionStatus::Corrupt | PartitionStatus::Stopping => true,
    }
}

/// Whoever could tell us to stop has gone: that too is a reason to.
async fn stopped(stop: &mut watch::Receiver<bool>) {
    drop(stop.wait_for(|stop| *stop).await);
}
