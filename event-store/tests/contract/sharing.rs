//! What is promised about a group: it says whose a partition is, and says no to everybody else.

use std::{
    collections::BTreeSet,
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use event_store::{
    OWNERSHIP_TOPIC,
    log::{Handover, Log, Member, Membership},
};

use crate::suite::{PATIENCE, Subject};

/// Somebody's part in the group.
struct Seat<M> {
    membership: M,
    has: Arc<Mutex<BTreeSet<i32>>>,
}

impl<M: Membership> Seat<M> {
    fn take<L: Log<Membership = M>>(log: &L) -> Self {
        let member = Member {
            name: None,
            session_timeout: Duration::from_secs(10),
        };
        let has = Arc::<Mutex<BTreeSet<i32>>>::default();
        let held = Arc::clone(&has);
        let handover = move |handover: Handover| {
            let mut held = held.lock().expect("no panic");
            match handover {
                Handover::Granted(partitions) => held.extend(partitions),
                Handover::Revoked(partitions) | Handover::Lost(partitions) => {
                    held.retain(|partition| !partitions.contains(partition));
                }
            }
        };
        Self {
            membership: log
                .join("confirming", &member, handover)
                .expect("it is accepted"),
            has,
        }
    }

    /// What it has, after it has taken part for a moment.
    fn tend(&self) -> BTreeSet<i32> {
        let tended = self.membership.tend(Duration::from_millis(50));
        tended.expect("nobody has its name");
        self.has.lock().expect("no panic").clone()
    }
}

/// A member is confirmed in what it has, and not in what another has by now, though it is a member still.
pub(crate) async fn only_who_has_a_partition_is_confirmed<S: Subject>(subject: S) {
    let log = subject.log().clone();
    let shared = tokio::task::spawn_blocking(move || {
        let all: BTreeSet<i32> =
            (0..log.partitions(OWNERSHIP_TOPIC).expect("it is there")).collect();
        let until = Instant::now() + PATIENCE;
        let first = Seat::take(&log);
        while first.tend() != all {
            assert!(Instant::now() < until, "nobody gets anything");
        }
        let second = Seat::take(&log);
        loop {
            let (of_first, of_second) = (first.tend(), second.tend());
            if !of_second.is_empty() && of_first.len() + of_second.len() == all.len() {
                break;
            }
            assert!(Instant::now() < until, "it is not shared");
        }
        for seat in [&first, &second] {
            let has = seat.tend();
            for partition in &all {
                let confirmed = seat.membership.confirm(*partition);
                assert_eq!(confirmed.is_ok(), has.contains(partition), "{confirmed:?}");
            }
        }
    });
    shared.await.expect("no panic");
}
