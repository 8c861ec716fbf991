//! What the gateway knows, and what it makes of a request: pure, and the same again after a restart.
//!
//! `receive` decides, `apply` takes an outcome over; nothing else changes what is known of money. Invariants: a request
//! id has one outcome; no more is captured than was authorised, and no more given back than was captured.

mod payment;

use std::collections::{BTreeMap, HashMap};

use super::request::{
    Code, Money, Outcome, PaymentId, Record, Reference, Request, RequestId, Work,
};
use super::token::Token;
pub(super) use payment::Payment;

/// How often a request of `tok_flaky` fails before it is taken.
const FLAKY_FAILURES: u8 = 2;
/// A simulation keeps everything in memory, so there has to be an end.
const MAX_RECORDS: usize = 1_000_000;

/// Everything that the gateway knows.
#[derive(Debug, Default)]
pub(super) struct Books {
    records: HashMap<RequestId, Record>,
    /// By the request that asked for it, since a void may come before it.
    authorisations: HashMap<RequestId, Authorisation>,
    references: HashMap<Reference, RequestId>,
    payments: BTreeMap<PaymentId, Payment>,
    failures: HashMap<RequestId, u8>,
}

/// An authorisation's stages; one that was declined has none.
#[derive(Debug)]
enum Authorisation {
    /// The void came first: when the authorisation arrives, it is declined.
    VoidedAhead,
    Open {
        payment_id: PaymentId,
        money: Money,
        token: Token,
        capture_refused: bool,
    },
    Voided {
        payment_id: PaymentId,
    },
    Captured {
        payment_id: PaymentId,
        captured: Money,
        token: Token,
        refunded_minor_units: u64,
    },
}

/// How a request is met.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Reception {
    /// It has been asked before.
    Known(Record),
    /// This comes of it, once it is recorded.
    New(Outcome),
    /// It fails this time, and nothing has happened.
    Fails,
}

/// Why a request has no outcome.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum Unacceptable {
    #[error("the request id has been used for another request")]
    KeyReused,
    #[error("the simulated gateway keeps at most {MAX_RECORDS} requests")]
    Full,
}

/// When an outcome is answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Answered {
    AtOnce,
    Late,
    Never,
}

impl Books {
    /// Decides a request. `reference` names the authorisation, where there comes to be one.
    pub(super) fn receive(
        &mut self,
        request: &Request,
        reference: Reference,
    ) -> Result<Reception, Unacceptable> {
        if let Some(record) = self.records.get(&request.request_id) {
            return match record.request == *request {
                true => Ok(Reception::Known(record.clone())),
                false => Err(Unacceptable::KeyReused),
            };
        }
        if self.records.len() + self.failures.len() >= MAX_RECORDS {
            return Err(Unacceptable::Full);
        }
        if self.fails(request) {
            return Ok(Reception::Fails);
        }
        Ok(Reception::New(self.decide(request, reference)))
    }

    /// Takes over what came of a request.
    pub(super) fn apply(&mut self, record: Record) {
        let Request {
            request_id,
            payment_id,
            order_id,
            work,
        } = record.request.clone();
        self.failures.remove(&request_id);
        let payment = self.payments.entry(payment_id.clone());
        let payment = payment.or_insert_with(|| Payment::of(payment_id.clone(), order_id));
        payment.take_over(&record.outcome);
        match &record.outcome {
            Outcome::Authorised { reference, amount } => {
                self.references
                    .insert(reference.clone(), request_id.clone());
                let open = Authorisation::Open {
                    payment_id,
                    money: *amount,
                    token: token(&work),
                    capture_refused: false,
                };
                self.authorisations.insert(request_id.clone(), open);
            }
            Outcome::Captured { reference, amount } => self.capture(reference, *amount),
            Outcome::Voided { authorisation } => self.void(authorisation),
            Outcome::Refunded { reference, amount } => self.refund(reference, *amount),
            Outcome::Refused(reason) => {
                if let (Code::CaptureRefused, Work::Capture { reference, .. }) =
                    (reason.code, &work)
                {
                    self.refuse_capture(reference);
                }
            }
            Outcome::Declined(_) => {}
        }
        self.records.insert(request_id, record);
    }

