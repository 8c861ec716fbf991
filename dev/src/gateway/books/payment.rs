//! A payment, summed up over its requests.

use serde::Serialize;

use crate::gateway::request::{Currency, Money, OrderId, Outcome, PaymentId};

/// A payment as the books show it; amounts in minor units.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(in crate::gateway) struct Payment {
    payment_id: PaymentId,
    order_id: OrderId,
    currency: Option<Currency>,
    authorised: u64,
    captured: u64,
    refunded: u64,
    /// Something was voided, and nothing is authorised or captured.
    voided: bool,
    /// Different requests that were neither declined nor refused.
    requests: u64,
    /// How often this process has told an outcome in an answer, repeated requests included.
    answers: u64,
    #[serde(skip)]
    live_authorisations: u32,
    #[serde(skip)]
    has_void: bool,
}

impl Payment {
    pub(super) fn of(payment_id: PaymentId, order_id: OrderId) -> Self {
        Self {
            payment_id,
            order_id,
            currency: None,
            authorised: 0,
            captured: 0,
            refunded: 0,
            voided: false,
            requests: 0,
            answers: 0,
            live_authorisations: 0,
            has_void: false,
        }
    }

    /// Takes over what came of a request.
    pub(super) fn take_over(&mut self, outcome: &Outcome) {
        match outcome {
            Outcome::Authorised { amount, .. } => {
                self.currency = Some(amount.currency);
                add(&mut self.authorised, amount);
                self.live_authorisations += 1;
            }
            Outcome::Captured { amount, .. } => add(&mut self.captured, amount),
            Outcome::Refunded { amount, .. } => add(&mut self.refunded, amount),
            Outcome::Voided { .. } => self.has_void = true,
            Outcome::Declined(_) | Outcome::Refused(_) => return,
        }
        self.voided = self.has_void && self.live_authorisations == 0;
        self.requests += 1;
    }

    /// One of its authorisations has been voided.
    pub(super) fn lose_authorisation(&mut self) {
        self.live_authorisations -= 1;
        self.voided = self.has_void && self.live_authorisations == 0;
    }

    pub(super) fn count_answer(&mut self) {
        self.answers += 1;
    }

    pub(super) fn currency(&self) -> Option<Currency> {
        self.currency
    }
}

/// For people and tests to look at, so an absurd sum may stop at the largest number.
fn add(sum: &mut u64, money: &Money) {
    *sum = sum.saturating_add(money.amount.minor_units());
}
