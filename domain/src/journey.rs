//! The whole way of an order, in memory: the services know each other's events only, which come in any order that the log
//! allows and more than once; the gateway may not answer, customers change their minds, and shipments get lost.

mod log;
mod wishes;
mod world;

use std::collections::BTreeSet;

use proptest::{collection::vec, prelude::*, strategy::ValueTree, test_runner::TestRunner};
use uuid::Uuid;

use self::world::World;
use crate::{
    ids::OrderId,
    order::OrderStage,
    payment::testing::gateway::{Account, Mood},
    product::ProductStream,
};

const SKUS: [&str; 2] = ["A", "B"];

/// What comes from outside.
#[derive(Debug, Clone)]
struct Case {
    /// How many there are of each SKU.
    stock: [i64; 2],
    customers: Vec<Customer>,
    /// How the gateway takes its requests, last first; after that it does them.
    moods: Vec<Mood>,
    /// Which of the things that are possible happens, and how far a reader is set back after.
    turns: Vec<(usize, usize)>,
}

/// From when on somebody may call an order off.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Cancels {
    Never,
    AtAnyTime,
    /// While the payment service asks for the money.
    WhilePaying,
    /// While the shipment waits for leave.
    WhilePacked,
}

#[derive(Debug, Clone)]
struct Customer {
    /// How many of each SKU; not all are none.
    quantities: [i64; 2],
    /// How often they try to pay.
    payments: usize,
    /// When they call it off.
    cancels: Cancels,
    /// Whether the shipment gets lost once.
    fails: bool,
    /// Whether time and operators act while others do, and not only once nobody else has anything to do.
    hurried: bool,
}

fn any_mood() -> impl Strategy<Value = Mood> {
    prop_oneof![
        8 => Just(Mood::Does),
        2 => Just(Mood::IsNotHeard),
        2 => Just(Mood::DoesNotHear),
        2 => Just(Mood::Refuses),
        1 => Just(Mood::SetsOtherAmountAside),
    ]
}

/// Some answers, or such a silence that nobody waits any longer.
fn any_moods() -> impl Strategy<Value = Vec<Mood>> {
    let silence = (vec(Just(Mood::DoesNotHear), 20..60), vec(any_mood(), 0..4));
    prop_oneof![
        4 => vec(any_mood(), 0..10),
        1 => silence.prop_map(|(silence, before)| [silence, before].concat()),
    ]
}

fn any_case() -> impl Strategy<Value = Case> {
    let customer = (
        [0..3_i64, 0..3_i64],
        prop_oneof![1 => Just(0), 6 => Just(2_usize)],
        prop_oneof![
            3 => Just(Cancels::Never),
            1 => Just(Cancels::AtAnyTime),
            1 => Just(Cancels::WhilePaying),
            2 => Just(Cancels::WhilePacked),
        ],
        proptest::bool::weighted(0.2),
        proptest::bool::weighted(0.2),
    );
    let customer = customer
        .prop_filter("an order has a line", |(quantities, ..)| {
            quantities != &[0; 2]
        })
        .prop_map(|(quantities, payments, cancels, fails, hurried)| Customer {
            quantities,
            payments,
            cancels,
            fails,
            hurried,
        });
    let set_back = prop_oneof![4 => Just(0), 1 => 1..5_usize];
    let parts = (
        [1..4_i64, 2..6_i64],
        vec(customer, 1..3),
        any_moods(),
        vec((0..64_usize, set_back), 0..200),
    );
    parts.prop_map(|(stock, customers, moods, turns)| Case {
        stock,
        customers,
        moods,
        turns,
    })
}

fn run(case: &Case) -> World {
    let mut world = World::new(case);
    world.run(&case.turns);
    world
}

/// What the gateway has for an order, by payment, and how often it took it.
fn accounts(world: &World, order_id: OrderId) -> Vec<(Option<Account>, usize)> {
    let id = order_id.to_string();
    let started = world
        .log
        .records()
        .filter(|record| record.name == "PaymentStarted" && record.payload["order_id"] == *id);
    let requests = started.map(|record| record.payload["request_id"].as_str().unwrap());
    let requests = requests.map(|request| request.parse::<Uuid>().unwrap());
    requests
        .map(|request| {
            (
                world.gateway.account(request),
                world.gateway.captures(request),
            )
        })
        .collect()
}

fn count(told: &[&str], name: &str) -> usize {
    told.iter().filter(|told| **told == name).count()
}

/// Whether an order holds any stock.
fn holds_stock(world: &World, order_id: OrderId) -> bool {
    (0..SKUS.len()).any(|index| {
        let state = world
            .products
            .state(&ProductStream::Stock(wishes::sku(index)));
        let crate::product::ProductState::Stock(stock) = state else {
            panic!("the stock is open");
        };
        stock.hold(order_id).is_some() || stock.awaits(order_id)
    })
}

