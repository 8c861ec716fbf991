//! The event store of one service: a writer for each partition, and the way to them.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    thread::JoinHandle,
    time::Duration,
};

use chrono::{DateTime, Utc};
use domain::{Context, Event};
use tokio::{sync::watch, time::Instant};
use tracing::debug;
use uuid::Uuid;

use crate::{
    clock,
    command::{Answer, Refusal, Request},
    committer::Committers,
    forward::{Forwarded, Peers, TransportError, decode_answer, encode_answer},
    inbox::{Duty, Front, PartitionStatus},
    log::{Log, LogError, Member, WriterId},
    mending::InTurn,
    partitioner::partition_for,
    share::{Settled, Share, Sharing},
    state::folder::{Rehydration, StateConfig, StateFolder, Told},
    takeover::Owner,
    telemetry::WriterMetrics,
    threads,
    writer::Writer,
};

/// How a store is run.
#[derive(Debug, Clone)]
pub struct StoreConfig {
    /// Where peers reach this process; goes into the ownership records.
    pub address: String,
    /// How this process takes part in sharing out the service's partitions.
    pub member: Member,
    /// How commands reach the owners of other partitions; without it, they are refused.
    pub peers: Option<Peers>,
    /// Commands that may wait in front of one writer; more are refused at once.
    pub queue: usize,
    /// How long a command may take before its client is told that it is not known what became of it.
    pub deadline: Duration,
    /// What time it is, for the deadlines of streams and for the commands of policies.
    pub clock: fn() -> DateTime<Utc>,
    /// Where state is kept on disk; none keeps all of it in memory.
    pub state: Option<StateConfig>,
}

impl Default for StoreConfig {
    fn default() -> Self {
        Self {
            address: String::new(),
            member: Member {
                name: None,
                session_timeout: Duration::from_secs(10),
            },
            peers: None,
            queue: 4_096,
            deadline: Duration::from_secs(8),
            clock: clock::now,
            state: None,
        }
    }
}

/// Decides and appends commands of one service. Cheap to clone.
pub struct EventStore<C: Context> {
    shared: Arc<Shared<C>>,
}

impl<C: Context> Clone for EventStore<C> {
    fn clone(&self) -> Self {
        Self {
            shared: Arc::clone(&self.shared),
        }
    }
}

struct Shared<C: Context> {
    fronts: Vec<Front<C>>,
    writers: Mutex<Vec<JoinHandle<()>>>,
    share: Arc<dyn Settled>,
    sharing: Mutex<Option<JoinHandle<()>>>,
    /// Our own address, and how to reach others.
    address: String,
    peers: Option<Peers>,
    deadline: Duration,
    clock: fn() -> DateTime<Utc>,
    rehydrations: Vec<Told>,
}

impl<C: Context> EventStore<C> {
    /// Joins those who run the service, with a writer for every partition; each takes its partition over when that is ours,
    /// and serves when it is ready.
    ///
    /// # Errors
    /// When the log cannot be reached, or the service's topics are missing or differ in their number of partitions.
    pub fn start<L: Log>(log: &L, config: &StoreConfig) -> Result<Self, LogError> {
        Self::start_with(log, config, &Committers::start(log))
    }

