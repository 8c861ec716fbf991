//! One seed: owners come and go, clients ask, connections break; then the log is read past the proxy.

use std::{
    sync::{Arc, Mutex, PoisonError, RwLock, atomic::AtomicUsize, atomic::Ordering},
    time::{Duration, Instant},
};

use chrono::DateTime;
use dev::dirs::Scratch;
use event_store::{
    Answer, BatchLimits, CommandMetadata, EventStore, LogError, Recorded, Refusal, Request,
    StartAt, StateConfig, StoreConfig,
    kafka::{Durability, KafkaConfig, KafkaLog, TopicSpec},
    log::{Log as _, Member},
};
use system_tests::proxy::{Proxy, Strike};
use uuid::Uuid;

use crate::{
    astray::{AstrayLog, Sight},
    cluster::Cluster,
    history::{self, Attempt, Log},
    plan::{Asks, Entry, Group, Owner, Plan, SESSION_TIMEOUT, Step},
    seats::{NOTICE_EVENTS, SEAT_EVENTS, SeatCommand, SeatEvent, Seats},
};

/// Longer than every fault together: who has no definite answer by then gets none.
const PATIENCE: Duration = Duration::from_secs(90);
/// Between two tries of a client, and between two looks at something awaited.
const PAUSE: Duration = Duration::from_millis(20);

/// What a run has come to.
pub(crate) struct Outcome {
    pub(crate) plan: Arc<Plan>,
    pub(crate) attempts: Vec<Attempt>,
    pub(crate) strikes: Vec<Strike>,
    pub(crate) log: Option<Log>,
    /// What is wrong; none where all agrees.
    pub(crate) wrong: Option<String>,
}

struct Run {
    cluster: Arc<Cluster>,
    plan: Arc<Plan>,
    namespace: String,
    /// For what owners keep on disk.
    folder: Scratch,
    owners: RwLock<Vec<Option<EventStore<Seats>>>>,
    /// What each owner believes, where the group has gone astray.
    sights: Vec<Sight>,
    attempts: Mutex<Vec<Attempt>>,
    /// Definite answers so far.
    answers: AtomicUsize,
}

pub(crate) async fn run(cluster: Arc<Cluster>, seed: u64) -> Outcome {
    let plan = Arc::new(Plan::of(seed));
    let run = Arc::new(Run {
        cluster,
        namespace: format!("chaos-{}.", Uuid::now_v7().simple()),
        folder: Scratch::new().expect("a scratch folder"),
        owners: RwLock::new(plan.owners.iter().map(|_| None).collect()),
        sights: plan.owners.iter().map(|_| Sight::default()).collect(),
        plan: Arc::clone(&plan),
        attempts: Mutex::default(),
        answers: AtomicUsize::new(0),
    });
    let ended = run.carry_out().await;
    let (log, wrong) = match ended {
        Err(wrong) => (None, Some(wrong)),
        Ok(log) => {
            let wrong = history::check(&run.attempts(), &log).err();
            (Some(log), wrong.map(|wrong| wrong.to_string()))
        }
    };
    Outcome {
        plan,
        attempts: run.attempts(),
        strikes: run.strikes(),
        log,
        wrong,
    }
}

impl Run {
    async fn carry_out(self: &Arc<Self>) -> Result<Log, String> {
        let direct = connect(&self.cluster.brokers(), &self.namespace, "direct")?;
        make_topics(&direct).await?;
        let mut tasks = tokio::task::JoinSet::new();
        for number in 0..self.plan.owners.len() {
            let run = Arc::clone(self);
            tasks.spawn(run.own(number));
        }
        for number in 0..self.plan.clients.len() {
            let run = Arc::clone(self);
            tasks.spawn(async move { run.ask(number).await });
        }
        let mut ended = tasks.join_all().await;
        for number in 0..self.plan.owners.len() {
            ended.push(self.stop(number).await);
        }
        self.plan.release_strays();
        ended.push(self.wait_for_strays().await);
        ended.into_iter().collect::<Result<(), String>>()?;
        Ok(Log {
            seats: read(&direct, SEAT_EVENTS).await?,
            notices: read(&direct, NOTICE_EVENTS).await?,
        })
    }

    fn proxy(&self) -> &Proxy {
        &self.cluster.proxy
    }

    fn client_id(&self, owner: usize) -> String {
        format!("{}owner-{owner}", self.namespace)
    }

    fn strikes(&self) -> Vec<Strike> {
        let owners = 0..self.plan.owners.len();
        owners
            .flat_map(|owner| self.proxy().strikes(&self.client_id(owner)))
            .collect()
    }

