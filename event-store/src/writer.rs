//! The one writer of a (service, partition): takes over, decides, commits in groups, answers after the commit.
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
use tracing::{error, info, warn};

use crate::{
    command::Refusal,
    inbox::{Gate, Mail, PartitionStatus, Pending},
    log::{AppendError, Appender, Log, LogError},
    takeover::{Owner, TakeoverError, Tenure},
    telemetry::WriterMetrics,
    turn::{Turn, Waiting, decide, find_opened, positions, refuse_if_fenced, settle},
};

/// An idle writer that has a deadline or a tail to look after does so this often.
const LOOK_ROUND: Duration = Duration::from_millis(200);
/// Between two looks at whether the owner that superseded us has let go, and before the first retry of a takeover.
const PAUSE: Duration = Duration::from_millis(500);
/// Retries of a takeover back off to this.
const MAX_PAUSE: Duration = Duration::from_secs(5);

pub(crate) struct Writer<C: Context, L: Log> {
    pub(crate) log: L,
    pub(crate) owner: Owner,
    pub(crate) inbox: Receiver<Mail<C>>,
    pub(crate) gate: Arc<Gate>,
    pub(crate) metrics: WriterMetrics,
    pub(crate) clock: fn() -> DateTime<Utc>,
}

/// How a tenure ended.
enum End<C: Context> {
    /// Asked to stop; everything before that is answered.
    Stopped,
    /// The state is of no use any more; these commands wait for what the log says.
    Lost(Loss, Vec<Pending<C>>),
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
}

impl<C: Context, L: Log> Writer<C, L> {
    /// Takes over and serves, again and again, until told to stop.
    pub(crate) fn run(mut self) {
        let mut in_doubt = Vec::new();
        let mut failures = 0;
        loop {
            let tenure = match self.take_over() {
                Ok(tenure) => tenure,
                Err(error) => {
                    let waiting = std::mem::take(&mut in_doubt);
                    failures += 1;
                    if self.stand_aside(&error, waiting, failures) {
                        return;
                    }
                    continue;
                }
            };
            failures = 0;
            self.gate.set(PartitionStatus::Ready);
            match self.serve(tenure, std::mem::take(&mut in_doubt)) {
                End::Stopped => return,
                End::Lost(error, batch) => {
                    warn!(partition = %self.owner.id, %error, commands = batch.len(), "dropping all state");
                    self.metrics.lost.increment(1);
                    in_doubt = batch;
                }
            }
        }
    }

    fn take_over(&mut self) -> Result<Tenure<C, L>, TakeoverError> {
        let begun = Instant::now();
        let tenure = self.owner.take_over(&self.log)?;
        info!(
            partition = %self.owner.id,
            generation = tenure.ownership.generation,
            streams = tenure.streams.len(),
            elapsed_ms = begun.elapsed().as_millis(),
            "took over"
        );
        Ok(tenure)
    }

    /// Refuses what waits, and pauses; true where the writer is to end.
    fn stand_aside(
        &mut self,
        error: &TakeoverError,
        in_doubt: Vec<Pending<C>>,
        failures: u32,
    ) -> bool {
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
        for pending in in_doubt {
            pending.answer(Err(Refusal::outcome_unknown()));
        }
        let pause = PAUSE.saturating_mul(failures).min(MAX_PAUSE);
        let until = Instant::now() + Owner::jitter(pause);
        loop {
            match self.inbox.recv_deadline(until) {
                Ok(Mail::Command(pending)) => {
                    pending.answer(Err(Refusal::unavailable(status.reason())));
                }
                Ok(Mail::Stop) | Err(RecvTimeoutError::Disconnected) => return true,
                Err(RecvTimeoutError::Timeout) => return false,
            }
        }
    }

    fn serve(&mut self, mut tenure: Tenure<C, L>, in_doubt: Vec<Pending<C>>) -> End<C> {
        let mut turn = Turn::first(in_doubt);
        loop {
            let wait = self.look_round_in(&tenure);
            let stop = turn.commands.is_empty() && turn.fill(&self.inbox, wait);
            if let Err((loss, waiting)) = self.take_turn(&mut tenure, turn) {
                return End::Lost(loss, waiting);
            }
            if stop {
                self.gate.set(PartitionStatus::Stopping);
                tenure.release();
                return End::Stopped;
            }
            if let Err(loss) = self.drain_tail(&mut tenure) {
                return End::Lost(loss, Vec::new());
            }
            turn = Turn::default();
        }
    }

    /// How long to wait for a command at most; none where there is nothing else to look after.
    fn look_round_in(&self, tenure: &Tenure<C, L>) -> Option<Duration> {
        let until_due = tenure.streams.next_deadline().map(|due_at| {
            // One that has passed gives a negative duration, which is no time at all.
            let left = due_at.signed_duration_since((self.clock)());
            left.to_std().unwrap_or_default()
        });
        match until_due {
            // The clock is not ours, so it may get there sooner than the time that we wait.
            Some(left) => Some(left.min(LOOK_ROUND)),
            None => tenure.tail.is_open().then_some(LOOK_ROUND),
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
        let mut records = Vec::new();
        let waiting = decide(tenure, turn, (self.clock)(), &mut records);
        if records.is_empty() {
            if !waiting.iter().any(Waiting::is_awaited) {
                // Nobody is told anything, so nothing has to be proven by a commit.
                settle(tenure, waiting, &[]);
                return Ok(());
            }
            records.push(tenure.ownership.record());
        }
        let begun = Instant::now();
        match tenure.appender.append(&records) {
            Ok(offsets) => {
                self.metrics
                    .committed(waiting.len(), records.len(), begun.elapsed());
                settle(tenure, waiting, &positions(&records, &offsets));
                Ok(())
            }
            Err(error) => {
                let in_doubt = refuse_if_fenced(&error, waiting);
                Err((error.into(), in_doubt))
            }
        }
    }
}

/// Whether reading again would find the same.
fn is_lasting(error: &LogError) -> bool {
    matches!(
        error,
        LogError::Undecodable { .. } | LogError::OffsetLost { .. }
    )
}
