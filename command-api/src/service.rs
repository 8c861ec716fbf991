//! The life of services: opened when Kafka is there, at work until they are told to stop, and closed.
//!
//! At work are the writers, which are asked by clients, and the policies, which ask them because something has happened.
//! Requests end first, then policies, then writers: so nobody asks a writer that has gone.

use std::{convert::Infallible, sync::Arc, time::Duration};

use domain::{
    Context,
    cart::Carts,
    notification::{Notifications, WebhookUrl},
    order::Orders,
    payment::{PaymentPolicy, Payments},
    product::{Products, policy::InventoryPolicy},
    shipping::{Shipments, ShippingPolicy},
    topics,
};
use event_store::{
    Committers, EventStore, LogError, NOTED_AGAIN_EVERY, Owners, Peers, Reactor, StoreConfig,
    Transport,
    kafka::{Durability, KafkaConfig, KafkaLog, TopicSpec},
    log::Log,
    run_policy,
};
use runtime::health::Readiness;
use tokio::sync::watch;

use crate::{
    Catalogue, OpeningStore, Services,
    notifications::{Beginning, Delivering, Planning},
    payments::{Collecting, Gateway},
};

/// Readiness: whether brokers answer.
const KAFKA_CHECK: &str = "kafka";
/// Readiness: whether products are known.
const CATALOGUE_CHECK: &str = "catalogue";

/// Between two tries to reach Kafka, and between two questions to it.
const PAUSE: Duration = Duration::from_secs(1);
/// Between two looks at the catalogue, which cost nothing.
const GLANCE: Duration = Duration::from_millis(100);
/// For a policy to finish what it is about when it is told to stop; what it does not finish is delivered again. With what
/// requests are given, and writers, it fits into the ten seconds that a process has to stop.
const POLICY_TIMEOUT: Duration = Duration::from_secs(1);
/// For writers to end after the last command was answered; they have little left to do.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(1);

/// What it takes to open services.
pub(crate) struct Opening {
    pub(crate) kafka: KafkaConfig,
    pub(crate) partitions: i32,
    pub(crate) durability: Durability,
    /// Whether policies are run.
    pub(crate) reacts: bool,
    /// Who is asked for money.
    pub(crate) gateway: Arc<dyn Gateway>,
    /// How customers are told.
    pub(crate) delivering: Delivering,
    /// Which systems are told as well.
    pub(crate) notify_webhooks: Vec<WebhookUrl>,
    /// Whether they are told of what was before the notification service's first start.
    pub(crate) notify_history: bool,
    /// How commands reach other processes.
    pub(crate) peers: Arc<dyn Transport>,
    pub(crate) store: StoreConfig,
}

impl Services {
    /// Names of the checks that [`Self::run`] makes.
    pub(crate) fn checks(&self) -> impl Iterator<Item = &'static str> {
        let services = [
            self.products.as_ref().map(|_| Products::SERVICE),
            self.carts.as_ref().map(|_| Carts::SERVICE),
            self.orders.as_ref().map(|_| Orders::SERVICE),
            self.payments.as_ref().map(|_| Payments::SERVICE),
            self.shipments.as_ref().map(|_| Shipments::SERVICE),
            self.notifications.as_ref().map(|_| Notifications::SERVICE),
            self.needs_catalogue().then_some(CATALOGUE_CHECK),
        ];
        [KAFKA_CHECK]
            .into_iter()
            .chain(services.into_iter().flatten())
    }

    /// Opens the services, trying again while Kafka is away; has them work, and tells how they stand, until they are told
    /// to stop; closes them.
    ///
    /// # Errors
    /// When trying again cannot help: topics are not as they have to be, or what is in the log cannot be read.
    pub(crate) async fn run(
        &self,
        opening: &Opening,
        readiness: &Readiness,
        stopped: watch::Receiver<bool>,
    ) -> Result<(), LogError> {
        let worked = self.work(opening, readiness, stopped).await;
        tokio::join!(
            close(self.products.as_ref()),
            close(self.carts.as_ref()),
            close(self.orders.as_ref()),
            close(self.payments.as_ref()),
            close(self.shipments.as_ref()),
            close(self.notifications.as_ref()),
        );
        worked
    }

    async fn work(
        &self,
        opening: &Opening,
        readiness: &Readiness,
        stopped: watch::Receiver<bool>,
    ) -> Result<(), LogError> {
        let log = tokio::select! {
            log = opening.connect(readiness) => log?,
            () = told(stopped.clone()) => return Ok(()),
        };
        let peers = Peers {
            owners: Owners::follow(log.clone())?,
            transport: Arc::clone(&opening.peers),
        };
        let work = Work {
            log: &log,
            committers: Committers::start(&log),
            store: StoreConfig {
                peers: Some(peers),
                ..opening.store.clone()
            },
            reacts: opening.reacts,
            readiness,
            stopped,
        };
        let catalogue = self.needs_catalogue().then_some(&self.catalogue);
        let working = async {
            tokio::try_join!(
                work.serve(self.products.as_ref(), |store| work
                    .react(InventoryPolicy, store)),
                work.serve(self.carts.as_ref(), |_| work.wait()),
                work.serve(self.orders.as_ref(), |store| work
                    .react(self.deadlines, store)),
                work.serve(self.payments.as_ref(), |store| work
                    .collect(self.collecting(opening), store)),
                work.serve(self.shipments.as_ref(), |store| work
                    .react(ShippingPolicy, store)),
                work.serve(self.notifications.as_ref(), |store| work
                    .notify(opening, store)),
                work.follow(catalogue),
            )
        };
        tokio::select! {
            worked = working => worked.map(drop),
            never = watch_kafka(&log, readiness) => match never {},
        }
    }

    fn collecting(&self, opening: &Opening) -> Collecting {
        Collecting {
            gateway: Arc::clone(&opening.gateway),
            key: self.payment_key.clone(),
        }
    }

    fn needs_catalogue(&self) -> bool {
        self.products.is_some() || self.carts.is_some() || self.orders.is_some()
    }
}

