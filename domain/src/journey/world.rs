//! All services, their policies, a gateway, customers, a warehouse and an operator.

use std::collections::BTreeMap;

use chrono::{DateTime, TimeDelta, Utc};
use uuid::Uuid;

use super::{
    Cancels, Case, Customer,
    log::{Log, QueueName, Record, Service},
    wishes,
};
use crate::{
    Context, Policy,
    ids::{OrderId, PaymentId, ShipmentId, policy_command_id},
    order::{OrderPolicy, OrderStage, OrderStream, Orders},
    payment::{
        PaymentCommand, PaymentEvent, PaymentPolicy, PaymentStream, Payments, RecordOutcome, asks,
        testing::gateway::{ModelGateway, Mood},
    },
    product::{Products, policy::InventoryPolicy},
    shipping::{Shipment, ShipmentStream, Shipments, ShippingPolicy},
    topics,
};

/// Far more than any case needs: a journey that goes on beyond it never ends.
const MAX_TURNS: usize = 20_000;

pub(super) struct World {
    now: DateTime<Utc>,
    pub(super) log: Log,
    /// How far each reader has come in each queue.
    positions: BTreeMap<(Reader, QueueName), usize>,
    pub(super) orders: Service<Orders>,
    pub(super) products: Service<Products>,
    payments: Service<Payments>,
    shipments: Service<Shipments>,
    pub(super) gateway: ModelGateway,
    moods: Vec<Mood>,
    /// What the gateway did and nobody heard.
    webhooks: Vec<PaymentCommand>,
    customers: Vec<Customer>,
    /// By which the clients' commands and payments are named.
    named: u128,
}

/// Who reads the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Reader {
    Order,
    Product,
    Payment,
    Shipping,
    Gateway,
}

impl Reader {
    const ALL: [Self; 5] = [
        Self::Order,
        Self::Product,
        Self::Payment,
        Self::Shipping,
        Self::Gateway,
    ];

    const fn topics(self) -> &'static [&'static str] {
        match self {
            Self::Order => OrderPolicy::TOPICS,
            Self::Product => InventoryPolicy::TOPICS,
            Self::Payment => PaymentPolicy::TOPICS,
            Self::Shipping => ShippingPolicy::TOPICS,
            Self::Gateway => &[topics::PAYMENT_EVENTS],
        }
    }
}

/// What can happen next.
enum Turn {
    Deliver(Reader, QueueName),
    Hear(usize),
    LookInto(PaymentStream, DateTime<Utc>),
    Pay(usize),
    Cancel(usize),
    Pack(usize),
    Arrive(usize),
    Resume(usize),
    Expire(usize, DateTime<Utc>),
}

impl World {
    pub(super) fn new(case: &Case) -> Self {
        let mut world = Self {
            now: wishes::begin(),
            log: Log::default(),
            positions: BTreeMap::new(),
            orders: Service::default(),
            products: Service::default(),
            payments: Service::default(),
            shipments: Service::default(),
            gateway: ModelGateway::default(),
            moods: case.moods.clone(),
            webhooks: vec![],
            customers: case.customers.clone(),
            named: 0,
        };
        for (event, number) in wishes::stocked(case.stock).iter().zip(1..) {
            let id = Uuid::from_u128(number);
            world.products.append(&mut world.log, event, id, id);
        }
        for (index, customer) in case.customers.iter().enumerate() {
            let command = wishes::place(wishes::order_id(index), customer.quantities);
            let id = world.name();
            let placed = world.orders.execute(&mut world.log, &command, id);
            placed.expect("nothing was placed before");
        }
        world
    }

    /// Takes turns as they are given, then in any order, until nothing is left to do.
    pub(super) fn run(&mut self, turns: &[(usize, usize)]) {
        let mut turns = turns.iter().copied();
        for _ in 0..MAX_TURNS {
            self.now += TimeDelta::seconds(1);
            let mut possible = self.possible();
            if possible.is_empty() {
                possible = self.patient();
            }
            if possible.is_empty() {
                return;
            }
            let (choice, set_back) = turns.next().unwrap_or_default();
            let turn = possible.swap_remove(choice % possible.len());
            self.take(turn, set_back);
        }
        panic!("the journey does not end");
    }

