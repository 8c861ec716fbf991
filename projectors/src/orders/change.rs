//! What an event changes of an order, in the shapes that the API answers with: said once, for the order as it is (`orders`) and
//! for its past (`history`).

use chrono::{DateTime, Utc};
use domain::{
    Event,
    money::{Money, MoneyError},
    order::{OrderEvent, OrderLine, OrderPaymentFailed, OrderPlaced, OrderStatus, Totals},
    payment::{GatewayCode, GatewayDetail, PaymentEvent, PaymentStarted, PaymentStatus},
    shipping::{ShipmentStatus, ShippingEvent},
    text::Text,
};
use serde::{Deserialize, Serialize};
use serde_json::value::{RawValue, to_raw_value};
use uuid::Uuid;

use super::{following::Payment, view::OrderView};
use crate::{payments, shipments};

/// What one event changes; of the order itself, if only its version.
#[derive(Debug, Serialize)]
#[serde(untagged)]
pub(crate) enum Change {
    Order(OrderChange),
    Payment { payment: PaymentChange },
    Shipment { shipment: ShipmentChange },
}

/// Of the order itself. What is none stays as it is.
#[derive(Debug, Default, Serialize)]
pub(crate) struct OrderChange {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) placed: Option<Placed>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) status: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) stuck: Option<bool>,
    /// Some of none where there is none any more.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) last_payment_error: Option<Option<PaymentError>>,
}

/// What is fixed when an order is placed.
#[derive(Debug, Serialize)]
pub(super) struct Placed {
    pub(super) customer_id: Box<str>,
    pub(super) totals: Totals,
    pub(super) lines: Box<RawValue>,
    pub(super) shipping_address: Box<RawValue>,
    pub(super) placed_at: DateTime<Utc>,
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

/// Of a payment: the order shows its newest.
#[derive(Debug, Serialize)]
#[serde(untagged)]
pub(crate) enum PaymentChange {
    /// The order shows it from now on, unless it shows a later attempt.
    Begun {
        /// From 1.
        attempt: i32,
        #[serde(flatten)]
        payment: Payment,
    },
    /// Nothing to the order that shows another one.
    Followed {
        id: Uuid,
        #[serde(skip_serializing_if = "Option::is_none")]
        status: Option<&'static str>,
        #[serde(skip_serializing_if = "Option::is_none")]
        refunded: Option<Money>,
    },
}

/// Of a shipment, which the order shows from when it is `created`; one that was only planned is not shown.
#[derive(Debug, Serialize)]
pub(crate) struct ShipmentChange {
    pub(super) id: Uuid,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) status: Option<&'static str>,
    #[serde(flatten)]
    pub(super) carriage: Option<Carriage>,
}

/// Who takes a shipment, and under which name.
#[derive(Debug, Serialize)]
pub(crate) struct Carriage {
    pub(super) carrier: Option<Text<100>>,
    pub(super) tracking_number: Option<Text<100>>,
}

impl Change {
    pub(crate) fn of(event: &OrderView) -> Result<Self, String> {
        match event {
            OrderView::Order(event) => OrderChange::of(event).map(Self::Order),
            OrderView::Payment(event) => {
                PaymentChange::of(event).map(|payment| Self::Payment { payment })
            }
            OrderView::Shipping(event) => Ok(Self::Shipment {
                shipment: ShipmentChange::of(event),
            }),
            OrderView::Other => Ok(Self::Order(OrderChange::default())),
        }
    }
}

impl OrderChange {
    fn of(event: &OrderEvent) -> Result<Self, String> {
        Ok(match event {
            OrderEvent::Placed(placed) => Self {
                placed: Some(Placed::new(placed)?),
                ..Self::to(OrderStatus::Placed)
            },
            OrderEvent::Confirmed(_) => Self::to(OrderStatus::AwaitingPayment),
            OrderEvent::Rejected(_) => Self::to(OrderStatus::Rejected),
            OrderEvent::Expired(_) => Self::to(OrderStatus::Expired),
            OrderEvent::PaymentPending(_) => Self::to(OrderStatus::PaymentPending),
            OrderEvent::PaymentFailed(failed) => Self {
                last_payment_error: Some(Some(PaymentError::new(failed))),
                ..Self::to(OrderStatus::AwaitingPayment)
            },
            OrderEvent::Paid(_) => Self {
                last_payment_error: Some(None),
                ..Self::to(OrderStatus::Paid)
            },
            OrderEvent::Cancelled(_) => Self::to(OrderStatus::Cancelled),
            OrderEvent::DispatchApproved(_) => Self::to(OrderStatus::Dispatching),
            OrderEvent::Shipped(_) => Self::to(OrderStatus::Shipped),
            OrderEvent::Delivered(_) => Self::to(OrderStatus::Delivered),
            OrderEvent::Completed(_) => Self::to(OrderStatus::Completed),
            OrderEvent::Stuck(_) => Self::attention(true),
            OrderEvent::Resumed(_) => Self::attention(false),
            OrderEvent::InventoryRequested(_)
            | OrderEvent::PaymentKept(_)
            | OrderEvent::DispatchRefused(_)
            | OrderEvent::CaptureRefused(_) => Self::default(),
            // Messages: no events of the order, and never read as such.
            OrderEvent::InventoryCheck(_) | OrderEvent::PaymentRequested(_) => Self::default(),
        })
    }

    fn to(status: OrderStatus) -> Self {
        Self {
            status: Some(status.as_str()),
            ..Self::default()
        }
    }

    /// Whether an operator has to look.
    fn attention(stuck: bool) -> Self {
        Self {
            stuck: Some(stuck),
            ..Self::default()
        }
    }
}

impl Placed {
    fn new(event: &OrderPlaced) -> Result<Self, String> {
        let lines: Result<Vec<_>, _> = event.lines.iter().map(Line::new).collect();
        let lines = lines.map_err(|error| format!("a line's total {error}"))?;
        Ok(Self {
            customer_id: event.customer_id.as_str().into(),
            totals: event.totals,
            lines: raw(&lines),
            shipping_address: raw(&event.personal.data.shipping_address),
            placed_at: event.placed_at,
        })
    }
}

fn raw(value: &impl Serialize) -> Box<RawValue> {
    to_raw_value(value).expect("their maps have string keys")
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

impl PaymentChange {
    fn of(event: &PaymentEvent) -> Result<Self, String> {
        if let PaymentEvent::Started(started) = event {
            return Self::begun(started);
        }
        Ok(Self::Followed {
            id: event.stream().payment_id.as_uuid(),
            status: payments::row::status_after(event).map(PaymentStatus::as_str),
            refunded: if let PaymentEvent::Refunded(refunded) = event {
                Some(refunded.amount)
            } else {
                None
            },
        })
    }

    fn begun(started: &PaymentStarted) -> Result<Self, String> {
        let attempt = i32::try_from(started.attempt);
        Ok(Self::Begun {
            attempt: attempt.map_err(|_| "its attempt is beyond counting".to_owned())?,
            payment: Payment::begun(started),
        })
    }
}

impl ShipmentChange {
    fn of(event: &ShippingEvent) -> Self {
        let carriage = shipments::row::carriage(event);
        Self {
            id: event.shipment_id().as_uuid(),
            status: shipments::row::status_after(event).map(ShipmentStatus::as_str),
            carriage: carriage.map(|(carrier, tracking_number)| Carriage {
                carrier: carrier.clone(),
                tracking_number: tracking_number.clone(),
            }),
        }
    }

    /// Whether the order shows it from now on.
    pub(super) fn begins(&self) -> bool {
        self.status == Some(ShipmentStatus::Created.as_str())
    }
}
