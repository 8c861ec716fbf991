//! Products, carts and orders, as commands in the in-memory log; orders also as bare events.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use chrono::{DateTime, TimeDelta, Utc};
use domain::{
    Context, Event,
    cart::{CartCommand, Carts, CheckOutCart, OpenCart, RemoveCartItem, SetCartItem},
    ids::{CartId, OrderId, PaymentId, Sku},
    money::Money,
    order::{
        CancelOrder, ConfirmOrder, OrderCommand, OrderEvent, OrderLine, OrderLines, Orders,
        PayOrder, PlaceOrder, RequestInventory,
    },
    personal::ShippingAddress,
    product::{
        ProductCommand, Products,
        catalogue::{CatalogueCommand, CreateProduct, DiscontinueProduct, RepriceProduct},
        stock::{ReceiveStock, ReserveStock, StockCommand, StockOfOrder},
    },
    quantity::{Quantity, Units},
    topics::{CART_EVENTS, INVENTORY_EVENTS, ORDER_EVENTS, PRODUCT_EVENTS},
};
use event_store::{
    CommandMetadata, DecisionMark, EventStore, Metadata, Position, Recorded, Refusal, Request,
    StoreConfig, log::Log, memory::MemoryLog,
};
use uuid::Uuid;

use super::PATIENCE;

/// All that any projection reads.
pub(super) const TOPICS: [&str; 4] = [ORDER_EVENTS, PRODUCT_EVENTS, INVENTORY_EVENTS, CART_EVENTS];
/// What [`Shop::trade`] makes of three orders: one placed, one paid, one paid and cancelled.
pub(super) const EVENTS_OF_THREE: i64 = 1 + 4 + 6;

/// A command side: all services.
pub(super) struct Shop<L = MemoryLog> {
    pub(super) log: L,
    orders: EventStore<Orders>,
    products: EventStore<Products>,
    carts: EventStore<Carts>,
}

impl Shop {
    /// On a log of its own, in memory.
    pub(super) fn open(partitions: i32) -> Self {
        Self::on(MemoryLog::new(&TOPICS, partitions))
    }
}

impl<L: Log> Shop<L> {
    pub(super) fn on(log: L) -> Self {
        let config = StoreConfig::default();
        Self {
            orders: EventStore::start(&log, &config).expect("the log has topics"),
            products: EventStore::start(&log, &config).expect("the log has topics"),
            carts: EventStore::start(&log, &config).expect("the log has topics"),
            log,
        }
    }

    pub(super) async fn place(&self, order: Uuid) {
        execute(&self.orders, place(order)).await;
    }

    /// Once its stock is confirmed.
    pub(super) async fn pay(&self, order: Uuid) {
        for command in [request(order), confirm(order), pay(order)] {
            execute(&self.orders, command).await;
        }
    }

