//! What a payment's events make of its row.

use std::borrow::Cow;

use chrono::{DateTime, Utc};
use domain::{
    Event, ReadEvent,
    payment::{GatewayCode, GatewayDetail, PaymentEvent, PaymentStarted, PaymentStatus},
};
use event_store::Recorded;
use serde::{Deserialize, Deserializer, Serialize};
use uuid::Uuid;

use crate::{
    copy::{CopyBuffer, json},
    projection::{storable_time, stream_version},
};

const COLUMNS: i16 = 12;

/// What payments are made of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PaymentView {
    /// An event of a payment.
    Payment(PaymentEvent),
    /// Something else, which changes no payment: what asks for one belongs to its order.
    Other,
}

impl ReadEvent for PaymentView {
    fn deserialize<'de, D: Deserializer<'de>>(
        name: &str,
        version: u16,
        payload: D,
    ) -> Result<Self, D::Error> {
        match name {
            "PaymentStarted"
            | "PaymentAuthorised"
            | "PaymentDeclined"
            | "PaymentCaptureRequested"
            | "PaymentCaptured"
            | "PaymentCaptureRefused"
            | "PaymentCancelled"
            | "PaymentVoidRequested"
            | "PaymentVoided"
            | "PaymentRefundRequested"
            | "PaymentRefunded"
            | "PaymentUnresolved"
            | "PaymentReconciling"
            | "PaymentStuck" => {
                PaymentEvent::deserialize(name, version, payload).map(Self::Payment)
            }
            _ => Ok(Self::Other),
        }
    }
}

impl PaymentView {
    /// The payment that it changes.
    pub(super) fn payment_id(&self) -> Option<Uuid> {
        match self {
            Self::Payment(event) => Some(event.stream().payment_id.as_uuid()),
            Self::Other => None,
        }
    }

    /// The order that this pays for.
    pub(super) fn order_id(&self) -> Option<Uuid> {
        match self {
            Self::Payment(event) => Some(event.stream().order_id.as_uuid()),
            Self::Other => None,
        }
    }
}

/// Where a payment stands after the event; none where that changes nothing that is shown. A capture or a refund that is asked
/// for is none yet.
pub(crate) fn status_after(event: &PaymentEvent) -> Option<PaymentStatus> {
    match event {
        PaymentEvent::Started(_) => Some(PaymentStatus::Pending),
        PaymentEvent::Authorised(_) => Some(PaymentStatus::Authorised),
        PaymentEvent::Declined(_) => Some(PaymentStatus::Declined),
        PaymentEvent::Captured(_) => Some(PaymentStatus::Captured),
        PaymentEvent::VoidRequested(_) => Some(PaymentStatus::Voiding),
        PaymentEvent::Voided(_) => Some(PaymentStatus::Voided),
        PaymentEvent::Refunded(_) => Some(PaymentStatus::Refunded),
        PaymentEvent::Requested(_)
        | PaymentEvent::CaptureRequested(_)
        | PaymentEvent::CaptureRefused(_)
        | PaymentEvent::Cancelled(_)
        | PaymentEvent::RefundRequested(_)
        | PaymentEvent::Unresolved(_)
        | PaymentEvent::Reconciling(_)
        | PaymentEvent::Stuck(_) => None,
    }
}

/// A payment.
#[derive(Debug, Default)]
pub struct PaymentRow {
    /// Of the stream, at the last event that counts here.
    pub(super) version: i32,
    /// None where it has not begun.
    pub(super) begun: Option<Begun>,
    pub(super) updated_at: DateTime<Utc>,
}

/// A payment that has begun.
#[derive(Debug)]
pub(super) struct Begun {
    pub(super) order_id: Uuid,
    pub(super) attempt: i32,
    pub(super) status: Cow<'static, str>,
    pub(super) currency: Box<str>,
    pub(super) amount: i64,
    pub(super) captured: i64,
    pub(super) refunded: i64,
    pub(super) error: Option<PaymentError>,
    pub(super) created_at: DateTime<Utc>,
}

/// Why the gateway would not, as the API shows it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct PaymentError {
    code: GatewayCode,
    detail: GatewayDetail,
}

impl PaymentRow {
    /// What the row holds already changes nothing.
    pub(super) fn apply(&mut self, event: &Recorded<PaymentView>) -> Result<(), String> {
        let version = stream_version(event)?;
        if version <= self.version {
            return Ok(());
        }
        self.version = version;
        self.updated_at = event.metadata.time;
        match (&event.event, &mut self.begun) {
            (PaymentView::Payment(PaymentEvent::Started(started)), None) => {
                self.begun = Some(Begun::new(started)?);
            }
            (PaymentView::Payment(event), Some(begun)) => begun.apply(event),
            // Cancelled, it never begins.
            (PaymentView::Payment(_), None) | (PaymentView::Other, _) => {}
        }
        Ok(())
    }

    pub(super) fn copy(&self, id: Uuid, to: &mut CopyBuffer) {
        to.row(COLUMNS);
        to.uuid(id);
        to.integer(self.version);
        match &self.begun {
            Some(begun) => {
                to.uuid(begun.order_id);
                to.integer(begun.attempt);
                to.text(&begun.status);
                to.text(&begun.currency);
                to.bigint(begun.amount);
                to.bigint(begun.captured);
                to.bigint(begun.refunded);
                to.or_null(begun.error.as_ref(), |to, error| to.json(&json(error)));
                to.timestamp(begun.created_at);
            }
            None => (0..9).for_each(|_| to.null()),
        }
        to.timestamp(self.updated_at);
    }
}

impl Begun {
    fn new(event: &PaymentStarted) -> Result<Self, String> {
        let attempt = i32::try_from(event.attempt);
        Ok(Self {
            order_id: event.order_id.as_uuid(),
            attempt: attempt.map_err(|_| "its attempt is beyond counting".to_owned())?,
            status: PaymentStatus::Pending.as_str().into(),
            currency: event.amount.currency().as_str().into(),
            amount: event.amount.amount(),
            captured: 0,
            refunded: 0,
            error: None,
            created_at: storable_time("started_at", event.started_at)?,
        })
    }

    fn apply(&mut self, event: &PaymentEvent) {
        if let Some(status) = status_after(event) {
            self.status = status.as_str().into();
        }
        match event {
            PaymentEvent::Declined(declined) => {
                self.error = Some(PaymentError {
                    code: declined.code.clone(),
                    detail: declined.detail.clone(),
                });
            }
            PaymentEvent::CaptureRefused(refused) => {
                self.error = Some(PaymentError {
                    code: refused.code.clone(),
                    detail: refused.detail.clone(),
                });
            }
            PaymentEvent::Captured(captured) => {
                self.captured = captured.amount.amount();
                self.error = None;
            }
            PaymentEvent::Refunded(refunded) => self.refunded = refunded.amount.amount(),
            PaymentEvent::Requested(_)
            | PaymentEvent::Started(_)
            | PaymentEvent::Authorised(_)
            | PaymentEvent::CaptureRequested(_)
            | PaymentEvent::Cancelled(_)
            | PaymentEvent::VoidRequested(_)
            | PaymentEvent::Voided(_)
            | PaymentEvent::RefundRequested(_)
            | PaymentEvent::Unresolved(_)
            | PaymentEvent::Reconciling(_)
            | PaymentEvent::Stuck(_) => {}
        }
    }
}