    /// As [`start`](Self::start), for one of several services of a process: what they append is committed together. Two stores of
    /// one service must not share committers, since it is by their committers that they fence each other.
    ///
    /// # Errors
    /// As there.
    pub fn start_with<L: Log>(
        log: &L,
        config: &StoreConfig,
        committers: &Committers<L>,
    ) -> Result<Self, LogError> {
        let partitions = equal_partitions::<C, L>(log)?;
        let instance = Uuid::now_v7();
        let mut fronts = Vec::new();
        let mut writers = Vec::new();
        let share = Arc::new(Share::default());
        let mut rehydrations = Vec::new();
        let mending_in_turn = InTurn::default();
        for partition in 0..partitions {
            let id = WriterId {
                service: C::SERVICE,
                partition,
            };
            let (front, inbox) = Front::new(config.queue);
            let told = Told::default();
            rehydrations.push(Arc::clone(&told));
            let writer = Writer::<C, L> {
                log: log.clone(),
                inbox,
                gate: Arc::clone(&front.gate),
                metrics: WriterMetrics::new(&id),
                clock: config.clock,
                share: Arc::clone(&share),
                committer: committers.of(partition).clone(),
                owner: Owner {
                    id: id.clone(),
                    partitions,
                    instance,
                    member: config.member.name.clone(),
                    address: config.address.clone(),
                    state: StateFolder::new(config.state.as_ref(), &id, partitions, told),
                    kept_up_to: Vec::new(),
                    mending_in_turn: Arc::clone(&mending_in_turn),
                },
            };
            let thread = threads::start(format!("writer-{id}"), move || writer.run())
                .expect("the operating system grants a thread at start-up");
            fronts.push(front);
            writers.push(thread);
        }
        let sharing = Sharing {
            log: log.clone(),
            instance,
            member: config.member.clone(),
            share: Arc::clone(&share),
            fronts: fronts.clone(),
        };
        let sharing = sharing.start();
        Ok(Self {
            shared: Arc::new(Shared {
                fronts,
                writers: Mutex::new(writers),
                share,
                sharing: Mutex::new(Some(sharing)),
                address: config.address.clone(),
                peers: config.peers.clone(),
                deadline: config.deadline,
                clock: config.clock,
                rehydrations,
            }),
        })
    }

    /// Has the command decided and, where it is accepted, its events appended: `Ok` means that they are in the log. One for
    /// a partition that another process owns is handed on to that.
    ///
    /// Dropping the future withdraws nothing: the command is decided all the same.
    ///
    /// # Errors
    /// See [`Refusal`], which tells apart what is not applied and what perhaps is.
    pub async fn execute(&self, request: Request<C>) -> Answer<C> {
        let key = C::Event::key(&C::target(&request.command));
        let partitions =
            i32::try_from(self.shared.fronts.len()).expect("Kafka counts partitions in 31 bits");
        let partition = partition_for(key.as_bytes(), partitions);
        let deadline = Instant::now() + self.shared.deadline;
        let Some(front) = self.front(partition) else {
            return Err(Refusal::unavailable(PartitionStatus::Elsewhere.reason()));
        };
        match (&self.shared.peers, front.gate.status()) {
            (Some(peers), PartitionStatus::Elsewhere) => {
                self.forward(peers, partition, request, deadline).await
            }
            _ => front.execute(request, deadline).await,
        }
    }

    /// Hands a command on to the owner of its partition.
    async fn forward(
        &self,
        peers: &Peers,
        partition: i32,
        request: Request<C>,
        deadline: Instant,
    ) -> Answer<C> {
        let address = self
            .owner(peers, partition)
            .ok_or_else(|| Refusal::unavailable("nobody is known to own the partition"))?;
        let command = Forwarded::new(partition, request, deadline).encode();
        let sent = peers
            .transport
            .send(&address, C::SERVICE, command, deadline)
            .await;
        match sent {
            Ok(answer) => decode_answer::<C>(&answer),
            Err(error @ TransportError::NotTaken(_)) => {
                debug!(%address, %error, "cannot hand a command on");
                Err(Refusal::unavailable(
                    "the partition's owner cannot be reached",
                ))
            }
            Err(error @ TransportError::NoAnswer(_)) => {
                debug!(%address, %error, "cannot tell what became of a command");
                Err(Refusal::outcome_unknown())
            }
        }
    }

    /// Where the owner of a partition is, as far as is known; we ourselves are none where we do not serve it.
    fn owner(&self, peers: &Peers, partition: i32) -> Option<String> {
        let writer = WriterId {
            service: C::SERVICE,
            partition,
        };
        let address = peers.owners.address(&writer)?;
        (address != self.shared.address).then_some(address)
    }

    /// Decides a command that another process has handed on; never hands it on again.
    ///
    /// # Errors
    /// When these bytes are no command of this service.
    pub async fn receive(&self, command: &[u8]) -> serde_json::Result<Vec<u8>> {
        let forwarded = Forwarded::<C>::decode(command)?;
        let deadline = Instant::now() + forwarded.within().min(self.shared.deadline);
        let answer = match self.front(forwarded.partition) {
            Some(front) => front.execute(forwarded.request(), deadline).await,
            None => Err(Refusal::unavailable(PartitionStatus::Elsewhere.reason())),
        };
        Ok(encode_answer::<C>(answer))
    }

