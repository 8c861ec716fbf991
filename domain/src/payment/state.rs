//! What decisions need to know of a payment.

use std::fmt;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{
    event::{PaymentEvent, PaymentStarted, StuckBy},
    gateway::{GatewayRef, GatewayRequest},
};
use crate::money::Money;

/// A payment.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Payment {
    /// There is no such payment yet.
    #[default]
    Nothing,
    /// It was cancelled before it began, and never will.
    NeverToBe,
    /// It was begun.
    Begun(Box<BegunPayment>),
}

/// A payment that was begun.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BegunPayment {
    /// The order's how many-th, from 1.
    pub attempt: u32,
    /// How much.
    pub amount: Money,
    /// The request that asked for the authorisation.
    pub authorisation: Uuid,
    /// When no answer to it is waited for any longer.
    pub give_up_at: DateTime<Utc>,
    /// Whether the order does not want it any more.
    pub is_cancelled: bool,
    /// How far it has come.
    pub stage: PaymentStage,
}

/// The stages of a payment's life.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum PaymentStage {
    /// The gateway was asked to set the money aside.
    Authorising(Asked),
    /// The money is set aside.
    Authorised {
        /// The gateway's name for it.
        gateway_ref: GatewayRef,
    },
    /// The gateway would not set it aside.
    Declined,
    /// The gateway was asked to take the money.
    Capturing(Asked),
    /// The gateway would not hand it over; it is still set aside.
    CaptureRefused {
        /// The gateway's name for it.
        gateway_ref: GatewayRef,
    },
    /// The money was taken.
    Captured {
        /// The gateway's name for it.
        gateway_ref: GatewayRef,
    },
    /// The gateway was asked to let go of the money.
    Voiding(Asked),
    /// It is not set aside any more.
    Voided,
    /// The gateway was asked to give the money back.
    Refunding(Asked),
    /// The money went back.
    Refunded,
}

/// A request to the gateway that no definite answer is known of.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Asked {
    /// Names it.
    pub request_id: Uuid,
    /// What was asked.
    pub request: GatewayRequest,
    /// How often no definite answer was heard.
    pub tries: u32,
    /// When that is looked into.
    pub reconcile_at: Option<DateTime<Utc>>,
    /// What stopped it, where an operator has to look.
    pub stuck: Option<StuckBy>,
}

impl Asked {
    fn new(request_id: Uuid, request: GatewayRequest) -> Self {
        Self {
            request_id,
            request,
            tries: 0,
            reconcile_at: None,
            stuck: None,
        }
    }
}

impl Payment {
    /// The state after one more event.
    #[must_use]
    pub fn evolve(self, event: &PaymentEvent) -> Self {
        match (self, event) {
            (Self::Nothing, PaymentEvent::Started(started)) => {
                Self::Begun(Box::new(BegunPayment::new(started)))
            }
            (Self::Nothing, PaymentEvent::Cancelled(_)) => Self::NeverToBe,
            (Self::Begun(mut payment), event) => {
                payment.apply(event);
                Self::Begun(payment)
            }
            (state @ (Self::Nothing | Self::NeverToBe), _) => state,
        }
    }

    /// When something has to happen if nothing else does before.
    #[must_use]
    pub fn deadline(&self) -> Option<DateTime<Utc>> {
        self.asked()?.reconcile_at
    }

    /// What the gateway was asked and has not answered.
    #[must_use]
    pub fn asked(&self) -> Option<&Asked> {
        match self {
            Self::Begun(payment) => payment.stage.asked(),
            Self::Nothing | Self::NeverToBe => None,
        }
    }

    /// What clients are told; none where it has not begun.
    #[must_use]
    pub const fn status(&self) -> Option<PaymentStatus> {
        let Self::Begun(payment) = self else {
            return None;
        };
        Some(match payment.stage {
            PaymentStage::Authorising(_) => PaymentStatus::Pending,
            PaymentStage::Authorised { .. }
            | PaymentStage::Capturing(_)
            | PaymentStage::CaptureRefused { .. } => PaymentStatus::Authorised,
            PaymentStage::Declined => PaymentStatus::Declined,
            PaymentStage::Captured { .. } | PaymentStage::Refunding(_) => PaymentStatus::Captured,
            PaymentStage::Voiding(_) => PaymentStatus::Voiding,
            PaymentStage::Voided => PaymentStatus::Voided,
            PaymentStage::Refunded => PaymentStatus::Refunded,
        })
    }
}

impl BegunPayment {
    fn new(started: &PaymentStarted) -> Self {
        Self {
            attempt: started.attempt,
            amount: started.amount,
            authorisation: started.request_id,
            give_up_at: started.give_up_at,
            is_cancelled: false,
            stage: PaymentStage::Authorising(Asked::new(started.request_id, started.request())),
        }
    }