    /// Takes over when it is time, also where starting needs several tries.
    async fn own(self: Arc<Self>, number: usize) -> Result<(), String> {
        let Owner { comes, faults } = &self.plan.owners[number];
        let client_id = self.client_id(number);
        self.proxy().aim(&client_id, faults.clone());
        self.wait_for_time(*comes).await?;
        let log = connect(&self.proxy().address(), &self.namespace, &client_id)?;
        let deadline = Instant::now() + PATIENCE;
        let store = loop {
            let (run, log) = (Arc::clone(&self), log.clone());
            let start = move || run.start(number, log);
            match tokio::task::spawn_blocking(start).await.expect("no panic") {
                Ok(store) => break store,
                Err(error) if Instant::now() > deadline => return Err(error.to_string()),
                Err(_) => tokio::time::sleep(PAUSE).await,
            }
        };
        self.owners.write().expect("no panic")[number] = Some(store);
        match self.plan.group {
            Group::Leaving if number > 0 => self.stop(0).await,
            Group::Astray(later) => {
                // Whoever comes last is the one to stay.
                let last = number + 1 == self.plan.owners.len();
                let earlier = self.sights.iter().take(if last { number } else { 0 });
                earlier.for_each(|sight| sight.lose(later));
                Ok(())
            }
            Group::Leaving | Group::Staying => Ok(()),
        }
    }

    /// Starts a store, once.
    fn start(&self, number: usize, log: KafkaLog) -> Result<EventStore<Seats>, LogError> {
        let config = StoreConfig {
            member: Member {
                name: None,
                session_timeout: SESSION_TIMEOUT,
            },
            state: self.plan.keeps_state.then(|| StateConfig {
                // Fewer than there are, and written while the run lasts.
                resident_streams: 1,
                write_every: Duration::from_millis(50),
                ..StateConfig::new(self.folder.path().join(number.to_string()))
            }),
            ..StoreConfig::default()
        };
        match self.plan.group {
            Group::Leaving | Group::Staying => EventStore::start(&log, &config),
            Group::Astray(_) => {
                let sight = self.sights[number].clone();
                EventStore::start(&AstrayLog { log, sight }, &config)
            }
        }
    }

    /// However long it takes, as long as clients are answered: each of them gives up by itself where it is not.
    async fn wait_for_time(&self, comes: Entry) -> Result<(), String> {
        let (mut answers, mut since) = (0, Instant::now());
        while !self.is_time(comes) {
            let now = self.answers.load(Ordering::Relaxed);
            if now != answers {
                (answers, since) = (now, Instant::now());
            }
            if since.elapsed() > PATIENCE {
                return Err(format!(
                    "waited too long for {comes:?}, with {answers} answers"
                ));
            }
            tokio::time::sleep(PAUSE / 4).await;
        }
        Ok(())
    }

    fn is_time(&self, comes: Entry) -> bool {
        let answered = |answers| self.answers.load(Ordering::Relaxed) >= answers;
        match comes {
            Entry::AtOnce => true,
            Entry::AfterAnswers(answers) => answered(answers),
            Entry::WhenStruck(answers) => {
                answered(answers) || !self.proxy().strikes(&self.client_id(0)).is_empty()
            }
        }
    }

    async fn stop(&self, number: usize) -> Result<(), String> {
        let store = self.owners.write().expect("no panic")[number].take();
        match store {
            Some(store) if !store.stop(PATIENCE).await => {
                Err(format!("owner {number} does not stop"))
            }
            _ => Ok(()),
        }
    }

    /// One client: asks for one thing after another, each again until it is answered.
    async fn ask(&self, client: usize) -> Result<(), String> {
        let mut asked: Vec<Request<Seats>> = Vec::new();
        let mut preferred = client;
        for Step { pause, asks } in &self.plan.clients[client] {
            tokio::time::sleep(*pause).await;
            let request = match asks {
                Asks::New(command) => request(Uuid::now_v7(), *command),
                Asks::Again(step) => asked[*step].clone(),
                Asks::Otherwise(step) => {
                    let Request { command, metadata } = &asked[*step];
                    request(metadata.command_id, one_more(*command))
                }
            };
            asked.push(request.clone());
            let deadline = Instant::now() + PATIENCE;
            while !self.attempt(&request, preferred).await {
                if Instant::now() > deadline {
                    return Err(format!("no definite answer to {request:?}"));
                }
                preferred += 1;
                tokio::time::sleep(PAUSE).await;
            }
        }
        Ok(())
    }

    /// Asks one of the owners; true where the answer is definite.
    async fn attempt(&self, request: &Request<Seats>, preferred: usize) -> bool {
        let (owner, store) = {
            let owners = self.owners.read().expect("no panic");
            let there: Vec<_> = (0..)
                .zip(owners.iter())
                .filter_map(|(number, store)| Some((number, store.clone()?)))
                .collect();
            match there.len() {
                0 => return false,
                several => there[preferred % several].clone(),
            }
        };
        let attempt = Attempt::of(&store, request, owner).await;
        let definite = is_definite(&attempt.answer);
        self.attempts
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(attempt);
        if definite {
            self.answers.fetch_add(1, Ordering::Relaxed);
        }
        definite
    }

