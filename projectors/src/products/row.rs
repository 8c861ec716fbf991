//! What a product's events and its stock's make of its row.

use std::borrow::Cow;

use domain::{
    ReadEvent,
    ids::Sku,
    money::Money,
    product::{
        catalogue::{ProductCreated, ProductDiscontinued, ProductRepriced, ProductStatus},
        stock::{StockCommitted, StockReceived, StockReleased, StockReserved},
    },
    quantity::Units,
    upcast::only,
};
use event_store::Recorded;
use serde::{Deserialize, Deserializer};

use crate::{
    copy::CopyBuffer,
    projection::{storable, stream_version},
};

const COLUMNS: i16 = 9;

/// What products are made of, in the topics of the product service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ProductView {
    /// What is sold, or for how much, has changed.
    Catalogue(CatalogueChange),
    /// How many there are, or are reserved, has changed.
    Stock(StockChange),
    /// Something else, which changes no product.
    Other,
}

/// A change in the catalogue.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CatalogueChange {
    /// It is sold.
    Created(ProductCreated),
    /// It costs something else.
    Repriced(ProductRepriced),
    /// It is sold no longer.
    Discontinued(ProductDiscontinued),
}

/// A change of a stock's numbers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StockChange {
    /// More are on hand.
    Received(StockReceived),
    /// More are reserved.
    Reserved(StockReserved),
    /// Fewer are reserved.
    Released(StockReleased),
    /// What was reserved is on hand no longer.
    Committed(StockCommitted),
}

impl ReadEvent for ProductView {
    fn deserialize<'de, D: Deserializer<'de>>(
        name: &str,
        version: u16,
        payload: D,
    ) -> Result<Self, D::Error> {
        use CatalogueChange::{Created, Discontinued, Repriced};
        use StockChange::{Committed, Received, Released, Reserved};

        fn read<'de, D: Deserializer<'de>, T: Deserialize<'de>, V>(
            version: u16,
            payload: D,
            variant: impl FnOnce(T) -> V,
            view: impl FnOnce(V) -> ProductView,
        ) -> Result<ProductView, D::Error> {
            only(version, payload).map(variant).map(view)
        }

        match name {
            "ProductCreated" => read(version, payload, Created, Self::Catalogue),
            "ProductRepriced" => read(version, payload, Repriced, Self::Catalogue),
            "ProductDiscontinued" => read(version, payload, Discontinued, Self::Catalogue),
            "StockReceived" => read(version, payload, Received, Self::Stock),
            "StockReserved" => read(version, payload, Reserved, Self::Stock),
            "StockReleased" => read(version, payload, Released, Self::Stock),
            "StockCommitted" => read(version, payload, Committed, Self::Stock),
            _ => Ok(Self::Other),
        }
    }
}

impl ProductView {
    /// The product that it changes.
    pub(super) fn sku(&self) -> Option<&Sku> {
        match self {
            Self::Catalogue(CatalogueChange::Created(event)) => Some(&event.sku),
            Self::Catalogue(CatalogueChange::Repriced(event)) => Some(&event.sku),
            Self::Catalogue(CatalogueChange::Discontinued(event)) => Some(&event.sku),
            Self::Stock(StockChange::Received(event)) => Some(&event.sku),
            Self::Stock(StockChange::Reserved(event)) => Some(&event.sku),
            Self::Stock(StockChange::Released(event)) => Some(&event.sku),
            Self::Stock(StockChange::Committed(event)) => Some(&event.sku),
            Self::Other => None,
        }
    }
}

/// A product: what each topic knows of it.
#[derive(Debug, Default)]
pub struct ProductRow {
    pub(super) catalogue: Catalogue,
    pub(super) stock: Stock,
}

/// What ProductEvents say.
#[derive(Debug, Default)]
pub(super) struct Catalogue {
    pub(super) offer: Option<Offer>,
    /// Of the stream `product-<sku>`, at the last event that counts here.
    pub(super) version: i32,
}

