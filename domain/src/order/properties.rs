//! What holds for every history, whether or not a decision could have led to it.

use std::collections::BTreeMap;

use proptest::{collection::vec, prelude::*, strategy::ValueTree, test_runner::TestRunner};

use super::{
    Awaited, Order, OrderCommand, OrderEvent, OrderLine, OrderLines, OrderRejection, OrderStage,
    Orders, decide, testing::*,
};
use crate::{Event, EventKind, ReadEvent, messages, money::Money};

fn any_line() -> impl Strategy<Value = OrderLine> {
    let parts = (
        0..100_usize,
        "[A-Za-z0-9_-][A-Za-z0-9._-]{0,63}",
        1..=100_000_i64,
        0..=1_000_000_i64,
    );
    parts.prop_map(|(index, sku, quantity, amount)| {
        line(index, &sku, quantity, money(amount, "EUR"))
    })
}

fn any_lines() -> impl Strategy<Value = OrderLines> {
    vec(any_line(), 1..=8).prop_map(|lines| OrderLines::new(lines).unwrap())
}

fn any_amount() -> impl Strategy<Value = Money> {
    let currency = prop_oneof![Just("EUR"), Just("USD")];
    (0..=Money::MAX_AMOUNT, currency).prop_map(|(amount, currency)| money(amount, currency))
}

fn any_command() -> impl Strategy<Value = OrderCommand> {
    prop_oneof![
        4 => any_lines().prop_map(place),
        4 => Just(request()),
        2 => (1..4_u128).prop_map(|payment| pay(payment, None)),
        1 => (1..4_u128, any_amount()).prop_map(|(payment, amount)| pay(payment, Some(amount))),
        2 => Just(confirm()),
        1 => Just(reject()),
        1 => Just(cancel()),
        2 => (1..4_u128).prop_map(authorised),
        1 => (1..4_u128).prop_map(declined),
        2 => Just(dispatch()),
        1 => (1..4_u128).prop_map(refuse_capture),
        1 => Just(ship()),
        1 => Just(deliver()),
        1 => prop_oneof![Just(stock_due_at()), Just(payment_due_at()), Just(completes_at())]
            .prop_map(expire),
        1 => proptest::option::of(1..4_u128).prop_map(mark_stuck_by),
        1 => (4..10_i64).prop_map(|hours| resume(at(hours))),
    ]
}

/// Any event at any place, possible or not.
fn any_event() -> impl Strategy<Value = OrderEvent> {
    prop_oneof![
        any_lines().prop_map(|lines| placed(&lines)),
        (1..4_u128, any_amount()).prop_map(|(payment, amount)| paid(payment, amount)),
        proptest::option::of(1..4_u128).prop_map(cancelled_with),
        (1..4_u128, 1..4_u32).prop_map(|(payment, attempt)| pending(payment, attempt, 1)),
        (1..4_u128, 1..4_u32).prop_map(|(payment, attempt)| payment_requested(payment, attempt, 1)),
        (1..4_u128).prop_map(failed),
        Just(approved(10)),
        Just(dispatch_refused()),
        Just(capture_refused()),
        Just(shipped()),
        Just(delivered()),
        Just(completed()),
        (4..10_i64).prop_map(|hours| requested(at(hours))),
        Just(check()),
        (1..4_u128).prop_map(kept),
        Just(confirmed()),
        Just(rejected()),
        prop_oneof![Just(Awaited::Stock), Just(Awaited::Payment)]
            .prop_map(|awaited| expired(awaited, at(8))),
        proptest::option::of(1..4_u128).prop_map(stuck_by),
        proptest::option::of(1..4_u128).prop_map(resumed_with),
    ]
}

/// What an order goes through where all goes well.
fn well() -> Vec<OrderCommand> {
    vec![
        confirm(),
        pay(1, None),
        authorised(1),
        dispatch(),
        ship(),
        deliver(),
        expire(completes_at()),
    ]
}

/// An order that was placed, and goes well; everything else that can follow, and all of that once more, comes in between or does not,
/// anywhere and in any order.
fn any_course() -> impl Strategy<Value = Vec<OrderCommand>> {
    let ill = vec![
        reject(),
        declined(1),
        refuse_capture(1),
        expire(stock_due_at()),
        expire(payment_due_at()),
        mark_stuck(),
        resume(at(9)),
        cancel(),
        request(),
    ];
    let others = [well(), ill.clone(), ill].concat();
    let many = 0..=others.len();
    let between = proptest::sample::subsequence(others, many).prop_shuffle();
    let between = between.prop_flat_map(|between| {
        let places = vec(any::<proptest::sample::Index>(), between.len());
        (Just(between), places)
    });
    (any_lines(), between).prop_map(|(lines, (between, places))| {
        let mut steps = well();
        for (step, place) in between.into_iter().zip(places) {
            steps.insert(place.index(steps.len() + 1), step);
        }
        [vec![place(lines), request()], steps].concat()
    })
}

