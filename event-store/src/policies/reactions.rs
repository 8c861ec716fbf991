//! From events to commands, and each command until it is known what became of it.

use std::{
    panic::{self, AssertUnwindSafe},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use chrono::{DateTime, TimeDelta, Utc};
use domain::{
    Context,
    policy::{Cause, Reaction},
};
use rustc_hash::FxHashMap;
use tokio::task::JoinSet;
use tracing::{Instrument, error, error_span, warn};
use uuid::Uuid;

use super::{Doing, Keyed, Reactor};
use crate::{
    command::{CommandMetadata, Refusal, Request},
    envelope::Recorded,
    store::EventStore,
    telemetry::PolicyMetrics,
};

/// So many sequences are reacted to at a time: enough to fill the writers' batches.
const SEQUENCES_AT_ONCE: usize = 256;
/// What was decided so long ago is decided anew before it is tried: deadlines that it sets would have passed already.
const RENEWED_AFTER: TimeDelta = TimeDelta::seconds(1);
/// Before a command is tried again. Doubles up to the most.
const FIRST_PAUSE: Duration = Duration::from_millis(20);
const MAX_PAUSE: Duration = Duration::from_secs(1);

type CommandOf<P> = <<P as Reactor>::Context as Context>::Command;
type RejectionOf<P> = <<P as Reactor>::Context as Context>::Rejection;

/// What a policy does in one partition.
pub(super) struct Reacting<P: Reactor> {
    policy: Arc<P>,
    store: EventStore<P::Context>,
    actor: Arc<str>,
    metrics: PolicyMetrics,
    /// So many commands are being tried again, of which the first is worth a line.
    held_up: AtomicUsize,
}

/// A command that is being tried again.
struct HeldUp<'a>(&'a AtomicUsize);

impl<'a> HeldUp<'a> {
    /// One more; also whether it is the only one.
    fn begin(count: &'a AtomicUsize) -> (Self, bool) {
        let is_first = count.fetch_add(1, Ordering::Relaxed) == 0;
        (Self(count), is_first)
    }
}

impl Drop for HeldUp<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// When a command was carried out that is now known to be.
enum Carried {
    Now,
    /// When its event was delivered before.
    Before,
}

impl<P: Reactor> Reacting<P> {
    pub(super) fn new(policy: Arc<P>, store: EventStore<P::Context>, partition: i32) -> Self {
        Self {
            policy,
            store,
            actor: format!("policy/{}", P::NAME).into(),
            metrics: PolicyMetrics::new(P::NAME, partition),
            held_up: AtomicUsize::new(0),
        }
    }

    pub(super) fn store(&self) -> &EventStore<P::Context> {
        &self.store
    }

    /// Carries out everything that follows from these events: in order for each journey at each key, and the others beside
    /// each other.
    pub(super) async fn react_to(self: &Arc<Self>, events: Vec<Keyed<P::Event>>) {
        self.metrics.events.increment(events.len() as u64);
        let mut running = JoinSet::new();
        for group in grouped(self.due(events)) {
            if running.len() >= SEQUENCES_AT_ONCE {
                heed(running.join_next().await);
            }
            let this = Arc::clone(self);
            running.spawn(async move {
                for recorded in group {
                    // Where something panics, the line about it says at which event.
                    let event = &recorded.position;
                    let span = error_span!("reacting", policy = P::NAME, %event);
                    this.carry_out(&recorded).instrument(span).await;
                }
            });
        }
        while !running.is_empty() {
            heed(running.join_next().await);
        }
    }

    /// Most events of a topic concern no policy: they end here.
    fn due(&self, events: Vec<Keyed<P::Event>>) -> Vec<(Sequence, Recorded<P::Event>)> {
        let due = |Keyed { key, recorded }: Keyed<P::Event>| {
            let sequence = (key, recorded.metadata.correlation_id);
            self.is_concerned(&recorded).then_some((sequence, recorded))
        };
        events.into_iter().filter_map(due).collect()
    }

    /// Whether anything follows. A span for each event would cost more than most reactions, so what panics is told of on a line of its own.
    fn is_concerned(&self, recorded: &Recorded<P::Event>) -> bool {
        let react = || self.policy.react(recorded, self.cause(recorded));
        match panic::catch_unwind(AssertUnwindSafe(react)) {
            Ok(doing) => !doing.is_nothing(),
            Err(panicked) => {
                error!(policy = P::NAME, event = %recorded.position, "panicked at this event");
                panic::resume_unwind(panicked);
            }
        }
    }

    fn cause(&self, recorded: &Recorded<P::Event>) -> Cause {
        Cause {
            event_id: recorded.metadata.event_id,
            now: self.store.now(),
        }
    }

    /// In a span that names the policy and the event.
    async fn carry_out(&self, recorded: &Recorded<P::Event>) {
        let cause = self.cause(recorded);
        let (commands, decided_at) = match self.policy.react(recorded, cause) {
            Doing::Commands(commands) => (commands, Some(cause.now)),
            Doing::Effect(effect) => (effect.await, None),
            Doing::Once { inquiry, effect } => match self.execute(recorded, inquiry, None).await {
                Ok(Carried::Before) => return,
                Ok(Carried::Now) | Err(_) => (effect.await, None),
            },
        };
        for reaction in commands {
            let command_id = reaction.command_id;
            let Err(rejection) = self.execute(recorded, reaction, decided_at).await else {
                continue;
            };
            self.metrics.rejections.increment(1);
            let cause = self.cause(recorded);
            let resort = self.policy.rejected(&recorded.event, cause, &rejection);
            let lost = match resort {
                Some(resort) => self.execute(recorded, resort, None).await.err(),
                None => Some(rejection),
            };
            if let Some(rejection) = lost {
                error!(
                    %command_id,
                    ?rejection,
                    "a command was rejected, and nothing follows"
                );
            }
        }
    }

