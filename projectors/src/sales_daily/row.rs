//! What a day's sales add up to.

use chrono::NaiveDate;
use domain::{ReadEvent, money::Currency, order::OrderShipped, upcast::only};
use event_store::Recorded;
use serde::Deserializer;
use uuid::Uuid;

use crate::copy::CopyBuffer;

const COLUMNS: i16 = 6;

/// What sales are made of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SalesView {
    /// An order was sold.
    Shipped(OrderShipped),
    /// Something else, which sells nothing.
    Other,
}

impl ReadEvent for SalesView {
    fn deserialize<'de, D: Deserializer<'de>>(
        name: &str,
        version: u16,
        payload: D,
    ) -> Result<Self, D::Error> {
        match name {
            "OrderShipped" => only(version, payload).map(Self::Shipped),
            _ => Ok(Self::Other),
        }
    }
}

impl SalesView {
    /// The order that was sold.
    pub(super) fn order_id(&self) -> Option<Uuid> {
        match self {
            Self::Shipped(shipped) => Some(shipped.order_id.as_uuid()),
            Self::Other => None,
        }
    }
}

/// A day in UTC, and what was paid with. Orders of all partitions are sold on it, and no two feeds may touch the same row: so
/// each partition has its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SalesDay {
    pub(super) day: NaiveDate,
    pub(super) currency: Currency,
    pub(super) partition: i32,
}

impl SalesDay {
    pub(super) fn of(event: &Recorded<SalesView>) -> Option<Self> {
        match &event.event {
            SalesView::Shipped(shipped) => Some(Self {
                day: shipped.shipped_at.date_naive(),
                currency: shipped.amount.currency(),
                partition: event.position.partition,
            }),
            SalesView::Other => None,
        }
    }
}

/// The sums of a day.
#[derive(Debug, Default)]
pub struct SalesRow {
    pub(super) orders: i64,
    pub(super) revenue: i64,
    pub(super) units: i64,
}

impl SalesRow {
    pub(super) fn apply(&mut self, event: &Recorded<SalesView>) -> Result<(), String> {
        let SalesView::Shipped(shipped) = &event.event else {
            return Ok(());
        };
        let beyond = || "with it, the day's sum is beyond counting".to_owned();
        let units = i64::try_from(shipped.units.get()).map_err(|_| beyond())?;
        let add = |sum: i64, more| sum.checked_add(more).ok_or_else(beyond);
        self.orders = add(self.orders, 1)?;
        self.revenue = add(self.revenue, shipped.amount.amount())?;
        self.units = add(self.units, units)?;
        Ok(())
    }

    pub(super) fn copy(&self, day: &SalesDay, to: &mut CopyBuffer) {
        to.row(COLUMNS);
        to.date(day.day);
        to.text(day.currency.as_str());
        to.integer(day.partition);
        to.bigint(self.orders);
        to.bigint(self.revenue);
        to.bigint(self.units);
    }
}