async fn close<C: Context>(store: Option<&OpeningStore<C>>) {
    if let Some(store) = store {
        store.close(CLOSE_TIMEOUT).await;
    }
}

impl Opening {
    /// A log whose topics are as they have to be. Properties that no client takes are not waited for.
    async fn connect(&self, readiness: &Readiness) -> Result<KafkaLog, LogError> {
        let log = KafkaLog::connect(&self.kafka)?;
        let specs = topic_specs(self.partitions, self.durability);
        patiently(readiness, || log.ensure_topics(&specs)).await?;
        Ok(log)
    }
}

/// Every topic that there has to be, and how.
#[must_use]
pub fn topic_specs(partitions: i32, durability: Durability) -> Vec<TopicSpec> {
    let events = topics::ALL.map(|topic| TopicSpec::events(topic, partitions, durability));
    let ownership = TopicSpec::ownership(partitions, durability);
    events.into_iter().chain([ownership]).collect()
}

/// What services need to work.
struct Work<'a> {
    log: &'a KafkaLog,
    /// Of all services together.
    committers: Committers<KafkaLog>,
    store: StoreConfig,
    reacts: bool,
    readiness: &'a Readiness,
    stopped: watch::Receiver<bool>,
}

impl Work<'_> {
    /// Opens a service where it is run here, and has it do what it does by itself.
    async fn serve<C, F>(
        &self,
        service: Option<&OpeningStore<C>>,
        work: impl FnOnce(EventStore<C>) -> F,
    ) -> Result<(), LogError>
    where
        C: Context,
        F: Future<Output = Result<(), LogError>>,
    {
        let Some(service) = service else {
            return Ok(());
        };
        let store = tokio::select! {
            store = self.start() => store?,
            () = told(self.stopped.clone()) => return Ok(()),
        };
        service.open(store.clone());
        tokio::select! {
            worked = work(store) => worked,
            never = service.watch(self.readiness) => match never {},
        }
    }

    async fn start<C: Context>(&self) -> Result<EventStore<C>, LogError> {
        patiently(self.readiness, || {
            let (log, config) = (self.log.clone(), self.store.clone());
            let committers = self.committers.clone();
            blocking(move || EventStore::start_with(&log, &config, &committers))
        })
        .await
    }

    /// Has payments begin and end as orders need it, and the gateway asked.
    async fn collect(
        &self,
        collecting: Collecting,
        store: EventStore<Payments>,
    ) -> Result<(), LogError> {
        tokio::try_join!(
            self.react(PaymentPolicy::default(), store.clone()),
            self.react(collecting, store),
        )
        .map(drop)
    }

    /// Has customers told of what happens from the service's beginning on.
    async fn notify(
        &self,
        opening: &Opening,
        store: EventStore<Notifications>,
    ) -> Result<(), LogError> {
        let beginning = patiently(self.readiness, || {
            let (log, partitions) = (self.log.clone(), opening.partitions);
            let history = opening.notify_history;
            blocking(move || Beginning::establish(&log, partitions, history))
        });
        let beginning = tokio::select! {
            beginning = beginning => beginning?,
            () = told(self.stopped.clone()) => return Ok(()),
        };
        let planning = Planning::new(opening.notify_webhooks.clone(), beginning.clone());
        tokio::select! {
            reacted = async {
                tokio::try_join!(
                    self.react(planning, store.clone()),
                    self.react(opening.delivering.clone(), store),
                )
            } => reacted.map(drop),
            never = self.keep_noting(&beginning) => match never {},
        }
    }

    /// Brokers forget what nobody has noted for long.
    async fn keep_noting(&self, beginning: &Beginning) -> Infallible {
        loop {
            tokio::time::sleep(NOTED_AGAIN_EVERY).await;
            let (log, beginning) = (self.log.clone(), beginning.clone());
            if let Err(error) = blocking(move || beginning.note(&log)).await {
                tracing::warn!(%error, "cannot note again since when customers are told");
            }
        }
    }

    /// Has a policy or an effect react until it is told to stop.
    async fn react<P: Reactor>(
        &self,
        policy: P,
        store: EventStore<P::Context>,
    ) -> Result<(), LogError> {
        if !self.reacts {
            return self.wait().await;
        }
        let policy = Arc::new(policy);
        let reacting = patiently(self.readiness, || {
            let (policy, log) = (Arc::clone(&policy), self.log.clone());
            run_policy(policy, log, store.clone(), self.stopped.clone())
        });
        tokio::select! {
            reacted = reacting => reacted,
            () = self.run_out_of_patience() => {
                tracing::warn!(policy = P::NAME, "gave up on a policy that did not end in time");
                Ok(())
            }
        }
    }

    async fn run_out_of_patience(&self) {
        told(self.stopped.clone()).await;
        tokio::time::sleep(POLICY_TIMEOUT).await;
    }

    /// Where there is nothing that goes on by itself.
    async fn wait(&self) -> Result<(), LogError> {
        told(self.stopped.clone()).await;
        Ok(())
    }

    /// Keeps the catalogue, where it is needed, and tells whether it knows everything.
    async fn follow(&self, catalogue: Option<&Catalogue>) -> Result<(), LogError> {
        let Some(catalogue) = catalogue else {
            return Ok(());
        };
        catalogue.follow(self.log)?;
        tokio::select! {
            never = self.watch(catalogue) => match never {},
            () = told(self.stopped.clone()) => Ok(()),
        }
    }

    async fn watch(&self, catalogue: &Catalogue) -> Infallible {
        loop {
            let standing = if catalogue.is_caught_up() {
                Ok(())
            } else {
                Err("products are not all known".to_owned())
            };
            self.readiness.set(CATALOGUE_CHECK, standing);
            tokio::time::sleep(GLANCE).await;
        }
    }
}

