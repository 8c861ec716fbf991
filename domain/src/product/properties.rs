//! What holds for every history, whether or not a decision could have led to it; and of stocks, for every history that
//! decisions lead to.

mod workflow;

use proptest::{collection::vec, prelude::*};

use super::{
    ProductCommand, ProductEvent, ProductState, Products,
    stock::{StockCommand, StockItem},
    testing::*,
};
use crate::{
    Context, Event, EventKind, ReadEvent,
    quantity::{SkuUnits, Units},
};

fn any_sku() -> impl Strategy<Value = &'static str> {
    prop_oneof![Just("A"), Just("B"), Just("C")]
}

fn any_lines() -> impl Strategy<Value = Vec<SkuUnits>> {
    let any_line = (any_sku(), 1..4_i64).prop_map(|(sku, quantity)| line(sku, quantity));
    vec(any_line, 1..5)
}

fn any_stock_command() -> impl Strategy<Value = ProductCommand> {
    let order = || 1..8_u128;
    prop_oneof![
        1 => (1..6_i64).prop_map(receive),
        4 => (order(), 1..6_i64).prop_map(|(order, quantity)| reserve(order, quantity)),
        2 => order().prop_map(allocate),
        2 => order().prop_map(release),
        1 => order().prop_map(commit),
    ]
}

fn any_command() -> impl Strategy<Value = ProductCommand> {
    prop_oneof![
        (0..3_i64).prop_map(|price| create(euros(price))),
        (0..3_i64).prop_map(|price| reprice(euros(price))),
        Just(discontinue()),
        any_stock_command(),
        any_lines().prop_map(|lines| open(&lines)),
        any_sku().prop_map(answer_reserved),
        (any_sku(), 0..3_i64).prop_map(|(sku, available)| answer_denied(sku, available)),
        Just(cancel()),
        Just(fulfil()),
    ]
}

/// Any event at any place, possible or not.
fn any_event() -> impl Strategy<Value = ProductEvent> {
    let order = || 1..4_u128;
    let catalogue = prop_oneof![
        (0..3_i64).prop_map(|price| created(euros(price))),
        (0..3_i64).prop_map(|price| repriced(euros(price))),
        Just(discontinued()),
    ];
    let stock = prop_oneof![
        Just(stock_opened()),
        (1..6_i64).prop_map(received),
        (order(), 1..6_i64).prop_map(|(order, quantity)| reserved(order, quantity)),
        (order(), 1..6_i64).prop_map(|(order, quantity)| awaited(order, quantity)),
        (order(), 1..6_i64).prop_map(|(order, quantity)| denied(order, quantity, 0)),
        order().prop_map(allocated),
        (order(), 0..6_i64).prop_map(|(order, quantity)| released(order, quantity)),
        (order(), 1..6_i64).prop_map(|(order, quantity)| committed(order, quantity)),
    ];
    let reservation = prop_oneof![
        any_lines().prop_map(|lines| reservation_opened(&lines)),
        Just(reservation_opened(&[])),
        (any_sku(), 1..4_i64).prop_map(|(sku, quantity)| requested(line(sku, quantity))),
        any_lines().prop_map(|lines| confirmed(&lines)),
        any_sku().prop_map(|sku| rejected(line(sku, 2), 1, &["A"])),
        any_sku().prop_map(|sku| cancelled(&[sku])),
        any_sku().prop_map(returned),
        any_lines().prop_map(|lines| reservation_committed(&lines)),
        any_lines().prop_map(|lines| check(&lines)),
    ];
    prop_oneof![catalogue, stock, reservation]
}

fn stock_of(state: &ProductState) -> &StockItem {
    state.stock().expect("the stock is open")
}

fn sum(quantities: impl Iterator<Item = Units>) -> Units {
    quantities.fold(Units::ZERO, Units::plus)
}

/// What is true of a stock between any two commands. Whoever waits lacks what is available and fits what is possible:
/// so there is an undecided hold for as long as anybody waits.
fn check_stock(stock: &StockItem) {
    let held = sum(stock.holds().map(|(_, hold)| hold.quantity));
    assert!(held <= stock.on_hand(), "oversold: {stock:?}");
    assert_eq!(stock.available().plus(held), stock.on_hand());
    let undecided = stock.holds().filter(|(_, hold)| !hold.allocated);
    let undecided = sum(undecided.map(|(_, hold)| hold.quantity));
    assert_eq!(stock.available().plus(undecided), stock.possible());
    if let Some((_, quantity)) = stock.waiting().next() {
        assert!(quantity > stock.available(), "waits in vain: {stock:?}");
    }
    for (order_id, quantity) in stock.waiting() {
        assert!(
            quantity <= stock.possible(),
            "waits without hope: {stock:?}"
        );
        assert_eq!(stock.hold(order_id), None, "holds and waits: {stock:?}");
    }
}

