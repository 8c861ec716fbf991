//! The wiring of the process.

use std::{io, net::SocketAddr};

use axum::Router;
use runtime::{health::Readiness, http, telemetry::Metrics};
use tokio::net::TcpListener;

use crate::{Args, Database, Streams, database, orders::stuck, routes};

/// A query API that listens already.
#[derive(Debug)]
pub struct Server {
    listener: TcpListener,
    router: Router,
    database: Database,
    streams: Streams,
    readiness: Readiness,
}

/// Why the process cannot start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The database's URL cannot be read.
    #[error("cannot read the database's URL")]
    DatabaseUrl(#[source] sqlx::Error),
    /// The address cannot be had.
    #[error("cannot listen on {address}")]
    Listen {
        /// The address that was asked for.
        address: SocketAddr,
        /// What the operating system said.
        source: io::Error,
    },
}

impl Server {
    /// Listens; Postgres may still be away.
    ///
    /// # Errors
    /// When the database's URL is none, or the address is taken.
    pub async fn bind(args: &Args, metrics: Metrics) -> Result<Self, StartError> {
        let database = Database::new(&args.database_url, args.max_connections)
            .map_err(StartError::DatabaseUrl)?;
        let readiness = Readiness::new([database::CHECK]);
        let address = args.listen;
        let listener = TcpListener::bind(address)
            .await
            .map_err(|source| StartError::Listen { address, source })?;
        let streams = Streams::default();
        let api = routes::router(database.clone(), streams.clone());
        let router = http::app(api, readiness.clone(), metrics);
        Ok(Self {
            listener,
            router,
            database,
            streams,
            readiness,
        })
    }

    /// The address that it listens on.
    ///
    /// # Errors
    /// When the operating system cannot tell.
    pub fn address(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }

    /// Serves until `shutdown` ends, and what is open for a moment longer.
    pub async fn run(self, shutdown: impl Future<Output = ()>) {
        if let Ok(address) = self.address() {
            tracing::info!(%address, "listening");
        }
        let checking = tokio::spawn(self.database.clone().keep_checking(self.readiness));
        let listening = tokio::spawn(self.database.clone().keep_listening());
        let counting = tokio::spawn(stuck::keep_telling(self.database.clone()));
        let shutdown = async {
            shutdown.await;
            self.streams.end();
            self.database.end_waits();
        };
        http::serve(self.listener, self.router, shutdown).await;
        checking.abort();
        listening.abort();
        counting.abort();
        self.database.close().await;
    }
}