/// Tries again while Kafka is away, and says so.
async fn patiently<T, F>(readiness: &Readiness, attempt: impl Fn() -> F) -> Result<T, LogError>
where
    F: Future<Output = Result<T, LogError>>,
{
    loop {
        match attempt().await {
            Err(error @ LogError::Unavailable { .. }) => {
                readiness.set(KAFKA_CHECK, Err(error.to_string()));
                tokio::time::sleep(PAUSE).await;
            }
            ended => return ended,
        }
    }
}

/// Ends when the process is to stop.
async fn told(mut stopped: watch::Receiver<bool>) {
    // Whoever can no longer say it has gone, which says it as well.
    drop(stopped.wait_for(|stopped| *stopped).await);
}

/// Asks a broker now and then; a writer without commands would not notice that there is none.
async fn watch_kafka(log: &KafkaLog, readiness: &Readiness) -> Infallible {
    loop {
        let log = log.clone();
        let ask = move || {
            topics::ALL
                .iter()
                .try_for_each(|topic| log.partitions(topic).map(drop))
        };
        let asked = blocking(ask).await;
        readiness.set(KAFKA_CHECK, asked.map_err(|error| error.to_string()));
        tokio::time::sleep(PAUSE).await;
    }
}

async fn blocking<T: Send + 'static>(call: impl FnOnce() -> T + Send + 'static) -> T {
    let called = tokio::task::spawn_blocking(call).await;
    called.expect("calls of the log do not panic")
}
