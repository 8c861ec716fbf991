//! A process's share of a service's partitions: joins those who run the service too, and tells each writer whether its
//! partition is ours.
//!
//! Being told so is no proof: two processes may for a while both have been. What makes an owner is that it has fenced all
//! others (see `takeover`); the group sees to it that not everybody tries.

use std::{
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    thread::JoinHandle,
    time::{Duration, Instant},
};

use domain::Context;
use tracing::{error, info, warn};
use uuid::Uuid;

use crate::{
    inbox::{Duty, Front, Relief},
    log::{Expelled, Handover, Log, LogError, Member, Membership, WriterId},
    ownership::{OwnershipRecord, Sight, owner_in_sight},
    threads,
};

/// How long one look at the group may take; also how soon a membership ends when it is to.
const TEND: Duration = Duration::from_millis(100);
/// Before joining is tried again.
const PAUSE: Duration = Duration::from_secs(1);
/// At joining, what cannot be seen counts as known: no claim is newer.
const KNOWN: Option<u32> = Some(u32::MAX);
/// A process that has joined in our place has taken something over within this.
const SUCCESSION: Duration = Duration::from_secs(5);
/// A writer is given so long to let go of a partition. Whoever gets it next fences it in any case.
const HANDOVER_TIMEOUT: Duration = Duration::from_secs(8);
/// A writer that is at one and the same thing for so long is stuck: longer than a takeover waits for another's transaction. Reading
/// the log is a new thing with each batch.
const STUCK_AFTER: Duration = Duration::from_secs(45);

/// What the writers of a service have in common with the group.
pub(crate) struct Share<L: Log> {
    membership: Mutex<Option<Arc<L::Membership>>>,
    /// Whether the group has given us a share, be it none.
    settled: AtomicBool,
    ending: AtomicBool,
}

impl<L: Log> Default for Share<L> {
    fn default() -> Self {
        Self {
            membership: Mutex::default(),
            settled: AtomicBool::default(),
            ending: AtomicBool::default(),
        }
    }
}

