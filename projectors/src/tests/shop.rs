//! Orders placed, paid and cancelled, as commands in the in-memory log and as bare events.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use chrono::{DateTime, Utc};
use domain::{
    Context,
    ids::{OrderId, PaymentId},
    order::{
        CancelOrder, OrderCommand, OrderEvent, OrderLine, OrderLines, Orders, PayOrder, PlaceOrder,
        Quantity,
    },
    personal::ShippingAddress,
};
use event_store::{
    CommandMetadata, DecisionMark, EventStore, Metadata, Position, Recorded, Refusal, Request,
    StoreConfig, log::Log, memory::MemoryLog,
};
use uuid::Uuid;

use super::PATIENCE;

/// A command side.
pub(super) struct Shop<L = MemoryLog> {
    pub(super) log: L,
    store: EventStore<Orders>,
}

impl Shop {
    /// On a log of its own, in memory.
    pub(super) fn open(partitions: i32) -> Self {
        Self::on(MemoryLog::new(Orders::TOPICS, partitions))
    }
}

impl<L: Log> Shop<L> {
    pub(super) fn on(log: L) -> Self {
        let store = EventStore::start(&log, &StoreConfig::default()).expect("the log has topics");
        Self { log, store }
    }

    pub(super) async fn place(&self, order: Uuid) {
        self.execute(place(order)).await;
    }

    pub(super) async fn pay(&self, order: Uuid) {
        self.execute(pay(order)).await;
    }

    pub(super) async fn cancel(&self, order: Uuid) {
        self.execute(cancel(order)).await;
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

    async fn execute(&self, command: OrderCommand) {
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
        let request = Request::<Orders> { command, metadata };
        let deadline = Instant::now() + PATIENCE;
        loop {
            match self.store.execute(request.clone()).await {
                // Its writer is still taking over.
                Err(Refusal::Unavailable { .. }) if Instant::now() < deadline => {
                    tokio::time::sleep(Duration::from_millis(5)).await;
                }
                answer => return drop(answer.expect("accepted")),
            }
        }
    }
}

fn now() -> DateTime<Utc> {
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
    let price = serde_json::from_value(serde_json::json!({"amount": 1999, "currency": "EUR"}));
    let line = OrderLine {
        line_id: Uuid::new_v5(&order, b"1").into(),
        sku: "TEA-1".parse().expect("a SKU"),
        quantity: Quantity::try_from(3).expect("a quantity"),
        unit_price: price.expect("money"),
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

/// The streams of some orders, each of so many commands (1 to 3), as one partition would hold them: in turns.
pub(super) fn events(steps: &[usize]) -> Vec<Recorded<OrderEvent>> {
    let mut streams: Vec<(Uuid, <Orders as Context>::State, u32)> = Vec::new();
    let mut events = Vec::new();
    for turn in 0..3 {
        for (order, _) in steps.iter().enumerate().filter(|(_, steps)| turn < **steps) {
            if turn == 0 {
                streams.push((Uuid::now_v7(), Default::default(), 0));
            }
            let (id, state, version) = &mut streams[order];
            let command = [place, pay, cancel][turn](*id);
            for event in Orders::decide(state, &command).expect("legal") {
                *state = Orders::evolve(std::mem::take(state), &event);
                *version += 1;
                events.push(recorded(event, *version, events.len()));
            }
        }
    }
    events
}

fn recorded(event: OrderEvent, stream_version: u32, offset: usize) -> Recorded<OrderEvent> {
    let id = Uuid::now_v7();
    Recorded {
        position: Position {
            topic: Arc::from(Orders::TOPICS[0]),
            partition: 0,
            offset: i64::try_from(offset).expect("few"),
        },
        metadata: Metadata {
            event_id: id,
            source: "/order".into(),
            stream: format!("order-{}", event.order_id()),
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
