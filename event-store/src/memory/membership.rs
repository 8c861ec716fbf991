//! The twin of a consumer group: members share partitions out by the order in which they joined, and one that joins under a
//! known name takes that one's place.

use std::{
    collections::BTreeSet,
    fmt,
    sync::PoisonError,
    time::{Duration, Instant},
};

use super::{MemoryLog, State};
use crate::log::{Expelled, Handover, LogError, Member, Membership};

/// A member, as the log knows it.
#[derive(Debug)]
pub(super) struct Seat {
    number: u64,
    service: &'static str,
    name: Option<String>,
    holds: BTreeSet<i32>,
    /// Whether it has been told of its first share.
    told: bool,
}

/// A membership in a [`MemoryLog`].
pub struct MemoryMembership {
    log: MemoryLog,
    number: u64,
    handover: Box<dyn Fn(Handover) + Send + Sync>,
}

impl fmt::Debug for MemoryMembership {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemoryMembership")
            .field("number", &self.number)
            .finish_non_exhaustive()
    }
}

/// What a look at the group shows.
enum Change {
    Replaced,
    GiveUp(BTreeSet<i32>),
    Take(Vec<i32>),
    None,
}

impl MemoryMembership {
    pub(super) fn join(
        log: &MemoryLog,
        service: &'static str,
        member: &Member,
        handover: Box<dyn Fn(Handover) + Send + Sync>,
    ) -> Self {
        let mut state = log.lock();
        state.joined += 1;
        let number = state.joined;
        let is_replaced = |seat: &Seat| {
            seat.service == service && seat.name.is_some() && seat.name == member.name
        };
        let seat = Seat {
            number,
            service,
            name: member.name.clone(),
            holds: BTreeSet::new(),
            told: false,
        };
        if state.turned_away > 0 {
            state.turned_away -= 1;
        } else {
            match state.seats.iter().position(is_replaced) {
                Some(index) => state.seats[index] = seat,
                None => state.seats.push(seat),
            }
        }
        drop(state);
        log.shared.grown.notify_all();
        Self {
            log: log.clone(),
            number,
            handover,
        }
    }

    fn give_up(&self, partitions: &BTreeSet<i32>) {
        (self.handover)(Handover::Revoked(partitions.iter().copied().collect()));
        let mut state = self.log.lock();
        if let Some(seat) = state.seat(self.number) {
            seat.holds.retain(|held| !partitions.contains(held));
        }
        drop(state);
        self.log.shared.grown.notify_all();
    }
}

impl State {
    fn seat(&mut self, number: u64) -> Option<&mut Seat> {
        self.seats.iter_mut().find(|seat| seat.number == number)
    }

    /// What has changed for a member; what it takes is its own when this returns.
    fn change(&mut self, number: u64) -> Change {
        let Some(ours) = self.seats.iter().find(|seat| seat.number == number) else {
            return Change::Replaced;
        };
        let sharing = || {
            self.seats
                .iter()
                .filter(|seat| seat.service == ours.service)
        };
        let members = (0..).zip(sharing());
        let place = members
            .map(|(place, seat): (i32, _)| (place, seat.number))
            .find_map(|(place, of)| (of == number).then_some(place));
        let count = i32::try_from(sharing().count()).expect("a test has few members");
        let share: BTreeSet<i32> = (0..self.count)
            .filter(|partition| Some(partition % count) == place)
            .collect();
        let given_up: BTreeSet<i32> = ours.holds.difference(&share).copied().collect();
        if !given_up.is_empty() {
            return Change::GiveUp(given_up);
        }
        let is_free = |partition: &i32| sharing().all(|seat| !seat.holds.contains(partition));
        let taken: Vec<i32> = share.into_iter().filter(is_free).collect();
        if taken.is_empty() && ours.told {
            return Change::None;
        }
        if let Some(ours) = self.seat(number) {
            ours.holds.extend(&taken);
            ours.told = true;
        }
        Change::Take(taken)
    }
}

impl Membership for MemoryMembership {
    fn tend(&self, duration: Duration) -> Result<(), Expelled> {
        let deadline = Instant::now() + duration;
        loop {
            let mut state = self.log.lock();
            match state.change(self.number) {
                Change::Replaced => return Err(Expelled::Replaced),
                Change::GiveUp(partitions) => {
                    drop(state);
                    self.give_up(&partitions);
                }
                Change::Take(partitions) => {
                    drop(state);
                    (self.handover)(Handover::Granted(partitions));
                }
                Change::None => {
                    let left = deadline.saturating_duration_since(Instant::now());
                    if left.is_zero() {
                        return Ok(());
                    }
                    let waited = self.log.shared.grown.wait_timeout(state, left);
                    drop(waited.unwrap_or_else(PoisonError::into_inner));
                }
            }
        }
    }

    fn confirm(&self, partition: i32) -> Result<(), LogError> {
        let attempted = "confirming our part in the group";
        let mut state = self.log.reachable(attempted)?;
        let counts = state
            .seat(self.number)
            .is_some_and(|seat| seat.holds.contains(&partition));
        if counts {
            return Ok(());
        }
        Err(LogError::Unavailable {
            attempted,
            reason: format!("partition {partition} is not ours"),
        })
    }

    fn leave(&self) {
        let held = self
            .log
            .lock()
            .seat(self.number)
            .map(|seat| seat.holds.clone());
        if let Some(held) = held.filter(|held| !held.is_empty()) {
            self.give_up(&held);
        }
        let number = self.number;
        self.log.lock().seats.retain(|seat| seat.number != number);
        self.log.shared.grown.notify_all();
    }
}

impl Drop for MemoryMembership {
    fn drop(&mut self) {
        let number = self.number;
        self.log.lock().seats.retain(|seat| seat.number != number);
        self.log.shared.grown.notify_all();
    }
}