    /// Everything but what is only done where nothing else goes on.
    fn possible(&self) -> Vec<Turn> {
        let mut turns: Vec<_> = self.unread().collect();
        turns.extend((0..self.webhooks.len()).map(Turn::Hear));
        for (index, customer) in self.customers.iter().enumerate() {
            let stage = self.order(index).stage;
            if let Some(stream) = stage.payment_id().map(|id| stream(index, id))
                && let Some(due_at) = Payments::deadline(&self.payments.state(&stream))
            {
                turns.push(Turn::LookInto(stream, due_at));
            }
            let payable = match &stage {
                OrderStage::Placed { kept, .. } => kept.is_none(),
                OrderStage::Checking(checking) => checking.kept.is_none(),
                OrderStage::AwaitingPayment(_) => true,
                _ => false,
            };
            turns.extend((payable && customer.payments > 0).then_some(Turn::Pay(index)));
            let shipment = self.shipment(index);
            let cancels = match customer.cancels {
                Cancels::Never => false,
                Cancels::AtAnyTime => true,
                Cancels::WhilePaying => matches!(stage, OrderStage::PaymentPending(_)),
                Cancels::WhilePacked => matches!(shipment, Shipment::DispatchRequested { .. }),
            };
            turns.extend(cancels.then_some(Turn::Cancel(index)));
            if customer.hurried {
                turns.extend(self.overdue(index));
            }
            turns.extend(match shipment {
                Shipment::Created { .. } | Shipment::Failed { .. } => Some(Turn::Pack(index)),
                Shipment::Dispatched { .. } => Some(Turn::Arrive(index)),
                _ => None,
            });
        }
        turns
    }

    /// Time and operators wait until nobody else has anything to do; and what an order forgot is looked into at last.
    fn patient(&self) -> Vec<Turn> {
        let mut turns = Vec::new();
        for index in 0..self.customers.len() {
            turns.extend(self.overdue(index));
        }
        for stream in self.started() {
            let due_at = Payments::deadline(&self.payments.state(&stream));
            turns.extend(due_at.map(|due_at| Turn::LookInto(stream, due_at)));
        }
        turns
    }

    /// What an order's operator and its deadline do.
    fn overdue(&self, index: usize) -> impl Iterator<Item = Turn> {
        let order = self.order(index);
        let resume = order.stuck.is_some().then_some(Turn::Resume(index));
        let due_at = Orders::deadline(&order);
        let expire = due_at.map(|due_at| Turn::Expire(index, due_at));
        resume.into_iter().chain(expire)
    }

    fn started(&self) -> impl Iterator<Item = PaymentStream> {
        let started = self.log.records();
        started
            .filter(|record| record.name == "PaymentStarted")
            .map(|record| crate::Event::stream(&record.read::<PaymentEvent>()))
    }

    fn unread(&self) -> impl Iterator<Item = Turn> {
        self.log.queues().flat_map(|(queue, records)| {
            let readers = Reader::ALL.into_iter();
            let readers = readers.filter(|reader| reader.topics().contains(&queue.0));
            let unread = readers.filter(|reader| {
                let position = self.positions.get(&(*reader, queue.clone()));
                position.copied().unwrap_or(0) < records.len()
            });
            unread.map(|reader| Turn::Deliver(reader, queue.clone()))
        })
    }

    fn take(&mut self, turn: Turn, set_back: usize) {
        match turn {
            Turn::Deliver(reader, queue) => self.deliver(reader, queue, set_back),
            Turn::Hear(index) => {
                let command = self.webhooks.swap_remove(index);
                let id = self.name();
                let heard = self.payments.execute(&mut self.log, &command, id);
                heard.expect("it answers what was asked");
            }
            Turn::LookInto(stream, due_at) => {
                self.now = self.now.max(due_at);
                let command = Payments::expire(&stream, due_at).unwrap();
                let id = self.name();
                let looked = self.payments.execute(&mut self.log, &command, id);
                looked.expect("a deadline is not rejected");
            }
            Turn::Pay(index) => {
                self.customers[index].payments -= 1;
                let payment_id = self.name().into();
                self.order_at_will(&wishes::pay(wishes::order_id(index), payment_id, self.now));
            }
            Turn::Cancel(index) => {
                self.customers[index].cancels = Cancels::Never;
                self.order_at_will(&wishes::cancel(wishes::order_id(index), self.now));
            }
            Turn::Resume(index) => {
                self.order_at_will(&wishes::resume(wishes::order_id(index), self.now));
            }
            Turn::Expire(index, due_at) => {
                self.now = self.now.max(due_at);
                let command = Orders::expire(&OrderStream(wishes::order_id(index)), due_at);
                self.order_at_will(&command.unwrap());
            }
            Turn::Pack(index) => self.ship_at_will(&wishes::pack(shipment_id(index), self.now)),
            Turn::Arrive(index) => {
                let fails = &mut self.customers[index].fails;
                let command = if std::mem::take(fails) {
                    wishes::fail(shipment_id(index), self.now)
                } else {
                    wishes::arrive(shipment_id(index), self.now)
                };
                self.ship_at_will(&command);
            }
        }
    }

