//! A log of orders that nobody placed, written as fast as Kafka takes it: what a rebuild is measured on.

use std::sync::Arc;

use anyhow::{Context as _, Result};
use chrono::{DateTime, TimeDelta, Utc};
use domain::{
    Context, Event,
    order::{CancelOrder, OrderCommand, OrderEvent, Orders, PayOrder},
};
use event_store::{
    DecisionMark, Metadata, encode,
    kafka::KafkaLog,
    log::{Appender, AppenderId, Log, OutgoingRecord, WriterId},
    partition_for,
};
use uuid::Uuid;

use super::orders;

/// Orders of one transaction.
const BATCH: u64 = 1_000;
/// Of each customer: more than a page.
const ORDERS_OF_ONE: u64 = 100;

/// What becomes of each order once it is placed.
#[derive(Debug, Clone, Copy)]
pub enum Then {
    Paid,
    Cancelled,
}

/// Appends so many orders, of two events each, to their partitions; each event is what the order service would decide.
pub fn write(log: &KafkaLog, partitions: i32, orders: u64, then: Then) -> Result<()> {
    let writers: Vec<_> = (0..partitions)
        .map(|partition| {
            let log = log.clone();
            std::thread::spawn(move || write_partition(&log, partition, partitions, orders, then))
        })
        .collect();
    for writer in writers {
        writer
            .join()
            .map_err(|_| anyhow::anyhow!("a writer panicked"))??;
    }
    Ok(())
}

fn write_partition(
    log: &KafkaLog,
    partition: i32,
    partitions: i32,
    orders: u64,
    then: Then,
) -> Result<()> {
    let id = AppenderId::Writer(WriterId {
        service: Orders::SERVICE,
        partition,
    });
    let mut appender = log.appender(&id)?;
    let begun = DateTime::from_timestamp(1_700_000_000, 0).context("a time")?;
    let customers = orders.div_ceil(ORDERS_OF_ONE);
    let mut first = 0;
    while first < orders {
        let numbers = first..orders.min(first + BATCH);
        first = numbers.end;
        let (mut placed, mut ended) = (Vec::new(), Vec::new());
        for number in numbers {
            let id = id_of(number);
            if partition_for(id.to_string().as_bytes(), partitions) != partition {
                continue;
            }
            let time = begun + TimeDelta::milliseconds(number.cast_signed());
            let [place, end] = events(id, number % customers, time, then)?;
            placed.push(record(&place, id, 1, time, partition));
            ended.push(record(&end, id, 2, time, partition));
        }
        placed.append(&mut ended);
        if !placed.is_empty() {
            appender.append(&placed)?;
        }
    }
    Ok(())
}

/// The order of this number. Ids grow with time, as real ones do.
pub fn id_of(number: u64) -> Uuid {
    let millis = 1_700_000_000_000 + number;
    let random = Uuid::new_v5(&Uuid::NAMESPACE_OID, &number.to_be_bytes());
    let mut bytes = *random.as_bytes();
    bytes[..6].copy_from_slice(&millis.to_be_bytes()[2..]);
    uuid::Builder::from_bytes(bytes)
        .with_version(uuid::Version::SortRand)
        .into_uuid()
}

fn events(id: Uuid, customer: u64, time: DateTime<Utc>, then: Then) -> Result<[OrderEvent; 2]> {
    let place = orders::place_by(customer, id.into(), time)?;
    let then = match then {
        Then::Paid => OrderCommand::Pay(PayOrder {
            order_id: id.into(),
            payment_id: Uuid::new_v5(&id, b"payment").into(),
            method: "sealed-tok_visa".parse()?,
            amount: None,
            paid_at: time,
        }),
        Then::Cancelled => OrderCommand::Cancel(CancelOrder {
            order_id: id.into(),
            reason: None,
            cancelled_at: time,
        }),
    };
    let mut state = <Orders as Context>::State::default();
    let mut decide = |command: &OrderCommand| -> Result<OrderEvent> {
        let decided =
            Orders::decide(&state, command).map_err(|refused| anyhow::anyhow!("{refused:?}"))?;
        let own = decided
            .into_iter()
            .find(|event| Orders::TOPICS.contains(&event.topic()));
        let own = own.context("an event of its own")?;
        state = Orders::evolve(std::mem::take(&mut state), &own);
        Ok(own)
    };
    Ok([decide(&place)?, decide(&then)?])
}

fn record(
    event: &OrderEvent,
    id: Uuid,
    version: u32,
    time: DateTime<Utc>,
    partition: i32,
) -> OutgoingRecord {
    let command = Uuid::new_v5(&id, &version.to_be_bytes());
    let metadata = Metadata {
        event_id: Uuid::new_v5(&command, b"1"),
        source: Arc::from("/order"),
        stream: event.stream().to_string(),
        stream_version: version,
        time,
        correlation_id: id,
        causation_id: command,
        command_id: command,
        command_hash: Uuid::new_v5(&command, b"hash"),
        actor: Arc::from("customer"),
        decision: DecisionMark {
            number: u64::from(version),
            index: 1,
            of: 1,
        },
        traceparent: None,
    };
    encode(
        event,
        OrderEvent::key(&event.stream()),
        &metadata,
        partition,
    )
}