/// What is sold.
#[derive(Debug)]
pub(super) struct Offer {
    pub(super) name: Box<str>,
    pub(super) amount: i64,
    pub(super) currency: Box<str>,
    pub(super) status: Cow<'static, str>,
}

/// What InventoryEvents say.
#[derive(Debug, Default)]
pub(super) struct Stock {
    pub(super) on_hand: i64,
    pub(super) reserved: i64,
    /// Of the stream `stock-<sku>`, at the last event that counts here.
    pub(super) version: i32,
}

impl ProductRow {
    /// What a row holds already changes nothing: events that do not count are passed over, so versions have gaps, and only
    /// ever grow.
    pub(super) fn apply(&mut self, event: &Recorded<ProductView>) -> Result<(), String> {
        let version = stream_version(event)?;
        match &event.event {
            ProductView::Catalogue(change) if version > self.catalogue.version => {
                self.catalogue.apply(change)?;
                self.catalogue.version = version;
            }
            ProductView::Stock(change) if version > self.stock.version => {
                self.stock.apply(change)?;
                self.stock.version = version;
            }
            ProductView::Catalogue(_) | ProductView::Stock(_) | ProductView::Other => {}
        }
        Ok(())
    }

    pub(super) fn copy(&self, sku: &Sku, to: &mut CopyBuffer) {
        to.row(COLUMNS);
        to.text(sku.as_str());
        match &self.catalogue.offer {
            Some(offer) => {
                to.text(&offer.name);
                to.bigint(offer.amount);
                to.text(&offer.currency);
                to.text(&offer.status);
            }
            None => (0..4).for_each(|_| to.null()),
        }
        to.integer(self.catalogue.version);
        to.bigint(self.stock.on_hand);
        to.bigint(self.stock.reserved);
        to.integer(self.stock.version);
    }
}

impl Catalogue {
    fn apply(&mut self, change: &CatalogueChange) -> Result<(), String> {
        let offer = self.offer.as_mut();
        let offer = offer.ok_or("no product of this SKU has been created");
        match change {
            CatalogueChange::Created(created) => self.offer = Some(Offer::new(created)?),
            CatalogueChange::Repriced(repriced) => offer?.reprice(repriced.price),
            CatalogueChange::Discontinued(_) => {
                offer?.status = ProductStatus::Discontinued.as_str().into();
            }
        }
        Ok(())
    }
}

impl Offer {
    fn new(event: &ProductCreated) -> Result<Self, String> {
        Ok(Self {
            name: storable("name", event.name.as_str())?.into(),
            amount: event.price.amount(),
            currency: event.price.currency().as_str().into(),
            status: ProductStatus::Active.as_str().into(),
        })
    }

    fn reprice(&mut self, price: Money) {
        self.amount = price.amount();
        self.currency = price.currency().as_str().into();
    }
}

impl Stock {
    fn apply(&mut self, change: &StockChange) -> Result<(), String> {
        let (on_hand, reserved) = match change {
            StockChange::Received(received) => (units(received.quantity)?, 0),
            StockChange::Reserved(reserved) => (0, units(reserved.quantity)?),
            StockChange::Released(released) => (0, -units(released.quantity)?),
            StockChange::Committed(committed) => {
                let quantity = units(committed.quantity)?;
                (-quantity, -quantity)
            }
        };
        let sum = |number: i64, by: i64| number.checked_add(by).filter(|sum| *sum >= 0);
        let sums = sum(self.on_hand, on_hand).zip(sum(self.reserved, reserved));
        (self.on_hand, self.reserved) = sums.ok_or_else(|| {
            format!(
                "of {} on hand and {} reserved, it leaves less than nothing",
                self.on_hand, self.reserved
            )
        })?;
        Ok(())
    }
}

fn units(units: Units) -> Result<i64, String> {
    i64::try_from(units.get()).map_err(|_| "it is of more units than can be counted".to_owned())
}
