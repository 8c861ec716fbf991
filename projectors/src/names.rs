//! All projections by their names: the one place that lists them.

use std::{fmt, str::FromStr};

use tokio::task::JoinSet;

use crate::{
    Carts, Database, History, Orders, Products, Projection, ProjectorError, Report,
    live::Live,
    rebuild::{Show, rebuild_projection},
    source::Source,
};

/// A projection that there is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "each variant is the projection of its name")]
pub enum ProjectionName {
    Orders,
    Products,
    Carts,
    History,
}

impl ProjectionName {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Orders, Self::Products, Self::Carts, Self::History];

    /// As it is spelled in the registry and on the command line.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Orders => Orders::NAME,
            Self::Products => Products::NAME,
            Self::Carts => Carts::NAME,
            Self::History => History::NAME,
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
            Self::History => tasks.spawn(live.run::<History>()),
        };
    }

    pub(crate) async fn rebuild<S: Source>(
        self,
        source: &S,
        database: &Database,
        show: Show,
    ) -> Result<Report, ProjectorError> {
        match self {
            Self::Orders => rebuild_projection::<Orders, S>(source, database, show).await,
            Self::Products => rebuild_projection::<Products, S>(source, database, show).await,
            Self::Carts => rebuild_projection::<Carts, S>(source, database, show).await,
            Self::History => rebuild_projection::<History, S>(source, database, show).await,
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
