//! What holds for every history, whether or not a decision could have led to it.

use std::collections::{BTreeMap, BTreeSet};

use proptest::{collection::vec, prelude::*, sample::Index};
use uuid::Uuid;

use super::{
    Channel, Correspondence, DeliveryOutcome, Message, NotificationCommand, NotificationEvent,
    NotificationPolicy, NotificationPolicyEvent, Template, decide, policy::PlacedOrder, testing::*,
};
use crate::policy::{Cause, OfOrder};

fn any_template() -> impl Strategy<Value = Template> {
    prop::sample::select(Template::ALL.to_vec())
}

fn any_channel() -> impl Strategy<Value = Channel> {
    prop_oneof![Just(by_email()), Just(by_webhook())]
}

fn any_outcome() -> impl Strategy<Value = DeliveryOutcome> {
    prop_oneof![
        1 => Just(DeliveryOutcome::Sent),
        3 => Just(failure()),
        1 => Just(undeliverable()),
    ]
}

fn any_command() -> impl Strategy<Value = NotificationCommand> {
    prop_oneof![
        1 => prop_oneof![Just(None), Just(Some(EMAIL))].prop_map(keep),
        2 => (1..3_u128, any_template(), prop_oneof![Just(vec![]), Just(vec![HOOK])])
            .prop_map(|(number, template, hooks)| notify(number, template, &hooks)),
        4 => (any_channel(), any_outcome(), 0..9_i64)
            .prop_map(|(channel, outcome, seconds)| record(channel, outcome, seconds)),
        2 => (0..9_i64).prop_map(|seconds| retry(at(seconds))),
    ]
}

/// Any event at any place, possible or not.
fn any_event() -> impl Strategy<Value = NotificationEvent> {
    prop_oneof![
        prop_oneof![Just(None), Just(Some(EMAIL))].prop_map(kept),
        (1..3_u128, any_template()).prop_map(|(number, template)| deferred(number, template)),
        any_channel().prop_map(|channel| requested(shipped(channel), at(1))),
        (any_channel(), 1..12_u32).prop_map(|(channel, tries)| sent(channel, tries, 2)),
        (any_channel(), 1..12_u32, 0..9_i64)
            .prop_map(|(channel, tries, seconds)| failed(channel, tries, seconds)),
        (any_channel(), 0..9_i64).prop_map(|(channel, seconds)| due(channel, seconds)),
        (any_channel(), 1..12_u32).prop_map(|(channel, tries)| abandoned(channel, tries, 2)),
    ]
}

/// What lies in the two topics that are told about: the event's id, what it is, and whether it is news.
type Fact = (Uuid, NotificationPolicyEvent, bool);

fn order_topic(old: usize) -> Vec<Fact> {
    let placed = PlacedOrder {
        order_id: order_id(),
        customer_id: "ada".parse().unwrap(),
        personal: match kept(Some(EMAIL)) {
            NotificationEvent::ContactKept(kept) => kept.personal,
            other => panic!("{other:?} is no contact"),
        },
    };
    let told = [Template::Payment, Template::Shipped, Template::Delivered];
    let told = told.map(told_of);
    let events = [NotificationPolicyEvent::OrderPlaced(Box::new(placed))];
    let events = events.into_iter().chain(told);
    let numbered = (0..).zip(events).enumerate();
    numbered
        .map(|(index, (number, event))| (event_id(number), event, index >= old))
        .collect()
}

fn payment_topic() -> Vec<Fact> {
    [10, 11]
        .map(|number| (event_id(number), told_of(Template::Refunded), true))
        .to_vec()
}

fn told_of(template: Template) -> NotificationPolicyEvent {
    let order_id = order_id();
    NotificationPolicyEvent::Told(template, OfOrder { order_id })
}

/// Two topics, each in its order, and some of what was read once more at any later place.
fn deliveries(old: usize, turns: &[bool], again: &[(Index, Index)]) -> Vec<Fact> {
    let (mut orders, mut payments) = (order_topic(old).into_iter(), payment_topic().into_iter());
    let mut read = Vec::new();
    for turn in turns {
        read.extend(if *turn {
            orders.next()
        } else {
            payments.next()
        });
    }
    read.extend(orders.chain(payments));
    for (what, place) in again {
        let what = what.index(read.len());
        let place = what + 1 + place.index(read.len() - what);
        read.insert(place, read[what].clone());
    }
    read
}

fn expected(old: usize) -> BTreeSet<(Uuid, String)> {
    let facts = order_topic(old).into_iter().chain(payment_topic());
    let news = facts.filter(|(_, _, is_news)| *is_news);
    news.flat_map(|(id, _, _)| [by_email(), by_webhook()].map(|channel| named(id, &channel)))
        .collect()
}

fn named(event_id: Uuid, channel: &Channel) -> (Uuid, String) {
    let target = match channel {
        Channel::Email { personal } => personal.data.to.to_string(),
        Channel::Webhook { target } => target.to_string(),
    };
    (event_id, target)
}

proptest! {
    #[test]
    fn each_of_them_is_told_once_in_whatever_order_topics_are_read(
        old in 0..5_usize,
        turns in vec(any::<bool>(), 0..8),
        again in vec((any::<Index>(), any::<Index>()), 0..6),
    ) {
        let policy = NotificationPolicy { webhooks: vec![hook(), hook()] };
        let mut state = Correspondence::default();
        let mut told = Vec::new();
        for (event_id, event, is_news) in deliveries(old, &turns, &again) {
            let cause = Cause { event_id, now: at(1) };
            for reaction in policy.react(&event, at(0), is_news, cause) {
                for event in decide::decide(&state, &reaction.command) {
                    if let Some((_, Message { event_id, channel, .. })) = event.to_send() {
                        told.push(named(*event_id, channel));
                    }
                    state = state.evolve(&event);
                }
            }
        }
        let once: BTreeSet<_> = told.iter().cloned().collect();
        prop_assert_eq!(once.len(), told.len());
        prop_assert_eq!(once, expected(old));
    }

    #[test]
    fn the_same_history_and_command_give_the_same_decision(
        history in vec(any_event(), 0..12),
        command in any_command(),
    ) {
        let decision = decide::decide(&replay(&history), &command);
        prop_assert_eq!(decision, decide::decide(&replay(&history), &command));
    }

    #[test]
    fn repeating_a_command_at_once_changes_nothing(commands in vec(any_command(), 1..20)) {
        let mut history = Vec::new();
        for command in &commands {
            history.extend(decide::decide(&replay(&history), command));
            prop_assert_eq!(decide::decide(&replay(&history), command), vec![]);
        }
    }

    #[test]
    fn nothing_is_sent_for_ever(commands in vec(any_command(), 1..40)) {
        let mut history = Vec::new();
        for command in &commands {
            history.extend(decide::decide(&replay(&history), command));
        }
        let mut sends: BTreeMap<_, u32> = BTreeMap::new();
        for (id, _) in history.iter().filter_map(NotificationEvent::to_send) {
            *sends.entry(id).or_default() += 1;
        }
        prop_assert!(sends.values().all(|sends| *sends <= decide::MAX_TRIES));
    }

    #[test]
    fn events_are_read_back_as_they_were_written(event in any_event()) {
        let kind = crate::Event::kind(&event);
        let payload = serde_json::to_vec(&event).unwrap();
        let mut reader = serde_json::Deserializer::from_slice(&payload);
        let read = <NotificationEvent as crate::ReadEvent>::deserialize(kind.name, kind.version, &mut reader);
        prop_assert_eq!(read.unwrap(), event);
    }
}
