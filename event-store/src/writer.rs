//! The one writer of a (service, partition): takes over, decides, commits in groups, answers after the commit.
//!
//! It runs on a thread of its own, since transactional calls block. Whatever goes wrong with a commit, it drops all state
//! and takes over anew; what the log then says is the answer.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use crossbeam_channel::{Receiver, RecvTimeoutError};
use domain::Context;
use tracing::{error, info, warn};

use crate::{
    command::{Accepted, Refusal},
    envelope::Position,
    inbox::{Gate, Mail, PartitionStatus, Pending},
    log::{AppendError, Appender, Log, OutgoingRecord},
    streams::Verdict,
    takeover::{Owner, TakeoverError, Tenure},
    telemetry::WriterMetrics,
};

/// At most so many commands in one transaction: some 10 ms of work, so that a batch delays nobody by much.
const MAX_BATCH: usize = 1_000;
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
}

/// How a tenure ended.
enum End<C: Context> {
    /// Asked to stop; everything before that is answered.
    Stopped,
    /// A commit did not come to a definite success; these commands wait for what the log says.
    Lost(AppendError, Vec<Pending<C>>),
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
            let stop = turn.commands.is_empty() && turn.fill(&self.inbox);
            if let Err((error, waiting)) = self.take_turn(&mut tenure, turn) {
                return End::Lost(error, waiting);
            }
            if stop {
                self.gate.set(PartitionStatus::Stopping);
                tenure.release();
                return End::Stopped;
            }
            turn = Turn::default();
        }
    }

    /// Decides a batch, commits it as one transaction, and only then answers.
    fn take_turn(
        &mut self,
        tenure: &mut Tenure<C, L>,
        turn: Turn<C>,
    ) -> Result<(), (AppendError, Vec<Pending<C>>)> {
        let mut records = Vec::new();
        let waiting = decide(tenure, turn, &mut records);
        if waiting.is_empty() {
            return Ok(());
        }
        if records.is_empty() {
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
            Err(error) => Err((error.clone(), refuse_if_fenced(&error, waiting))),
        }
    }
}

/// One round of the writer: the commands that it decides together.
struct Turn<C: Context> {
    commands: Vec<Pending<C>>,
    /// Decided before, with an unknown outcome: what they find in the log is their own first answer.
    in_doubt: bool,
}

impl<C: Context> Default for Turn<C> {
    fn default() -> Self {
        Self {
            commands: Vec::new(),
            in_doubt: false,
        }
    }
}

impl<C: Context> Turn<C> {
    fn first(commands: Vec<Pending<C>>) -> Self {
        let now = tokio::time::Instant::now();
        // A client that has stopped waiting was told that the outcome is unknown; what did not happen need not.
        let commands: Vec<_> = commands
            .into_iter()
            .filter(|pending| pending.deadline > now)
            .collect();
        Self {
            in_doubt: !commands.is_empty(),
            commands,
        }
    }

    /// Waits for a command, then takes what else is there; true where the writer is to stop after these.
    fn fill(&mut self, inbox: &Receiver<Mail<C>>) -> bool {
        let mut mail = inbox.recv().ok();
        while let Some(Mail::Command(pending)) = mail {
            if pending.take() {
                self.commands.push(pending);
            }
            if self.commands.len() == MAX_BATCH {
                return false;
            }
            mail = match inbox.try_recv() {
                Ok(mail) => Some(mail),
                Err(_) => return false,
            };
        }
        true
    }
}

/// A command whose answer waits for the commit.
struct Waiting<C: Context> {
    pending: Pending<C>,
    verdict: Verdict<C>,
    /// Its events in the batch: first and one past last.
    records: (usize, usize),
}

/// Decides each command on the state that those before it have led to; answers at once what is known from the log.
fn decide<C: Context, L: Log>(
    tenure: &mut Tenure<C, L>,
    turn: Turn<C>,
    records: &mut Vec<OutgoingRecord>,
) -> Vec<Waiting<C>> {
    let mut waiting = Vec::with_capacity(turn.commands.len());
    for pending in turn.commands {
        let first = records.len();
        let number = tenure.next_decision();
        match tenure.streams.decide(&pending.request, number, records) {
            Verdict::Known(accepted) => pending.answer(Ok(Accepted {
                replayed: !turn.in_doubt,
                ..accepted
            })),
            Verdict::KeyReused => pending.answer(Err(Refusal::KeyReused)),
            verdict => waiting.push(Waiting {
                pending,
                verdict,
                records: (first, records.len()),
            }),
        }
    }
    waiting
}

fn settle<C: Context, L: Log>(
    tenure: &mut Tenure<C, L>,
    waiting: Vec<Waiting<C>>,
    positions: &[Position],
) {
    let streams = &mut tenure.streams;
    for Waiting {
        pending,
        verdict,
        records: (first, end),
    } in waiting
    {
        let answer = match verdict {
            Verdict::Accepted(slot) => {
                streams.settle(&slot, last_in_each_topic(&positions[first..end]));
                Ok(streams.answer(&slot, false))
            }
            Verdict::Repeated(slot) => Ok(streams.answer(&slot, true)),
            Verdict::NoOp(slot) => Ok(streams.answer(&slot, false)),
            Verdict::Known(accepted) => Ok(accepted),
            Verdict::KeyReused | Verdict::Conflicting => Err(Refusal::KeyReused),
            Verdict::Rejected(rejection) => Err(Refusal::Rejected(rejection)),
        };
        pending.answer(answer);
    }
}

/// Where the records lie, in order.
fn positions(records: &[OutgoingRecord], offsets: &[i64]) -> Vec<Position> {
    let mut topic: Arc<str> = Arc::from("");
    records
        .iter()
        .zip(offsets)
        .map(|(record, offset)| {
            if *topic != *record.topic {
                topic = Arc::from(record.topic);
            }
            Position {
                topic: Arc::clone(&topic),
                partition: record.partition,
                offset: *offset,
            }
        })
        .collect()
}

fn last_in_each_topic(positions: &[Position]) -> Arc<[Position]> {
    let last = |(index, position): &(usize, &Position)| {
        positions[index + 1..]
            .iter()
            .all(|later| later.topic != position.topic)
    };
    positions
        .iter()
        .enumerate()
        .filter(last)
        .map(|(_, position)| position.clone())
        .collect()
}

/// A fenced owner answers nothing from its state, neither a success nor a rejection. Those left wait for the log's word.
fn refuse_if_fenced<C: Context>(error: &AppendError, waiting: Vec<Waiting<C>>) -> Vec<Pending<C>> {
    if matches!(error, AppendError::Indefinite { .. }) {
        return waiting.into_iter().map(|waiting| waiting.pending).collect();
    }
    for Waiting {
        pending, verdict, ..
    } in waiting
    {
        // The commit may have succeeded before its retry met the fence: only what has no events is surely not applied.
        let refusal = match verdict {
            Verdict::Accepted(_) | Verdict::Repeated(_) => Refusal::outcome_unknown(),
            Verdict::Known(_)
            | Verdict::KeyReused
            | Verdict::Conflicting
            | Verdict::NoOp(_)
            | Verdict::Rejected(_) => Refusal::unavailable(PartitionStatus::Superseded.reason()),
        };
        pending.answer(Err(refusal));
    }
    Vec::new()
}