    fn attempts(&self) -> Vec<Attempt> {
        let attempts = self.attempts.lock();
        attempts.unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// What is still under way by itself could come after the log was read.
    async fn wait_for_strays(&self) -> Result<(), String> {
        wait_until("strays have arrived", || {
            self.strikes().iter().all(|strike| !strike.is_under_way)
        })
        .await
    }
}

/// A part of the log, under a name by which the proxy knows its client.
pub(crate) fn connect(brokers: &str, namespace: &str, client_id: &str) -> Result<KafkaLog, String> {
    let mut config = KafkaConfig::new(brokers);
    config.namespace = namespace.to_owned();
    config.properties = vec![("client.id".to_owned(), client_id.to_owned())];
    KafkaLog::connect(&config).map_err(|error| error.to_string())
}

pub(crate) async fn make_topics(log: &KafkaLog) -> Result<(), String> {
    let events = |topic| TopicSpec::events(topic, 1, Durability::DEVELOPMENT);
    let specs = [
        events(SEAT_EVENTS),
        events(NOTICE_EVENTS),
        TopicSpec::ownership(1, Durability::DEVELOPMENT),
    ];
    let deadline = Instant::now() + PATIENCE;
    loop {
        // On a busy machine the controller may lose sight of its only broker for a while.
        match log.ensure_topics(&specs).await {
            Ok(()) => return Ok(()),
            Err(error) if Instant::now() > deadline => return Err(error.to_string()),
            Err(_) => tokio::time::sleep(PAUSE).await,
        }
    }
}

fn is_definite(answer: &Answer<Seats>) -> bool {
    match answer {
        Ok(_)
        | Err(Refusal::Rejected(_) | Refusal::KeyReused | Refusal::VersionMismatch { .. }) => true,
        Err(Refusal::Unavailable { .. } | Refusal::OutcomeUnknown { .. }) => false,
    }
}

/// What kind of answer it is.
pub(crate) fn kind(answer: &Answer<Seats>) -> &'static str {
    match answer {
        Ok(accepted) if accepted.replayed => "accepted before",
        Ok(_) => "accepted",
        Err(Refusal::Rejected(_)) => "rejected",
        Err(Refusal::KeyReused) => "id used before",
        Err(Refusal::VersionMismatch { .. }) => "another version",
        Err(Refusal::Unavailable { .. }) => "unavailable",
        Err(Refusal::OutcomeUnknown { .. }) => "outcome unknown",
    }
}

pub(crate) fn request(command_id: Uuid, command: SeatCommand) -> Request<Seats> {
    let canonical = format!("{command:?}");
    Request {
        command,
        metadata: CommandMetadata {
            command_id,
            command_hash: Uuid::new_v5(&Uuid::NAMESPACE_OID, canonical.as_bytes()),
            correlation_id: command_id,
            causation_id: command_id,
            actor: Arc::from("client"),
            time: DateTime::from_timestamp(1_760_000_000, 0).expect("a valid time"),
            traceparent: None,
            expected_version: None,
        },
    }
}

fn one_more(command: SeatCommand) -> SeatCommand {
    match command {
        SeatCommand::Sell { show, seats } => SeatCommand::Sell {
            show,
            seats: seats + 1,
        },
        SeatCommand::Return { show, seats } => SeatCommand::Return {
            show,
            seats: seats + 1,
        },
    }
}

pub(crate) async fn wait_until(what: &str, done: impl Fn() -> bool) -> Result<(), String> {
    let deadline = Instant::now() + PATIENCE;
    while !done() {
        if Instant::now() > deadline {
            return Err(format!("waited too long until {what}"));
        }
        tokio::time::sleep(PAUSE / 4).await;
    }
    Ok(())
}

/// Every committed event of a topic's only partition.
pub(crate) async fn read(log: &KafkaLog, topic: &str) -> Result<Vec<Recorded<SeatEvent>>, String> {
    let end = log
        .end_offset(topic, 0)
        .map_err(|error| error.to_string())?;
    let from = StartAt {
        topic: topic.into(),
        partition: 0,
        next_offset: 0,
    };
    let mut subscription = log
        .subscribe(&[from], BatchLimits::default())
        .map_err(|error| error.to_string())?;
    let (mut events, mut next) = (Vec::new(), 0);
    while next < end {
        let batch = tokio::time::timeout(PATIENCE, subscription.next_batch()).await;
        let batch = batch.map_err(|_| format!("{topic} is not read to its end"))?;
        let batch = batch.map_err(|error| error.to_string())?;
        events.extend(batch.events);
        next = batch
            .progress
            .first()
            .map_or(next, |progress| progress.next_offset);
    }
    Ok(events)
}
