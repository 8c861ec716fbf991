//! The event store of one service: a writer for each partition, and the way to them.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    thread::JoinHandle,
    time::Duration,
};

use chrono::{DateTime, Utc};
use domain::{Context, Event};
use tokio::{sync::watch, time::Instant};
use uuid::Uuid;

use crate::{
    command::{Answer, Refusal, Request},
    inbox::{Duty, Front, PartitionStatus},
    log::{Log, LogError, Member, WriterId},
    partitioner::partition_for,
    share::{Settled, Share, Sharing},
    takeover::Owner,
    telemetry::WriterMetrics,
    writer::Writer,
};

/// How a store is run.
#[derive(Debug, Clone)]
pub struct StoreConfig {
    /// Where peers reach this process; goes into the ownership records.
    pub address: String,
    /// How this process takes part in sharing out the service's partitions.
    pub member: Member,
    /// Commands that may wait in front of one writer; more are refused at once.
    pub queue: usize,
    /// How long a command may take before its client is told that it is not known what became of it.
    pub deadline: Duration,
    /// What time it is, for the deadlines of streams and for the commands of policies.
    pub clock: fn() -> DateTime<Utc>,
}

impl Default for StoreConfig {
    fn default() -> Self {
        Self {
            address: String::new(),
            member: Member {
                name: None,
                session_timeout: Duration::from_secs(10),
            },
            queue: 4_096,
            deadline: Duration::from_secs(8),
            clock: Utc::now,
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
    deadline: Duration,
    clock: fn() -> DateTime<Utc>,
}

impl<C: Context> EventStore<C> {
    /// Joins those who run the service, with a writer for every partition; each takes its partition over when that is ours,
    /// and serves when it is ready.
    ///
    /// # Errors
    /// When the log cannot be reached, or the service's topics are missing or differ in their number of partitions.
    pub fn start<L: Log>(log: &L, config: &StoreConfig) -> Result<Self, LogError> {
        let partitions = equal_partitions::<C, L>(log)?;
        let instance = Uuid::now_v7();
        let mut fronts = Vec::new();
        let mut writers = Vec::new();
        let share = Arc::new(Share::default());
        for partition in 0..partitions {
            let id = WriterId {
                service: C::SERVICE,
                partition,
            };
            let (front, inbox) = Front::new(config.queue);
            let writer = Writer::<C, L> {
                log: log.clone(),
                inbox,
                gate: Arc::clone(&front.gate),
                metrics: WriterMetrics::new(&id),
                clock: config.clock,
                share: Arc::clone(&share),
                owner: Owner {
                    id: id.clone(),
                    partitions,
                    instance,
                    address: config.address.clone(),
                },
            };
            let thread = std::thread::Builder::new()
                .name(format!("writer-{id}"))
                .spawn(move || writer.run())
                .expect("the operating system grants a thread at start-up");
            fronts.push(front);
            writers.push(thread);
        }
        let sharing = Sharing {
            log: log.clone(),
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
                deadline: config.deadline,
                clock: config.clock,
            }),
        })
    }

    /// Has the command decided and, where it is accepted, its events appended: `Ok` means that they are in the log.
    ///
    /// Dropping the future withdraws nothing: the command is decided all the same.
    ///
    /// # Errors
    /// See [`Refusal`], which tells apart what is not applied and what perhaps is.
    pub async fn execute(&self, request: Request<C>) -> Answer<C> {
        let key = C::Event::key(&C::target(&request.command));
        let fronts = &self.shared.fronts;
        let partitions = i32::try_from(fronts.len()).expect("Kafka counts partitions in 31 bits");
        let partition = partition_for(key.as_bytes(), partitions);
        let deadline = Instant::now() + self.shared.deadline;
        match usize::try_from(partition)
            .ok()
            .and_then(|index| fronts.get(index))
        {
            Some(front) => front.execute(request, deadline).await,
            None => Err(Refusal::unavailable(PartitionStatus::Starting.reason())),
        }
    }

    /// How each partition stands, by number.
    #[must_use]
    pub fn status(&self) -> Vec<PartitionStatus> {
        let fronts = self.shared.fronts.iter();
        fronts.map(|front| front.gate.status()).collect()
    }

    /// How a partition stands, and how it will.
    pub(crate) fn changes(&self, partition: i32) -> Option<watch::Receiver<PartitionStatus>> {
        let front = usize::try_from(partition)
            .ok()
            .and_then(|index| self.shared.fronts.get(index))?;
        Some(front.gate.changes())
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
            let front = front.clone();
            drop(tokio::task::spawn_blocking(move || {
                front.tell(Duty::End, within)
            }));
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