    /// What has been recorded for a request.
    pub(super) fn record(&self, request_id: &RequestId) -> Option<&Record> {
        self.records.get(request_id)
    }

    /// Every payment, by id.
    pub(super) fn payments(&self) -> Vec<Payment> {
        self.payments.values().cloned().collect()
    }

    /// When a recorded outcome is answered: the same for every repetition.
    pub(super) fn answered(&self, record: &Record) -> Answered {
        let authorised_with = token(&record.request.work);
        if authorised_with == Token::Timeout {
            return Answered::Never;
        }
        if authorised_with == Token::Slow {
            return Answered::Late;
        }
        if let Outcome::Captured { reference, .. } = &record.outcome
            && let Some(Authorisation::Captured { token, .. }) = self.authorisation(reference)
            && *token == Token::CaptureTimeout
        {
            return Answered::Never;
        }
        Answered::AtOnce
    }

    /// Whether there is a webhook for it.
    pub(super) fn is_reported(record: &Record) -> bool {
        token(&record.request.work) != Token::Timeout
    }

    /// Counts an answer.
    pub(super) fn count_answer(&mut self, payment_id: &PaymentId) {
        if let Some(payment) = self.payments.get_mut(payment_id) {
            payment.count_answer();
        }
    }

    fn fails(&mut self, request: &Request) -> bool {
        if token(&request.work) != Token::Flaky {
            return false;
        }
        let failures = self.failures.entry(request.request_id.clone()).or_default();
        if *failures == FLAKY_FAILURES {
            return false;
        }
        *failures += 1;
        true
    }

    fn decide(&self, request: &Request, reference: Reference) -> Outcome {
        let payment_id = &request.payment_id;
        match &request.work {
            Work::Authorise { amount, .. } => match self.refuses_authorisation(request, amount) {
                Some(code) => Outcome::Declined(code.into()),
                None => Outcome::Authorised {
                    reference,
                    amount: *amount,
                },
            },
            Work::Capture { reference, amount } => {
                match self.refuses_capture(payment_id, reference, amount) {
                    Some(code) => Outcome::Refused(code.into()),
                    None => Outcome::Captured {
                        reference: reference.clone(),
                        amount: *amount,
                    },
                }
            }
            Work::Void { authorisation } => match self.refuses_void(payment_id, authorisation) {
                Some(code) => Outcome::Refused(code.into()),
                None => Outcome::Voided {
                    authorisation: authorisation.clone(),
                },
            },
            Work::Refund { reference, amount } => {
                match self.refuses_refund(payment_id, reference, amount) {
                    Some(code) => Outcome::Refused(code.into()),
                    None => Outcome::Refunded {
                        reference: reference.clone(),
                        amount: *amount,
                    },
                }
            }
        }
    }

    fn refuses_authorisation(&self, request: &Request, money: &Money) -> Option<Code> {
        if self.authorisations.contains_key(&request.request_id) {
            return Some(Code::Voided);
        }
        if let Token::Refusing(code) = token(&request.work) {
            return Some(code);
        }
        let payment = self.payments.get(&request.payment_id);
        let currency = payment.and_then(Payment::currency);
        let is_other = currency.is_some_and(|currency| currency != money.currency);
        is_other.then_some(Code::CurrencyMismatch)
    }

    fn refuses_capture(
        &self,
        payment: &PaymentId,
        reference: &Reference,
        wanted: &Money,
    ) -> Option<Code> {
        match self.authorisation(reference) {
            Some(Authorisation::Open {
                payment_id,
                money,
                token,
                capture_refused,
            }) if payment_id == payment => {
                if money.currency != wanted.currency {
                    Some(Code::CurrencyMismatch)
                } else if wanted.amount > money.amount {
                    Some(Code::AmountTooLarge)
                } else {
                    let refuses = *token == Token::CaptureRefused && !capture_refused;
                    refuses.then_some(Code::CaptureRefused)
                }
            }
            Some(Authorisation::Voided { payment_id }) if payment_id == payment => {
                Some(Code::Voided)
            }
            Some(Authorisation::Captured { payment_id, .. }) if payment_id == payment => {
                Some(Code::AlreadyCaptured)
            }
            Some(_) | None => Some(Code::UnknownReference),
        }
    }