impl<L: Log> Share<L> {
    /// Asks the group whether it still counts on us for the partition.
    pub(crate) fn confirm(&self, partition: i32) -> Result<(), LogError> {
        let membership = self.lock().clone();
        match membership {
            Some(membership) => membership.confirm(partition),
            None => Err(LogError::Unavailable {
                attempted: "confirming our part in the group",
                reason: "we are in none".to_owned(),
            }),
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Option<Arc<L::Membership>>> {
        self.membership
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    fn is_ending(&self) -> bool {
        self.ending.load(Ordering::Acquire)
    }
}

/// A share, for those who do not know what log it is of.
pub(crate) trait Settled: Send + Sync {
    fn is_settled(&self) -> bool;
    /// Has the membership end; the group then hears that what was ours is free.
    fn end(&self);
}

impl<L: Log> Settled for Share<L> {
    fn is_settled(&self) -> bool {
        self.settled.load(Ordering::Acquire)
    }

    fn end(&self) {
        self.ending.store(true, Ordering::Release);
    }
}

/// Takes part in the group, on a thread of its own.
pub(crate) struct Sharing<C: Context, L: Log> {
    pub(crate) log: L,
    /// This process, made anew at each start.
    pub(crate) instance: Uuid,
    pub(crate) member: Member,
    pub(crate) share: Arc<Share<L>>,
    pub(crate) fronts: Vec<Front<C>>,
}

/// Why a membership ended.
enum Ended {
    /// It was to.
    Told,
    Expelled(Expelled),
    /// A writer makes no progress: its partition is better off elsewhere.
    Stuck(usize),
}

impl<C: Context, L: Log> Sharing<C, L> {
    pub(crate) fn start(self) -> JoinHandle<()> {
        threads::start(format!("share-{}", C::SERVICE), move || self.run())
            .expect("the operating system grants a thread at start-up")
    }

    fn run(self) {
        while !self.share.is_ending() {
            let fronts = self.fronts.clone();
            let share = Arc::clone(&self.share);
            let handover = move |handover| {
                hand_over(&fronts, handover);
                share.settled.store(true, Ordering::Release);
            };
            let joined = self.namesakes(KNOWN).and_then(|claims| {
                let membership = self.log.join(C::SERVICE, &self.member, handover)?;
                Ok((claims, Arc::new(membership)))
            });
            let (claims, membership) = match joined {
                Ok(joined) => joined,
                Err(error) => {
                    warn!(service = C::SERVICE, %error, "cannot share partitions, will try again");
                    std::thread::sleep(PAUSE);
                    continue;
                }
            };
            *self.share.lock() = Some(Arc::clone(&membership));
            let ended = self.tend(&membership);
            *self.share.lock() = None;
            match ended {
                Ended::Told => membership.leave(),
                Ended::Expelled(expelled) => {
                    let all = (0..).zip(&self.fronts).map(|(partition, _)| partition);
                    hand_over(&self.fronts, Handover::Lost(all.collect()));
                    if expelled == Expelled::Replaced && self.is_succeeded(&claims) {
                        let member = &self.member.name;
                        error!(
                            service = C::SERVICE,
                            ?member,
                            "{expelled}; give each process a name of its own"
                        );
                        return;
                    }
                    warn!(service = C::SERVICE, %expelled, "out of the group; joining again");
                    std::thread::sleep(PAUSE);
                }
                Ended::Stuck(partition) => {
                    error!(
                        service = C::SERVICE,
                        partition, "a writer makes no progress: leaving partitions to others"
                    );
                    membership.leave();
                    self.wait_for_progress();
                }
            }
        }
    }

    fn tend(&self, membership: &L::Membership) -> Ended {
        loop {
            if let Err(expelled) = membership.tend(TEND) {
                return Ended::Expelled(expelled);
            }
            if self.share.is_ending() {
                return Ended::Told;
            }
            if let Some(partition) = self.stuck() {
                return Ended::Stuck(partition);
            }
        }
    }

    /// Whether there really is another process of our name, once it has had the time to take something over: a claim in
    /// our name that is newer than those of our joining. (A group that has lost its coordinator may take our own coming
    /// back for another's, and a predecessor that was killed leaves its claims behind.) What could not be seen then, or
    /// cannot be now, proves nothing. Who joins again looks anew: of two, one leaves as soon as it has seen all.
    fn is_succeeded(&self, before: &[Option<u32>]) -> bool {
        let until = Instant::now() + SUCCESSION;
        while Instant::now() < until && !self.share.is_ending() {
            std::thread::sleep(TEND);
        }
        let now = self.namesakes(None).unwrap_or_default();
        now.iter().zip(before).any(|(now, before)| now > before)
    }

    /// The generation of each partition's last claim, where another process of our name made it and holds on to it; `unseen`
    /// where that cannot be seen at once. A process without a name has no namesake.
    fn namesakes(&self, unseen: Option<u32>) -> Result<Vec<Option<u32>>, LogError> {
        if self.member.name.is_none() {
            return Ok(Vec::new());
        }
        let is_namesake = |owner: &OwnershipRecord| {
            owner.member == self.member.name && owner.instance != self.instance && !owner.released
        };
        let partitions = (0..).zip(&self.fronts).map(|(partition, _)| WriterId {
            service: C::SERVICE,
            partition,
        });
        let claim_to = |writer| match owner_in_sight(&self.log, &writer) {
            Ok(Sight::Whole(last)) => Ok(last.filter(is_namesake).map(|owner| owner.generation)),
            // What cannot be read keeps nobody from the other partitions; whoever takes this one over tells.
            Ok(Sight::Part(..)) | Err(LogError::Undecodable { .. }) => Ok(unseen),
            Err(error) => Err(error),
        };
        partitions.map(claim_to).collect()
    }

    fn stuck(&self) -> Option<usize> {
        self.fronts
            .iter()
            .position(|front| front.gate.is_stuck(STUCK_AFTER))
    }

    fn wait_for_progress(&self) {
        while self.stuck().is_some() && !self.share.is_ending() {
            std::thread::sleep(PAUSE);
        }
        info!(service = C::SERVICE, "joining again");
    }
}

/// Tells the writers, and waits for those who are to let go.
fn hand_over<C: Context>(fronts: &[Front<C>], handover: Handover) {
    let of = |partitions: Vec<i32>| {
        let indices = partitions
            .into_iter()
            .filter_map(|number| usize::try_from(number).ok());
        indices.filter_map(|index| fronts.get(index))
    };
    match handover {
        Handover::Granted(partitions) => {
            of(partitions).for_each(|front| front.tell(Duty::Serve));
        }
        Handover::Revoked(partitions) => {
            let deadline = Instant::now() + HANDOVER_TIMEOUT;
            let relieving: Vec<_> = of(partitions).map(relieve).collect();
            for relieved in relieving {
                // It hangs up when the writer has let go, and times out where it does not in time.
                let (Ok(()) | Err(_)) = relieved.recv_deadline(deadline);
            }
        }
        Handover::Lost(partitions) => {
            of(partitions).map(relieve).for_each(drop);
        }
    }
}

fn relieve<C: Context>(front: &Front<C>) -> crossbeam_channel::Receiver<()> {
    let (relief, relieved) = Relief::new();
    front.tell(Duty::StandBy(relief));
    relieved
}
