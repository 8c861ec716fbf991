//! All projections by their names: the one place that lists them.

use std::{fmt, str::FromStr};

use tokio::task::JoinSet;

use crate::{
    Carts, Database, History, Notifications, Orders, Payments, Products, Projection,
    ProjectorError, Report, SalesDaily, Shipments,
    live::Live,
    rebuild::{Options, rebuild_projection},
    source::Source,
};

/// A projection that there is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "each variant is the projection of its name")]
pub enum ProjectionName {
    Orders,
    Products,
    Carts,
    Payments,
    Shipments,
    Notifications,
    History,
    SalesDaily,
}

impl ProjectionName {
    /// All of them.
    pub const ALL: [Self; 8] = [
        Self::Orders,
        Self::Products,
        Self::Carts,
        Self::Payments,
        Self::Shipments,
        Self::Notifications,
        Self::History,
        Self::SalesDaily,
    ];

    /// As it is spelled in the registry and on the command line.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Orders => Orders::NAME,
            Self::Products => Products::NAME,
            Self::Carts => Carts::NAME,
            Self::Payments => Payments::NAME,
            Self::Shipments => Shipments::NAME,
            Self::Notifications => Notifications::NAME,
            Self::History => History::NAME,
            Self::SalesDaily => SalesDaily::NAME,
        }
    }

    /// Keeps the live version up to date, as one of these tasks.
    pub(crate) fn feed<S: Source>(
        self,
        live: Live<S>,
        tasks: &mut JoinSet<Result<(), ProjectorError>>,
    ) {
        match self {
            Self::Orders => tasks.spawn(live.run::<Orders>()),
            Self::Products => tasks.spawn(live.run::<Products>()),
            Self::Carts => tasks.spawn(live.run::<Carts>()),
            Self::Payments => tasks.spawn(live.run::<Payments>()),
            Self::Shipments => tasks.spawn(live.run::<Shipments>()),
            Self::Notifications => tasks.spawn(live.run::<Notifications>()),
            Self::History => tasks.spawn(live.run::<History>()),
            Self::SalesDaily => tasks.spawn(live.run::<SalesDaily>()),
        };
    }

    pub(crate) async fn rebuild<S: Source>(
        self,
        source: &S,
        database: &Database,
        options: Options,
    ) -> Result<Report, ProjectorError> {
        match self {
            Self::Orders => rebuild_projection::<Orders, S>(source, database, options).await,
            Self::Products => rebuild_projection::<Products, S>(source, database, options).await,
            Self::Carts => rebuild_projection::<Carts, S>(source, database, options).await,
            Self::Payments => rebuild_projection::<Payments, S>(source, database, options).await,
            Self::Shipments => rebuild_projection::<Shipments, S>(source, database, options).await,
            Self::Notifications => {
                rebuild_projection::<Notifications, S>(source, database, options).await
            }
            Self::History => rebuild_projection::<History, S>(source, database, options).await,
            Self::SalesDaily => {
                rebuild_projection::<SalesDaily, S>(source, database, options).await
            }
        }
    }
}

impl FromStr for ProjectionName {
    type Err = ProjectorError;

    fn from_str(text: &str) -> Result<Self, ProjectorError> {
        let mut all = Self::ALL.into_iter();
        all.find(|name| name.as_str() == text)
            .ok_or_else(|| ProjectorError::UnknownProjection {
                name: text.to_owned(),
                known: Self::ALL.map(Self::as_str).join(", "),
            })
    }
}

impl fmt::Display for ProjectionName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
