//! What is sold and for how much, as carts and orders need to know it: a replica in memory, built from the product
//! service's events. It lags a little; what it says when an order is taken is what the order costs. That there is no such
//! product it says only of what is not in the log either.

use std::{
    collections::HashMap,
    sync::{Arc, OnceLock, PoisonError, RwLock},
    time::Duration,
};

use domain::{
    ReadEvent,
    ids::Sku,
    money::Money,
    product::catalogue::{ProductCreated, ProductDiscontinued, ProductRepriced},
    topics::PRODUCT_EVENTS,
    upcast::only,
};
use event_store::{LogError, Position, Recorded, Replica, follow, log::Log};
use runtime::{min_position::MinPosition, problem::Problem};
use serde::Deserializer;
use tokio::time::Instant;

use crate::problems;

/// How long a command may wait for a product that is not known yet. Somebody's open transaction, whose records stay hidden,
/// makes it long.
const PATIENCE: Duration = Duration::from_secs(2);

/// A process's replica of the catalogue. Cheap to clone; all clones are the same replica.
#[derive(Clone, Default)]
pub struct Catalogue {
    listings: Arc<RwLock<HashMap<Sku, Listing>>>,
    replica: Arc<OnceLock<Replica>>,
}

/// What one needs to know of a product to sell it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Listing {
    /// For how much.
    pub(crate) price: Money,
    /// Whether it is sold no longer.
    pub(crate) discontinued: bool,
}

/// What the catalogue cares about.
#[derive(Debug)]
enum CatalogueEvent {
    Created(ProductCreated),
    Repriced(ProductRepriced),
    Discontinued(ProductDiscontinued),
    Other,
}

impl Catalogue {
    /// Begins to read the log, from its beginning and for ever. Once is enough.
    ///
    /// # Errors
    /// When the operating system grants no thread.
    pub fn follow<L: Log>(&self, log: &L) -> Result<(), LogError> {
        let listings = Arc::clone(&self.listings);
        let apply = move |recorded: Recorded<CatalogueEvent>| {
            let mut listings = listings.write().unwrap_or_else(PoisonError::into_inner);
            recorded.event.apply(&mut listings);
        };
        let replica = follow(log.clone(), &[PRODUCT_EVENTS], apply)?;
        self.replica.get_or_init(|| replica);
        Ok(())
    }

    /// Whether everything has been read that was there when it began to. False for good where it cannot go on: a price
    /// that only grows older is no price.
    #[must_use]
    pub fn is_caught_up(&self) -> bool {
        self.replica.get().is_some_and(Replica::caught_up)
    }

    /// Waits until it has seen what the client has, as long as the client likes.
    ///
    /// # Errors
    /// `unavailable` while it catches up, `not-yet-visible` where the wait was in vain.
    pub(crate) async fn seen(&self, wanted: &MinPosition<Position>) -> Result<(), Problem> {
        let replica = self.replica.get().filter(|replica| replica.caught_up());
        let replica = replica.ok_or_else(problems::catalogue_unread)?;
        let ours: Vec<_> = wanted
            .positions
            .iter()
            .filter(|position| &*position.topic == PRODUCT_EVENTS)
            .cloned()
            .collect();
        if replica.wait_for(&ours, Instant::now() + wanted.wait).await {
            Ok(())
        } else {
            Err(problems::not_yet_visible())
        }
    }

    /// What is known of these SKUs, in the same order; nothing where there was never such a product.
    ///
    /// A product is created before this replica has read of it, and its client may know. So where one is unknown, this reads
    /// on, and looks again; what is known is answered at once.
    ///
    /// # Errors
    /// `unavailable` where that is in vain.
    pub(crate) async fn find(&self, skus: &[&Sku]) -> Result<Vec<Option<Listing>>, Problem> {
        let found = self.look_up(skus);
        if !found.contains(&None) {
            return Ok(found);
        }
        let replica = self.replica.get().ok_or_else(problems::catalogue_unread)?;
        let are_known = || !self.look_up(skus).contains(&None);
        let read = replica.read_on(are_known, Instant::now() + PATIENCE);
        match read.await {
            true => Ok(self.look_up(skus)),
            false => Err(problems::catalogue_behind()),
        }
    }

    fn look_up(&self, skus: &[&Sku]) -> Vec<Option<Listing>> {
        let listings = self.listings.read();
        let listings = listings.unwrap_or_else(PoisonError::into_inner);
        skus.iter().map(|sku| listings.get(*sku).copied()).collect()
    }
}

impl CatalogueEvent {
    fn apply(self, listings: &mut HashMap<Sku, Listing>) {
        match self {
            Self::Created(created) => {
                let listing = Listing {
                    price: created.price,
                    discontinued: false,
                };
                listings.insert(created.sku, listing);
            }
            Self::Repriced(repriced) => {
                if let Some(listing) = listings.get_mut(&repriced.sku) {
                    listing.price = repriced.price;
                }
            }
            Self::Discontinued(discontinued) => {
                if let Some(listing) = listings.get_mut(&discontinued.sku) {
                    listing.discontinued = true;
                }
            }
            Self::Other => {}
        }
    }
}

impl ReadEvent for CatalogueEvent {
    fn deserialize<'de, D: Deserializer<'de>>(
        name: &str,
        version: u16,
        payload: D,
    ) -> Result<Self, D::Error> {
        match name {
            "ProductCreated" => only(version, payload).map(Self::Created),
            "ProductRepriced" => only(version, payload).map(Self::Repriced),
            "ProductDiscontinued" => only(version, payload).map(Self::Discontinued),
            _ => Ok(Self::Other),
        }
    }
}
