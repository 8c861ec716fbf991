//! From events to commands, and each command until it is known what became of it.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use domain::{
    Context,
    policy::{Cause, Reaction},
};
use rustc_hash::FxHashMap;
use tokio::task::JoinSet;
use tracing::{error, warn};
use uuid::Uuid;

use super::{Doing, Keyed, Reactor};
use crate::{
    command::{CommandMetadata, Refusal, Request},
    envelope::Recorded,
    store::EventStore,
    telemetry::PolicyMetrics,
};

/// So many keys are reacted to at a time: enough to fill the writers' batches.
const KEYS_AT_ONCE: usize = 256;
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

/// An event that is reacted to.
struct Due<P: Reactor> {
    recorded: Recorded<P::Event>,
    cause: Cause,
    doing: Doing<CommandOf<P>>,
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
            if running.len() >= KEYS_AT_ONCE {
                heed(running.join_next().await);
            }
            let this = Arc::clone(self);
            running.spawn(async move {
                for due in group {
                    this.carry_out(due).await;
                }
            });
        }
        while !running.is_empty() {
            heed(running.join_next().await);
        }
    }

    /// Most events of a topic concern no policy: they end here.
    fn due(&self, events: Vec<Keyed<P::Event>>) -> Vec<(Order, Due<P>)> {
        let now = self.store.now();
        let due = |Keyed { key, recorded }: Keyed<P::Event>| {
            let cause = Cause {
                event_id: recorded.metadata.event_id,
                now,
            };
            let doing = self.policy.react(&recorded, cause);
            let order = (key, recorded.metadata.correlation_id);
            let due = Due {
                recorded,
                cause,
                doing,
            };
            (!due.doing.is_nothing()).then_some((order, due))
        };
        events.into_iter().filter_map(due).collect()
    }

    async fn carry_out(&self, due: Due<P>) {
        let Due {
            recorded,
            cause,
            doing,
        } = due;
        for reaction in self.commands(&recorded, doing).await {
            let command_id = reaction.command_id;
            let Err(rejection) = self.execute(&recorded, reaction).await else {
                continue;
            };
            self.metrics.rejections.increment(1);
            let resort = self.policy.rejected(&recorded.event, cause, &rejection);
            let lost = match resort {
                Some(resort) => self.execute(&recorded, resort).await.err(),
                None => Some(rejection),
            };
            if let Some(rejection) = lost {
                error!(
                    policy = P::NAME,
                    event = %recorded.position,
                    %command_id,
                    ?rejection,
                    "a command was rejected, and nothing follows"
                );
            }
        }
    }

    async fn commands(
        &self,
        recorded: &Recorded<P::Event>,
        doing: Doing<CommandOf<P>>,
    ) -> Vec<Reaction<CommandOf<P>>> {
        match doing {
            Doing::Commands(commands) => commands,
            Doing::Effect(effect) => effect.await,
            Doing::Once { inquiry, effect } => match self.execute(recorded, inquiry).await {
                Ok(Carried::Before) => Vec::new(),
                Ok(Carried::Now) | Err(_) => effect.await,
            },
        }
    }

    /// Tries until it is known what became of the command; fails where it was rejected.
    async fn execute(
        &self,
        recorded: &Recorded<P::Event>,
        reaction: Reaction<CommandOf<P>>,
    ) -> Result<Carried, RejectionOf<P>> {
        let mut request = self.request(recorded, reaction);
        let mut pause = FIRST_PAUSE;
        let mut held_up = None;
        loop {
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
                        policy = P::NAME,
                        event = %recorded.position,
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
                    warn!(policy = P::NAME, event = %recorded.position, %refusal, "commands are held up");
                }
            }
            tokio::time::sleep(pause).await;
            pause = pause.saturating_mul(2).min(MAX_PAUSE);
            self.renew(&mut request, recorded);
        }
    }

    /// Has a command that comes late say so: a deadline that it sets would have passed already, counted from the first try.
    fn renew(&self, request: &mut Request<P::Context>, recorded: &Recorded<P::Event>) {
        let cause = Cause {
            event_id: recorded.metadata.event_id,
            now: self.store.now(),
        };
        request.metadata.time = cause.now;
        if let Doing::Commands(commands) = self.policy.react(recorded, cause) {
            let of_this_name =
                |reaction: &Reaction<_>| reaction.command_id == request.metadata.command_id;
            if let Some(anew) = commands.into_iter().find(of_this_name) {
                request.command = anew.command;
            }
        }
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
type Order = (Box<[u8]>, Uuid);

/// As they came, within each group.
fn grouped<T>(items: Vec<(Order, T)>) -> Vec<Vec<T>> {
    let mut places: FxHashMap<Order, usize> = FxHashMap::default();
    let mut groups: Vec<Vec<T>> = Vec::new();
    for (order, item) in items {
        let place = *places.entry(order).or_insert(groups.len());
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
        std::panic::resume_unwind(failed.into_panic());
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