    fn apply(&mut self, event: &PaymentEvent) {
        match event {
            PaymentEvent::Authorised(event) => {
                let gateway_ref = event.gateway_ref.clone();
                self.stage = PaymentStage::Authorised { gateway_ref };
            }
            PaymentEvent::Declined(_) => self.stage = PaymentStage::Declined,
            PaymentEvent::CaptureRequested(event) => {
                let asked = Asked::new(event.request_id, event.request());
                self.stage = PaymentStage::Capturing(asked);
            }
            PaymentEvent::Captured(_) => {
                if let Some(gateway_ref) = self.stage.gateway_ref() {
                    self.stage = PaymentStage::Captured { gateway_ref };
                }
            }
            // Where nothing was asked, it is we who refused: what is under way goes on.
            PaymentEvent::CaptureRefused(_) => {
                if let PaymentStage::Capturing(_) = self.stage
                    && let Some(gateway_ref) = self.stage.gateway_ref()
                {
                    self.stage = PaymentStage::CaptureRefused { gateway_ref };
                }
            }
            PaymentEvent::Cancelled(_) => self.is_cancelled = true,
            PaymentEvent::VoidRequested(event) => {
                let asked = Asked::new(event.request_id, event.request());
                self.stage = PaymentStage::Voiding(asked);
            }
            PaymentEvent::Voided(_) => self.stage = PaymentStage::Voided,
            PaymentEvent::RefundRequested(event) => {
                let asked = Asked::new(event.request_id, event.request());
                self.stage = PaymentStage::Refunding(asked);
            }
            PaymentEvent::Refunded(_) => self.stage = PaymentStage::Refunded,
            PaymentEvent::Unresolved(event) => {
                self.ask(|asked| {
                    asked.tries = event.tries;
                    asked.reconcile_at = Some(event.reconcile_at);
                });
            }
            PaymentEvent::Reconciling(_) => self.ask(|asked| {
                asked.reconcile_at = None;
                asked.stuck = None;
            }),
            PaymentEvent::Stuck(event) => self.ask(|asked| {
                asked.tries = 0;
                asked.reconcile_at = None;
                asked.stuck = Some(event.by);
            }),
            // A message changes nothing here, and nothing begins twice.
            PaymentEvent::Requested(_) | PaymentEvent::Started(_) => {}
        }
    }

    fn ask(&mut self, change: impl FnOnce(&mut Asked)) {
        match &mut self.stage {
            PaymentStage::Authorising(asked)
            | PaymentStage::Capturing(asked)
            | PaymentStage::Voiding(asked)
            | PaymentStage::Refunding(asked) => change(asked),
            PaymentStage::Authorised { .. }
            | PaymentStage::Declined
            | PaymentStage::CaptureRefused { .. }
            | PaymentStage::Captured { .. }
            | PaymentStage::Voided
            | PaymentStage::Refunded => {}
        }
    }
}

impl PaymentStage {
    /// What the gateway was asked and has not answered.
    #[must_use]
    pub const fn asked(&self) -> Option<&Asked> {
        match self {
            Self::Authorising(asked)
            | Self::Capturing(asked)
            | Self::Voiding(asked)
            | Self::Refunding(asked) => Some(asked),
            Self::Authorised { .. }
            | Self::Declined
            | Self::CaptureRefused { .. }
            | Self::Captured { .. }
            | Self::Voided
            | Self::Refunded => None,
        }
    }

    /// The gateway's name for what is set aside or was taken.
    #[must_use]
    pub fn gateway_ref(&self) -> Option<GatewayRef> {
        match self {
            Self::Authorised { gateway_ref }
            | Self::CaptureRefused { gateway_ref }
            | Self::Captured { gateway_ref } => Some(gateway_ref.clone()),
            Self::Capturing(asked) | Self::Refunding(asked) => match &asked.request {
                GatewayRequest::Capture { gateway_ref, .. }
                | GatewayRequest::Refund { gateway_ref, .. } => Some(gateway_ref.clone()),
                GatewayRequest::Authorise { .. } | GatewayRequest::Void { .. } => None,
            },
            Self::Authorising(_)
            | Self::Declined
            | Self::Voiding(_)
            | Self::Voided
            | Self::Refunded => None,
        }
    }
}

/// A payment's status, as clients know it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum PaymentStatus {
    /// Nobody knows yet.
    Pending,
    /// The money is set aside.
    Authorised,
    /// It will not be.
    Declined,
    /// The money was taken.
    Captured,
    /// The money is being let go of.
    Voiding,
    /// It is not set aside any more.
    Voided,
    /// It went back.
    Refunded,
}

impl PaymentStatus {
    /// As it is spelled in JSON and SQL.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Authorised => "authorised",
            Self::Declined => "declined",
            Self::Captured => "captured",
            Self::Voiding => "voiding",
            Self::Voided => "voided",
            Self::Refunded => "refunded",
        }
    }
}

impl fmt::Display for PaymentStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
