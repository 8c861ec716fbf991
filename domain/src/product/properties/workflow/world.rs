//! The product service and its policy, without a log.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::json;
use uuid::Uuid;

use super::{Case, Fate, MAX_DELIVERIES, SKUS, Wish};
use crate::{
    Context, Event, EventKind, Policy, ReadEvent,
    ids::{OrderId, event_id},
    policy::Cause,
    product::{
        ProductCommand, ProductEvent, ProductState, ProductStream, Products,
        policy::{InventoryPolicy, InventoryPolicyEvent},
        properties::{check_answer, check_stock},
        reservation::{InventoryCheck, Reservation},
        stock::{Hold, ReceiveStock, StockCommand, StockItem, StockOpened},
        testing::{at, order, sku, units},
    },
    quantity::Units,
    topics,
};

/// What an event store keeps, and what the policy has read of it.
#[derive(Default)]
pub(super) struct World {
    streams: BTreeMap<String, Stream>,
    /// By topic and key: only the order within is promised.
    queues: BTreeMap<(&'static str, String), Queue>,
    /// Goods that are yet to come in.
    goods: Vec<ProductCommand>,
    /// Orders that leave once they have everything; some twice.
    to_ship: Vec<OrderId>,
    pub(super) log: Vec<ProductEvent>,
}

#[derive(Default)]
struct Stream {
    state: ProductState,
    commands: BTreeSet<Uuid>,
    /// By which command an order was served.
    reserves: BTreeMap<Uuid, OrderId>,
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
    Ship(usize),
}

impl World {
    pub(super) fn new(case: &Case) -> Self {
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
        match wish.fate {
            Fate::Open => {}
            Fate::Cancelled => {
                let id = event_id(order_id.as_uuid(), 2);
                self.tell(topics::ORDER_EVENTS, "OrderCancelled", order_id, id);
            }
            Fate::Shipped => self.to_ship.extend([order_id; 2]),
        }
    }

    /// An event of another service.
    fn tell(&mut self, topic: &'static str, name: &str, order_id: OrderId, id: Uuid) {
        let payload = json!({"order_id": order_id});
        let event = InventoryPolicyEvent::deserialize(name, 1, &payload).unwrap();
        let queue = self
            .queues
            .entry((topic, order_id.to_string()))
            .or_default();
        queue.events.push((id, event));
    }

    /// Takes turns as they are given, then in any order, until nothing is left to do.
    pub(super) fn run(&mut self, turns: &[(usize, usize)]) {
        let mut turns = turns.iter().copied();
        for number in 0..MAX_DELIVERIES {
            let mut possible: Vec<_> = self.unread().map(Turn::Deliver).collect();
            if !self.goods.is_empty() {
                possible.push(Turn::Receive);
            }
            possible.extend(self.shippable().map(Turn::Ship));
            if possible.is_empty() {
                return;
            }
            let (choice, set_back) = turns.next().unwrap_or_default();
            match possible.swap_remove(choice % possible.len()) {
                Turn::Deliver(queue) => self.deliver(&queue, set_back),
                Turn::Ship(index) => {
                    let order_id = self.to_ship.swap_remove(index);
                    let id = event_id(order_id.as_uuid(), number.try_into().unwrap());
                    self.tell(topics::SHIPPING_EVENTS, "ShipmentDispatched", order_id, id);
                }
                Turn::Receive => {
                    let command = self.goods.pop().expect("goods are yet to come in");
                    self.execute(&command, event_id(Uuid::nil(), number.try_into().unwrap()));
                }
            }
        }
        panic!("the workflow does not end");
    }

    /// Which of those that are to leave have everything.
    fn shippable(&self) -> impl Iterator<Item = usize> {
        let confirmed = |order_id: OrderId| {
            let mut log = self.log.iter();
            log.any(|event| matches!(event, ProductEvent::InventoryConfirmed(event) if event.order_id == order_id))
        };
        let orders = self.to_ship.iter().enumerate();
        orders
            .filter(move |(_, order_id)| confirmed(**order_id))
            .map(|(index, _)| index)
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
        if stream.commands.contains(&command_id) && !Products::is_decided_anew(command) {
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
        self.forget(command, &target);
        if let Some(stock) = self.streams[&target].state.stock() {
            check_stock(stock);
        }
    }

    /// A stock remembers its last commands only. When goods leave, it is long since they were asked for: should they be asked
    /// for again, that is decided again.
    fn forget(&mut self, command: &ProductCommand, target: &str) {
        if let ProductCommand::Stock(StockCommand::Commit(commit)) = command {
            let (id, stream) = (commit.order_id, self.streams.get_mut(target));
            let stream = stream.expect("it has just decided");
            stream
                .commands
                .retain(|command| stream.reserves.get(command) != Some(&id));
        }
    }

    fn append(&mut self, event: &ProductEvent, command_id: Uuid) {
        let stream = self.streams.entry(event.stream().to_string()).or_default();
        stream.state = Products::evolve(std::mem::take(&mut stream.state), event);
        stream.commands.insert(command_id);
        if let ProductEvent::StockReserved(event) = event {
            // Only where it was served at once: else it is another command that it was served by.
            stream.reserves.insert(command_id, event.order_id);
        }
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
    pub(super) fn answers(&self, order_id: OrderId) -> usize {
        let of_order = self.log.iter().filter(|event| match event {
            ProductEvent::InventoryConfirmed(event) => event.order_id == order_id,
            ProductEvent::InventoryRejected(event) => event.order_id == order_id,
            _ => false,
        });
        of_order.count()
    }

    pub(super) fn reservation(&self, order_id: OrderId) -> &Reservation {
        let state = self.state(&ProductStream::Reservation(order_id));
        state.reservation().expect("every order has a reservation")
    }

    /// The stock of a SKU, where there is such a product.
    pub(super) fn stock(&self, text: &str) -> Option<&StockItem> {
        let stream = ProductStream::Stock(sku(text)).to_string();
        self.streams.get(&stream)?.state.stock()
    }

    /// What has left for an order, each time.
    pub(super) fn left(&self, order_id: OrderId, text: &str) -> Vec<Units> {
        let sku = sku(text);
        let left = self.log.iter().filter_map(|event| match event {
            ProductEvent::StockCommitted(event) => Some(event),
            _ => None,
        });
        left.filter(|event| event.order_id == order_id && event.sku == sku)
            .map(|event| event.quantity)
            .collect()
    }

    /// What the orders hold of a SKU that have everything.
    pub(super) fn due(&self, case: &Case, index: usize) -> BTreeMap<OrderId, Hold> {
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
