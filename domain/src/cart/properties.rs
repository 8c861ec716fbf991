//! What holds for every history, whether or not a decision could have led to it.

use std::collections::BTreeSet;

use proptest::{collection::vec, prelude::*};

use super::{Cart, CartCommand, CartEvent, CartRejection, Carts, decide, testing::*};
use crate::{Context, Event, EventKind, ReadEvent, messages, money::Money};

/// Few, so that they meet.
fn any_sku() -> impl Strategy<Value = &'static str> {
    prop_oneof![Just("TEA"), Just("MUG"), Just("JAM")]
}

fn any_name() -> impl Strategy<Value = Option<&'static str>> {
    prop_oneof![Just(None), Just(Some("ada")), Just(Some("eve"))]
}

fn any_price() -> impl Strategy<Value = Money> {
    let amount = prop_oneof![4 => 0..=10_000_i64, 1 => Just(Money::MAX_AMOUNT)];
    let currency = prop_oneof![4 => Just("EUR"), 1 => Just("USD")];
    (amount, currency).prop_map(|(amount, currency)| money(amount, currency))
}

fn any_command() -> impl Strategy<Value = CartCommand> {
    prop_oneof![
        2 => any_name().prop_map(open),
        4 => (any_sku(), 1..4_i64, any_price())
            .prop_map(|(sku, quantity, price)| set(sku, quantity, price)),
        1 => any_sku().prop_map(remove),
        1 => any_name().prop_map(check_out),
    ]
}

/// Any event at any place, possible or not.
fn any_event() -> impl Strategy<Value = CartEvent> {
    prop_oneof![
        any_name().prop_map(opened),
        (any_sku(), 1..4_i64, any_price())
            .prop_map(|(sku, quantity, price)| item_set(sku, quantity, price)),
        any_sku().prop_map(item_removed),
        any_price().prop_map(|price| checked_out("ada", &[("TEA", 1, price)])),
        any_price().prop_map(|price| order_placed("ada", &[("TEA", 1, price)])),
    ]
}

/// The events of commands that come one after the other; those of rejected ones are none.
fn run(commands: &[CartCommand]) -> Vec<CartEvent> {
    let mut history = Vec::new();
    for command in commands {
        history.extend(decide::decide(&replay(&history), command).unwrap_or_default());
    }
    history
}

proptest! {
    #[test]
    fn the_same_history_and_command_give_the_same_decision(
        history in vec(any_event(), 0..8),
        command in any_command(),
    ) {
        let decision = decide::decide(&replay(&history), &command);
        prop_assert_eq!(decision, decide::decide(&replay(&history), &command));
    }

    #[test]
    fn replaying_gives_what_evolving_step_by_step_gave(commands in vec(any_command(), 0..12)) {
        let mut state = Cart::default();
        let mut history = Vec::new();
        for command in &commands {
            for event in decide::decide(&state, command).unwrap_or_default() {
                state = state.evolve(&event);
                history.push(event);
            }
            prop_assert_eq!(&state, &replay(&history));
        }
    }

    #[test]
    fn repeating_a_command_at_once_changes_nothing(commands in vec(any_command(), 1..12)) {
        let mut history = Vec::new();
        for command in &commands {
            history.extend(decide::decide(&replay(&history), command).unwrap_or_default());
            let again = decide::decide(&replay(&history), command);
            prop_assert!(again.unwrap_or_default().is_empty());
        }
    }

    /// What could be put in can be bought: only emptiness and who buys stand in the way.
    #[test]
    fn an_open_cart_can_be_checked_out(commands in vec(any_command(), 0..12)) {
        let state = replay(&run(&commands));
        let Cart::Open { customer_id, items } = &state else {
            return Ok(());
        };
        let buyer = customer_id.as_ref().map_or("ada", |customer_id| customer_id.as_str());
        let decision = decide::decide(&state, &check_out(Some(buyer)));
        if items.is_empty() {
            prop_assert_eq!(decision, Err(CartRejection::CartEmpty));
        } else {
            prop_assert_eq!(decision.map(|events| events.len()), Ok(2));
        }
    }

    /// So that a message can be sent again by what the log has.
    #[test]
    fn a_message_follows_the_fact_that_it_follows_from(
        history in vec(any_event(), 0..8),
        command in any_command(),
    ) {
        let decision = decide::decide(&replay(&history), &command).unwrap_or_default();
        messages::follow_their_facts::<Carts>(&decision);
    }

    /// The order holds what the cart held, and its total is theirs.
    #[test]
    fn money_is_conserved(commands in vec(any_command(), 0..16)) {
        let history = run(&commands);
        let Some(CartEvent::OrderPlaced(placed)) = history.last() else {
            return Ok(());
        };
        // All but the checkout's two.
        let Cart::Open { items, .. } = replay(&history[..history.len() - 2]) else {
            panic!("a cart is open before it is checked out");
        };
        let prices = items.iter().map(|item| (item.sku.clone(), item.quantity, item.unit_price));
        let lines = placed.lines.iter();
        let lines = lines.map(|line| (line.sku.clone(), line.quantity, line.unit_price));
        prop_assert!(prices.eq(lines));
        let sum: i64 = items
            .iter()
            .map(|item| item.unit_price.amount() * i64::from(item.quantity.get()))
            .sum();
        prop_assert_eq!(placed.totals.total.amount(), sum);
    }

    #[test]
    fn a_sku_is_in_the_cart_once(history in vec(any_event(), 0..16)) {
        if let Cart::Open { items, .. } = replay(&history) {
            let skus: BTreeSet<_> = items.iter().map(|item| &item.sku).collect();
            prop_assert_eq!(skus.len(), items.len());
        }
    }

    #[test]
    fn an_order_comes_from_a_checkout_and_ends_the_cart(commands in vec(any_command(), 1..16)) {
        let history = run(&commands);
        for (index, event) in history.iter().enumerate() {
            prop_assert_eq!(matches!(event, CartEvent::Opened(_)), index == 0);
            if matches!(event, CartEvent::CheckedOut(_)) {
                prop_assert_eq!(index + 2, history.len());
                prop_assert!(matches!(history[index + 1], CartEvent::OrderPlaced(_)));
            }
        }
    }

    #[test]
    fn messages_change_no_state(history in vec(any_event(), 0..8), event in any_event()) {
        let state = replay(&history);
        if !Carts::TOPICS.contains(&event.topic()) {
            prop_assert_eq!(state.clone().evolve(&event), state);
        }
    }

    #[test]
    fn events_are_read_back_as_they_were_written(event in any_event()) {
        let EventKind { name, version } = event.kind();
        let payload = serde_json::to_vec(&event).unwrap();
        let mut reader = serde_json::Deserializer::from_slice(&payload);
        let read = CartEvent::deserialize(name, version, &mut reader).unwrap();
        prop_assert_eq!(read, event);
    }
}
