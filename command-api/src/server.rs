//! The wiring of the process.

use std::{io, net::SocketAddr, sync::Arc};

use axum::Router;
use event_store::{LogError, StoreConfig, kafka::Durability};
use runtime::{health::Readiness, http, signature::Secret, telemetry::Metrics};
use tokio::{net::TcpListener, sync::watch};

use crate::{
    Args, Catalogue, HttpGateway, InvalidGatewayUrl, OpeningStore, PaymentKey, ServiceName,
    Services, development_secret,
    notifications::{Delivering, WebhookSender},
    peers::HttpPeers,
    routes,
    service::Opening,
};

/// Readiness: set, and failing, from the moment on that the process is told to stop.
const STOPPING_CHECK: &str = "stopping";

/// A command API that listens already.
pub struct Server {
    listener: TcpListener,
    router: Router,
    readiness: Readiness,
    services: Services,
    opening: Opening,
}

/// Why the process cannot start, or go on.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The address cannot be had.
    #[error("cannot listen on {address}")]
    Listen {
        /// The address that was asked for.
        address: SocketAddr,
        /// What the operating system said.
        source: io::Error,
    },
    /// What anybody can read is no secret where nothing may be lost.
    #[error("{0} has to be given with --replication-factor 3: the default is for development only")]
    NoSecret(&'static str),
    /// The gateway cannot be reached like that.
    #[error("the gateway's address")]
    Gateway(#[source] InvalidGatewayUrl),
    /// Other processes cannot be reached at all.
    #[error("cannot set up the way to other processes")]
    Peers(#[source] reqwest::Error),
    /// Kafka, or what is in it, is not as it has to be.
    #[error("cannot run the services")]
    Services(#[source] LogError),
}

/// What only this deployment knows.
struct Secrets {
    payment_key: PaymentKey,
    webhook_secret: Secret,
    notify_secret: Secret,
    peer_secret: Secret,
}

impl Secrets {
    /// Those that were given; in development others do, said aloud.
    fn of(args: &Args) -> Result<Self, StartError> {
        let is_production = args.replication_factor >= Durability::PRODUCTION_REPLICATION;
        let lacking = |flag| match is_production {
            true => Err(StartError::NoSecret(flag)),
            false => {
                tracing::debug!(
                    flag,
                    "not given: using what anybody can read, for development"
                );
                Ok(())
            }
        };
        let secret = |given: &Option<Secret>, flag| match given {
            Some(secret) => Ok(secret.clone()),
            None => lacking(flag).map(|()| development_secret()),
        };
        let told = &args.notifications;
        Ok(Self {
            payment_key: match &args.payment_key {
                Some(key) => key.clone(),
                None => lacking("--payment-key").map(|()| PaymentKey::DEVELOPMENT)?,
            },
            webhook_secret: secret(&args.gateway_webhook_secret, "--gateway-webhook-secret")?,
            peer_secret: secret(&args.peer_secret, "--peer-secret")?,
            notify_secret: match told.notify_webhooks.is_empty() {
                // Nobody is told, so nothing is signed.
                true => development_secret(),
                false => secret(&told.notify_webhook_secret, "--notify-webhook-secret")?,
            },
        })
    }
}

impl Server {
    /// Listens; Kafka may still be away.
    ///
    /// # Errors
    /// When the address is taken.
    pub async fn bind(args: &Args, metrics: Metrics) -> Result<Self, StartError> {
        let secrets = Secrets::of(args)?;
        let gateway = HttpGateway::new(&args.gateway_url).map_err(StartError::Gateway)?;
        let address = args.listen;
        let listen = |source| StartError::Listen { address, source };
        let listener = TcpListener::bind(address).await.map_err(listen)?;
        let bound = listener.local_addr().map_err(listen)?;
        let services = Services {
            products: args.runs(ServiceName::Product).then(OpeningStore::default),
            carts: args.runs(ServiceName::Cart).then(OpeningStore::default),
            orders: args.runs(ServiceName::Order).then(OpeningStore::default),
            payments: args.runs(ServiceName::Payment).then(OpeningStore::default),
            shipments: args.runs(ServiceName::Shipping).then(OpeningStore::default),
            notifications: args
                .runs(ServiceName::Notification)
                .then(OpeningStore::default),
            catalogue: Catalogue::default(),
            deadlines: args.deadlines(),
            payment_key: secrets.payment_key,
            webhook_secret: secrets.webhook_secret,
            peer_secret: secrets.peer_secret.clone(),
        };
        let peers = HttpPeers::new(secrets.peer_secret).map_err(StartError::Peers)?;
        let address = args.advertised(bound);
        let readiness = Readiness::new(services.checks());
        let router = routes::router(services.clone());
        Ok(Self {
            router: http::app(router, readiness.clone(), metrics),
            listener,
            readiness,
            services,
            opening: Opening {
                kafka: args.kafka.config(),
                partitions: args.partitions,
                durability: args.durability(),
                reacts: !args.no_policies,
                gateway: Arc::new(gateway),
                delivering: Delivering::new(
                    args.notifications.mailer(),
                    WebhookSender::new(secrets.notify_secret),
                ),
                notify_webhooks: args.notifications.notify_webhooks.clone(),
                notify_history: args.notifications.notify_history,
                peers: Arc::new(peers),
                store: StoreConfig {
                    member: args.membership(&address),
                    address,
                    state: args.state(),
                    ..StoreConfig::default()
                },
            },
        })
    }

    /// The address that it listens on.
    ///
    /// # Errors
    /// When the operating system cannot tell.
    pub fn address(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }

    /// Serves until `shutdown` ends; what was accepted by then is answered.
    ///
    /// # Errors
    /// When the services cannot be run, and waiting does not help.
    pub async fn run(self, shutdown: impl Future<Output = ()>) -> Result<(), StartError> {
        if let Ok(address) = self.address() {
            tracing::info!(%address, "listening");
        }
        let Self {
            listener,
            router,
            readiness,
            services,
            opening,
        } = self;
        let (stop, stopped) = watch::channel(false);
        let checks = readiness.clone();
        // A task of its own: policies go on while open requests are finished.
        let mut working =
            tokio::spawn(async move { services.run(&opening, &checks, stopped).await });
        let mut worked = None;
        let ended = async {
            tokio::select! {
                () = shutdown => {}
                ended = &mut working => worked = Some(ended),
            }
            // Whoever balances load should look elsewhere while open requests are finished.
            let stopping = "the process is to stop".to_owned();
            readiness.set(STOPPING_CHECK, Err(stopping));
        };
        http::serve(listener, router, ended).await;
        stop.send_replace(true);
        let worked = match worked {
            Some(worked) => worked,
            None => working.await,
        };
        let worked = worked.expect("services do not panic");
        worked.map_err(StartError::Services)
    }
}