/// The events of commands that come one after the other; those of rejected ones are none.
fn run(commands: &[OrderCommand]) -> Vec<OrderEvent> {
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
        let mut state = Order::default();
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
    fn no_sequence_of_events_is_too_much_for_evolve(
        history in vec(any_event(), 0..16),
        command in any_command(),
    ) {
        let state = replay(&history);
        drop(decide::decide(&state, &command));
        // Nothing leads back to where nothing has happened.
        prop_assert_eq!(state.status().is_none(), !history.iter().any(tells_of_an_order));
    }

    /// Whatever came in between: what was confirmed, shipped, delivered or called off is not once more, and so on.
    #[test]
    fn what_was_accepted_once_changes_nothing_again(commands in vec(any_command(), 1..12)) {
        let mut history = Vec::new();
        let mut accepted = Vec::new();
        for command in &commands {
            let events = decide::decide(&replay(&history), command).unwrap_or_default();
            if !events.is_empty() && !comes_again(command) {
                accepted.push(command);
            }
            history.extend(events);
            for command in &accepted {
                let again = decide::decide(&replay(&history), command);
                prop_assert!(again.unwrap_or_default().is_empty());
            }
        }
    }

    /// Of whole courses: after any events at all, there is hardly ever something to pay.
    #[test]
    fn a_message_follows_the_fact_that_it_follows_from(course in any_course()) {
        let mut history: Vec<OrderEvent> = Vec::new();
        for command in &course {
            let decision = decide::decide(&replay(&history), command).unwrap_or_default();
            messages::follow_their_facts::<Orders>(&decision);
            history.extend(decision);
        }
    }

    /// What is asked for, set aside and taken is the order's total, by one payment at a time; and it is taken only where
    /// goods may leave, which a cancelled order's never may.
    #[test]
    fn money_is_conserved(commands in vec(any_command(), 0..24)) {
        let history = run(&commands);
        let Some(OrderEvent::Placed(placed)) = history.first() else {
            prop_assert!(history.is_empty());
            return Ok(());
        };
        let amounts = history.iter().filter_map(amount);
        prop_assert!(amounts.clone().all(|amount| amount == placed.totals.total));
        let asked = history.iter().filter(|event| matches!(event, OrderEvent::PaymentPending(_)));
        let failed = history.iter().filter(|event| matches!(event, OrderEvent::PaymentFailed(_)));
        prop_assert!(asked.count() <= failed.count() + 1);
        prop_assert!(history.iter().filter(|event| is_paid(event)).count() <= 1);
        let last_taken = history.iter().rposition(is_approved);
        if let (Some(last_taken), Some(end)) = (last_taken, history.iter().position(is_end)) {
            prop_assert!(last_taken < end, "{:?}", history);
        }
    }

    /// Answers, deadlines and the customer race each other, and whatever is delivered twice counts once.
    #[test]
    fn every_course_is_legal(course in any_course()) {
        let history = run(&course);
        for (index, event) in history.iter().enumerate() {
            let before = &history[..index];
            let has = |wanted: fn(&OrderEvent) -> bool| before.iter().any(wanted);
            let legal = match event {
                OrderEvent::Paid(_) => has(|event| matches!(event, OrderEvent::PaymentPending(_))),
                OrderEvent::DispatchApproved(_) => has(is_paid) && !has(is_end),
                OrderEvent::Shipped(_) => has(is_approved),
                OrderEvent::Delivered(_) => has(|event| matches!(event, OrderEvent::Shipped(_))),
                OrderEvent::Completed(_) => has(|event| matches!(event, OrderEvent::Delivered(_))),
                OrderEvent::DispatchRefused(_) => !has(is_approved) || has(is_refused),
                OrderEvent::CaptureRefused(_) => has(is_approved) && !has(is_end),
                // Also what has ended may have money to give back.
                OrderEvent::Stuck(_) => true,
                OrderEvent::Resumed(_) => has(|event| matches!(event, OrderEvent::Stuck(_))),
                event if is_end(event) => !has(is_end) && (!has(is_approved) || has(is_refused)),
                _ => !has(is_end),
            };
            prop_assert!(legal, "{:?}", history);
        }
    }

    /// The customer and the warehouse race: one of them wins, for good.
    #[test]
    fn a_cancel_and_a_dispatch_have_one_winner(commands in vec(any_command(), 0..24)) {
        let racing = [cancel(), dispatch()];
        for first in &racing {
            let mut history = [sold(), decide::decide(&replay(&sold()), first).unwrap()].concat();
            for command in commands.iter().chain(&racing) {
                history.extend(decide::decide(&replay(&history), command).unwrap_or_default());
                let tried_again = history.iter().any(is_refused);
                let cancelled = history.iter().any(is_end);
                let approved = history.iter().any(is_approved);
                prop_assert!(cancelled != approved || tried_again, "{:?}", history);
                if cancelled {
                    prop_assert!(!history.iter().any(|event| matches!(event, OrderEvent::Shipped(_))));
                }
            }
        }
    }

    #[test]
    fn totals_are_the_sum_of_the_lines(lines in vec(any_line(), 1..=100)) {
        let sum: i64 = lines
            .iter()
            .map(|line| line.unit_price.amount() * i64::from(line.quantity.get()))
            .sum();
        let lines = OrderLines::new(lines);
        prop_assert_eq!(lines.map(|lines| lines.totals().total.amount()), Ok(sum));
    }

    #[test]
    fn an_order_is_placed_before_anything_else(commands in vec(any_command(), 1..12)) {
        for (index, event) in run(&commands).iter().enumerate() {
            prop_assert_eq!(matches!(event, OrderEvent::Placed(_)), index == 0);
            prop_assert_eq!(event.order_id(), order_id());
        }
    }

    #[test]
    fn events_are_read_back_as_they_were_written(event in any_event()) {
        let EventKind { name, version } = event.kind();
        let payload = serde_json::to_vec(&event).unwrap();
        let mut reader = serde_json::Deserializer::from_slice(&payload);
        let read = OrderEvent::deserialize(name, version, &mut reader).unwrap();
        prop_assert_eq!(read, event);
    }

    #[test]
    fn only_an_unplaced_order_is_not_found(
        history in vec(any_event(), 0..4),
        command in any_command(),
    ) {
        let state = replay(&history);
        let rejection = decide::decide(&state, &command).err();
        // A deadline may come to nothing, and nobody tells an operator of a problem with telling an operator.
        let needs_none = matches!(
            command,
            OrderCommand::Place(_) | OrderCommand::Expire(_) | OrderCommand::MarkStuck(_)
        );
        prop_assert_eq!(
            rejection == Some(OrderRejection::OrderNotFound),
            state.stage == OrderStage::Unplaced && !needs_none
        );
    }
}

