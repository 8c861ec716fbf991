//! The one writer of a (service, partition): takes over when the partition is ours, decides, commits in groups, answers
//! after the commit, and lets go when the partition is to be another's.
//!
//! It runs on a thread of its own, since transactional calls block. Whatever goes wrong with a commit, it drops all state
//! and takes over anew; what the log then says is the answer.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use chrono::{DateTime, Utc};
use crossbeam_channel::{Receiver, RecvTimeoutError};
use domain::Context;
use tracing::{debug, error, info, warn};

use crate::{
    command::Refusal,
    committer::{Appended, Committer},
    inbox::{Duty, Gate, Mail, PartitionStatus, Pending},
    log::{AppendError, Log, LogError},
    share::Share,
    state::StateError,
    takeover::{Owner, TakeoverError, Tenure},
    telemetry::WriterMetrics,
    turn::{Turn, Waiting, decide, find_opened, not_appended, positions, settle},
};

/// An idle writer that has a deadline or a tail to look after does so this often.
const LOOK_ROUND: Duration = Duration::from_millis(200);
/// Between two looks at what the owner of a followed partition has appended, and how long each may take: a takeover may have
/// to wait for it.
const FOLLOW_EVERY: Duration = Duration::from_secs(1);
const FOLLOW_FOR: Duration = Duration::from_millis(500);
/// Before the first retry of a takeover.
const PAUSE: Duration = Duration::from_millis(500);
/// Retries of a takeover back off to this.
const MAX_PAUSE: Duration = Duration::from_secs(5);

pub(crate) struct Writer<C: Context, L: Log> {
    pub(crate) log: L,
    pub(crate) owner: Owner,
    pub(crate) share: Arc<Share<L>>,
    pub(crate) committer: Committer<L>,
    pub(crate) inbox: Receiver<Mail<C>>,
    pub(crate) gate: Arc<Gate>,
    pub(crate) metrics: WriterMetrics,
    pub(crate) clock: fn() -> DateTime<Utc>,
}

/// How a tenure ended.
enum End<C: Context> {
    /// Told to do something else; everything before that is answered.
    Told(Duty),
    /// The state is of no use any more; these commands wait for what the log says, unless told to do something else.
    Lost(Loss, Vec<Pending<C>>, Option<Duty>),
}

