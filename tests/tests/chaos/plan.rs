//! What a seed stands for: who owns when, what goes wrong, and what is asked.

use std::time::Duration;

use fastrand::Rng;
use system_tests::proxy::{Action, Api, Fault, Gate, When};
use uuid::Uuid;

use crate::seats::SeatCommand;

const CLIENTS: usize = 3;
const STEPS: usize = 9;
const SHOWS: usize = 2;
/// Longer than librdkafka waits for an answer (`socket.timeout.ms`).
const GIVEN_UP_MS: u64 = 5_000;
/// A member that the group has not heard of for so long is taken for dead: the least that a broker allows.
pub(crate) const SESSION_TIMEOUT: Duration = Duration::from_secs(6);
/// How long a group that has gone astray leaves an earlier owner in its belief, at most.
const ASTRAY_MS: u64 = 3_000;

/// Where faults are aimed, how often, and at which of the requests of a kind. Every kind that a write side sends
/// is there.
const AIMS: [(Api, u32, u32); 13] = [
    (Api::EndTxn, 40, 10),
    (Api::Produce, 12, 14),
    (Api::AddPartitionsToTxn, 12, 10),
    (Api::InitProducerId, 12, 2),
    (Api::FindCoordinator, 5, 2),
    (Api::Metadata, 4, 8),
    (Api::ApiVersions, 3, 8),
    (Api::ListOffsets, 4, 4),
    (Api::Fetch, 4, 10),
    (Api::JoinGroup, 2, 3),
    (Api::SyncGroup, 2, 2),
    (Api::Heartbeat, 2, 6),
    (Api::OffsetCommit, 2, 2),
];

#[derive(Debug)]
pub(crate) struct Plan {
    pub(crate) seed: u64,
    pub(crate) group: Group,
    /// Whether owners keep state on disk.
    pub(crate) keeps_state: bool,
    /// In the order in which they come; the first is there from the beginning.
    pub(crate) owners: Vec<Owner>,
    pub(crate) clients: Vec<Vec<Step>>,
}

/// Who says whose the partition is.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Group {
    /// Kafka's own, and the first owner leaves when another comes.
    Leaving,
    /// Kafka's own, and the first owner stays: another gets the partition only where that one is not heard of.
    Staying,
    /// One that gives it to everybody, and tells the earlier ones so much later.
    Astray(Duration),
}

#[derive(Debug)]
pub(crate) struct Owner {
    pub(crate) comes: Entry,
    pub(crate) faults: Vec<Fault>,
}

/// When an owner takes over.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Entry {
    AtOnce,
    /// When so many answers have been given.
    AfterAnswers(usize),
    /// When the first owner has met a fault, or else after so many answers.
    WhenStruck(usize),
}

#[derive(Debug)]
pub(crate) struct Step {
    pub(crate) pause: Duration,
    pub(crate) asks: Asks,
}

#[derive(Debug)]
pub(crate) enum Asks {
    /// Something new.
    New(SeatCommand),
    /// What this client has asked before, by its step.
    Again(usize),
    /// The same with another number of seats, under the id of what it has asked before.
    Otherwise(usize),
}

impl Plan {
    pub(crate) fn of(seed: u64) -> Self {
        let mut rng = Rng::with_seed(seed);
        let shows: Vec<Uuid> = (0..SHOWS).map(|_| Uuid::from_u128(rng.u128(..))).collect();
        let (group, owners) = owners(&mut rng);
        let clients = (0..CLIENTS)
            .map(|_| {
                (0..STEPS)
                    .map(|step| next_step(&mut rng, &shows, step))
                    .collect()
            })
            .collect();
        Self {
            seed,
            group,
            keeps_state: rng.bool(),
            owners,
            clients,
        }
    }

    /// Has those strays arrive, too, for which nothing has come that they wait for.
    pub(crate) fn release_strays(&self) {
        for fault in self.owners.iter().flat_map(|owner| &owner.faults) {
            if let Action::Stray(When::Opened(gate)) = &fault.action {
                gate.open();
            }
        }
    }

    /// Whether two take over at the same time.
    pub(crate) fn is_interleaved(&self) -> bool {
        self.owners.len() > 2
    }
}

