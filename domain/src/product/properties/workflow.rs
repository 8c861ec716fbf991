//! The whole workflow in memory: orders ask and are called off, the policy carries everything to and fro, in any order that
//! the log allows, and more than once.

mod world;

use std::collections::{BTreeMap, BTreeSet};

use proptest::{collection::vec, prelude::*, strategy::ValueTree, test_runner::TestRunner};

use self::world::World;
use crate::{
    Event,
    ids::OrderId,
    product::{
        reservation::Reservation,
        testing::{line, order, units},
    },
    quantity::SkuUnits,
};

const SKUS: [&str; 3] = ["A", "B", "C"];
/// Far more than any case needs: a workflow that goes on beyond it never ends.
const MAX_DELIVERIES: usize = 20_000;

/// What comes from outside.
#[derive(Debug, Clone)]
struct Case {
    /// What is there of each SKU at the beginning; none where there is no such product.
    stocks: [Option<i64>; 3],
    orders: Vec<Wish>,
    /// What comes in later, of which SKU.
    goods: Vec<(usize, i64)>,
    /// Which of the queues that have something goes on, and how far it is set back after.
    turns: Vec<(usize, usize)>,
}

#[derive(Debug, Clone)]
struct Wish {
    /// How many of each SKU; not all are none.
    quantities: [i64; 3],
    fate: Fate,
}

/// What the order service decides on; it decides on one of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fate {
    /// Nothing.
    Open,
    /// It is called off, at any time.
    Cancelled,
    /// It is sent, once it has everything; and once more, since it did not arrive.
    Shipped,
}

impl Wish {
    fn lines(&self) -> Vec<SkuUnits> {
        let lines = SKUS.into_iter().zip(self.quantities);
        let wanted = lines.filter(|(_, quantity)| *quantity > 0);
        wanted.map(|(sku, quantity)| line(sku, quantity)).collect()
    }
}

fn any_case() -> impl Strategy<Value = Case> {
    let stock = || prop_oneof![1 => Just(None), 9 => (0..10_i64).prop_map(Some)];
    let quantity = || prop_oneof![1 => Just(0), 2 => 1..5_i64];
    let fate = prop_oneof![
        1 => Just(Fate::Open),
        2 => Just(Fate::Cancelled),
        2 => Just(Fate::Shipped)
    ];
    let wish = ([quantity(), quantity(), quantity()], fate)
        .prop_filter("an order has a line", |(quantities, _)| {
            quantities != &[0; 3]
        })
        .prop_map(|(quantities, fate)| Wish { quantities, fate });
    let set_back = prop_oneof![3 => Just(0), 1 => 1..4_usize];
    let parts = (
        [stock(), stock(), stock()],
        vec(wish, 1..8),
        vec((0..3_usize, 1..4_i64), 0..3),
        vec((0..64_usize, set_back), 0..300),
    );
    parts.prop_map(|(stocks, orders, goods, turns)| Case {
        stocks,
        orders,
        goods,
        turns,
    })
}

fn is_enough_for_all(case: &Case) -> bool {
    (0..SKUS.len()).all(|index| {
        let wanted: i64 = case.orders.iter().map(|wish| wish.quantities[index]).sum();
        wanted <= case.stocks[index].unwrap_or_default()
    })
}

/// An order that was sent has had what it asked for leave, once, whatever it was asked of a stock again; nobody else has.
fn check_what_has_left(world: &World, order_id: OrderId, wish: &Wish) {
    let sent = *world.reservation(order_id) == Reservation::Committed;
    for (text, quantity) in SKUS.into_iter().zip(wish.quantities) {
        let left = world.left(order_id, text);
        let expected = (sent && quantity > 0).then(|| units(quantity));
        assert_eq!(left, Vec::from_iter(expected), "{text} of {order_id}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_000))]

    #[test]
    fn every_order_gets_everything_or_nothing(case in any_case()) {
        let mut world = World::new(&case);
        world.run(&case.turns);
        for (order_id, wish) in (1..).map(order).zip(&case.orders) {
            let reservation = world.reservation(order_id);
            let answers = world.answers(order_id);
            match wish.fate {
                Fate::Cancelled => {
                    prop_assert_eq!(reservation, &Reservation::Cancelled);
                    prop_assert!(answers <= 1);
                }
                Fate::Open => prop_assert_eq!(answers, 1),
                Fate::Shipped => {
                    prop_assert_eq!(answers, 1);
                    let ended = matches!(reservation, Reservation::Committed | Reservation::Rejected);
                    prop_assert!(ended);
                }
            }
            check_what_has_left(&world, order_id, wish);
        }
        for (index, text) in SKUS.into_iter().enumerate() {
            let due = world.due(&case, index);
            match world.stock(text) {
                Some(stock) => {
                    prop_assert_eq!(stock.holds().collect::<BTreeMap<_, _>>(), due);
                    prop_assert_eq!(stock.waiting().len(), 0);
                }
                None => prop_assert_eq!(due, BTreeMap::new()),
            }
        }
    }

    #[test]
    fn where_there_is_enough_for_all_nobody_is_rejected(case in any_case()) {
        let plenty = Case {
            stocks: case.stocks.map(|stock| stock.map_or(Some(30), |stock| Some(stock + 30))),
            ..case
        };
        prop_assert!(is_enough_for_all(&plenty));
        let mut world = World::new(&plenty);
        world.run(&plenty.turns);
        for (order_id, wish) in (1..).map(order).zip(&plenty.orders) {
            let fate = match world.reservation(order_id) {
                Reservation::Confirmed { .. } => Fate::Open,
                Reservation::Cancelled => Fate::Cancelled,
                Reservation::Committed => Fate::Shipped,
                other => panic!("it had to be confirmed, and is {other:?}"),
            };
            prop_assert_eq!(fate, wish.fate);
        }
    }
}

/// Guards the properties: cases that never make anybody wait, or be denied, would show little.
#[test]
fn cases_are_not_trivial() {
    let mut runner = TestRunner::deterministic();
    let mut names = BTreeSet::new();
    for _ in 0..200 {
        let case = any_case().new_tree(&mut runner).unwrap().current();
        let mut world = World::new(&case);
        world.run(&case.turns);
        names.extend(world.log.iter().map(|event| event.kind().name));
    }
    for name in [
        "StockAwaited",
        "StockDenied",
        "InventoryRejected",
        "InventoryConfirmed",
        "ReservationCommitted",
        "ReservationLineReturned",
    ] {
        assert!(names.contains(name), "{name} never happened");
    }
}
