//! Commits what the writers of this process append: whatever waits, of several partitions, in one transaction.
//!
//! A transaction costs the brokers the same few milliseconds of work whether it holds one command or a thousand, so many
//! partitions must not mean many small ones (docs/adr/0012-one-transaction-for-all-partitions.md). While one is under way the
//! next one gathers; nothing waits for a timer.
//!
//! Whoever takes a partition over fences the committer that the last claim to it names, and with that everything that goes
//! through it, be it to other partitions. What was under way is then in doubt for all of them: the committer goes on under
//! a new id, and each of its writers takes its partition over anew.

use std::{
    collections::BTreeSet,
    sync::{Arc, Mutex, PoisonError},
};

use crossbeam_channel::{Receiver, Sender};
use tracing::{debug, warn};

use crate::{
    lanes::Lanes,
    log::{AppendError, CommitterId, Log, OutgoingRecord},
    threads,
};

/// A transaction takes in no more appends once it has so many records.
const ENOUGH_RECORDS: usize = 2_000;
/// Appends that may wait; each comes from a writer, which waits for its answer before it sends another.
const MAX_WAITING: usize = 4_096;
/// Ids that are known to be fenced; past this many they are fenced again where they have to be.
const MAX_FENCED: usize = 1_024;

/// Transactions that a process has under way at the same time, at most. With fewer, commands wait for those of other partitions;
/// with more, many partitions mean many small transactions.
const AT_ONCE: usize = 4;

/// What commits for a process, each for a share of the partitions. Cheap to clone.
pub struct Committers<L: Log>(Vec<Committer<L>>);

impl<L: Log> Clone for Committers<L> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<L: Log> Committers<L> {
    /// Starts them, each on a thread of its own.
    #[must_use]
    pub fn start(log: &L) -> Self {
        Self((0..AT_ONCE).map(|_| Committer::start(log)).collect())
    }

    /// The one that commits for a partition, of whichever service.
    pub(crate) fn of(&self, partition: i32) -> &Committer<L> {
        let number = usize::try_from(partition).unwrap_or_default();
        &self.0[number % self.0.len()]
    }
}

/// The way to a committer. Cheap to clone; it ends with the last of them.
pub(crate) struct Committer<L: Log> {
    log: L,
    mail: Sender<Mail>,
    /// No appender is opened under these but to fence them.
    fenced: Arc<Mutex<BTreeSet<CommitterId>>>,
}

impl<L: Log> Clone for Committer<L> {
    fn clone(&self) -> Self {
        Self {
            log: self.log.clone(),
            mail: self.mail.clone(),
            fenced: Arc::clone(&self.fenced),
        }
    }
}

/// What a writer has had appended.
pub(crate) struct Appended {
    pub(crate) records: Vec<OutgoingRecord>,
    /// One for each of them.
    pub(crate) offsets: Vec<i64>,
}

type Reply<T> = Sender<Result<T, AppendError>>;

enum Mail {
    Open(Reply<CommitterId>),
    Append(Append),
}

struct Append {
    under: CommitterId,
    records: Vec<OutgoingRecord>,
    reply: Reply<Appended>,
}

impl<L: Log> Committer<L> {
    pub(crate) fn start(log: &L) -> Self {
        let (mail, inbox) = crossbeam_channel::bounded(MAX_WAITING);
        let committing = Committing {
            log: log.clone(),
            inbox,
            open: None,
        };
        threads::start("committer".to_owned(), move || committing.run())
            .expect("the operating system grants a thread at start-up");
        Self {
            log: log.clone(),
            mail,
            fenced: Arc::default(),
        }
    }

    /// The id under which appends are committed now. It is new after each failure.
    pub(crate) fn id(&self) -> Result<CommitterId, AppendError> {
        self.ask(Mail::Open)
    }

    /// Appends all records or none; whoever has claimed a partition under another id than the present one has to claim it anew.
    pub(crate) fn append(
        &self,
        under: CommitterId,
        records: Vec<OutgoingRecord>,
    ) -> Result<Appended, AppendError> {
        self.ask(|reply| {
            Mail::Append(Append {
                under,
                records,
                reply,
            })
        })
    }