/// Guards the property: courses on which little happens would show little.
#[test]
fn courses_are_not_trivial() {
    let mut runner = TestRunner::deterministic();
    let mut reached: BTreeMap<&str, usize> = BTreeMap::new();
    for _ in 0..256 {
        let course = any_course().new_tree(&mut runner).unwrap().current();
        for event in run(&course) {
            *reached.entry(event.kind().name).or_default() += 1;
        }
    }
    for name in [
        "OrderRejected",
        "OrderExpired",
        "OrderCancelled",
        "OrderPaymentFailed",
        "OrderCaptureRefused",
        "OrderStuck",
        "OrderResumed",
        "DispatchRefused",
        "OrderShipped",
        "OrderDelivered",
        "OrderCompleted",
    ] {
        let times = reached.get(name).copied().unwrap_or_default();
        assert!(times >= 10, "{name} happened {times} times");
    }
}

/// Others tell something of an order that is known.
fn tells_of_an_order(event: &OrderEvent) -> bool {
    matches!(event, OrderEvent::Placed(_) | OrderEvent::Paid(_)) || is_end(event)
}

fn is_end(event: &OrderEvent) -> bool {
    matches!(
        event,
        OrderEvent::Rejected(_) | OrderEvent::Cancelled(_) | OrderEvent::Expired(_)
    )
}

fn is_paid(event: &OrderEvent) -> bool {
    matches!(event, OrderEvent::Paid(_))
}

fn is_refused(event: &OrderEvent) -> bool {
    matches!(event, OrderEvent::CaptureRefused(_))
}

fn is_approved(event: &OrderEvent) -> bool {
    matches!(event, OrderEvent::DispatchApproved(_))
}

/// A payment that failed may be made again, what is resumed get stuck again, and money that is asked for again refused again; only the event store knows whether
/// that is the same command. Who asks twice whether goods may leave is told twice that they may not.
fn comes_again(command: &OrderCommand) -> bool {
    matches!(
        command,
        OrderCommand::Pay(_)
            // Payments' ids come up in several pays here, as they never do outside.
            | OrderCommand::SettlePayment(_)
            | OrderCommand::MarkStuck(_)
            | OrderCommand::Resume(_)
            | OrderCommand::RefuseCapture(_)
            | OrderCommand::DecideDispatch(_)
    )
}

/// What an event says of the order's money.
fn amount(event: &OrderEvent) -> Option<Money> {
    match event {
        OrderEvent::PaymentPending(event) => Some(event.amount),
        OrderEvent::PaymentRequested(event) => Some(event.amount),
        OrderEvent::Paid(event) => Some(event.amount),
        OrderEvent::DispatchApproved(event) => Some(event.amount),
        OrderEvent::Shipped(event) => Some(event.amount),
        _ => None,
    }
}
