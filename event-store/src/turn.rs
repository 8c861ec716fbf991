//! One round of a writer: what waits is taken together, decided in order, and answered once it is committed.

use std::{sync::Arc, time::Duration};

use chrono::{DateTime, Utc};
use crossbeam_channel::{Receiver, RecvTimeoutError};
use domain::Context;
use tracing::error;

use crate::{
    command::{Accepted, Refusal},
    envelope::Position,
    inbox::{Duty, Mail, Pending},
    log::{Log, LogError, OutgoingRecord},
    streams::{Streams, Verdict},
    takeover::Tenure,
};

/// At most so many commands in one transaction: some 10 ms of work, so that a batch delays nobody by much.
const MAX_BATCH: usize = 1_000;
/// At most so many deadlines beside them.
const MAX_EXPIRIES: usize = 1_000;

/// One round of the writer: the commands that it decides together.
pub(crate) struct Turn<C: Context> {
    pub(crate) commands: Vec<Pending<C>>,
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
    pub(crate) fn first(commands: Vec<Pending<C>>) -> Self {
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

    /// Waits for a command, so long at most, then takes what else is there; also answers what the writer is to do after
    /// these, where that is something else than to go on.
    pub(crate) fn fill(
        &mut self,
        inbox: &Receiver<Mail<C>>,
        wait: Option<Duration>,
    ) -> Option<Duty> {
        let mut mail = match wait {
            None => inbox.recv().ok(),
            Some(wait) => match inbox.recv_timeout(wait) {
                Ok(mail) => Some(mail),
                Err(RecvTimeoutError::Timeout) => return None,
                Err(RecvTimeoutError::Disconnected) => None,
            },
        };
        loop {
            match mail {
                Some(Mail::Command(pending)) => {
                    if pending.take() {
                        self.commands.push(pending);
                    }
                }
                Some(Mail::Duty(Duty::Serve)) => {}
                Some(Mail::Duty(duty)) => return Some(duty),
                None => return Some(Duty::End),
            }
            if self.commands.len() == MAX_BATCH {
                return None;
            }
            mail = match inbox.try_recv() {
                Ok(mail) => Some(mail),
                Err(_) => return None,
            };
        }
    }
}

/// Reads on for commands whose streams another service may have opened, so that they are decided on what is there.
///
/// Where that fails, those whose streams are still unknown are refused, and only they.
pub(crate) fn find_opened<C: Context, L: Log>(
    tenure: &mut Tenure<C, L>,
    turn: &mut Turn<C>,
) -> Result<(), LogError> {
    let Tenure { streams, tail, .. } = tenure;
    let sought_by = |streams: &Streams<C>, pending: &Pending<C>| {
        let command = &pending.request.command;
        let target = C::may_be_opened_elsewhere(command).then(|| C::target(command));
        target.filter(|target| !streams.knows(target))
    };
    let sought: Vec<_> = turn
        .commands
        .iter()
        .filter_map(|pending| sought_by(streams, pending))
        .collect();
    if sought.is_empty() {
        return Ok(());
    }
    let read = tail.read_on(streams, sought);
    if read.is_err() {
        let refused = turn
            .commands
            .extract_if(.., |pending| sought_by(streams, pending).is_some());
        for pending in refused {
            pending.answer(Err(Refusal::unavailable(
                "the partition's tail could not be read in time",
            )));
        }
    }
    read
}

/// A command whose answer waits for the commit.
pub(crate) struct Waiting<C: Context> {
    pending: Pending<C>,
    verdict: Verdict<C>,
    /// Its events in the batch: first and one past last.
    records: (usize, usize),
}

impl<C: Context> Waiting<C> {
    pub(crate) fn is_awaited(&self) -> bool {
        self.pending.is_awaited()
    }
}

/// Decides each command on the state that those before it have led to; answers at once what is known from the log.
///
/// Deadlines that have passed come last: what a client has asked before counts as in time, and may have moved them.
pub(crate) fn decide<C: Context, L: Log>(
    tenure: &mut Tenure<C, L>,
    turn: Turn<C>,
    now: DateTime<Utc>,
    records: &mut Vec<OutgoingRecord>,
) -> Vec<Waiting<C>> {
    let mut waiting = Vec::with_capacity(turn.commands.len());
    let mut commands = turn.commands.into_iter();
    let mut room = match tenure.holds_deadlines_for().is_zero() {
        true => MAX_EXPIRIES,
        false => 0,
    };
    while let Some(pending) = commands
        .next()
        .or_else(|| next_expired(&mut tenure.streams, now, &mut room))
    {
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

fn next_expired<C: Context>(
    streams: &mut Streams<C>,
    now: DateTime<Utc>,
    room: &mut usize,
) -> Option<Pending<C>> {
    *room = room.checked_sub(1)?;
    streams.take_expired(now).map(Pending::unawaited)
}

/// Answers what was decided, now that it is committed.
pub(crate) fn settle<C: Context, L: Log>(
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
            Verdict::NoOpAfter(slot) => Ok(streams.answer(&slot, false)),
            Verdict::NoOp(accepted) | Verdict::Known(accepted) => Ok(accepted),
            Verdict::KeyReused | Verdict::Conflicting => Err(Refusal::KeyReused),
            Verdict::Rejected(rejection) => Err(Refusal::Rejected(rejection)),
            Verdict::VersionMismatch(current) => Err(Refusal::VersionMismatch { current }),
        };
        if let (false, Err(refusal)) = (pending.is_awaited(), &answer) {
            // The rules gave this command themselves.
            let command_id = pending.request.metadata.command_id;
            error!(%command_id, %refusal, "a deadline passed to no effect");
        }
        pending.answer(answer);
    }
}

/// Where the records lie, in order.
pub(crate) fn positions(records: &[OutgoingRecord], offsets: &[i64]) -> Vec<Position> {
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

/// The commands themselves, to be decided anew.
pub(crate) fn not_appended<C: Context>(waiting: Vec<Waiting<C>>) -> Vec<Pending<C>> {
    waiting.into_iter().map(|waiting| waiting.pending).collect()
}