    /// Whether commands of every partition find their owner, here or elsewhere.
    ///
    /// # Errors
    /// The number of each partition that they do not find, and why.
    pub fn standing(&self) -> Result<(), Vec<(i32, &'static str)>> {
        let is_settled = self.is_settled();
        let is_known = |partition| {
            let peers = self.shared.peers.as_ref();
            is_settled && peers.is_some_and(|peers| self.owner(peers, partition).is_some())
        };
        let statuses = (0..).zip(self.status());
        let unready: Vec<_> = statuses
            .filter(|(partition, status)| match status {
                PartitionStatus::Ready => false,
                PartitionStatus::Elsewhere => !is_known(*partition),
                PartitionStatus::Starting
                | PartitionStatus::Corrupt
                | PartitionStatus::Stopping => true,
            })
            .map(|(partition, status)| (partition, status.reason()))
            .collect();
        if unready.is_empty() {
            Ok(())
        } else {
            Err(unready)
        }
    }

    fn front(&self, partition: i32) -> Option<&Front<C>> {
        let index = usize::try_from(partition).ok()?;
        self.shared.fronts.get(index)
    }

    /// How each partition stands, by number.
    #[must_use]
    pub fn status(&self) -> Vec<PartitionStatus> {
        let fronts = self.shared.fronts.iter();
        fronts.map(|front| front.gate.status()).collect()
    }

    /// How each partition's state was built at the last takeover, by number; none where there was none yet.
    #[must_use]
    pub fn rehydrations(&self) -> Vec<Option<Rehydration>> {
        let told = |told: &Told| {
            let told = told.lock();
            told.unwrap_or_else(PoisonError::into_inner).clone()
        };
        self.shared.rehydrations.iter().map(told).collect()
    }

    /// How a partition stands, and how it will.
    pub(crate) fn changes(&self, partition: i32) -> Option<watch::Receiver<PartitionStatus>> {
        Some(self.front(partition)?.gate.changes())
    }

    /// What time it is, by the store's clock.
    pub(crate) fn now(&self) -> DateTime<Utc> {
        (self.shared.clock)()
    }

    /// Whether this process has been given its share of the partitions, be it none.
    #[must_use]
    pub fn is_settled(&self) -> bool {
        self.shared.share.is_settled()
    }

    /// Has every writer finish what is queued and let go of its partition, then leaves those who run the service; waits so
    /// long at most.
    ///
    /// True when all of that is done.
    pub async fn stop(&self, within: Duration) -> bool {
        for front in &self.shared.fronts {
            front.gate.set(PartitionStatus::Stopping);
            front.tell(Duty::End);
        }
        let writers = std::mem::take(&mut *lock(&self.shared.writers));
        let sharing = lock(&self.shared.sharing).take();
        let share = Arc::clone(&self.shared.share);
        let ended = tokio::task::spawn_blocking(move || {
            let ended = writers.into_iter().all(|writer| writer.join().is_ok());
            // Only now, so that whoever gets a partition next finds it let go.
            share.end();
            ended && sharing.is_none_or(|sharing| sharing.join().is_ok())
        });
        matches!(tokio::time::timeout(within, ended).await, Ok(Ok(true)))
    }
}

fn lock<T>(of: &Mutex<T>) -> MutexGuard<'_, T> {
    of.lock().unwrap_or_else(PoisonError::into_inner)
}

fn equal_partitions<C: Context, L: Log>(log: &L) -> Result<i32, LogError> {
    let mut counts = C::TOPICS
        .iter()
        .map(|topic| Ok((*topic, log.partitions(topic)?)));
    let (_, first) = counts.next().expect("a service has a topic")?;
    for count in counts {
        let (topic, partitions) = count?;
        if partitions != first {
            return Err(LogError::Topic {
                topic: topic.to_owned(),
                reason: format!("has {partitions} partitions where its sisters have {first}"),
            });
        }
    }
    Ok(first)
}