/// Of eight seeds three have one owner; two have another come by the group's rules; one has a takeover against them, and two
/// have two of those at the same time.
fn owners(rng: &mut Rng) -> (Group, Vec<Owner>) {
    let astray = Group::Astray(Duration::from_millis(rng.u64(..ASTRAY_MS)));
    let (group, later) = match rng.u8(..8) {
        0..=2 => (Group::Staying, 0),
        3 => (Group::Leaving, 1),
        4 => (Group::Staying, 1),
        5 => (astray, 1),
        _ => (astray, 2),
    };
    let mut first = Owner {
        comes: Entry::AtOnce,
        faults: faults(rng, 1),
    };
    if let (Group::Staying, 1) = (group, later) {
        first.faults.push(Fault {
            api: [Api::EndTxn, Api::Produce, Api::AddPartitionsToTxn][rng.usize(..3)],
            nth: rng.u32(4..10),
            action: Action::Isolated(When::After(
                SESSION_TIMEOUT + Duration::from_millis(rng.u64(..3_000)),
            )),
        });
    }
    if rng.u8(..3) == 0 {
        first.faults.extend(ambush(rng));
    }
    let answers = rng.usize(3..CLIENTS * STEPS * 2 / 3);
    let comes = if rng.bool() {
        Entry::AfterAnswers(answers)
    } else {
        Entry::WhenStruck(answers)
    };
    let mut owners = vec![first];
    owners.extend((0..later).map(|_| Owner {
        comes,
        faults: faults(rng, 0),
    }));
    (group, owners)
}

/// Stray commits that arrive when a later transaction is half written, which is where they would hurt. Two, since the
/// owner's producers take turns; a commit whose first request is lost is asked for twice.
fn ambush(rng: &mut Rng) -> [Fault; 3] {
    let (gate, commit) = (Gate::closed(), rng.u32(3..8));
    let stray = |nth| Fault {
        api: Api::EndTxn,
        nth,
        action: Action::Stray(When::Opened(gate.clone())),
    };
    let held = Duration::from_millis(50);
    [
        stray(commit),
        stray(commit + 2),
        Fault {
            api: Api::Produce,
            nth: 2 * commit + rng.u32(..8),
            action: Action::Late(When::Opening(gate.clone(), held)),
        },
    ]
}

/// Up to three, so many at least.
fn faults(rng: &mut Rng, at_least: usize) -> Vec<Fault> {
    (0..rng.usize(at_least..=3)).map(|_| fault(rng)).collect()
}

fn fault(rng: &mut Rng) -> Fault {
    let total: u32 = AIMS.iter().map(|(_, weight, _)| weight).sum();
    let mut draw = rng.u32(..total);
    let (api, _, latest) = AIMS
        .into_iter()
        .find(|(_, weight, _)| {
            let found = draw < *weight;
            draw = draw.saturating_sub(*weight);
            found
        })
        .expect("the draw is below the sum of the weights");
    let until = When::After(delay(rng));
    let action = match rng.u8(..9) {
        0 => Action::Late(until),
        1 | 2 => Action::Stray(until),
        3 => Action::Dropped,
        4 => Action::Cut,
        5 => Action::Unanswered,
        6 => Action::AnsweredLate(until),
        7 if rng.bool() => Action::Severed,
        7 => Action::Isolated(until),
        // A copy that its sender cannot know of is nothing that TCP does; what one of EndTxn does is shown in `stray`.
        _ if api == Api::EndTxn => Action::Stray(until),
        _ => Action::Repeated(until),
    };
    Fault {
        api,
        nth: rng.u32(1..=latest),
        action,
    }
}

/// Mostly within what a client waits for, sometimes beyond.
fn delay(rng: &mut Rng) -> Duration {
    Duration::from_millis(match rng.u8(..10) {
        0..=3 => rng.u64(5..300),
        4..=8 => rng.u64(300..2_000),
        _ => rng.u64(GIVEN_UP_MS + 200..GIVEN_UP_MS + 1_500),
    })
}

fn next_step(rng: &mut Rng, shows: &[Uuid], number: usize) -> Step {
    let show = shows[rng.usize(..shows.len())];
    let command = match rng.u8(..10) {
        0 => SeatCommand::Sell { show, seats: 0 },
        1..=3 => SeatCommand::Return {
            show,
            seats: rng.u32(1..=2),
        },
        _ => SeatCommand::Sell {
            show,
            seats: rng.u32(1..=3),
        },
    };
    let asks = match rng.u8(..10) {
        0 if number > 0 => Asks::Again(rng.usize(..number)),
        1 if number > 0 => Asks::Otherwise(rng.usize(..number)),
        _ => Asks::New(command),
    };
    Step {
        pause: Duration::from_millis(rng.u64(..40)),
        asks,
    }
}
