//! What an event has changed of an order, as `history` holds it, and the fold of such changes.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::value::to_raw_value;
use sqlx::types::Json;
use uuid::Uuid;

use crate::{
    json::{self, Money, Unparsed},
    orders::shape::{Order, Payment, PaymentError, Shipment},
};

/// The status with which a shipment begins to be shown; one that was only planned is not.
const CREATED: &str = "created";

/// What one event has changed. What is none stayed as it was.
#[derive(Debug, Deserialize)]
pub(super) struct Change {
    placed: Option<Placed>,
    status: Option<String>,
    stuck: Option<bool>,
    #[serde(default, deserialize_with = "present")]
    last_payment_error: Option<Option<PaymentError>>,
    payment: Option<PaymentChange>,
    shipment: Option<ShipmentChange>,
}

/// What is fixed when an order is placed.
#[derive(Debug, Clone, Deserialize)]
struct Placed {
    customer_id: String,
    lines: Unparsed,
    totals: Unparsed,
    shipping_address: Unparsed,
    #[serde(deserialize_with = "json::time")]
    placed_at: DateTime<Utc>,
}

#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum PaymentChange {
    Begun {
        attempt: i32,
        #[serde(flatten)]
        payment: Payment,
    },
    Followed {
        id: Uuid,
        status: Option<String>,
        refunded: Option<Money>,
    },
}

#[derive(Debug, Deserialize)]
struct ShipmentChange {
    id: Uuid,
    status: Option<String>,
    #[serde(default, deserialize_with = "present")]
    carrier: Option<Option<String>>,
    #[serde(default, deserialize_with = "present")]
    tracking_number: Option<Option<String>>,
}

impl Change {
    /// Whether the order is shown from now on.
    pub(super) fn places(&self) -> bool {
        self.placed.is_some()
    }
}

/// Tells a null, which is some, from what is not there.
fn present<'de, T: Deserialize<'de>, D: Deserializer<'de>>(
    value: D,
) -> Result<Option<T>, D::Error> {
    T::deserialize(value).map(Some)
}

/// An order after some of its changes; the same as what the projection `orders` makes of the events.
#[derive(Default)]
pub(super) struct Folded {
    placed: Option<Placed>,
    status: String,
    stuck: bool,
    version: i32,
    last_payment_error: Option<PaymentError>,
    payment: Option<Payment>,
    attempt: i32,
    shipments: Vec<Shipment>,
    updated_at: DateTime<Utc>,
    payment_next_offset: i64,
    shipping_next_offset: i64,
}

impl Folded {
    /// Takes what a version of the order has changed.
    pub(super) fn follow(&mut self, version: i32, time: DateTime<Utc>, change: &Change) {
        self.version = version;
        self.updated_at = self.updated_at.max(time);
        if let Some(placed) = &change.placed {
            self.placed = Some(placed.clone());
        }
        if let Some(status) = &change.status {
            self.status.clone_from(status);
        }
        if let Some(stuck) = change.stuck {
            self.stuck = stuck;
        }
        if let Some(error) = &change.last_payment_error {
            self.last_payment_error.clone_from(error);
        }
    }

    /// Takes what an event of a payment or a shipment has changed.
    pub(super) fn follow_other(&mut self, position: i64, time: DateTime<Utc>, change: &Change) {
        let mut has_changed = false;
        if let Some(payment) = &change.payment {
            self.payment_next_offset = position + 1;
            has_changed |= self.pay(payment);
        }
        if let Some(shipment) = &change.shipment {
            self.shipping_next_offset = position + 1;
            has_changed |= self.send(shipment);
        }
        if has_changed {
            self.updated_at = self.updated_at.max(time);
        }
    }

    /// Answers whether the order shows the payment: its newest.
    fn pay(&mut self, change: &PaymentChange) -> bool {
        match change {
            PaymentChange::Begun { attempt, .. } if *attempt <= self.attempt => false,
            PaymentChange::Begun { attempt, payment } => {
                self.attempt = *attempt;
                self.payment = Some(payment.clone());
                true
            }
            PaymentChange::Followed {
                id,
                status,
                refunded,
            } => {
                let Some(payment) = self.payment.as_mut().filter(|payment| payment.id == *id)
                else {
                    return false;
                };
                if let Some(status) = status {
                    payment.status.clone_from(status);
                }
                if let Some(refunded) = refunded {
                    payment.refunded.clone_from(refunded);
                }
                true
            }
        }
    }

    /// Answers whether the order shows the shipment.
    fn send(&mut self, change: &ShipmentChange) -> bool {
        let shown = self
            .shipments
            .iter()
            .position(|shown| shown.id == change.id);
        let index = match shown {
            Some(index) => index,
            None if change.status.as_deref() == Some(CREATED) => {
                self.shipments.push(Shipment {
                    id: change.id,
                    status: CREATED.to_owned(),
                    carrier: None,
                    tracking_number: None,
                });
                self.shipments.len() - 1
            }
            None => return false,
        };
        let shipment = &mut self.shipments[index];
        if let Some(status) = &change.status {
            shipment.status.clone_from(status);
        }
        if let Some(carrier) = &change.carrier {
            shipment.carrier.clone_from(carrier);
        }
        if let Some(tracking_number) = &change.tracking_number {
            shipment.tracking_number.clone_from(tracking_number);
        }
        true
    }

    /// As the API shows it; none where it is not placed.
    pub(super) fn into_order(self, id: Uuid) -> Option<Order> {
        let placed = self.placed?;
        Some(Order {
            id,
            customer_id: placed.customer_id,
            status: self.status,
            stuck: self.stuck,
            version: self.version,
            lines: placed.lines,
            totals: placed.totals,
            payment: self.payment.as_ref().map(unparsed),
            last_payment_error: self.last_payment_error.map(Json),
            shipments: unparsed(&self.shipments),
            shipping_address: placed.shipping_address,
            placed_at: placed.placed_at,
            updated_at: self.updated_at,
            payment_next_offset: self.payment_next_offset,
            shipping_next_offset: self.shipping_next_offset,
        })
    }
}

fn unparsed(value: &impl Serialize) -> Unparsed {
    Json(to_raw_value(value).expect("it has string keys"))
}
