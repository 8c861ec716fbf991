use std::fmt::Display;

use chrono::DateTime;
use domain::{
    Event,
    cart::{CartCheckedOut, CartEvent},
    ids::{CartId, OrderId, Sku},
    order::{OrderCompleted, OrderEvent},
    product::{
        ProductEvent,
        stock::{Location, StockReserved},
    },
    quantity::Units,
};
use event_store::{
    DecisionMark, Finding, Metadata, Owned, audit, encode,
    log::{Appender, AppenderId, CommitterId, Lane, OutgoingRecord},
    memory::MemoryLog,
};

use super::*;

const PARTITIONS: i32 = 4;
/// Of what never comes.
const SOON: Duration = Duration::from_millis(20);

fn log() -> MemoryLog {
    MemoryLog::new(&topics::ALL, PARTITIONS)
}

fn append<E: Event>(log: &MemoryLog, event: &E) {
    append_as(log, event, |_| {});
}

fn append_as<E: Event>(log: &MemoryLog, event: &E, change: impl FnOnce(&mut OutgoingRecord)) {
    let key = E::key(&event.stream());
    let partition = partition_for(key.as_bytes(), PARTITIONS);
    let id = Uuid::now_v7();
    let metadata = Metadata {
        event_id: id,
        source: "/tester".into(),
        stream: event.stream().to_string(),
        stream_version: 1,
        time: DateTime::UNIX_EPOCH,
        correlation_id: event.journey().unwrap_or(id),
        causation_id: id,
        command_id: id,
        command_hash: id,
        actor: "tester".into(),
        decision: DecisionMark {
            number: 1,
            index: 1,
            of: 1,
        },
        traceparent: None,
    };
    let mut record = encode(event, key, &metadata, partition);
    change(&mut record);
    let committer = AppenderId::Committer(CommitterId::new(), Lane::A);
    let mut appender = log.appender(&committer).expect("the log is in reach");
    appender.append(&[record]).expect("nobody fences it");
}

/// One key for each partition.
fn in_every_partition<K: Display>(key: impl Fn(u128) -> K) -> Vec<K> {
    let lies_in = |key: &K, partition: i32| {
        partition_for(key.to_string().as_bytes(), PARTITIONS) == partition
    };
    let find = |partition: i32| (1_u128..).map(&key).find(|key| lies_in(key, partition));
    (0..PARTITIONS)
        .map(|partition| find(partition).expect("there are enough"))
        .collect()
}

fn completed(order_id: OrderId) -> OrderEvent {
    OrderEvent::Completed(OrderCompleted {
        order_id,
        completed_at: DateTime::UNIX_EPOCH,
    })
}

fn reserved(order_id: OrderId, sku: &Sku) -> ProductEvent {
    ProductEvent::StockReserved(StockReserved {
        sku: sku.clone(),
        order_id,
        quantity: Units::ZERO,
        location: Location::Main,
    })
}

fn checked_out(order_id: OrderId, cart_id: CartId) -> CartEvent {
    let example = include_str!("../../../docs/events/golden/CartCheckedOut.1.json");
    let example: CartCheckedOut = serde_json::from_str(example).expect("a golden file");
    CartEvent::CheckedOut(Box::new(CartCheckedOut {
        cart_id,
        order_id,
        checked_out_at: DateTime::UNIX_EPOCH,
        ..example
    }))
}

#[tokio::test]
async fn a_journey_is_found_in_whichever_partitions_it_lies() {
    let log = log();
    let skus = in_every_partition(|number| {
        let sku = format!("SKU-{number}").parse::<Sku>();
        sku.expect("it has the form of one")
    });
    let carts = in_every_partition(|number| CartId::from(Uuid::from_u128(number)));
    let [order_id, other] = [1, 2].map(|number| OrderId::from(Uuid::from_u128(number)));
    for order_id in [order_id, other] {
        append(&log, &completed(order_id));
        for sku in &skus {
            append(&log, &reserved(order_id, sku));
        }
        for cart in &carts {
            append(&log, &checked_out(order_id, *cart));
        }
    }

    let found = journey(&log, order_id.as_uuid()).await;
    let found = found.expect("nothing holds it back");
    let mut keys: Vec<_> = found.iter().map(|event| event.key.to_string()).collect();
    keys.sort();
    let skus = skus.iter().map(ToString::to_string);
    let carts = carts.iter().map(ToString::to_string);
    let mut expected: Vec<_> = skus.chain(carts).chain([order_id.to_string()]).collect();
    expected.sort();
    assert_eq!(keys, expected);
}