    /// Tries until it is known what became of the command; fails where it was rejected. What was decided then, and follows from nothing
    /// but the event, is decided anew when that is long ago; what an effect ended in stays what it is.
    async fn execute(
        &self,
        recorded: &Recorded<P::Event>,
        reaction: Reaction<CommandOf<P>>,
        mut decided_at: Option<DateTime<Utc>>,
    ) -> Result<Carried, RejectionOf<P>> {
        let mut request = self.request(recorded, reaction);
        let mut pause = FIRST_PAUSE;
        let mut held_up = None;
        loop {
            if decided_at.is_some_and(|decided_at| self.store.now() - decided_at > RENEWED_AFTER) {
                decided_at = Some(self.renew(&mut request, recorded));
            }
            let refusal = match self.store.execute(request.clone()).await {
                Ok(accepted) => {
                    self.metrics.commands.increment(1);
                    return Ok(match accepted.replayed {
                        true => Carried::Before,
                        false => Carried::Now,
                    });
                }
                Err(Refusal::Rejected(rejection)) => return Err(rejection),
                Err(Refusal::KeyReused) => {
                    self.metrics.rejections.increment(1);
                    error!(
                        command_id = %request.metadata.command_id,
                        "a command's id was used before for another"
                    );
                    return Ok(Carried::Before);
                }
                Err(Refusal::VersionMismatch { .. }) => {
                    unreachable!("a policy's command expects no version")
                }
                Err(refusal @ (Refusal::Unavailable { .. } | Refusal::OutcomeUnknown { .. })) => {
                    refusal
                }
            };
            self.metrics.retries.increment(1);
            if held_up.is_none() {
                let (this, is_first) = HeldUp::begin(&self.held_up);
                held_up = Some(this);
                if is_first {
                    warn!(%refusal, "commands are held up");
                }
            }
            tokio::time::sleep(pause).await;
            pause = pause.saturating_mul(2).min(MAX_PAUSE);
        }
    }

    /// The same command, as it is decided now; answers when that is.
    fn renew(
        &self,
        request: &mut Request<P::Context>,
        recorded: &Recorded<P::Event>,
    ) -> DateTime<Utc> {
        let cause = self.cause(recorded);
        request.metadata.time = cause.now;
        if let Doing::Commands(commands) = self.policy.react(recorded, cause) {
            let of_this_name =
                |reaction: &Reaction<_>| reaction.command_id == request.metadata.command_id;
            if let Some(anew) = commands.into_iter().find(of_this_name) {
                request.command = anew.command;
            }
        }
        cause.now
    }

    fn request(
        &self,
        recorded: &Recorded<P::Event>,
        reaction: Reaction<CommandOf<P>>,
    ) -> Request<P::Context> {
        let Reaction {
            command_id,
            command,
        } = reaction;
        let metadata = &recorded.metadata;
        Request {
            command,
            metadata: CommandMetadata {
                command_id,
                command_hash: command_id,
                correlation_id: metadata.correlation_id,
                causation_id: metadata.event_id,
                actor: Arc::clone(&self.actor),
                time: self.store.now(),
                traceparent: metadata.traceparent.clone(),
                expected_version: None,
            },
        }
    }
}

/// What is reacted to one after the other: a record key, and a journey. Of one piece of stock the answers to all orders have one
/// key, and nothing to do with each other: one at a time, a popular one would have its orders expire.
type Sequence = (Box<[u8]>, Uuid);

/// As they came, within each group.
fn grouped<T>(items: Vec<(Sequence, T)>) -> Vec<Vec<T>> {
    let mut places: FxHashMap<Sequence, usize> = FxHashMap::default();
    let mut groups: Vec<Vec<T>> = Vec::new();
    for (sequence, item) in items {
        let place = *places.entry(sequence).or_insert(groups.len());
        if place == groups.len() {
            groups.push(Vec::new());
        }
        groups[place].push(item);
    }
    groups
}

/// A panic of a reaction is the policy's own.
fn heed(ended: Option<Result<(), tokio::task::JoinError>>) {
    if let Some(Err(failed)) = ended
        && failed.is_panic()
    {
        panic::resume_unwind(failed.into_panic());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_order_does_not_wait_for_another_s_answer() {
        let order = |key: &str, journey| (key.as_bytes().into(), Uuid::from_u128(journey));
        let items = vec![
            (order("tea", 1), "reserved"),
            (order("tea", 2), "reserved for another"),
            (order("cup", 1), "reserved a cup"),
            (order("tea", 1), "committed"),
        ];
        let expected = [
            vec!["reserved", "committed"],
            vec!["reserved for another"],
            vec!["reserved a cup"],
        ];
        assert_eq!(grouped(items), expected);
    }
}
