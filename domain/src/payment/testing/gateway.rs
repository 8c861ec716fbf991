//! A gateway as it should be: it does a request once, by its name, and remembers what it was told to undo. What it says may
//! not be heard.

use std::collections::BTreeMap;

use uuid::Uuid;

use crate::{
    money::Money,
    payment::{GatewayOutcome, GatewayRef, GatewayRequest},
};

#[derive(Debug, Default)]
pub(crate) struct ModelGateway {
    answers: BTreeMap<Uuid, GatewayOutcome>,
    /// By the request that asked for the authorisation.
    accounts: BTreeMap<Uuid, Account>,
    /// How often money was taken, by the same.
    captures: BTreeMap<Uuid, usize>,
}

/// What the gateway has of a customer's money.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Account {
    /// It is set aside.
    Held,
    /// It was taken.
    Taken,
    /// It was let go of, or never may be set aside.
    Gone,
    /// It went back.
    Back,
}

/// What becomes of a request, and of the answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mood {
    /// It is done.
    Does,
    /// It is done, and nobody hears of it.
    IsNotHeard,
    /// It never came in.
    DoesNotHear,
    /// It is refused, if it was not done before.
    Refuses,
    /// Another amount is set aside.
    SetsOtherAmountAside,
}

impl ModelGateway {
    /// What is heard of a request.
    pub(crate) fn tell(
        &mut self,
        request_id: Uuid,
        request: &GatewayRequest,
        mood: Mood,
    ) -> GatewayOutcome {
        if mood == Mood::DoesNotHear {
            return GatewayOutcome::Unknown;
        }
        let answer = self.ask(request_id, request, mood);
        match mood {
            Mood::IsNotHeard => GatewayOutcome::Unknown,
            _ => answer,
        }
    }

    /// The answer as such.
    fn ask(&mut self, request_id: Uuid, request: &GatewayRequest, mood: Mood) -> GatewayOutcome {
        if let Some(answer) = self.answers.get(&request_id) {
            return answer.clone();
        }
        let answer = if mood == Mood::Refuses {
            refused("no")
        } else {
            self.answer(request_id, request, mood)
        };
        self.answers.insert(request_id, answer.clone());
        answer
    }

    fn answer(&mut self, request_id: Uuid, request: &GatewayRequest, mood: Mood) -> GatewayOutcome {
        match request {
            GatewayRequest::Authorise { amount, .. } => {
                if self.accounts.contains_key(&request_id) {
                    return refused("voided");
                }
                self.accounts.insert(request_id, Account::Held);
                let more = i64::from(mood == Mood::SetsOtherAmountAside);
                GatewayOutcome::Authorised {
                    amount: Money::new(amount.amount() + more, amount.currency()).unwrap(),
                    gateway_ref: request_id.to_string().parse().unwrap(),
                }
            }
            GatewayRequest::Capture {
                amount,
                gateway_ref,
            } => {
                let authorisation = authorisation(gateway_ref);
                if self.accounts.get(&authorisation) != Some(&Account::Held) {
                    return refused("nothing is set aside");
                }
                self.accounts.insert(authorisation, Account::Taken);
                *self.captures.entry(authorisation).or_default() += 1;
                GatewayOutcome::Captured { amount: *amount }
            }
            GatewayRequest::Void { authorisation } => match self.accounts.get(authorisation) {
                Some(Account::Taken | Account::Back) => refused("taken"),
                Some(Account::Held | Account::Gone) | None => {
                    self.accounts.insert(*authorisation, Account::Gone);
                    GatewayOutcome::Voided
                }
            },
            GatewayRequest::Refund {
                amount,
                gateway_ref,
            } => {
                let authorisation = authorisation(gateway_ref);
                if self.accounts.get(&authorisation) != Some(&Account::Taken) {
                    return refused("nothing was taken");
                }
                self.accounts.insert(authorisation, Account::Back);
                GatewayOutcome::Refunded { amount: *amount }
            }
        }
    }

    /// What it has, by the request that asked for the authorisation.
    pub(crate) fn account(&self, authorisation: Uuid) -> Option<Account> {
        self.accounts.get(&authorisation).copied()
    }

    /// How often it took that money.
    pub(crate) fn captures(&self, authorisation: Uuid) -> usize {
        self.captures.get(&authorisation).copied().unwrap_or(0)
    }
}

fn authorisation(gateway_ref: &GatewayRef) -> Uuid {
    gateway_ref.as_str().parse().expect("it is one of ours")
}

fn refused(code: &str) -> GatewayOutcome {
    GatewayOutcome::Refused {
        code: code.parse().unwrap(),
        detail: "the gateway would not".parse().unwrap(),
    }
}
