//! The bounded queue in front of a writer, and the door to it.

use std::{
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU8, Ordering},
    },
    time::{Duration, Instant as Moment},
};

use crossbeam_channel::{Receiver, Sender};
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
    /// Finish what came before, and then do this.
    Duty(Duty),
}

/// What a writer is to do about its partition.
#[derive(Debug)]
pub(crate) enum Duty {
    /// Take it over, and serve it.
    Serve,
    /// Let go of it.
    StandBy(Relief),
    /// Let go of it for good.
    End,
}

impl Duty {
    /// How the partition stands as soon as this is to be done.
    pub(crate) fn status(&self) -> PartitionStatus {
        match self {
            Self::Serve => PartitionStatus::Starting,
            Self::StandBy(_) => PartitionStatus::Elsewhere,
            Self::End => PartitionStatus::Stopping,
        }
    }
}

/// Dropped by a writer when it has let go of its partition, which is how whoever holds the other end hears of it.
#[derive(Debug)]
pub(crate) struct Relief(#[expect(dead_code, reason = "only dropped")] Sender<()>);

impl Relief {
    /// A relief, and what hangs up when it is dropped.
    pub(crate) fn new() -> (Self, Receiver<()>) {
        let (relief, relieved) = crossbeam_channel::bounded(0);
        (Self(relief), relieved)
    }
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
    /// It is not this process's to serve.
    Elsewhere,
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
            Self::Elsewhere => "another process owns the partition",
            Self::Corrupt => "the partition's log cannot be applied; an operator is needed",
            Self::Stopping => "the process is stopping",
        }
    }
}

/// Tells the front of a partition, and who reacts to events there, how its writer stands.
#[derive(Debug)]
pub(crate) struct Gate {
    status: watch::Sender<PartitionStatus>,
    /// Since when the writer is at work on one and the same thing; none while it waits for work.
    at_work_since: Mutex<Option<Moment>>,
}

impl Gate {
    pub(crate) fn new() -> Self {
        Self {
            status: watch::Sender::new(PartitionStatus::Elsewhere),
            at_work_since: Mutex::default(),
        }
    }

    pub(crate) fn set(&self, status: PartitionStatus) {
        self.status.send_replace(status);
    }

    pub(crate) fn status(&self) -> PartitionStatus {
        *self.status.borrow()
    }

    pub(crate) fn changes(&self) -> watch::Receiver<PartitionStatus> {
        self.status.subscribe()
    }

    /// The writer begins something, or waits for something to begin.
    pub(crate) fn set_at_work(&self, at_work: bool) {
        let since = at_work.then(Moment::now);
        *self
            .at_work_since
            .lock()
            .unwrap_or_else(PoisonError::into_inner) = since;
    }

    /// Whether the writer has been at one and the same thing for longer than that.
    pub(crate) fn is_stuck(&self, longest: Duration) -> bool {
        let since = *self
            .at_work_since
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        since.is_some_and(|since| since.elapsed() > longest)
    }
}

/// The way to one partition's writer.
pub(crate) struct Front<C: Context> {
    pub(crate) gate: Arc<Gate>,
    /// Without a bound of its own: what a writer is to do must find room however many commands wait.
    mail: Sender<Mail<C>>,
    /// So many commands may wait, give or take those that come in the same moment.
    capacity: usize,
}

impl<C: Context> Clone for Front<C> {
    fn clone(&self) -> Self {
        Self {
            gate: Arc::clone(&self.gate),
            mail: self.mail.clone(),
            capacity: self.capacity,
        }
    }
}

impl<C: Context> Front<C> {
    /// Has the writer do something else when it is through with what is queued.
    pub(crate) fn tell(&self, duty: Duty) {
        // A writer that has ended need not be told.
        drop(self.mail.send(Mail::Duty(duty)));
    }

    /// A front and the queue behind it, which holds so many commands.
    pub(crate) fn new(capacity: usize) -> (Self, Receiver<Mail<C>>) {
        let (mail, inbox) = crossbeam_channel::unbounded();
        let front = Self {
            gate: Arc::new(Gate::new()),
            mail,
            capacity,
        };
        (front, inbox)
    }

    /// Queues a command and waits for its answer until the deadline. Dropping the future withdraws nothing.
    pub(crate) async fn execute(&self, request: Request<C>, deadline: Instant) -> Answer<C> {
        let status = self.gate.status();
        if status != PartitionStatus::Ready {
            return Err(Refusal::unavailable(status.reason()));
        }
        if self.mail.len() >= self.capacity {
            return Err(Refusal::unavailable("the queue is full"));
        }
        let claim = Arc::new(Claim::default());
        let (reply, answer) = oneshot::channel();
        let pending = Pending {
            request,
            deadline,
            claim: Arc::clone(&claim),
            reply: Some(reply),
        };
        if self.mail.send(Mail::Command(pending)).is_err() {
            return Err(Refusal::unavailable(PartitionStatus::Stopping.reason()));
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

#[cfg(test)]
mod tests {
    use domain::cart::Carts;

    use super::{Duty, Front, Mail};

    #[test]
    fn what_is_to_be_done_finds_room_in_a_full_queue() {
        let (front, inbox) = Front::<Carts>::new(0);
        front.tell(Duty::Serve);
        front.tell(Duty::End);
        assert!(matches!(inbox.try_recv(), Ok(Mail::Duty(Duty::Serve))));
        assert!(matches!(inbox.try_recv(), Ok(Mail::Duty(Duty::End))));
    }
}
