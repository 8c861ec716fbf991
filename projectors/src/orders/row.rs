//! What an order's events make of its row. JSON columns have the shape that the API answers with.

use std::borrow::Cow;

use chrono::{DateTime, Utc};
use domain::{
    money::{Money, MoneyError},
    order::{OrderEvent, OrderLine, OrderPaid, OrderPlaced, OrderRefunded, OrderStatus},
};
use event_store::Recorded;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::copy::{CopyBuffer, json};

const COLUMNS: i16 = 15;
/// The gateway and its captures come with the payment service; until then paying is one step.
const AUTHORISED: &str = "authorised";
const REFUNDED: &str = "refunded";

/// An order.
#[derive(Debug)]
pub struct OrderRow {
    /// None where the row was loaded: no later event changes it.
    pub(super) placed: Option<Placed>,
    pub(super) journey: Journey,
}

/// What is fixed when an order is placed.
#[derive(Debug)]
pub(super) struct Placed {
    customer_id: Box<str>,
    items: Money,
    total: Money,
    lines: Box<str>,
    shipping_address: Box<str>,
    placed_at: DateTime<Utc>,
}

/// What later events change.
#[derive(Debug, PartialEq)]
pub(super) struct Journey {
    pub(super) status: Cow<'static, str>,
    /// Whether an operator has to look.
    pub(super) stuck: bool,
    pub(super) version: i32,
    pub(super) payment: Option<Payment>,
    pub(super) updated_at: DateTime<Utc>,
}

/// How an order was paid.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Payment {
    id: Uuid,
    status: Cow<'static, str>,
    amount: Money,
    refunded: Money,
}

/// A line as the API shows it.
#[derive(Serialize)]
struct Line<'a> {
    #[serde(flatten)]
    line: &'a OrderLine,
    total: Money,
}

/// The row of a stream's first event.
pub(super) fn begin(event: &Recorded<OrderEvent>) -> Result<Option<OrderRow>, String> {
    let OrderEvent::Placed(placed) = &event.event else {
        return Ok(None);
    };
    Ok(Some(OrderRow {
        placed: Some(Placed::new(placed)?),
        journey: Journey {
            status: OrderStatus::Placed.as_str().into(),
            stuck: false,
            version: 1,
            payment: None,
            updated_at: placed.placed_at,
        },
    }))
}

/// The journey's next step.
pub(super) fn apply(journey: &mut Journey, event: &Recorded<OrderEvent>) -> Result<(), String> {
    let version = event.metadata.stream_version;
    if u32::try_from(journey.version + 1) != Ok(version) {
        return Err(format!(
            "it is version {version}, where the row holds version {}",
            journey.version
        ));
    }
    journey.version += 1;
    journey.follow(event)
}

impl Journey {
    fn follow(&mut self, event: &Recorded<OrderEvent>) -> Result<(), String> {
        match &event.event {
            OrderEvent::Placed(_) => return Err("the order is placed already".to_owned()),
            OrderEvent::InventoryCheck(_) => {
                return Err("it is a message, and no event of the order".to_owned());
            }
            OrderEvent::InventoryRequested(_) => self.updated_at = event.metadata.time,
            OrderEvent::PaymentKept(kept) => self.updated_at = kept.kept_at,
            OrderEvent::Confirmed(confirmed) => {
                self.enter(OrderStatus::AwaitingPayment, confirmed.confirmed_at);
            }
            OrderEvent::Rejected(rejected) => {
                self.enter(OrderStatus::Rejected, rejected.rejected_at);
            }
            OrderEvent::Expired(expired) => self.enter(OrderStatus::Expired, expired.expired_at),
            OrderEvent::Paid(paid) => {
                self.payment = Some(Payment::authorised(paid));
                self.enter(OrderStatus::Paid, paid.paid_at);
            }
            OrderEvent::Cancelled(cancelled) => {
                self.enter(OrderStatus::Cancelled, cancelled.cancelled_at);
            }
            OrderEvent::Refunded(refunded) => {
                let payment = self.payment.as_mut();
                payment
                    .ok_or("there is no payment to refund")?
                    .refund(refunded)?;
                self.updated_at = refunded.refunded_at;
            }
            OrderEvent::Stuck(stuck) => {
                self.stuck = true;
                self.updated_at = stuck.stuck_at;
            }
            OrderEvent::Resumed(resumed) => {
                self.stuck = false;
                self.updated_at = resumed.resumed_at;
            }
        }
        Ok(())
    }

    fn enter(&mut self, status: OrderStatus, at: DateTime<Utc>) {
        self.status = status.as_str().into();
        self.updated_at = at;
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

impl Payment {
    fn authorised(event: &OrderPaid) -> Self {
        Self {
            id: event.payment_id.as_uuid(),
            status: AUTHORISED.into(),
            amount: event.amount,
            refunded: Money::zero(event.amount.currency()),
        }
    }

    fn refund(&mut self, event: &OrderRefunded) -> Result<(), String> {
        if self.id != event.payment_id.as_uuid() {
            return Err(format!(
                "it refunds payment {}, where the order has {}",
                event.payment_id, self.id
            ));
        }
        let refunded = self.refunded.checked_add(event.amount);
        self.refunded = refunded.map_err(|error| error.to_string())?;
        self.status = REFUNDED.into();
        Ok(())
    }
}

impl OrderRow {
    pub(super) fn copy(&self, id: Uuid, to: &mut CopyBuffer) {
        let placed = self
            .placed
            .as_ref()
            .expect("only rows that were begun are copied");
        let journey = &self.journey;
        to.row(COLUMNS);
        to.uuid(id);
        to.text(&placed.customer_id);
        to.text(&journey.status);
        to.boolean(journey.stuck);
        to.integer(journey.version);
        to.text(placed.total.currency().as_str());
        to.bigint(placed.items.amount());
        to.bigint(placed.total.amount());
        to.json(&placed.lines);
        match &journey.payment {
            Some(payment) => to.json(&json(payment)),
            None => to.null(),
        }
        to.null();
        to.json("[]");
        to.json(&placed.shipping_address);
        to.timestamp(placed.placed_at);
        to.timestamp(journey.updated_at);
    }
}