/// Why a writer has to take over anew.
#[derive(Debug, thiserror::Error)]
enum Loss {
    /// A commit did not come to a definite success.
    #[error(transparent)]
    Commit(#[from] AppendError),
    /// The partition's tail holds what cannot be applied, or not what was there before. A takeover reads it all again.
    #[error(transparent)]
    Tail(#[from] LogError),
    /// The state store cannot be written; a takeover opens it anew, or does without it.
    #[error("the state store failed: {0}")]
    State(#[from] StateError),
    /// A stream in the state store cannot be read; all is read from offset zero.
    #[error("the state store cannot be read: {0}")]
    Unreadable(StateError),
}

impl<C: Context, L: Log> Writer<C, L> {
    /// Does what it is told, until that is to end.
    pub(crate) fn run(mut self) {
        let mut duty = self.stand_by();
        loop {
            self.gate.set(duty.status());
            duty = match duty {
                Duty::Serve => self.hold(),
                Duty::StandBy(relief) => {
                    // Whoever serves it next may be on this machine, and be given the same folder.
                    self.owner.state.close();
                    drop(relief);
                    self.stand_by()
                }
                Duty::End => return,
            };
        }
    }

    /// The partition is another's: waits until that changes, and meanwhile follows it where it is to.
    fn stand_by(&mut self) -> Duty {
        loop {
            self.gate.set_at_work(false);
            let follow_after = self.owner.state.standby.then_some(FOLLOW_EVERY);
            let mail = match follow_after {
                None => self
                    .inbox
                    .recv()
                    .map_err(|_| RecvTimeoutError::Disconnected),
                Some(pause) => self.inbox.recv_timeout(pause),
            };
            match mail {
                // It was queued before we let go.
                Ok(Mail::Command(pending)) => {
                    let reason = PartitionStatus::Elsewhere.reason();
                    pending.answer(Err(Refusal::unavailable(reason)));
                }
                Ok(Mail::Duty(duty)) => return duty,
                Err(RecvTimeoutError::Timeout) => {
                    let followed = self.owner.keep_up::<C, L>(&self.log, FOLLOW_FOR);
                    if let Err(error) = followed {
                        debug!(partition = %self.owner.id, %error, "cannot follow just now");
                    }
                }
                Err(RecvTimeoutError::Disconnected) => return Duty::End,
            }
        }
    }

    /// Takes the partition over and serves it, again and again, until told to do something else.
    fn hold(&mut self) -> Duty {
        let mut in_doubt = Vec::new();
        let mut failures = 0;
        loop {
            self.gate.set_at_work(true);
            let tenure = match self.take_over() {
                Ok(tenure) => tenure,
                Err(error) => {
                    let waiting = std::mem::take(&mut in_doubt);
                    failures += 1;
                    match self.stand_aside(&error, waiting, failures) {
                        Some(duty) => return duty,
                        None => continue,
                    }
                }
            };
            failures = 0;
            self.gate.set(PartitionStatus::Ready);
            match self.serve(tenure, std::mem::take(&mut in_doubt)) {
                End::Told(duty) => return duty,
                End::Lost(error, batch, told) => {
                    warn!(partition = %self.owner.id, %error, commands = batch.len(), "dropping all state");
                    self.metrics.lost.increment(1);
                    // It would be met again, by the same command.
                    if matches!(error, Loss::Unreadable(_)) {
                        self.owner.state.discard(&error);
                    }
                    if let Some(duty) = told {
                        leave_in_doubt(batch);
                        return duty;
                    }
                    in_doubt = batch;
                }
            }
        }
    }

    fn take_over(&mut self) -> Result<Tenure<C, L>, TakeoverError> {
        let begun = Instant::now();
        let gate = &self.gate;
        let at_work = || gate.set_at_work(true);
        let tenure = self
            .owner
            .take_over(&self.log, &self.share, &self.committer, &at_work)?;
        info!(
            partition = %self.owner.id,
            generation = tenure.ownership.generation,
            streams = tenure.streams.len(),
            elapsed_ms = begun.elapsed().as_millis(),
            "took over"
        );
        Ok(tenure)
    }

    /// Refuses what waits, and pauses; answers what to do instead of trying again, where there is something.
    fn stand_aside(
        &mut self,
        error: &TakeoverError,
        in_doubt: Vec<Pending<C>>,
        failures: u32,
    ) -> Option<Duty> {
        let status = error.status();
        if self.gate.status() != status || failures == 1 {
            match error {
                TakeoverError::Corrupt(_) => {
                    error!(partition = %self.owner.id, %error, "cannot serve");
                }
                _ => warn!(partition = %self.owner.id, %error, "cannot serve yet, will retry"),
            }
        }
        self.gate.set(status);
        leave_in_doubt(in_doubt);
        let pause = PAUSE.saturating_mul(failures).min(MAX_PAUSE);
        let until = Instant::now() + Owner::jitter(pause);
        self.gate.set_at_work(false);
        loop {
            match self.inbox.recv_deadline(until) {
                Ok(Mail::Command(pending)) => {
                    pending.answer(Err(Refusal::unavailable(status.reason())));
                }
                Ok(Mail::Duty(Duty::Serve)) => {}
                Ok(Mail::Duty(duty)) => return Some(duty),
                Err(RecvTimeoutError::Disconnected) => return Some(Duty::End),
                Err(RecvTimeoutError::Timeout) => return None,
            }
        }
    }

    fn serve(&mut self, mut tenure: Tenure<C, L>, in_doubt: Vec<Pending<C>>) -> End<C> {
        let mut turn = Turn::first(in_doubt);
        loop {
            let mut told = None;
            if turn.commands.is_empty() {
                self.gate.set_at_work(false);
                told = turn.fill(&self.inbox, self.look_round_in(&tenure));
                self.gate.set_at_work(true);
            }
            if let Err((loss, waiting)) = self.take_turn(&mut tenure, turn) {
                return End::Lost(unreadable(&tenure).unwrap_or(loss), waiting, told);
            }
            if let Some(duty) = told {
                self.gate.set(duty.status());
                tenure.release();
                return End::Told(duty);
            }
            if let Err(loss) = self.drain_tail(&mut tenure) {
                return End::Lost(unreadable(&tenure).unwrap_or(loss), Vec::new(), None);
            }
            // What was made of a stream that could not be read is not to be kept.
            if let Some(loss) = unreadable(&tenure) {
                return End::Lost(loss, Vec::new(), None);
            }
            if let Err(error) = tenure.keep_if_due() {
                return End::Lost(error.into(), Vec::new(), None);
            }
            turn = Turn::default();
        }
    }

    /// How long to wait for a command at most; none where there is nothing else to look after.
    fn look_round_in(&self, tenure: &Tenure<C, L>) -> Option<Duration> {
        let until_due = tenure.streams.next_deadline().map(|due_at| {
            // One that has passed gives a negative duration, which is no time at all.
            let left = due_at.signed_duration_since((self.clock)());
            left.to_std()
                .unwrap_or_default()
                .max(tenure.holds_deadlines_for())
        });
        match until_due {
            // The clock is not ours, so it may get there sooner than the time that we wait.
            Some(left) => Some(left.min(LOOK_ROUND)),
            None => {
                let is_needed = tenure.tail.is_open()
                    || tenure.streams.has_changes()
                    || tenure.mending.is_looking();
                is_needed.then_some(LOOK_ROUND)
            }
        }
    }

    fn drain_tail(&self, tenure: &mut Tenure<C, L>) -> Result<(), Loss> {
        let drained = tenure.tail.drain(&mut tenure.streams);
        let Err(error) = drained else { return Ok(()) };
        if is_lasting(&error) {
            return Err(error.into());
        }
        warn!(partition = %self.owner.id, %error, "cannot read on, will when a command needs it");
        Ok(())
    }

    /// Decides a batch, commits it as one transaction, and only then answers.
    fn take_turn(
        &mut self,
        tenure: &mut Tenure<C, L>,
        mut turn: Turn<C>,
    ) -> Result<(), (Loss, Vec<Pending<C>>)> {
        if let Err(error) = find_opened(tenure, &mut turn) {
            if is_lasting(&error) {
                return Err((error.into(), turn.commands));
            }
            warn!(partition = %self.owner.id, %error, "cannot tell whether streams are open");
        }
        let mut records = tenure.mending.found();
        let mended = records.len();
        let waiting = decide(tenure, turn, (self.clock)(), &mut records);
        if let Some(loss) = unreadable(tenure) {
            return Err((loss, not_appended(waiting)));
        }
        if records.is_empty() {
            if !waiting.iter().any(Waiting::is_awaited) {
                // Nobody is told anything, so nothing has to be proven by a commit.
                settle(tenure, waiting, &[]);
                return Ok(());
            }
            records.push(tenure.ownership.record());
        }
        let begun = Instant::now();
        match tenure.append(records) {
            Ok(Appended { records, offsets }) => {
                if mended > 0 {
                    error!(partition = %self.owner.id, messages = mended, "decisions were torn: their messages have been sent again");
                }
                self.metrics
                    .committed(waiting.len(), records.len(), begun.elapsed());
                let positions = positions(&records, &offsets);
                tenure.streams.committed(&records, &positions);
                tenure.tail.appended(&positions);
                settle(tenure, waiting, &positions);
                Ok(())
            }
            Err(error) => Err((error.into(), not_appended(waiting))),
        }
    }
}

/// That a stream could not be read, which may be the cause of anything else.
fn unreadable<C: Context, L: Log>(tenure: &Tenure<C, L>) -> Option<Loss> {
    let failure = tenure.streams.failure();
    failure.cloned().map(Loss::Unreadable)
}

/// Nobody here will find out what became of these.
fn leave_in_doubt<C: Context>(commands: Vec<Pending<C>>) {
    for pending in commands {
        pending.answer(Err(Refusal::outcome_unknown()));
    }
}

/// Whether reading again would find the same.
fn is_lasting(error: &LogError) -> bool {
    matches!(
        error,
        LogError::Undecodable { .. } | LogError::OffsetLost { .. } | LogError::Diverged { .. }
    )
}