/// What is true of a stock's answer when it is given.
fn check_answer(before: &StockItem, event: &ProductEvent) {
    match event {
        ProductEvent::StockReserved(event) => {
            assert!(event.quantity <= before.available());
            if let Some((first, _)) = before.waiting().next() {
                assert_eq!(first, event.order_id, "overtakes: {before:?}");
            }
        }
        ProductEvent::StockDenied(event) => {
            assert!(event.quantity > before.possible(), "it fits: {before:?}");
            assert_eq!(event.available, before.available());
        }
        _ => {}
    }
}

/// What may be asked again at once without an effect. Who is denied may ask again, and is answered.
fn is_done_once(command: &ProductCommand) -> bool {
    match command {
        ProductCommand::Stock(command) => match command {
            StockCommand::Allocate(_) | StockCommand::Release(_) | StockCommand::Commit(_) => true,
            StockCommand::Receive(_) | StockCommand::Reserve(_) => false,
        },
        ProductCommand::Catalogue(_) | ProductCommand::Reservation(_) => false,
    }
}

proptest! {
    #[test]
    fn the_same_history_and_command_give_the_same_decision(
        history in vec(any_event(), 0..8),
        command in any_command(),
    ) {
        let decision = Products::decide(&replay(&history), &command);
        prop_assert_eq!(decision, Products::decide(&replay(&history), &command));
    }

    #[test]
    fn no_sequence_of_events_is_too_much(
        history in vec(any_event(), 0..16),
        command in any_command(),
    ) {
        drop(Products::decide(&replay(&history), &command));
    }

    #[test]
    fn events_are_read_back_as_they_were_written(event in any_event()) {
        let EventKind { name, version } = event.kind();
        let payload = serde_json::to_vec(&event).unwrap();
        let mut reader = serde_json::Deserializer::from_slice(&payload);
        let read = ProductEvent::deserialize(name, version, &mut reader).unwrap();
        prop_assert_eq!(read, event);
    }

    #[test]
    fn events_lie_in_the_stream_that_was_asked_or_in_the_stock_of_a_new_product(
        history in vec(any_event(), 0..8),
        command in any_command(),
    ) {
        for event in Products::decide(&replay(&history), &command).unwrap_or_default() {
            let opens = event == stock_opened();
            prop_assert!(opens || event.stream() == Products::target(&command));
        }
    }

    #[test]
    fn nothing_is_ever_sold_twice_and_nobody_waits_in_vain(
        commands in vec(any_stock_command(), 1..60),
    ) {
        let mut state = replay(&[stock_opened()]);
        for command in &commands {
            for event in Products::decide(&state, command).unwrap() {
                check_answer(stock_of(&state), &event);
                state = Products::evolve(state, &event);
            }
            check_stock(stock_of(&state));
        }
    }

    #[test]
    fn what_is_on_hand_came_in_and_has_not_left(commands in vec(any_stock_command(), 1..60)) {
        let mut state = replay(&[stock_opened()]);
        let (mut came, mut left) = (Units::ZERO, Units::ZERO);
        for command in &commands {
            for event in Products::decide(&state, command).unwrap() {
                match &event {
                    ProductEvent::StockReceived(event) => came = came.plus(event.quantity),
                    ProductEvent::StockCommitted(event) => left = left.plus(event.quantity),
                    _ => {}
                }
                state = Products::evolve(state, &event);
            }
            prop_assert_eq!(stock_of(&state).on_hand().plus(left), came);
        }
    }

    #[test]
    fn what_an_order_asks_of_a_stock_again_has_no_effect(
        commands in vec(any_stock_command(), 1..60),
    ) {
        let mut state = replay(&[stock_opened()]);
        for command in &commands {
            for event in Products::decide(&state, command).unwrap() {
                state = Products::evolve(state, &event);
            }
            let holds = |order_id| stock_of(&state).hold(order_id).is_some();
            let is_reserved = matches!(
                command,
                ProductCommand::Stock(StockCommand::Reserve(reserve)) if holds(reserve.order_id)
            );
            if is_done_once(command) || is_reserved {
                prop_assert_eq!(Products::decide(&state, command), Ok(vec![]));
            }
        }
    }
}