    fn refuses_void(&self, payment: &PaymentId, authorisation: &RequestId) -> Option<Code> {
        match self.authorisations.get(authorisation)? {
            Authorisation::VoidedAhead => None,
            Authorisation::Open { payment_id, .. } | Authorisation::Voided { payment_id } => {
                (payment_id != payment).then_some(Code::UnknownReference)
            }
            Authorisation::Captured { .. } => Some(Code::AlreadyCaptured),
        }
    }

    fn refuses_refund(
        &self,
        payment: &PaymentId,
        reference: &Reference,
        wanted: &Money,
    ) -> Option<Code> {
        match self.authorisation(reference) {
            Some(Authorisation::Captured {
                payment_id,
                captured,
                refunded_minor_units,
                ..
            }) if payment_id == payment => {
                let left = captured.amount.minor_units() - refunded_minor_units;
                if captured.currency != wanted.currency {
                    Some(Code::CurrencyMismatch)
                } else {
                    (wanted.amount.minor_units() > left).then_some(Code::AmountTooLarge)
                }
            }
            Some(Authorisation::Open { payment_id, .. } | Authorisation::Voided { payment_id })
                if payment_id == payment =>
            {
                Some(Code::NotCaptured)
            }
            Some(_) | None => Some(Code::UnknownReference),
        }
    }

    fn authorisation(&self, reference: &Reference) -> Option<&Authorisation> {
        self.authorisations.get(self.references.get(reference)?)
    }

    fn authorisation_mut(&mut self, reference: &Reference) -> Option<&mut Authorisation> {
        self.authorisations.get_mut(self.references.get(reference)?)
    }

    fn capture(&mut self, reference: &Reference, captured: Money) {
        let Some(authorisation) = self.authorisation_mut(reference) else {
            return;
        };
        if let Authorisation::Open {
            payment_id, token, ..
        } = authorisation
        {
            *authorisation = Authorisation::Captured {
                payment_id: payment_id.clone(),
                captured,
                token: *token,
                refunded_minor_units: 0,
            };
        }
    }

    fn refuse_capture(&mut self, reference: &Reference) {
        if let Some(Authorisation::Open {
            capture_refused, ..
        }) = self.authorisation_mut(reference)
        {
            *capture_refused = true;
        }
    }

    fn refund(&mut self, reference: &Reference, money: Money) {
        if let Some(Authorisation::Captured {
            refunded_minor_units,
            ..
        }) = self.authorisation_mut(reference)
        {
            *refunded_minor_units += money.amount.minor_units();
        }
    }

    fn void(&mut self, authorisation: &RequestId) {
        // Declined already: there is nothing that could still arrive.
        if self.records.contains_key(authorisation)
            && !self.authorisations.contains_key(authorisation)
        {
            return;
        }
        let stage = self.authorisations.entry(authorisation.clone());
        let stage = stage.or_insert(Authorisation::VoidedAhead);
        if let Authorisation::Open { payment_id, .. } = stage {
            if let Some(payment) = self.payments.get_mut(payment_id) {
                payment.lose_authorisation();
            }
            *stage = Authorisation::Voided {
                payment_id: payment_id.clone(),
            };
        }
    }
}

/// What an authorisation's payment method does; other requests are plain.
fn token(work: &Work) -> Token {
    match work {
        Work::Authorise { payment_method, .. } => Token::from(payment_method),
        Work::Capture { .. } | Work::Void { .. } | Work::Refund { .. } => Token::Visa,
    }
}

#[cfg(test)]
mod tests;
