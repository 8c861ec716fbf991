//! What holds of a payment and its gateway, whatever is asked and heard in whatever order, and more than once.

use std::collections::BTreeSet;

use chrono::{DateTime, TimeDelta, Utc};
use proptest::{collection::vec, prelude::*, strategy::ValueTree, test_runner::TestRunner};
use uuid::Uuid;

use super::{
    CancelPayment, CapturePayment, GatewayOutcome, GatewayRequest, Operation, Payment,
    PaymentCommand, PaymentEvent, PaymentStatus, Payments, RecordOutcome, RetryPayment,
    StartPayment, asks,
    testing::{
        at,
        gateway::{Account, ModelGateway, Mood},
        order_id, payment_id, request, total,
    },
};
use crate::{Context, Event, EventKind, ReadEvent};

/// Far more than it takes to end any payment.
const MAX_ROUNDS: usize = 100;

/// What comes from outside.
#[derive(Debug, Clone, Copy)]
enum Step {
    Start,
    Capture,
    Cancel,
    Retry,
    /// One of the requests so far is told, again perhaps.
    Tell(usize, Mood),
    /// One of the outcomes so far is heard again.
    HearAgain(usize),
    /// What is due is looked into.
    LookInto,
}

fn any_mood() -> impl Strategy<Value = Mood> {
    prop_oneof![
        3 => Just(Mood::Does),
        2 => Just(Mood::IsNotHeard),
        2 => Just(Mood::DoesNotHear),
        1 => Just(Mood::Refuses),
        1 => Just(Mood::SetsOtherAmountAside),
    ]
}

/// Some seconds pass before each.
fn any_steps() -> impl Strategy<Value = Vec<(Step, i64)>> {
    let step = prop_oneof![
        2 => Just(Step::Start),
        2 => Just(Step::Capture),
        1 => Just(Step::Cancel),
        1 => Just(Step::Retry),
        6 => (0..8_usize, any_mood()).prop_map(|(index, mood)| Step::Tell(index, mood)),
        2 => (0..8_usize).prop_map(Step::HearAgain),
        3 => Just(Step::LookInto),
    ];
    vec((step, prop_oneof![9 => 0..3_i64, 1 => Just(40)]), 0..40)
}

/// What is never heard, and how many seconds it is waited for.
fn any_silences() -> impl Strategy<Value = Vec<(Mood, i64)>> {
    let mood = prop_oneof![Just(Mood::IsNotHeard), Just(Mood::DoesNotHear)];
    vec((mood, 0..15_i64), MAX_ROUNDS)
}

struct World {
    payment: Payment,
    gateway: ModelGateway,
    now: DateTime<Utc>,
    /// What the gateway is to be told, latest first.
    asked: Vec<(Uuid, GatewayRequest)>,
    heard: Vec<(Uuid, Operation, GatewayOutcome)>,
    log: Vec<PaymentEvent>,
    /// How many requests were named.
    named: u128,
}

impl World {
    fn new() -> Self {
        Self {
            payment: Payment::default(),
            gateway: ModelGateway::default(),
            now: at(0),
            asked: vec![],
            heard: vec![],
            log: vec![],
            named: 0,
        }
    }

    fn name(&mut self) -> Uuid {
        self.named += 1;
        Uuid::from_u128(self.named)
    }

    fn execute(&mut self, command: &PaymentCommand) {
        let events = Payments::decide(&self.payment, command).unwrap();
        for event in events {
            self.asked.splice(0..0, asks(&event));
            self.payment = Payments::evolve(std::mem::take(&mut self.payment), &event);
            self.log.push(event);
        }
    }

    fn take(&mut self, step: Step) {
        let (payment_id, order_id) = (payment_id(), order_id());
        match step {
            Step::Start => {
                let request_id = self.name();
                self.execute(&PaymentCommand::Start(StartPayment {
                    requested: request(),
                    request_id,
                    give_up_at: self.now + TimeDelta::seconds(45),
                    started_at: self.now,
                }));
            }
            Step::Capture => {
                let request_id = self.name();
                self.execute(&PaymentCommand::Capture(CapturePayment {
                    payment_id,
                    order_id,
                    amount: total(),
                    request_id,
                    requested_at: self.now,
                }));
            }
            Step::Cancel => {
                let request_id = self.name();
                self.execute(&PaymentCommand::Cancel(CancelPayment {
                    payment_id,
                    order_id,
                    request_id,
                    cancelled_at: self.now,
                }));
            }
            Step::Retry => {
                let request_id = self.name();
                self.execute(&PaymentCommand::Retry(RetryPayment {
                    payment_id,
                    order_id,
                    request_id,
                    retried_at: self.now,
                }));
            }
            Step::Tell(index, mood) => {
                if let Some((request_id, request)) = self.asked.get(index).cloned() {
                    let outcome = self.gateway.tell(request_id, &request, mood);
                    self.heard
                        .push((request_id, request.operation(), outcome.clone()));
                    self.hear(request_id, request.operation(), outcome);
                }
            }
            Step::HearAgain(index) => {
                if let Some((request_id, operation, outcome)) = self.heard.get(index).cloned() {
                    self.hear(request_id, operation, outcome);
                }
            }
            Step::LookInto => self.look_into(),
        }
    }

