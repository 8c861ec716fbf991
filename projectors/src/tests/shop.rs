//! All services, on one log.

use std::time::{Duration, Instant};

use domain::{
    Context, cart::Carts, ids::CartId, order::Orders, payment::Payments, product::Products,
    shipping::Shipments, topics,
};
use event_store::{
    CommandMetadata, EventStore, Refusal, Request, StoreConfig, log::Log, memory::MemoryLog,
};
use uuid::Uuid;

use super::{
    PATIENCE,
    commands::{self as ask, now},
    fulfilment,
    notices::{self, Notices},
};

/// What [`Shop::trade`] makes of three orders: one placed, one paid, one paid and cancelled.
pub(super) const EVENTS_OF_THREE: i64 = 1 + 5 + 6;
/// And, of two of them, the message that asks for a payment.
pub(super) const MESSAGES_OF_THREE: i64 = 2;

/// A command side: all services.
pub(super) struct Shop<L = MemoryLog> {
    pub(super) log: L,
    orders: EventStore<Orders>,
    products: EventStore<Products>,
    carts: EventStore<Carts>,
    payments: EventStore<Payments>,
    shipments: EventStore<Shipments>,
    notices: EventStore<Notices>,
}

impl Shop {
    /// On a log of its own, in memory.
    pub(super) fn open(partitions: i32) -> Self {
        Self::on(MemoryLog::new(&topics::ALL, partitions))
    }
}

impl<L: Log> Shop<L> {
    pub(super) fn on(log: L) -> Self {
        let config = StoreConfig::default();
        Self {
            orders: EventStore::start(&log, &config).expect("the log has topics"),
            products: EventStore::start(&log, &config).expect("the log has topics"),
            carts: EventStore::start(&log, &config).expect("the log has topics"),
            payments: EventStore::start(&log, &config).expect("the log has topics"),
            shipments: EventStore::start(&log, &config).expect("the log has topics"),
            notices: EventStore::start(&log, &config).expect("the log has topics"),
            log,
        }
    }

    pub(super) async fn place(&self, order: Uuid) {
        execute(&self.orders, ask::place(order)).await;
    }

    /// Once its stock is confirmed.
    pub(super) async fn pay(&self, order: Uuid) {
        for command in [
            ask::request(order),
            ask::confirm(order),
            ask::pay(order, 1),
            ask::settle(order, 1, true),
        ] {
            execute(&self.orders, command).await;
        }
    }

    pub(super) async fn cancel(&self, order: Uuid) {
        execute(&self.orders, ask::cancel(order)).await;
    }

    /// Every third order only placed, every third paid, every third paid and cancelled.
    pub(super) async fn trade(&self, orders: usize) -> Vec<Uuid> {
        let ids: Vec<Uuid> = (0..orders).map(|_| Uuid::now_v7()).collect();
        for id in &ids {
            self.place(*id).await;
        }
        for id in ids.iter().skip(1).step_by(3) {
            self.pay(*id).await;
        }
        for id in ids.iter().skip(2).step_by(3) {
            self.pay(*id).await;
            self.cancel(*id).await;
        }
        ids
    }

    /// So many products: received, reserved, given back, gone; each second repriced, each third sold no longer.
    pub(super) async fn stock(&self, products: usize) {
        for number in 0..products {
            let mut commands = vec![
                ask::create(&ask::sku(number)),
                ask::receive(&ask::sku(number), 10),
            ];
            commands.extend(ask::reserve(&ask::sku(number)));
            if number % 2 == 1 {
                commands.push(ask::reprice(&ask::sku(number)));
            }
            if number % 3 == 2 {
                commands.push(ask::discontinue(&ask::sku(number)));
            }
            for command in commands {
                execute(&self.products, command).await;
            }
        }
    }

    /// So many carts: filled, one thing taken out again; each second checked out.
    pub(super) async fn shop(&self, carts: usize) {
        for number in 0..carts {
            let id = CartId::from(Uuid::now_v7());
            let mut commands = vec![
                ask::open(id),
                ask::set(id, 0),
                ask::set(id, 1),
                ask::set(id, 2),
                ask::remove(id, 1),
            ];
            if number % 2 == 1 {
                commands.push(ask::check_out(id));
            }
            for command in commands {
                execute(&self.carts, command).await;
            }
        }
    }

    /// So many orders, by turns: delivered; declined at first, then paid, cancelled and given back; never paid and cancelled.
    /// Somebody is told of each.
    pub(super) async fn fulfil(&self, orders: usize) -> Vec<Uuid> {
        let ids: Vec<Uuid> = (0..orders).map(|_| Uuid::now_v7()).collect();
        for (number, order) in ids.iter().enumerate() {
            let way = fulfilment::Way::by_turns(number);
            for command in fulfilment::order(*order, way) {
                execute(&self.orders, command).await;
            }
            for command in fulfilment::payments(*order, way) {
                execute(&self.payments, command).await;
            }
            for command in fulfilment::shipment(*order, way) {
                execute(&self.shipments, command).await;
            }
            for notice in notices::of(*order) {
                execute(&self.notices, (&notice).into()).await;
            }
        }
        ids
    }
}

async fn execute<C: Context>(store: &EventStore<C>, command: C::Command) {
    let id = Uuid::now_v7();
    let metadata = CommandMetadata {
        command_id: id,
        command_hash: id,
        correlation_id: id,
        causation_id: id,
        actor: "test".into(),
        time: now(),
        traceparent: None,
        expected_version: None,
    };
    let request = Request::<C> { command, metadata };
    let deadline = Instant::now() + PATIENCE;
    loop {
        match store.execute(request.clone()).await {
            // Its writer is still taking over.
            Err(Refusal::Unavailable { .. }) if Instant::now() < deadline => {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
            answer => return drop(answer.expect("accepted")),
        }
    }
}