#[test]
fn only_the_order_s_partition_is_read_of_what_is_keyed_by_orders() {
    let order_id = Uuid::from_u128(7);
    let lies_in = partition_for(order_id.to_string().as_bytes(), PARTITIONS);
    for topic in topics::ALL {
        assert_eq!(partitions_to_read(topic, PARTITIONS, None), 0..PARTITIONS);
        let expected = match topics::KEYED_BY_ORDER.contains(&topic) {
            true => lies_in..lies_in + 1,
            false => 0..PARTITIONS,
        };
        let read = partitions_to_read(topic, PARTITIONS, Some(order_id));
        assert_eq!(read, expected, "{topic}");
    }
}

#[tokio::test]
async fn what_is_appended_meanwhile_is_not_visited() {
    let log = log();
    let [first, second] = [1, 2].map(|number| OrderId::from(Uuid::from_u128(number)));
    append(&log, &completed(first));
    let span = Span::of(&log, &[], None).await.expect("where it ends");
    append(&log, &completed(second));
    append(&log, &completed(first));
    let mut visited = 0;
    let count = |_| {
        visited += 1;
        Ok(())
    };
    span.visit(&log, PATIENCE, count).await.expect("the end");
    assert_eq!(visited, 1);
}

#[tokio::test]
async fn a_record_that_is_no_event_is_shown_in_its_place() {
    let log = log();
    let order_id = OrderId::from(Uuid::from_u128(7));
    let broken = |record: &mut OutgoingRecord| record.payload = b"{".to_vec();
    append(&log, &completed(order_id));
    append_as(&log, &completed(order_id), broken);
    append(&log, &completed(order_id));

    let span = Span::of(&log, &[], None).await.expect("where it ends");
    let mut visited = Vec::new();
    let note = |entry: Entry| {
        visited.push(entry.is_ok());
        Ok(())
    };
    span.visit(&log, PATIENCE, note).await.expect("the end");
    assert_eq!(visited, [true, false, true]);

    let span = Span::of(&log, &[], None).await.expect("where it ends");
    assert_eq!(print_all(&log, span).await.expect("the end"), 1);
    let found = journey(&log, order_id.as_uuid()).await;
    assert_eq!(found.expect("the end").len(), 2);
    let orders = Owned {
        service: "order",
        topics: &[topics::ORDER_EVENTS],
    };
    let findings = audit(&log, &[orders], |_, _| {}).expect("the end").findings;
    let unreadable = |found: &Finding| matches!(found, Finding::Unreadable { .. });
    assert_eq!(findings.iter().filter(|found| unreadable(found)).count(), 1);
}

/// It could clear the terminal of who looks at it.
#[tokio::test]
async fn a_payload_is_shown_without_control_characters() {
    let log = log();
    let order_id = OrderId::from(Uuid::from_u128(7));
    append_as(&log, &completed(order_id), |record| {
        record.payload = "{\"note\": \"a\\u001b\u{9b}2J\"}".into();
    });
    let found = journey(&log, order_id.as_uuid()).await;
    let found = found.expect("nothing holds it back");
    let shown = text(&found[0]);
    assert!(shown.ends_with(r#"{"note":"a\u001b\u{9b}2J"}"#), "{shown}");
}

/// As behind a transaction that nobody ends: there is more than can be read.
#[tokio::test]
async fn what_is_held_back_is_not_waited_for_for_ever() {
    let log = log();
    let mut span = Span::of(&log, &[], None).await.expect("where it ends");
    let place: (Arc<str>, i32) = (topics::CART_EVENTS.into(), 2);
    span.0.insert(place, 0..1);
    let error = span.visit(&log, SOON, |_| Ok(())).await;
    let message = error.expect_err("it never comes").to_string();
    for part in ["with CartEvents/2 at 0 of 1:", "`offset-zero doctor`"] {
        assert!(message.contains(part), "{message}");
    }
}

#[test]
fn what_is_beyond_the_span_brings_nobody_nearer_to_its_end() {
    let moved = |topic: &str, next_offset| Progress {
        topic: topic.into(),
        partition: 0,
        next_offset,
    };
    let place: (Arc<str>, i32) = (topics::CART_EVENTS.into(), 0);
    let mut span = Span(BTreeMap::from([(place, 0..5)]));
    assert!(!span.pass(&[moved(topics::ORDER_EVENTS, 9)]));
    assert!(span.pass(&[
        moved(topics::ORDER_EVENTS, 10),
        moved(topics::CART_EVENTS, 3)
    ]));
    assert_eq!(span.starts()[0].next_offset, 3);
    assert!(span.pass(&[moved(topics::CART_EVENTS, 7)]));
    assert!(span.0.is_empty());
    assert!(!span.pass(&[moved(topics::CART_EVENTS, 8)]));
}
