//! Becoming the owner of a partition, in the one order that is safe: confirm, fence, claim, watermark, rehydrate, serve.
//!
//! Two are fenced. Who opens the partition's own appender keeps everybody else from claiming it; after that the last claim says
//! whose committer may still have something of this partition under way, and that is fenced before the claim is made. So the
//! last claim always names the only committer that can append, however takeovers fall into each other.

use std::{
    hash::{BuildHasher, RandomState},
    time::{Duration, Instant},
};

use domain::Context;
use tracing::{debug, warn};
use uuid::Uuid;

use crate::{
    committer::{Appended, Committer},
    inbox::PartitionStatus,
    log::{
        AppendError, Appender, AppenderId, CommitterId, Log, LogError, OutgoingRecord, WriterId,
    },
    mending::{InTurn, Mending},
    ownership::{OwnershipRecord, Sight, last_owner, owner_in_sight},
    rehydrate::{ends, keep_up, rehydrate},
    share::Share,
    state::{StateError, folder::StateFolder},
    streams::Streams,
    tail::Tail,
};

/// A foreign open transaction ends with its timeout (10 s) plus the broker's scan interval (10 s by default).
const REHYDRATION_PATIENCE: Duration = Duration::from_secs(30);

/// What would have moved a deadline may lie in the log for policies to read, which do so only while the partition is ours: for so
/// long what has fallen due meanwhile waits for them.
const DEADLINES_HELD: Duration = Duration::from_secs(5);

/// A process as the owner of one partition of one service.
pub(crate) struct Owner {
    pub(crate) id: WriterId,
    pub(crate) partitions: i32,
    /// This process, made anew at each start.
    pub(crate) instance: Uuid,
    /// Its name, where it has one.
    pub(crate) member: Option<String>,
    /// Where peers reach it.
    pub(crate) address: String,
    /// Where the state is kept on disk.
    pub(crate) state: StateFolder,
    /// Where the partition ended when it was followed last.
    pub(crate) kept_up_to: Vec<(&'static str, i32, i64)>,
    /// Shared by the owners of a service in this process.
    pub(crate) mending_in_turn: InTurn,
}

/// What an owner holds between a takeover and the first failure.
pub(crate) struct Tenure<C: Context, L: Log> {
    committer: Committer<L>,
    pub(crate) streams: Streams<C>,
    /// What comes after that in the log.
    pub(crate) tail: Tail<L>,
    pub(crate) ownership: OwnershipRecord,
    /// What the last owner may have left undone.
    pub(crate) mending: Mending,
    decisions: u32,
    since: Instant,
}

/// Why a partition could not be taken over.
#[derive(Debug, thiserror::Error)]
pub(crate) enum TakeoverError {
    #[error("the group does not count on us for the partition: {0}")]
    NotOurs(LogError),
    #[error("fenced while claiming the partition")]
    Fenced,
    #[error(transparent)]
    Corrupt(LogError),
    #[error("{0}")]
    Unavailable(String),
}

impl TakeoverError {
    pub(crate) fn status(&self) -> PartitionStatus {
        match self {
            Self::Corrupt(_) => PartitionStatus::Corrupt,
            Self::NotOurs(_) | Self::Fenced | Self::Unavailable(_) => PartitionStatus::Starting,
        }
    }
}

impl From<LogError> for TakeoverError {
    fn from(error: LogError) -> Self {
        match error {
            LogError::Unavailable { .. } => Self::Unavailable(error.to_string()),
            LogError::OffsetLost { .. }
            | LogError::Diverged { .. }
            | LogError::Undecodable { .. }
            | LogError::Topic { .. } => Self::Corrupt(error),
        }
    }
}

impl From<AppendError> for TakeoverError {
    fn from(error: AppendError) -> Self {
        match error {
            AppendError::Fenced => Self::Fenced,
            AppendError::Indefinite { .. } => Self::Unavailable(error.to_string()),
        }
    }
}

impl Owner {
    /// Fences every earlier owner and rebuilds the state from the log; calls `at_work` again and again while that gets on, since a long
    /// log takes minutes.
    pub(crate) fn take_over<C: Context, L: Log>(
        &mut self,
        log: &L,
        share: &Share<L>,
        committer: &Committer<L>,
        at_work: &dyn Fn(),
    ) -> Result<Tenure<C, L>, TakeoverError> {
        // 0. Whoever has slept through the partition's being given to another fences nobody.
        if let Err(error) = share.confirm(self.id.partition) {
            // Whoever has it may be on this machine.
            self.state.close();
            return Err(TakeoverError::NotOurs(error));
        }
        // 1. From here on nobody who has begun earlier can claim the partition.
        let mut claimant = log.appender(&AppenderId::Writer(self.id.clone()))?;
        // 2. From here on no earlier owner can commit anything to it.
        let ours = committer.id()?;
        let last = self.fence_last_owner(log, committer, ours)?;
        // 3. The claim: that it can be committed proves that nobody has begun later.
        let is_whole = last
            .as_ref()
            .is_some_and(|last| last.released && !last.unmended);
        let ownership = OwnershipRecord {
            service: self.id.service.to_owned(),
            partition: self.id.partition,
            generation: last.map_or(0, |last| last.generation) + 1,
            instance: self.instance,
            member: self.member.clone(),
            committer: ours,
            address: self.address.clone(),
            released: false,
            unmended: false,
        };
        claimant.append(&[ownership.record()])?;
        drop(claimant);
        // 4. Only now the watermark: below it lies all that earlier owners have committed.
        let (streams, places) = rehydrate(
            log,
            (self.id.partition, self.partitions),
            REHYDRATION_PATIENCE,
            &mut self.state,
            at_work,
        )?;
        // Who let go of it in order had nothing under way.
        let mending = match is_whole {
            true => Mending::Done,
            false => Mending::begin::<C, L>(
                log,
                (&self.id, self.partitions),
                &places,
                &self.mending_in_turn,
            ),
        };
        Ok(Tenure {
            committer: committer.clone(),
            mending,
            streams,
            tail: Tail::new(log.clone(), places),
            ownership,
            decisions: 0,
            since: Instant::now(),
        })
    }