/// An order that was sold: its money was taken once, and its goods have left once.
fn check_sold(world: &World, order_id: OrderId, customer: &Customer) {
    let told = world.told(order_id);
    assert_eq!(count(&told, "OrderShipped"), 1);
    assert_eq!(count(&told, "OrderDelivered"), 1);
    assert!((1..=2).contains(&count(&told, "ShipmentDispatched")));
    let lines = customer.quantities.into_iter().filter(|wanted| *wanted > 0);
    assert_eq!(count(&told, "StockCommitted"), lines.count());
    assert_eq!(count(&told, "StockReleased"), 0, "{told:?}");
    let (taken, others): (Vec<_>, Vec<_>) = accounts(world, order_id)
        .into_iter()
        .partition(|(account, _)| *account == Some(Account::Taken));
    assert_eq!(taken, [(Some(Account::Taken), 1)]);
    let nothing = [None, Some(Account::Gone)];
    assert!(
        others
            .iter()
            .all(|(account, captures)| { nothing.contains(account) && *captures == 0 })
    );
}

/// An order that was not: nothing of it has left, and nobody has its money.
fn check_not_sold(world: &World, order_id: OrderId) {
    let told = world.told(order_id);
    for never in ["ShipmentDispatched", "StockCommitted", "OrderShipped"] {
        assert_eq!(count(&told, never), 0, "{told:?}");
    }
    let nothing = [None, Some(Account::Gone), Some(Account::Back)];
    let accounts = accounts(world, order_id);
    assert!(
        accounts
            .iter()
            .all(|(account, _)| nothing.contains(account)),
        "{accounts:?}: {told:?}"
    );
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(250))]

    #[test]
    fn goods_and_money_follow_the_order(case in any_case()) {
        let world = run(&case);
        for (index, customer) in case.customers.iter().enumerate() {
            let order_id = wishes::order_id(index);
            let order = world.order(index);
            prop_assert_eq!(&order.stuck, &None);
            prop_assert!(!holds_stock(&world, order_id));
            match order.stage {
                OrderStage::Completed(_) => check_sold(&world, order_id, customer),
                OrderStage::Rejected | OrderStage::Cancelled { .. } | OrderStage::Expired => {
                    check_not_sold(&world, order_id);
                }
                stage => prop_assert!(false, "it does not end: {:?}", stage),
            }
        }
    }

    /// Where the gateway does what it is told, and there is enough, the customer alone decides.
    #[test]
    fn who_pays_and_does_not_change_their_mind_gets_their_goods(case in any_case()) {
        let kind = Case { stock: [9, 9], moods: vec![], ..case };
        let world = run(&kind);
        for (index, customer) in kind.customers.iter().enumerate() {
            let told = world.told(wishes::order_id(index));
            let sold = matches!(world.order(index).stage, OrderStage::Completed(_));
            let lets_it_be = customer.cancels != Cancels::Never || customer.payments == 0;
            prop_assert!(sold || lets_it_be || customer.hurried, "{:?}", told);
            prop_assert_eq!(count(&told, "OrderStuck"), 0);
            let (approved, cancelled) = (
                count(&told, "DispatchApproved"),
                count(&told, "OrderCancelled"),
            );
            prop_assert!(approved + cancelled <= 1);
        }
    }
}

/// Guards the properties: journeys on which little happens would show little.
#[test]
fn journeys_are_not_trivial() {
    let mut runner = TestRunner::deterministic();
    let mut names = BTreeSet::new();
    let mut stuck_by = BTreeSet::new();
    for _ in 0..500 {
        let case = any_case().new_tree(&mut runner).unwrap().current();
        let world = run(&case);
        names.extend(world.log.records().map(|record| record.name));
        let stuck = world
            .log
            .records()
            .filter(|record| record.name == "PaymentStuck");
        stuck_by.extend(stuck.map(|record| record.payload["by"].to_string()));
    }
    let both = ["\"refusal\"", "\"silence\""];
    assert_eq!(stuck_by, both.map(str::to_owned).into());
    for name in [
        "OrderRejected",
        "OrderExpired",
        "OrderCancelled",
        "OrderCompleted",
        "OrderPaymentFailed",
        "OrderCaptureRefused",
        "OrderResumed",
        "DispatchRefused",
        "PaymentVoided",
        "PaymentStuck",
        "PaymentReconciling",
        "ShipmentFailed",
        "StockCommitted",
    ] {
        assert!(names.contains(name), "{name} never happened");
    }
}
