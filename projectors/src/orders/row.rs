//! What an order's own events make of its row. JSON columns have the shape that the API answers with.

use std::borrow::Cow;

use chrono::{DateTime, Utc};
use domain::{
    money::{Money, MoneyError},
    order::{OrderEvent, OrderLine, OrderPaymentFailed, OrderPlaced, OrderStatus},
    payment::{GatewayCode, GatewayDetail},
};
use event_store::Recorded;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{
    following::{Billing, Parcels},
    view::OrderView,
};
use crate::{
    copy::{CopyBuffer, json},
    projection::stream_version,
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

/// What is fixed when an order is placed.
#[derive(Debug)]
pub(super) struct Placed {
    pub(super) customer_id: Box<str>,
    pub(super) items: Money,
    pub(super) total: Money,
    pub(super) lines: Box<str>,
    pub(super) shipping_address: Box<str>,
    pub(super) placed_at: DateTime<Utc>,
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

/// Why the last payment came to nothing, as the API shows it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct PaymentError {
    code: GatewayCode,
    detail: GatewayDetail,
    at: DateTime<Utc>,
}

/// A line as the API shows it.
#[derive(Serialize)]
struct Line<'a> {
    #[serde(flatten)]
    line: &'a OrderLine,
    total: Money,
}

impl OrderRow {
    /// What the row holds already changes nothing.
    pub(crate) fn apply(&mut self, event: &Recorded<OrderView>) -> Result<(), String> {
        let offset = event.position.offset;
        let has_changed = match &event.event {
            OrderView::Order(order) => {
                let follows = self.journey.advance(event)?;
                if follows {
                    self.follow(order)?;
                }
                follows
            }
            OrderView::Other => self.journey.advance(event)?,
            OrderView::Payment(payment) => self.billing.apply(payment, offset)?,
            OrderView::Shipping(shipping) => self.parcels.apply(shipping, offset),
        };
        if has_changed {
            self.updated_at = self.updated_at.max(event.metadata.time);
        }
        Ok(())
    }

    fn follow(&mut self, event: &OrderEvent) -> Result<(), String> {
        if let OrderEvent::Placed(placed) = event {
            if self.journey.status.is_some() {
                return Err("the order is placed already".to_owned());
            }
            self.placed = Some(Placed::new(placed)?);
        }
        self.journey.follow(event);
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
                to.text(placed.total.currency().as_str());
                to.bigint(placed.items.amount());
                to.bigint(placed.total.amount());
                to.json(&placed.lines);
            }
            None => (0..4).for_each(|_| to.null()),
        }
        let error = journey.last_payment_error.as_ref();
        to.or_null(error, |to, error| to.json(&json(error)));
        to.or_null(placed, |to, placed| to.json(&placed.shipping_address));
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

    fn follow(&mut self, event: &OrderEvent) {
        match event {
            OrderEvent::Placed(_) => self.enter(OrderStatus::Placed),
            OrderEvent::Confirmed(_) => self.enter(OrderStatus::AwaitingPayment),
            OrderEvent::Rejected(_) => self.enter(OrderStatus::Rejected),
            OrderEvent::Expired(_) => self.enter(OrderStatus::Expired),
            OrderEvent::PaymentPending(_) => self.enter(OrderStatus::PaymentPending),
            OrderEvent::PaymentFailed(failed) => {
                self.last_payment_error = Some(PaymentError::new(failed));
                self.enter(OrderStatus::AwaitingPayment);
            }
            OrderEvent::Paid(_) => {
                self.last_payment_error = None;
                self.enter(OrderStatus::Paid);
            }
            OrderEvent::Cancelled(_) => self.enter(OrderStatus::Cancelled),
            OrderEvent::DispatchApproved(_) => self.enter(OrderStatus::Dispatching),
            OrderEvent::Shipped(_) => self.enter(OrderStatus::Shipped),
            OrderEvent::Delivered(_) => self.enter(OrderStatus::Delivered),
            OrderEvent::Completed(_) => self.enter(OrderStatus::Completed),
            OrderEvent::Stuck(_) => self.stuck = true,
            OrderEvent::Resumed(_) => self.stuck = false,
            OrderEvent::InventoryRequested(_)
            | OrderEvent::PaymentKept(_)
            | OrderEvent::DispatchRefused(_)
            | OrderEvent::CaptureRefused(_) => {}
            // Messages: no events of the order, and never read as such.
            OrderEvent::InventoryCheck(_) | OrderEvent::PaymentRequested(_) => {}
        }
    }

    fn enter(&mut self, status: OrderStatus) {
        self.status = Some(status.as_str().into());
    }
}

impl Placed {
    fn new(event: &OrderPlaced) -> Result<Self, String> {
        let lines: Result<Vec<_>, _> = event.lines.iter().map(Line::new).collect();
        let lines = lines.map_err(|error| format!("a line's total {error}"))?;
        Ok(Self {
            customer_id: event.customer_id.as_str().into(),
            items: event.totals.items,
            total: event.totals.total,
            lines: json(&lines),
            shipping_address: json(&event.personal.data.shipping_address),
            placed_at: event.placed_at,
        })
    }
}

impl<'a> Line<'a> {
    fn new(line: &'a OrderLine) -> Result<Self, MoneyError> {
        let total = line.total()?;
        Ok(Self { line, total })
    }
}

impl PaymentError {
    fn new(event: &OrderPaymentFailed) -> Self {
        Self {
            code: event.code.clone(),
            detail: event.detail.clone(),
            at: event.failed_at,
        }
    }
}