    /// Answers who has claimed the partition last, when that one's committer can append to it no more.
    fn fence_last_owner<L: Log>(
        &self,
        log: &L,
        committer: &Committer<L>,
        ours: CommitterId,
    ) -> Result<Option<OwnershipRecord>, TakeoverError> {
        let fence = |owner: Option<&OwnershipRecord>| match owner {
            // What we ourselves had under way is done.
            Some(owner) if !owner.released && owner.committer != ours => {
                committer.fence(owner.committer)
            }
            Some(_) | None => Ok(()),
        };
        let last = match owner_in_sight(log, &self.id)? {
            Sight::Whole(last) => last,
            // What its open transaction hides comes into sight when that is aborted.
            Sight::Part(seen, _) => {
                fence(seen.as_ref())?;
                last_owner(log, &self.id, REHYDRATION_PATIENCE)?
            }
        };
        fence(last.as_ref())?;
        Ok(last)
    }

    /// Follows the partition while another process owns it, where something has come since the last time.
    pub(crate) fn keep_up<C: Context, L: Log>(
        &mut self,
        log: &L,
        within: Duration,
    ) -> Result<(), LogError> {
        let ends = ends::<C, L>(log, self.id.partition)?;
        let place = (self.id.partition, self.partitions);
        if ends != self.kept_up_to && keep_up::<C, L>(log, place, within, &mut self.state)? {
            self.kept_up_to = ends;
        }
        Ok(())
    }

    /// Between half of the duration and all of it, so that two processes do not keep in step.
    pub(crate) fn jitter(duration: Duration) -> Duration {
        let draw = RandomState::new().hash_one(()) % 1_000;
        duration / 2 + (duration / 2).mul_f64(f64::from(u32::try_from(draw).unwrap_or(0)) / 1_000.0)
    }
}

impl<C: Context, L: Log> Tenure<C, L> {
    /// A number that no other decision of this partition has: the generation, then a counter.
    pub(crate) fn next_decision(&mut self) -> u64 {
        self.decisions = self.decisions.wrapping_add(1);
        u64::from(self.ownership.generation) << 32 | u64::from(self.decisions)
    }

    /// How long deadlines are still held back.
    pub(crate) fn holds_deadlines_for(&self) -> Duration {
        DEADLINES_HELD.saturating_sub(self.since.elapsed())
    }

    /// Appends all records, or none, under the claim that was made.
    pub(crate) fn append(&self, records: Vec<OutgoingRecord>) -> Result<Appended, AppendError> {
        self.committer.append(self.ownership.committer, records)
    }

    /// Keeps on disk what has changed, where that is due. Only between turns, when all that is in memory is committed.
    pub(crate) fn keep_if_due(&mut self) -> Result<(), StateError> {
        let Self { streams, tail, .. } = self;
        if C::OPENED_ELSEWHERE
            && let Err(error) = tail.follow()
        {
            debug!(%error, "cannot read on yet");
        }
        streams.keep_if_due(|| tail.places())
    }

    /// Keeps everything on disk, and tells others that they need not fear to be in the way.
    pub(crate) fn release(mut self) {
        if let Err(error) = self.streams.keep(&self.tail.places()) {
            warn!(%error, "the next start reads more of the log");
        }
        self.ownership.released = true;
        self.ownership.unmended = !self.mending.is_done();
        // Nothing waits for it: where it fails, the next owner takes over all the same.
        drop(self.append(vec![self.ownership.record()]));
    }
}
