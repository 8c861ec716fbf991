//! The wiring of the process.

use std::{io, net::SocketAddr, time::Duration};

use axum::Router;
use domain::{Context, order::Orders};
use event_store::{LogError, StoreConfig};
use runtime::{health::Readiness, http, telemetry::Metrics};
use tokio::net::TcpListener;

use crate::{
    Args, OpeningStore, ServiceName, Stores,
    opening::{KAFKA_CHECK, Opening},
    routes,
};

/// For writers to end after the last request was answered; they have little left to do.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(3);

/// A command API that listens already.
pub struct Server {
    listener: TcpListener,
    router: Router,
    readiness: Readiness,
    orders: OpeningStore<Orders>,
    opening: Opening,
}

/// Why the process cannot start.
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
    /// Kafka is not as it has to be.
    #[error("cannot open the event store")]
    Store(#[source] LogError),
}

impl Server {
    /// Listens; Kafka may still be away.
    ///
    /// # Errors
    /// When the address is taken.
    pub async fn bind(args: &Args, metrics: Metrics) -> Result<Self, StartError> {
        let address = args.listen;
        let listen = |source| StartError::Listen { address, source };
        let listener = TcpListener::bind(address).await.map_err(listen)?;
        let bound = listener.local_addr().map_err(listen)?;
        let orders = OpeningStore::default();
        let stores = Stores {
            orders: args.runs(ServiceName::Order).then(|| orders.clone()),
        };
        let readiness = Readiness::new([KAFKA_CHECK, Orders::SERVICE]);
        Ok(Self {
            router: http::app(routes::router(stores), readiness.clone(), metrics),
            listener,
            readiness,
            orders,
            opening: Opening {
                kafka: args.kafka(),
                partitions: args.partitions,
                durability: args.durability(),
                store: StoreConfig {
                    address: args.advertise.clone().unwrap_or_else(|| bound.to_string()),
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
    /// When the event store cannot be opened, and waiting does not help.
    pub async fn run(self, shutdown: impl Future<Output = ()>) -> Result<(), StartError> {
        if let Ok(address) = self.address() {
            tracing::info!(%address, "listening");
        }
        let mut outcome = Ok(());
        let ended = async {
            tokio::select! {
                () = shutdown => {}
                error = self.orders.keep_open(self.opening, &self.readiness) => {
                    outcome = Err(StartError::Store(error));
                }
            }
            // Whoever balances load should look elsewhere while open requests are finished.
            self.readiness
                .set(Orders::SERVICE, Err("stopping".to_owned()));
        };
        http::serve(self.listener, self.router, ended).await;
        self.orders.close(CLOSE_TIMEOUT).await;
        outcome
    }
}
