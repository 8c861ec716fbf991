//! All projections by their names: the one place that lists them.

use std::{fmt, str::FromStr};

use crate::{
    Carts, History, Notifications, Orders, Payments, Products, Projection, ProjectorError,
    SalesDaily, Shipments,
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

    /// Of the rows that this program makes; see [`Projection::SHAPE`].
    pub(crate) fn shape(self) -> i32 {
        self.on(Shape)
    }

    /// Does something with the projection of that name.
    pub(crate) fn on<O: OnProjection>(self, what: O) -> O::Output {
        match self {
            Self::Orders => what.on::<Orders>(),
            Self::Products => what.on::<Products>(),
            Self::Carts => what.on::<Carts>(),
            Self::Payments => what.on::<Payments>(),
            Self::Shipments => what.on::<Shipments>(),
            Self::Notifications => what.on::<Notifications>(),
            Self::History => what.on::<History>(),
            Self::SalesDaily => what.on::<SalesDaily>(),
        }
    }
}

/// Something to do with any projection.
pub(crate) trait OnProjection {
    /// What comes of it.
    type Output;

    fn on<P: Projection>(self) -> Self::Output;
}

struct Shape;

impl OnProjection for Shape {
    type Output = i32;

    fn on<P: Projection>(self) -> i32 {
        P::SHAPE
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
