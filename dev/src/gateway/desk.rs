//! What happens between a request and its answer.

use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use chrono::Utc;
use tokio::sync::{oneshot, watch};
use uuid::Uuid;

use super::GatewayOptions;
use super::books::{Answered, Books, Payment, Reception, Unacceptable};
use super::journal::Journal;
use super::request::{Record, Reference, Request, RequestId, Text};
use super::webhooks::Webhooks;
use crate::error::Result;

/// How long `tok_slow` takes.
const SLOW: Duration = Duration::from_secs(1);
/// How long an answer waits for its webhook to be tried, so that it usually comes after it.
const EARLY_WEBHOOK: Duration = Duration::from_millis(50);

/// Where requests are taken; shared by all handlers.
#[derive(Debug)]
pub(super) struct Desk {
    ledger: Mutex<Ledger>,
    webhooks: Option<Webhooks>,
    hold: Duration,
    stopping: watch::Receiver<bool>,
}

/// Changed together: what is not in the journal is not in the books.
#[derive(Debug)]
struct Ledger {
    books: Books,
    journal: Journal,
}

/// Why a request has no outcome.
#[derive(Debug, thiserror::Error)]
pub(super) enum NoOutcome {
    #[error(transparent)]
    Unacceptable(#[from] Unacceptable),
    /// Nothing has happened.
    #[error("this payment method fails twice before it works")]
    Fails,
    /// Something has happened, and the answer never comes.
    #[error("this payment method gets no answer")]
    NeverAnswered,
    #[error("cannot write the books")]
    Journal(#[from] io::Error),
}

impl Desk {
    pub(super) fn open(
        options: &GatewayOptions,
        stopping: watch::Receiver<bool>,
    ) -> Result<Arc<Self>> {
        let mut books = Books::default();
        let journal = match &options.books {
            Some(path) => Journal::open(path, |record| books.apply(record))?,
            None => Journal::nowhere(),
        };
        let webhooks = options.webhook.clone();
        let webhooks = webhooks.map(|target| Webhooks::new(target, stopping.clone()));
        Ok(Arc::new(Self {
            ledger: Mutex::new(Ledger { books, journal }),
            webhooks: webhooks.transpose()?,
            hold: options.hold,
            stopping,
        }))
    }

    /// Takes a request and comes back when it is to be answered.
    pub(super) async fn take(&self, request: &Request) -> std::result::Result<Record, NoOutcome> {
        let (record, answered, first_try) = self.record(request)?;
        if let Some(first_try) = first_try {
            // Late or lost, it is an early webhook no more.
            let _ = tokio::time::timeout(EARLY_WEBHOOK, first_try).await;
        }
        match answered {
            Answered::AtOnce => {}
            Answered::Late => self.wait(SLOW).await,
            Answered::Never => {
                self.wait(self.hold).await;
                return Err(NoOutcome::NeverAnswered);
            }
        }
        let payment_id = &record.request.payment_id;
        self.ledger().books.count_answer(payment_id);
        Ok(record)
    }

    /// What has been recorded for a request.
    pub(super) fn find(&self, request_id: &RequestId) -> Option<Record> {
        self.ledger().books.record(request_id).cloned()
    }

    pub(super) fn payments(&self) -> Vec<Payment> {
        self.ledger().books.payments()
    }

    /// Without a wait in between: a client that goes away leaves nothing half done.
    fn record(
        &self,
        request: &Request,
    ) -> std::result::Result<(Record, Answered, Option<oneshot::Receiver<()>>), NoOutcome> {
        let mut ledger = self.ledger();
        let Ledger { books, journal } = &mut *ledger;
        let outcome = match books.receive(request, new_reference())? {
            Reception::Known(record) => {
                let answered = books.answered(&record);
                return Ok((record, answered, None));
            }
            Reception::Fails => return Err(NoOutcome::Fails),
            Reception::New(outcome) => outcome,
        };
        let record = Record {
            request: request.clone(),
            outcome,
            recorded_at: Utc::now(),
        };
        // A few hundred bytes into the system's cache, in order: the lock is held for it.
        journal.append(&record)?;
        books.apply(record.clone());
        let answered = books.answered(&record);
        let webhooks = self.webhooks.as_ref();
        let webhooks = webhooks.filter(|_| Books::is_reported(&record));
        let first_try = webhooks.and_then(|webhooks| webhooks.report(&record));
        Ok((record, answered, first_try))
    }

    async fn wait(&self, time: Duration) {
        let mut stopping = self.stopping.clone();
        tokio::select! {
            _ = stopping.wait_for(|stopping| *stopping) => {}
            () = tokio::time::sleep(time) => {}
        }
    }

    fn ledger(&self) -> MutexGuard<'_, Ledger> {
        self.ledger.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn new_reference() -> Reference {
    let text = format!("auth_{}", Uuid::new_v4().simple());
    Reference(Text::try_from(text).expect("a UUID is short and printable"))
}