    pub(super) async fn cancel(&self, order: Uuid) {
        execute(&self.orders, cancel(order)).await;
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
            let mut commands = vec![create(&sku(number)), receive(&sku(number), 10)];
            commands.extend(reserve(&sku(number)));
            if number % 2 == 1 {
                commands.push(reprice(&sku(number)));
            }
            if number % 3 == 2 {
                commands.push(discontinue(&sku(number)));
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
            let mut commands = vec![open(id), set(id, 0), set(id, 1), set(id, 2), remove(id, 1)];
            if number % 2 == 1 {
                commands.push(check_out(id));
            }
            for command in commands {
                execute(&self.carts, command).await;
            }
        }
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

pub(super) fn now() -> DateTime<Utc> {
    DateTime::from_timestamp_micros(Utc::now().timestamp_micros()).expect("now")
}

/// What people really write, and what breaks careless formats.
const NAME: &str = "Zoë \\. \\N \"O'Neil\" \u{2028} {a,b} 😀";

fn address() -> ShippingAddress {
    ShippingAddress {
        name: NAME.parse().expect("printable"),
        line1: "1, C:\\temp".parse().expect("printable"),
        line2: None,
        postal_code: "1010".parse().expect("printable"),
        city: "Wien".parse().expect("printable"),
        country: "AT".parse().expect("two letters"),
    }
}

fn place(order: Uuid) -> OrderCommand {
    let line = OrderLine {
        line_id: Uuid::new_v5(&order, b"1").into(),
        sku: sku(1),
        quantity: Quantity::try_from(3).expect("a quantity"),
        unit_price: price(1999),
    };
    OrderCommand::Place(Box::new(PlaceOrder {
        order_id: order.into(),
        customer_id: NAME.parse().expect("printable"),
        lines: OrderLines::new(vec![line]).expect("lines"),
        shipping_address: address(),
        contact: None,
        placed_at: now(),
    }))
}

fn request(order: Uuid) -> OrderCommand {
    OrderCommand::RequestInventory(RequestInventory {
        order_id: order.into(),
        lines: Vec::new(),
        stock_due_at: in_an_hour(),
    })
}

fn confirm(order: Uuid) -> OrderCommand {
    OrderCommand::Confirm(ConfirmOrder {
        order_id: order.into(),
        payment_due_at: in_an_hour(),
        confirmed_at: now(),
    })
}

fn pay(order: Uuid) -> OrderCommand {
    OrderCommand::Pay(PayOrder {
        order_id: order.into(),
        payment_id: PaymentId::from(Uuid::new_v5(&order, b"payment")),
        amount: None,
        paid_at: now(),
    })
}

fn cancel(order: Uuid) -> OrderCommand {
    OrderCommand::Cancel(CancelOrder {
        order_id: OrderId::from(order),
        reason: None,
        cancelled_at: now(),
    })
}

fn in_an_hour() -> DateTime<Utc> {
    now() + TimeDelta::hours(1)
}

pub(super) fn price(amount: i64) -> Money {
    Money::new(amount, "EUR".parse().expect("a currency")).expect("money")
}

pub(super) fn sku(number: usize) -> Sku {
    format!("TEA-{number}").parse().expect("a SKU")
}

pub(super) fn units(number: i64) -> Units {
    Units::try_from(number).expect("units")
}

fn create(sku: &Sku) -> ProductCommand {
    ProductCommand::Catalogue(CatalogueCommand::Create(CreateProduct {
        sku: sku.clone(),
        name: NAME.parse().expect("printable"),
        price: price(1999),
        created_at: now(),
    }))
}

fn reprice(sku: &Sku) -> ProductCommand {
    ProductCommand::Catalogue(CatalogueCommand::Reprice(RepriceProduct {
        sku: sku.clone(),
        price: price(2999),
        repriced_at: now(),
    }))
}

fn discontinue(sku: &Sku) -> ProductCommand {
    ProductCommand::Catalogue(CatalogueCommand::Discontinue(DiscontinueProduct {
        sku: sku.clone(),
        discontinued_at: now(),
    }))
}

fn receive(sku: &Sku, quantity: i64) -> ProductCommand {
    ProductCommand::Stock(StockCommand::Receive(ReceiveStock {
        sku: sku.clone(),
        quantity: units(quantity),
        received_at: now(),
    }))
}

/// Three for an order that gives them back, two for one that takes them, one for one that keeps it.
fn reserve(sku: &Sku) -> Vec<ProductCommand> {
    let orders = [(); 3].map(|()| OrderId::from(Uuid::now_v7()));
    let set_aside = |order: usize, quantity| {
        StockCommand::Reserve(ReserveStock {
            sku: sku.clone(),
            order_id: orders[order],
            quantity: units(quantity),
        })
    };
    let of = |order: usize| StockOfOrder {
        sku: sku.clone(),
        order_id: orders[order],
    };
    let commands = [
        set_aside(0, 3),
        set_aside(1, 2),
        set_aside(2, 1),
        StockCommand::Release(of(0)),
        StockCommand::Allocate(of(1)),
        StockCommand::Commit(of(1)),
    ];
    commands.map(ProductCommand::Stock).into()
}

fn open(cart_id: CartId) -> CartCommand {
    CartCommand::Open(OpenCart {
        cart_id,
        customer_id: None,
        opened_at: now(),
    })
}

fn set(cart_id: CartId, number: usize) -> CartCommand {
    CartCommand::Set(SetCartItem {
        cart_id,
        sku: sku(number),
        quantity: Quantity::try_from(2).expect("a quantity"),
        unit_price: price(1999),
        changed_at: now(),
    })
}

fn remove(cart_id: CartId, number: usize) -> CartCommand {
    CartCommand::Remove(RemoveCartItem {
        cart_id,
        sku: sku(number),
        changed_at: now(),
    })
}

fn check_out(cart_id: CartId) -> CartCommand {
    CartCommand::CheckOut(Box::new(CheckOutCart {
        cart_id,
        customer_id: Some(NAME.parse().expect("printable")),
        shipping_address: address(),
        contact: None,
        checked_out_at: now(),
    }))
}

/// The streams of some orders, each of so many commands (1 to 5), as one partition would hold them: in turns.
pub(super) fn events(steps: &[usize]) -> Vec<Recorded<OrderEvent>> {
    let mut streams: Vec<(Uuid, <Orders as Context>::State, u32)> = Vec::new();
    let mut events = Vec::new();
    for turn in 0..5 {
        for (order, _) in steps.iter().enumerate().filter(|(_, steps)| turn < **steps) {
            if turn == 0 {
                streams.push((Uuid::now_v7(), Default::default(), 0));
            }
            let (id, state, version) = &mut streams[order];
            let command = [place, request, confirm, pay, cancel][turn](*id);
            let decided = Orders::decide(state, &command).expect("legal");
            // Its messages are in other topics.
            for event in decided
                .into_iter()
                .filter(|event| event.topic() == ORDER_EVENTS)
            {
                *state = Orders::evolve(std::mem::take(state), &event);
                *version += 1;
                let stream = event.stream().to_string();
                events.push(recorded(
                    event,
                    ORDER_EVENTS,
                    &stream,
                    *version,
                    events.len(),
                ));
            }
        }
    }
    events
}

pub(super) fn recorded<E>(
    event: E,
    topic: &str,
    stream: &str,
    stream_version: u32,
    offset: usize,
) -> Recorded<E> {
    let id = Uuid::now_v7();
    Recorded {
        position: Position {
            topic: Arc::from(topic),
            partition: 0,
            offset: i64::try_from(offset).expect("few"),
        },
        metadata: Metadata {
            event_id: id,
            source: "/test".into(),
            stream: stream.to_owned(),
            stream_version,
            time: now(),
            correlation_id: id,
            causation_id: id,
            command_id: id,
            command_hash: id,
            actor: "test".into(),
            decision: DecisionMark {
                number: 1,
                index: 1,
                of: 1,
            },
            traceparent: None,
        },
        event,
    }
}