    fn ask<T>(&self, question: impl FnOnce(Reply<T>) -> Mail) -> Result<T, AppendError> {
        let (reply, answer) = crossbeam_channel::bounded(1);
        let asked = self.mail.send(question(reply)).ok();
        let answered = asked.and_then(|()| answer.recv().ok());
        answered.unwrap_or_else(|| Err(in_doubt("the committer has ended")))
    }

    /// When this returns, nothing is committed under that id any more, and what it had open is aborted.
    pub(crate) fn fence(&self, id: CommitterId) -> Result<(), AppendError> {
        // Held meanwhile: whoever takes over another partition from the same process waits instead of doing it once more.
        let mut fenced = self.fenced.lock().unwrap_or_else(PoisonError::into_inner);
        if fenced.contains(&id) {
            return Ok(());
        }
        drop(Lanes::open(&self.log, id)?);
        if fenced.len() >= MAX_FENCED {
            fenced.clear();
        }
        fenced.insert(id);
        Ok(())
    }
}

/// The thread's side.
struct Committing<L: Log> {
    log: L,
    inbox: Receiver<Mail>,
    /// None before the first question and after each failure.
    open: Option<(CommitterId, Lanes<L::Appender>)>,
}

impl<L: Log> Committing<L> {
    fn run(mut self) {
        while let Ok(first) = self.inbox.recv() {
            let mut batch = Vec::new();
            let mut records = 0;
            let mut mail = Some(first);
            while let Some(next) = mail {
                match next {
                    // Whoever asked may have ended.
                    Mail::Open(reply) => drop(reply.send(self.id())),
                    Mail::Append(append) => {
                        records += append.records.len();
                        batch.push(append);
                    }
                }
                mail = match records < ENOUGH_RECORDS {
                    true => self.inbox.try_recv().ok(),
                    false => None,
                };
            }
            self.commit(batch);
        }
    }

    fn id(&mut self) -> Result<CommitterId, AppendError> {
        if let Some((id, _)) = self.open {
            return Ok(id);
        }
        let id = CommitterId::new();
        self.open = Some((id, Lanes::open(&self.log, id)?));
        Ok(id)
    }

    /// One transaction, and everybody's answer.
    fn commit(&mut self, batch: Vec<Append>) {
        let present = self.open.as_ref().map(|(id, _)| *id);
        let (mut batch, outdated): (Vec<_>, Vec<_>) = batch
            .into_iter()
            .partition(|append| Some(append.under) == present);
        for append in outdated {
            append.answer(Err(in_doubt("the committer goes on under another id")));
        }
        let Some((id, lanes)) = self.open.as_mut().filter(|_| !batch.is_empty()) else {
            return;
        };
        let counts: Vec<usize> = batch.iter().map(|append| append.records.len()).collect();
        let mut records = Vec::with_capacity(counts.iter().sum());
        for append in &mut batch {
            records.append(&mut append.records);
        }
        match lanes.append(&records) {
            Ok(offsets) => {
                let (mut records, mut offsets) = (records.into_iter(), offsets.into_iter());
                for (append, count) in batch.into_iter().zip(counts) {
                    append.answer(Ok(Appended {
                        records: records.by_ref().take(count).collect(),
                        offsets: offsets.by_ref().take(count).collect(),
                    }));
                }
            }
            Err(error) => {
                warn!(committer = %id, %error, appends = batch.len(), "could not commit");
                self.open = None;
                for append in batch {
                    append.answer(Err(in_doubt(&error.to_string())));
                }
            }
        }
    }
}

impl Append {
    fn answer(self, answer: Result<Appended, AppendError>) {
        if self.reply.send(answer).is_err() {
            debug!("a writer has ended before its answer came");
        }
    }
}

/// Even a fence tells nothing for certain: the commit may have succeeded before its retry met it.
fn in_doubt(reason: &str) -> AppendError {
    AppendError::Indefinite {
        attempted: "committing",
        reason: reason.to_owned(),
    }
}

#[cfg(test)]
mod tests;
