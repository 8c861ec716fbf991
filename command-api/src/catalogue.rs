//! What is sold and for how much, as carts and orders need to know it, and which requests created it: a replica in memory,
//! built from the product service's events. It lags a little; what it says when an order is taken is what the order costs. That there is no such
//! product it says only of what is not in the log either.

use std::{
    collections::{HashMap, HashSet},
    sync::{Arc, OnceLock, PoisonError, RwLock, RwLockReadGuard},
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
use uuid::Uuid;

use crate::problems;

/// How long a command may wait for a product that is not known yet. Somebody's open transaction, whose records stay hidden,
/// makes it long.
const PATIENCE: Duration = Duration::from_secs(2);

/// A process's replica of the catalogue. Cheap to clone; all clones are the same replica.
#[derive(Clone, Default)]
pub struct Catalogue {
    products: Arc<RwLock<Products>>,
    replica: Arc<OnceLock<Replica>>,
}

/// What has been read.
#[derive(Default)]
struct Products {
    listings: HashMap<Sku, Listing>,
    /// The journeys that began with a product.
    journeys: HashSet<Uuid>,
}

/// What one needs to know of a product to sell it, and to know the request again that created it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Listing {
    /// For how much.
    pub(crate) price: Money,
    /// Whether it is sold no longer.
    pub(crate) discontinued: bool,
    /// The journey that its creation began.
    created_by: Uuid,
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
        let products = Arc::clone(&self.products);
        let apply = move |recorded: Recorded<CatalogueEvent>| {
            let mut products = products.write().unwrap_or_else(PoisonError::into_inner);
            let journey = recorded.metadata.correlation_id;
            recorded.event.apply(journey, &mut products);
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
        self.read_on(|| !self.look_up(skus).contains(&None)).await?;
        Ok(self.look_up(skus))
    }

    /// Whether the request that begins this journey has created another product than this one, as of now.
    ///
    /// Of a request that is new, this reads on: its first may have been answered by another process.
    ///
    /// # Errors
    /// `unavailable` where that is in vain.
    pub(crate) async fn has_created_another(
        &self,
        journey: Uuid,
        sku: &Sku,
    ) -> Result<bool, Problem> {
        let is_known = || self.products().journeys.contains(&journey);
        if !is_known() {
            self.read_on(is_known).await?;
        }
        let products = self.products();
        let is_its_own = products
            .listings
            .get(sku)
            .is_some_and(|listing| listing.created_by == journey);
        Ok(!is_its_own && products.journeys.contains(&journey))
    }

    fn look_up(&self, skus: &[&Sku]) -> Vec<Option<Listing>> {
        let products = self.products();
        let listing = |sku: &&Sku| products.listings.get(*sku).copied();
        skus.iter().map(listing).collect()
    }

    fn products(&self) -> RwLockReadGuard<'_, Products> {
        self.products.read().unwrap_or_else(PoisonError::into_inner)
    }

    async fn read_on(&self, is_enough: impl Fn() -> bool) -> Result<(), Problem> {
        let replica = self.replica.get().ok_or_else(problems::catalogue_unread)?;
        match replica.read_on(is_enough, Instant::now() + PATIENCE).await {
            true => Ok(()),
            false => Err(problems::catalogue_behind()),
        }
    }
}

impl CatalogueEvent {
    fn apply(self, journey: Uuid, products: &mut Products) {
        let Products { listings, journeys } = products;
        match self {
            Self::Created(created) => {
                let listing = Listing {
                    price: created.price,
                    discontinued: false,
                    created_by: journey,
                };
                journeys.insert(journey);
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
