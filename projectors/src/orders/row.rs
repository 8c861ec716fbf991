//! What an order's own events make of its row. JSON columns have the shape that the API answers with.

use std::borrow::Cow;

use chrono::{DateTime, Utc};
use event_store::Recorded;
use uuid::Uuid;

use super::{
    change::{Change, OrderChange, PaymentError, Placed},
    following::{Billing, Parcels},
    view::OrderView,
};
use crate::{
    copy::{CopyBuffer, json},
    projection::{indexable, storable_time, stream_version},
};

const COLUMNS: i16 = 18;

/// An order.
#[derive(Debug, Default)]
pub struct OrderRow {
    /// None where it is not placed yet, or the row was loaded: no later event changes it.
    pub(super) placed: Option<Placed>,
    pub(super) journey: Journey,
    pub(super) billing: Billing,
    pub(super) parcels: Parcels,
    /// The latest time of what is in here, whichever topic that comes from.
    pub(super) updated_at: DateTime<Utc>,
}

/// What later events of the order change.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Journey {
    /// None where it is not placed yet.
    pub(super) status: Option<Cow<'static, str>>,
    /// Whether an operator has to look.
    pub(super) stuck: bool,
    pub(super) version: i32,
    pub(super) last_payment_error: Option<PaymentError>,
}

impl OrderRow {
    /// What the row holds already changes nothing.
    pub(crate) fn apply(&mut self, event: &Recorded<OrderView>) -> Result<(), String> {
        let offset = event.position.offset;
        let has_changed = match Change::of(&event.event)? {
            Change::Order(change) => {
                let follows = self.journey.advance(event)?;
                if follows {
                    self.follow(change)?;
                }
                follows
            }
            Change::Payment { payment } => self.billing.apply(payment, offset),
            Change::Shipment { shipment } => self.parcels.apply(shipment, offset),
        };
        if has_changed {
            self.updated_at = self.updated_at.max(event.metadata.time);
        }
        Ok(())
    }

    fn follow(&mut self, mut change: OrderChange) -> Result<(), String> {
        if let Some(mut placed) = change.placed.take() {
            if self.journey.status.is_some() {
                return Err("the order is placed already".to_owned());
            }
            indexable("customer_id", &placed.customer_id)?;
            placed.placed_at = storable_time("placed_at", placed.placed_at)?;
            self.placed = Some(placed);
        }
        self.journey.follow(change);
        Ok(())
    }

    /// Where the order stands; none where it is not placed.
    #[cfg(test)]
    pub(crate) fn status(&self) -> Option<&str> {
        self.journey.status.as_deref()
    }

    pub(super) fn copy(&self, id: Uuid, to: &mut CopyBuffer) {
        let journey = &self.journey;
        let placed = self.placed.as_ref();
        to.row(COLUMNS);
        to.uuid(id);
        to.or_null(placed, |to, placed| to.text(&placed.customer_id));
        to.or_null(journey.status.as_deref(), CopyBuffer::text);
        to.boolean(journey.stuck);
        to.integer(journey.version);
        match placed {
            Some(placed) => {
                to.text(placed.totals.total.currency().as_str());
                to.bigint(placed.totals.items.amount());
                to.bigint(placed.totals.total.amount());
                to.json(placed.lines.get());
            }
            None => (0..4).for_each(|_| to.null()),
        }
        let error = journey.last_payment_error.as_ref();
        to.or_null(error, |to, error| to.json(&json(error)));
        to.or_null(placed, |to, placed| to.json(placed.shipping_address.get()));
        to.or_null(placed, |to, placed| to.timestamp(placed.placed_at));
        self.billing.copy(to);
        self.parcels.copy(to);
        to.timestamp(self.updated_at);
    }
}

impl Journey {
    /// Takes the next version; false where the row holds it already.
    fn advance(&mut self, event: &Recorded<OrderView>) -> Result<bool, String> {
        let version = stream_version(event)?;
        if version <= self.version {
            return Ok(false);
        }
        if version != self.version + 1 {
            return Err(format!(
                "it is version {version}, where the row holds version {}",
                self.version
            ));
        }
        self.version = version;
        Ok(true)
    }

    fn follow(&mut self, change: OrderChange) {
        if let Some(status) = change.status {
            self.status = Some(status.into());
        }
        if let Some(stuck) = change.stuck {
            self.stuck = stuck;
        }
        if let Some(error) = change.last_payment_error {
            self.last_payment_error = error;
        }
    }
}
