//! What an order's payments and shipments make of its row. All of one order's lie in one partition of their topic, so an offset
//! says which of them the row holds. JSON has the shape that the API answers with.

use std::borrow::Cow;

use domain::{
    money::Money,
    payment::{PaymentStarted, PaymentStatus},
    shipping::ShipmentStatus,
    text::Text,
};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::change::{PaymentChange, ShipmentChange};
use crate::copy::{CopyBuffer, json};

/// How an order is paid: by its newest payment.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Billing {
    pub(super) payment: Option<Payment>,
    /// The payment's, from 1.
    pub(super) attempt: i32,
    /// After the last event of PaymentEvents that is in here.
    pub(super) next_offset: i64,
}

/// A payment.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Payment {
    id: Uuid,
    status: Cow<'static, str>,
    amount: Money,
    refunded: Money,
}

/// What an order sends.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Parcels {
    pub(super) shipments: Vec<Parcel>,
    /// After the last event of ShippingEvents that is in here.
    pub(super) next_offset: i64,
}

/// A shipment.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Parcel {
    id: Uuid,
    status: Cow<'static, str>,
    carrier: Option<Text<100>>,
    tracking_number: Option<Text<100>>,
}

impl Billing {
    /// Answers whether anything has changed.
    pub(super) fn apply(&mut self, change: PaymentChange, offset: i64) -> bool {
        if offset < self.next_offset {
            return false;
        }
        self.next_offset = offset + 1;
        match change {
            PaymentChange::Begun { attempt, .. } if attempt <= self.attempt => false,
            PaymentChange::Begun { attempt, payment } => {
                self.attempt = attempt;
                self.payment = Some(payment);
                true
            }
            PaymentChange::Followed {
                id,
                status,
                refunded,
            } => {
                // What becomes of an older payment is told by GET /v1/payments.
                let Some(payment) = self.payment.as_mut().filter(|payment| payment.id == id) else {
                    return false;
                };
                if let Some(status) = status {
                    payment.status = status.into();
                }
                if let Some(refunded) = refunded {
                    payment.refunded = refunded;
                }
                true
            }
        }
    }

    pub(super) fn copy(&self, to: &mut CopyBuffer) {
        let payment = self.payment.as_ref();
        to.or_null(payment, |to, payment| to.json(&json(payment)));
        to.integer(self.attempt);
        to.bigint(self.next_offset);
    }
}

impl Payment {
    pub(super) fn begun(started: &PaymentStarted) -> Self {
        Self {
            id: started.payment_id.as_uuid(),
            status: PaymentStatus::Pending.as_str().into(),
            amount: started.amount,
            refunded: Money::zero(started.amount.currency()),
        }
    }
}

impl Parcels {
    /// Answers whether anything has changed.
    pub(super) fn apply(&mut self, change: ShipmentChange, offset: i64) -> bool {
        if offset < self.next_offset {
            return false;
        }
        self.next_offset = offset + 1;
        let mut parcels = self.shipments.iter_mut();
        match parcels.find(|parcel| parcel.id == change.id) {
            Some(parcel) => parcel.apply(change),
            None if change.begins() => self.shipments.push(Parcel::created(change.id)),
            // It was planned, and never will be more.
            None => return false,
        }
        true
    }

    pub(super) fn copy(&self, to: &mut CopyBuffer) {
        to.json(&json(&self.shipments));
        to.bigint(self.next_offset);
    }
}

impl Parcel {
    fn created(id: Uuid) -> Self {
        Self {
            id,
            status: ShipmentStatus::Created.as_str().into(),
            carrier: None,
            tracking_number: None,
        }
    }

    fn apply(&mut self, change: ShipmentChange) {
        if let Some(status) = change.status {
            self.status = status.into();
        }
        if let Some(carriage) = change.carriage {
            self.carrier = carriage.carrier;
            self.tracking_number = carriage.tracking_number;
        }
    }
}
