//! The bounded queue in front of a writer, and the door to it.

use std::sync::{
    Arc,
    atomic::{AtomicU8, Ordering},
};

use crossbeam_channel::{Receiver, Sender, TrySendError};
use domain::Context;
use tokio::{
    sync::{oneshot, watch},
    time::Instant,
};

use crate::command::{Answer, Refusal, Request};

/// A command that waits for its writer.
pub(crate) struct Pending<C: Context> {
    pub(crate) request: Request<C>,
    /// When the client stops waiting.
    pub(crate) deadline: Instant,
    claim: Arc<Claim>,
    /// None where the writer itself asks, for a deadline that has passed.
    reply: Option<oneshot::Sender<Answer<C>>>,
}

impl<C: Context> Pending<C> {
    /// A command that nobody waits for. Its deadline is now: should its outcome not be known, the log gives it again.
    pub(crate) fn unawaited(request: Request<C>) -> Self {
        Self {
            request,
            deadline: Instant::now(),
            claim: Arc::default(),
            reply: None,
        }
    }

    /// Whether a client waits for the answer.
    pub(crate) fn is_awaited(&self) -> bool {
        self.reply.is_some()
    }

    /// Takes the command for decision; false where its client has withdrawn it.
    pub(crate) fn take(&self) -> bool {
        self.claim.take()
    }

    /// Answers the client; one that has gone hears nothing, and what was done stays done.
    pub(crate) fn answer(self, answer: Answer<C>) {
        if let Some(reply) = self.reply {
            drop(reply.send(answer));
        }
    }
}

/// What a writer finds in its queue.
pub(crate) enum Mail<C: Context> {
    Command(Pending<C>),
    /// Finish what came before, and end.
    Stop,
}

/// Whether a command may still be withdrawn by its client: once taken, its outcome is the writer's to tell.
#[derive(Default)]
struct Claim(AtomicU8);

impl Claim {
    const QUEUED: u8 = 0;
    const TAKEN: u8 = 1;
    const WITHDRAWN: u8 = 2;

    fn take(&self) -> bool {
        // Taken twice: a command whose outcome was unknown is decided again after a takeover.
        let seen = self.0.compare_exchange(
            Self::QUEUED,
            Self::TAKEN,
            Ordering::AcqRel,
            Ordering::Acquire,
        );
        seen != Err(Self::WITHDRAWN)
    }

    fn withdraw(&self) -> bool {
        self.0
            .compare_exchange(
                Self::QUEUED,
                Self::WITHDRAWN,
                Ordering::AcqRel,
                Ordering::Acquire,
            )
            .is_ok()
    }
}

/// How a partition stands, for clients and for readiness.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PartitionStatus {
    /// Taking over, or trying to.
    Starting,
    /// Serving.
    Ready,
    /// Another process has taken over; this one stands by until that releases it.
    Superseded,
    /// Its log holds what cannot be applied; an operator is needed.
    Corrupt,
    /// Stopped, or about to.
    Stopping,
}

impl PartitionStatus {
    /// What a client is told where this keeps its command from being decided.
    #[must_use]
    pub fn reason(self) -> &'static str {
        match self {
            Self::Starting => "the partition is being taken over",
            Self::Ready => "the partition is ready",
            Self::Superseded => "another process owns the partition",
            Self::Corrupt => "the partition's log cannot be applied; an operator is needed",
            Self::Stopping => "the process is stopping",
        }
    }
}

/// Tells the front of a partition, and who reacts to events there, how its writer stands.
#[derive(Debug)]
pub(crate) struct Gate(watch::Sender<PartitionStatus>);

impl Gate {
    pub(crate) fn new() -> Self {
        Self(watch::Sender::new(PartitionStatus::Starting))
    }

    pub(crate) fn set(&self, status: PartitionStatus) {
        self.0.send_replace(status);
    }

    pub(crate) fn status(&self) -> PartitionStatus {
        *self.0.borrow()
    }

    pub(crate) fn changes(&self) -> watch::Receiver<PartitionStatus> {
        self.0.subscribe()
    }
}

/// The way to one partition's writer.
pub(crate) struct Front<C: Context> {
    pub(crate) gate: Arc<Gate>,
    pub(crate) mail: Sender<Mail<C>>,
}

impl<C: Context> Front<C> {
    /// A front and the queue behind it, which holds so many commands.
    pub(crate) fn new(capacity: usize) -> (Self, Receiver<Mail<C>>) {
        let (mail, inbox) = crossbeam_channel::bounded(capacity);
        let gate = Arc::new(Gate::new());
        (Self { gate, mail }, inbox)
    }

    /// Queues a command and waits for its answer until the deadline. Dropping the future withdraws nothing.
    pub(crate) async fn execute(&self, request: Request<C>, deadline: Instant) -> Answer<C> {
        let status = self.gate.status();
        if status != PartitionStatus::Ready {
            return Err(Refusal::unavailable(status.reason()));
        }
        let claim = Arc::new(Claim::default());
        let (reply, answer) = oneshot::channel();
        let pending = Pending {
            request,
            deadline,
            claim: Arc::clone(&claim),
            reply: Some(reply),
        };
        match self.mail.try_send(Mail::Command(pending)) {
            Ok(()) => {}
            Err(TrySendError::Full(_)) => return Err(Refusal::unavailable("the queue is full")),
            Err(TrySendError::Disconnected(_)) => {
                return Err(Refusal::unavailable(PartitionStatus::Stopping.reason()));
            }
        }
        match tokio::time::timeout_at(deadline, answer).await {
            Ok(Ok(answer)) => answer,
            Ok(Err(_)) | Err(_) if claim.withdraw() => {
                Err(Refusal::unavailable("the command was not decided in time"))
            }
            Ok(Err(_)) | Err(_) => Err(Refusal::outcome_unknown()),
        }
    }
}