    /// From outside: refused where it comes too late.
    fn order_at_will(&mut self, command: &crate::order::OrderCommand) {
        let id = self.name();
        let _late = self.orders.execute(&mut self.log, command, id);
    }

    fn ship_at_will(&mut self, command: &crate::shipping::ShippingCommand) {
        let id = self.name();
        let asked = self.shipments.execute(&mut self.log, command, id);
        asked.expect("the warehouse does what can be done");
    }

    /// Reacts to the next event of a queue; then it is as if the reader had crashed before it noted its last positions.
    fn deliver(&mut self, reader: Reader, queue: QueueName, set_back: usize) {
        let mut queues = self.log.queues();
        let (_, records) = queues.find(|(name, _)| **name == queue).unwrap();
        let position = self.positions.entry((reader, queue)).or_default();
        let record = records[*position].clone();
        *position = (*position + 1).saturating_sub(set_back);
        drop(queues);
        let refused = "a policy is not rejected";
        match reader {
            Reader::Order => {
                for reaction in record.react(&OrderPolicy::default(), self.now) {
                    let (command, id) = (reaction.command, reaction.command_id);
                    let done = self.orders.execute(&mut self.log, &command, id);
                    done.expect(refused);
                }
            }
            Reader::Product => {
                for reaction in record.react(&InventoryPolicy, self.now) {
                    let (command, id) = (reaction.command, reaction.command_id);
                    let done = self.products.execute(&mut self.log, &command, id);
                    done.expect(refused);
                }
            }
            Reader::Payment => {
                for reaction in record.react(&PaymentPolicy::default(), self.now) {
                    let (command, id) = (reaction.command, reaction.command_id);
                    let done = self.payments.execute(&mut self.log, &command, id);
                    done.expect(refused);
                }
            }
            Reader::Shipping => {
                for reaction in record.react(&ShippingPolicy, self.now) {
                    let (command, id) = (reaction.command, reaction.command_id);
                    let done = self.shipments.execute(&mut self.log, &command, id);
                    done.expect(refused);
                }
            }
            Reader::Gateway => self.call(&record),
        }
    }

    /// The effect: tells the gateway what an event asks, and records what is heard.
    fn call(&mut self, record: &Record) {
        let event: PaymentEvent = record.read();
        let Some((request_id, request)) = asks(&event) else {
            return;
        };
        let PaymentStream {
            payment_id,
            order_id,
        } = crate::Event::stream(&event);
        let mood = self.moods.pop().unwrap_or(Mood::Does);
        let outcome = |outcome| {
            PaymentCommand::Record(RecordOutcome {
                payment_id,
                order_id,
                request_id,
                operation: request.operation(),
                outcome,
                learnt_at: self.now,
            })
        };
        let command = outcome(self.gateway.tell(request_id, &request, mood));
        if mood == Mood::IsNotHeard {
            let done = self.gateway.tell(request_id, &request, Mood::Does);
            self.webhooks.push(outcome(done));
        }
        let id = policy_command_id(record.id, "gateway", "");
        let heard = self.payments.execute(&mut self.log, &command, id);
        heard.expect("it was asked by a payment");
    }

    fn name(&mut self) -> Uuid {
        self.named += 1;
        Uuid::from_u128(0xc11e_0000 + self.named)
    }

    pub(super) fn order(&self, index: usize) -> crate::order::Order {
        self.orders.state(&OrderStream(wishes::order_id(index)))
    }

    fn shipment(&self, index: usize) -> Shipment {
        self.shipments.state(&ShipmentStream(shipment_id(index)))
    }

    /// What happened to an order, by name; in each topic in its order.
    pub(super) fn told(&self, order_id: OrderId) -> Vec<&'static str> {
        let id = order_id.to_string();
        let records = self.log.records();
        let of_order = records.filter(|record| record.payload["order_id"] == *id);
        of_order.map(|record| record.name).collect()
    }
}

fn stream(index: usize, payment_id: PaymentId) -> PaymentStream {
    PaymentStream {
        payment_id,
        order_id: wishes::order_id(index),
    }
}

fn shipment_id(index: usize) -> ShipmentId {
    ShipmentId::of(wishes::order_id(index))
}
