//! The whole workflow in memory: orders ask and are called off, the policy carries everything to and fro, in any order that
//! the log allows, and more than once.

use std::collections::{BTreeMap, BTreeSet};

use proptest::{collection::vec, prelude::*, strategy::ValueTree, test_runner::TestRunner};
use serde_json::json;
use uuid::Uuid;

use super::{check_answer, check_stock};
use crate::{
    Context, Event, EventKind, Policy, ReadEvent,
    ids::{OrderId, event_id},
    policy::Cause,
    product::{
        ProductCommand, ProductEvent, ProductState, ProductStream, Products,
        policy::{InventoryPolicy, InventoryPolicyEvent},
        reservation::{InventoryCheck, Reservation},
        stock::{Hold, ReceiveStock, StockCommand, StockOpened},
        testing::{at, line, order, sku, units},
    },
    quantity::SkuUnits,
    topics,
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
    /// Whether it is called off, at any time.
    cancelled: bool,
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
    let wish = ([quantity(), quantity(), quantity()], any::<bool>())
        .prop_filter("an order has a line", |(quantities, _)| {
            quantities != &[0; 3]
        })
        .prop_map(|(quantities, cancelled)| Wish {
            quantities,
            cancelled,
        });
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

/// What an event store keeps, and what the policy has read of it.
#[derive(Default)]
struct World {
    streams: BTreeMap<String, Stream>,
    /// By topic and key: only the order within is promised.
    queues: BTreeMap<(&'static str, String), Queue>,
    /// Goods that are yet to come in.
    goods: Vec<ProductCommand>,
    log: Vec<ProductEvent>,
}

#[derive(Default)]
struct Stream {
    state: ProductState,
    commands: BTreeSet<Uuid>,
}

#[derive(Default)]
struct Queue {
    events: Vec<(Uuid, InventoryPolicyEvent)>,
    next: usize,
}

/// What can happen next.
enum Turn {
    Deliver((&'static str, String)),
    Receive,
}

impl World {
    fn new(case: &Case) -> Self {
        let mut world = Self::default();
        for (index, stock) in case.stocks.into_iter().enumerate() {
            if let Some(quantity) = stock {
                let sku = sku(SKUS[index]);
                world.append(&ProductEvent::StockOpened(StockOpened { sku }), Uuid::nil());
                if quantity > 0 {
                    world.execute(&receive(index, quantity), Uuid::from_u128(1));
                }
            }
        }
        for (number, wish) in (1..).zip(&case.orders) {
            world.ask(order(number), wish);
        }
        let received = case
            .goods
            .iter()
            .filter(|(index, _)| case.stocks[*index].is_some());
        world.goods = received
            .map(|(index, quantity)| receive(*index, *quantity))
            .collect();
        world
    }

    /// The order service's events. Their topics are read independently, so that either may come first.
    fn ask(&mut self, order_id: OrderId, wish: &Wish) {
        let lines = wish.lines();
        let check = ProductEvent::InventoryCheck(InventoryCheck { order_id, lines });
        self.publish(&check, event_id(order_id.as_uuid(), 1));
        if wish.cancelled {
            let payload = json!({"order_id": order_id});
            let event = InventoryPolicyEvent::deserialize("OrderCancelled", 1, &payload).unwrap();
            let queue = (topics::ORDER_EVENTS, order_id.to_string());
            let id = event_id(order_id.as_uuid(), 2);
            self.queues
                .entry(queue)
                .or_default()
                .events
                .push((id, event));
        }
    }

    /// Takes turns as they are given, then in any order, until nothing is left to do.
    fn run(&mut self, turns: &[(usize, usize)]) {
        let mut turns = turns.iter().copied();
        for number in 0..MAX_DELIVERIES {
            let mut possible: Vec<_> = self.unread().map(Turn::Deliver).collect();
            if !self.goods.is_empty() {
                possible.push(Turn::Receive);
            }
            if possible.is_empty() {
                return;
            }
            let (choice, set_back) = turns.next().unwrap_or_default();
            match possible.swap_remove(choice % possible.len()) {
                Turn::Deliver(queue) => self.deliver(&queue, set_back),
                Turn::Receive => {
                    let command = self.goods.pop().expect("goods are yet to come in");
                    self.execute(&command, event_id(Uuid::nil(), number.try_into().unwrap()));
                }
            }
        }
        panic!("the workflow does not end");
    }

    fn unread(&self) -> impl Iterator<Item = (&'static str, String)> {
        let unread = self
            .queues
            .iter()
            .filter(|(_, queue)| queue.next < queue.events.len());
        unread.map(|(queue, _)| queue.clone())
    }

    /// Reacts to the next event of a queue; then it is as if a reader had crashed before it noted its last positions.
    fn deliver(&mut self, queue: &(&'static str, String), set_back: usize) {
        let queue = self.queues.get_mut(queue).expect("the queue is known");
        let (event_id, event) = queue.events[queue.next].clone();
        queue.next = (queue.next + 1).saturating_sub(set_back);
        let cause = Cause {
            event_id,
            now: at(0),
        };
        for reaction in InventoryPolicy.react(&event, cause) {
            self.execute(&reaction.command, reaction.command_id);
        }
    }

    fn execute(&mut self, command: &ProductCommand, command_id: Uuid) {
        let target = Products::target(command).to_string();
        let stream = self.streams.entry(target.clone()).or_default();
        if stream.commands.contains(&command_id) {
            return;
        }
        let events = Products::decide(&stream.state, command).expect("a policy is not rejected");
        for (index, event) in (1..).zip(&events) {
            if let Some(stock) = self.streams[&target].state.stock() {
                check_answer(stock, event);
            }
            self.append(event, command_id);
            self.publish(event, event_id(command_id, index));
        }
        if let Some(stock) = self.streams[&target].state.stock() {
            check_stock(stock);
        }
    }

    fn append(&mut self, event: &ProductEvent, command_id: Uuid) {
        let stream = self.streams.entry(event.stream().to_string()).or_default();
        stream.state = Products::evolve(std::mem::take(&mut stream.state), event);
        stream.commands.insert(command_id);
        self.log.push(event.clone());
    }

    fn publish(&mut self, event: &ProductEvent, id: Uuid) {
        let EventKind { name, version } = event.kind();
        let payload = serde_json::to_value(event).unwrap();
        let view = InventoryPolicyEvent::deserialize(name, version, &payload).unwrap();
        let queue = (event.topic(), ProductEvent::key(&event.stream()));
        self.queues
            .entry(queue)
            .or_default()
            .events
            .push((id, view));
    }

    fn state(&self, stream: &ProductStream) -> &ProductState {
        &self.streams[&stream.to_string()].state
    }

    /// How often an order's check was answered.
    fn answers(&self, order_id: OrderId) -> usize {
        let of_order = self.log.iter().filter(|event| match event {
            ProductEvent::InventoryConfirmed(event) => event.order_id == order_id,
            ProductEvent::InventoryRejected(event) => event.order_id == order_id,
            _ => false,
        });
        of_order.count()
    }

    fn reservation(&self, order_id: OrderId) -> &Reservation {
        let state = self.state(&ProductStream::Reservation(order_id));
        state.reservation().expect("every order has a reservation")
    }

    /// What the orders hold of a SKU that have everything.
    fn due(&self, case: &Case, index: usize) -> BTreeMap<OrderId, Hold> {
        let orders = (1..).map(order).zip(&case.orders);
        let confirmed = orders.filter(|(order_id, wish)| {
            let confirmed = matches!(self.reservation(*order_id), Reservation::Confirmed { .. });
            confirmed && wish.quantities[index] > 0
        });
        let hold = |(order_id, wish): (OrderId, &Wish)| {
            let quantity = units(wish.quantities[index]);
            let allocated = true;
            (
                order_id,
                Hold {
                    quantity,
                    allocated,
                },
            )
        };
        confirmed.map(hold).collect()
    }
}

fn receive(index: usize, quantity: i64) -> ProductCommand {
    ProductCommand::Stock(StockCommand::Receive(ReceiveStock {
        sku: sku(SKUS[index]),
        quantity: units(quantity),
        received_at: at(0),
    }))
}

fn is_enough_for_all(case: &Case) -> bool {
    (0..SKUS.len()).all(|index| {
        let wanted: i64 = case.orders.iter().map(|wish| wish.quantities[index]).sum();
        wanted <= case.stocks[index].unwrap_or_default()
    })
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
            if wish.cancelled {
                prop_assert_eq!(reservation, &Reservation::Cancelled);
                prop_assert!(answers <= 1);
            } else {
                prop_assert_eq!(answers, 1);
            }
        }
        for (index, text) in SKUS.into_iter().enumerate() {
            let stream = ProductStream::Stock(sku(text));
            let Some(stock) = world.streams.get(&stream.to_string()) else {
                continue;
            };
            let due = world.due(&case, index);
            match stock.state.stock() {
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
            let confirmed = matches!(world.reservation(order_id), Reservation::Confirmed { .. });
            prop_assert_eq!(confirmed, !wish.cancelled);
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
    ] {
        assert!(names.contains(name), "{name} never happened");
    }
}