    fn hear(&mut self, request_id: Uuid, operation: Operation, outcome: GatewayOutcome) {
        self.execute(&PaymentCommand::Record(RecordOutcome {
            payment_id: payment_id(),
            order_id: order_id(),
            request_id,
            operation,
            outcome,
            learnt_at: self.now,
        }));
    }

    fn look_into(&mut self) {
        if let Some(due_at) = Payments::deadline(&self.payment) {
            self.now = self.now.max(due_at);
            let command = Payments::expire(&super::testing::stream(), due_at).unwrap();
            self.execute(&command);
        }
    }

    /// Everything is told and heard, and whatever is stuck retried, until nothing stands.
    fn finish(&mut self) {
        for _ in 0..MAX_ROUNDS {
            if self.payment.asked().is_none() {
                return;
            }
            self.take(Step::Retry);
            self.take(Step::LookInto);
            for index in 0..self.asked.len() {
                self.take(Step::Tell(index, Mood::Does));
            }
        }
        panic!("the payment does not end: {:?}", self.payment);
    }

    /// Only one of its requests to set money aside stands; another Start does nothing.
    fn authorisation(&self) -> Option<Uuid> {
        self.log.iter().find_map(|event| match event {
            PaymentEvent::Started(started) => Some(started.request_id),
            _ => None,
        })
    }

    fn has(&self, name: &str) -> bool {
        self.log.iter().any(|event| event.kind().name == name)
    }
}

fn course(steps: &[(Step, i64)]) -> World {
    let mut world = World::new();
    for (step, seconds) in steps {
        world.now += TimeDelta::seconds(*seconds);
        world.take(*step);
    }
    world.finish();
    world
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn the_gateway_has_what_the_payment_says(steps in any_steps()) {
        let world = course(&steps);
        let Some(authorisation) = world.authorisation() else {
            prop_assert_eq!(world.payment.status(), None);
            return Ok(());
        };
        let account = world.gateway.account(authorisation);
        let expected: &[_] = match world.payment.status().unwrap() {
            PaymentStatus::Authorised => &[Some(Account::Held)],
            PaymentStatus::Captured => &[Some(Account::Taken)],
            PaymentStatus::Declined => &[None],
            PaymentStatus::Voided => &[Some(Account::Gone)],
            PaymentStatus::Refunded => &[Some(Account::Back)],
            PaymentStatus::Pending | PaymentStatus::Voiding => &[],
        };
        prop_assert!(expected.contains(&account), "{:?}: {:?}", account, world.log);
        if world.has("PaymentCancelled") {
            let nothing = [None, Some(Account::Gone), Some(Account::Back)];
            prop_assert!(nothing.contains(&account), "{:?}: {:?}", account, world.log);
        }
    }

    #[test]
    fn money_is_taken_once_and_only_if_that_was_asked(steps in any_steps()) {
        let world = course(&steps);
        let Some(authorisation) = world.authorisation() else {
            return Ok(());
        };
        let captures = world.gateway.captures(authorisation);
        prop_assert!(captures <= usize::from(world.has("PaymentCaptureRequested")));
        prop_assert_eq!(captures, usize::from(world.has("PaymentCaptured")));
    }

    /// What nobody promised anybody is over within a minute, as long as the gateway keeps nobody waiting for 15 seconds.
    #[test]
    fn an_authorisation_is_settled_within_a_minute(silences in any_silences()) {
        let mut world = World::new();
        let in_a_minute = world.now + TimeDelta::seconds(60);
        world.take(Step::Start);
        for (mood, seconds) in silences {
            world.now += TimeDelta::seconds(seconds);
            world.take(Step::Tell(0, mood));
            if world.payment.status() != Some(PaymentStatus::Pending) {
                break;
            }
            world.take(Step::LookInto);
        }
        prop_assert_ne!(world.payment.status(), Some(PaymentStatus::Pending));
        prop_assert!(world.now < in_a_minute, "{:?}", world.log);
    }

    #[test]
    fn events_are_read_back_as_they_were_written(steps in any_steps()) {
        for event in course(&steps).log {
            let EventKind { name, version } = event.kind();
            let payload = serde_json::to_vec(&event).unwrap();
            let mut reader = serde_json::Deserializer::from_slice(&payload);
            let read = PaymentEvent::deserialize(name, version, &mut reader).unwrap();
            prop_assert_eq!(read, event);
        }
    }
}

/// Guards the properties: courses in which little happens would show little.
#[test]
fn courses_are_not_trivial() {
    let mut runner = TestRunner::deterministic();
    let mut names = BTreeSet::new();
    for _ in 0..500 {
        let steps = any_steps().new_tree(&mut runner).unwrap().current();
        names.extend(course(&steps).log.iter().map(|event| event.kind().name));
    }
    for name in [
        "PaymentDeclined",
        "PaymentCaptureRefused",
        "PaymentVoided",
        "PaymentRefunded",
        "PaymentReconciling",
        "PaymentStuck",
    ] {
        assert!(names.contains(name), "{name} never happened");
    }
}
