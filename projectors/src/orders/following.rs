//! What an order's payments and shipments make of its row. All of one order's lie in one partition of their topic, so an offset
//! says which of them the row holds. JSON has the shape that the API answers with.

use std::borrow::Cow;

use domain::{
    Event,
    money::Money,
    payment::{PaymentEvent, PaymentStarted, PaymentStatus},
    shipping::{ShipmentStatus, ShippingEvent},
    text::Text,
};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::{
    copy::{CopyBuffer, json},
    payments, shipments,
};

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
pub(super) struct Payment {
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
    pub(super) fn apply(&mut self, event: &PaymentEvent, offset: i64) -> Result<bool, String> {
        if offset < self.next_offset {
            return Ok(false);
        }
        self.next_offset = offset + 1;
        if let PaymentEvent::Started(started) = event {
            return self.begin(started);
        }
        let id = event.stream().payment_id.as_uuid();
        // What becomes of an older payment is told by GET /v1/payments.
        let Some(payment) = self.payment.as_mut().filter(|payment| payment.id == id) else {
            return Ok(false);
        };
        if let Some(status) = payments::row::status_after(event) {
            payment.status = status.as_str().into();
        }
        if let PaymentEvent::Refunded(refunded) = event {
            payment.refunded = refunded.amount;
        }
        Ok(true)
    }

    fn begin(&mut self, started: &PaymentStarted) -> Result<bool, String> {
        let attempt = i32::try_from(started.attempt)
            .map_err(|_| "its attempt is beyond counting".to_owned())?;
        if attempt <= self.attempt {
            return Ok(false);
        }
        self.attempt = attempt;
        self.payment = Some(Payment {
            id: started.payment_id.as_uuid(),
            status: PaymentStatus::Pending.as_str().into(),
            amount: started.amount,
            refunded: Money::zero(started.amount.currency()),
        });
        Ok(true)
    }

    pub(super) fn copy(&self, to: &mut CopyBuffer) {
        let payment = self.payment.as_ref();
        to.or_null(payment, |to, payment| to.json(&json(payment)));
        to.integer(self.attempt);
        to.bigint(self.next_offset);
    }
}

impl Parcels {
    /// Answers whether anything has changed.
    pub(super) fn apply(&mut self, event: &ShippingEvent, offset: i64) -> bool {
        if offset < self.next_offset {
            return false;
        }
        self.next_offset = offset + 1;
        let id = event.shipment_id().as_uuid();
        let parcel = self.shipments.iter_mut().find(|parcel| parcel.id == id);
        match (parcel, event) {
            (None, ShippingEvent::Created(_)) => self.shipments.push(Parcel::created(id)),
            (Some(parcel), event) => parcel.apply(event),
            // It was planned, and never will be more.
            (None, _) => return false,
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

    fn apply(&mut self, event: &ShippingEvent) {
        if let Some(status) = shipments::row::status_after(event) {
            self.status = status.as_str().into();
        }
        if let Some((carrier, tracking_number)) = shipments::row::carriage(event) {
            self.carrier.clone_from(carrier);
            self.tracking_number.clone_from(tracking_number);
        }
    }
}
