use domain::{
    cart::{CartCheckedOut, CartEvent, Carts},
    ids::{CartId, OrderId},
    topics::{CART_EVENTS, ORDER_EVENTS},
};

use tokio::time::Instant;

use super::*;
use crate::{
    EventStore, OWNERSHIP_TOPIC, OwnershipRecord, StoreConfig,
    log::{Appender, AppenderId, CommitterId},
    memory::MemoryLog,
    owner_of,
};

const PARTITIONS: i32 = 4;
const EXAMPLE: &str = include_str!("../../../docs/events/golden/CartCheckedOut.1.json");
/// Of a cart when it is checked out.
const VERSION: u32 = 1;

fn log(partitions: i32) -> MemoryLog {
    MemoryLog::new(&[CART_EVENTS, ORDER_EVENTS], partitions)
}

fn append(log: &MemoryLog, records: &[OutgoingRecord]) {
    let writer = AppenderId::Writer(WriterId {
        service: Carts::SERVICE,
        partition: 0,
    });
    let mut appender = log.appender(&writer).expect("opened");
    appender.append(records).expect("nobody fences it");
}

/// A checkout with its order, and ids of their own.
fn checkout(cart: u128, partitions: i32, id_of: impl Fn(Uuid, u16) -> Uuid) -> [OutgoingRecord; 2] {
    checkout_at(DateTime::UNIX_EPOCH, cart, partitions, id_of)
}

fn checkout_at(
    time: DateTime<Utc>,
    cart: u128,
    partitions: i32,
    id_of: impl Fn(Uuid, u16) -> Uuid,
) -> [OutgoingRecord; 2] {
    let cart_id = CartId::from(Uuid::from_u128(cart));
    let example: CartCheckedOut = serde_json::from_str(EXAMPLE).expect("a golden file");
    let checked_out = CartCheckedOut {
        cart_id,
        order_id: OrderId::of_cart(cart_id),
        checked_out_at: time,
        ..example
    };
    let placed = CartEvent::OrderPlaced(Box::new(checked_out.order()));
    let checked_out = CartEvent::CheckedOut(Box::new(checked_out));
    [(checked_out, 1, VERSION), (placed, 2, 1)].map(|(event, index, stream_version)| {
        let command_id = Uuid::from_u128(cart << 8);
        let stream = event.stream();
        let metadata = Metadata {
            event_id: id_of(command_id, index),
            source: "/cart".into(),
            stream: stream.to_string(),
            stream_version,
            time,
            correlation_id: event.journey().expect("an order's"),
            causation_id: command_id,
            command_id,
            command_hash: command_id,
            actor: "ada".into(),
            decision: DecisionMark {
                number: 7,
                index,
                of: 2,
            },
            traceparent: Some("00-1-2-03".into()),
        };
        let key = CartEvent::key(&stream);
        let partition = partition_for(key.as_bytes(), partitions);
        codec::encode(&event, key, &metadata, partition)
    })
}

fn ends(log: &MemoryLog) -> Vec<StartAt> {
    let mut places = StartAt::every(log, &[CART_EVENTS]).expect("in reach");
    for place in &mut places {
        let end = log.end_offset(&place.topic, place.partition);
        place.next_offset = end.expect("in reach");
    }
    places
}

fn missing_in(log: &MemoryLog, partitions: i32) -> Vec<OutgoingRecord> {
    missing_before(log, partitions, ends(log))
}

fn missing_before(log: &MemoryLog, partitions: i32, places: Vec<StartAt>) -> Vec<OutgoingRecord> {
    let wanted = Arc::new(());
    let look = Look {
        log: log.clone(),
        partitions,
        places,
        wanted: Arc::downgrade(&wanted),
    };
    look.missing::<Carts>().expect("in reach")
}

fn shown(records: &[OutgoingRecord]) -> Vec<String> {
    let shown = records.iter().map(|record| format!("{record:?}"));
    let mut shown: Vec<_> = shown.collect();
    shown.sort();
    shown
}

#[test]
fn a_message_that_is_missing_is_the_one_that_was_to_be_sent() {
    // Decided the first time, and once more.
    let later = |command_id, index| later_event_id(command_id, VERSION - 1, index);
    let carts = (1..20).map(|cart| checkout(cart, PARTITIONS, event_id));
    let carts = carts.chain((20..40).map(|cart| checkout(cart, PARTITIONS, later)));
    let log = log(PARTITIONS);
    let mut lost = Vec::new();
    for (number, [fact, message]) in carts.enumerate() {
        if number % 3 == 0 {
            append(&log, &[fact]);
            lost.push(message);
        } else {
            append(&log, &[fact, message]);
        }
    }
    let missing = missing_in(&log, PARTITIONS);
    assert_eq!(shown(&missing), shown(&lost));
    append(&log, &missing);
    assert_eq!(missing_in(&log, PARTITIONS).len(), 0);
}

#[test]
fn what_is_none_of_our_decisions_is_not_mended() {
    let log = log(PARTITIONS);
    let strange = |_, index: u16| Uuid::from_u128(index.into());
    let [fact, _] = checkout(1, PARTITIONS, strange);
    append(&log, &[fact]);
    assert_eq!(missing_in(&log, PARTITIONS).len(), 0);
}

#[test]
fn what_was_decided_long_before_the_last_is_left_alone() {
    let just = UNDER_WAY_FOR + TimeDelta::microseconds(1);
    for (after, missing) in [(UNDER_WAY_FOR, 1), (just, 0)] {
        let log = log(PARTITIONS);
        let [fact, _] = checkout(1, PARTITIONS, event_id);
        append(&log, &[fact]);
        let later = DateTime::UNIX_EPOCH + after;
        append(&log, &checkout_at(later, 2, PARTITIONS, event_id));
        assert_eq!(missing_in(&log, PARTITIONS).len(), missing);
    }
}

/// Nobody may have served for long before, and whoever has taken over does so while it looks.
#[test]
fn what_was_decided_since_the_takeover_makes_nothing_older() {
    let log = log(1);
    let [fact, _] = checkout(1, 1, event_id);
    append(&log, &[fact]);
    let taken_over = ends(&log);
    let later = DateTime::UNIX_EPOCH + UNDER_WAY_FOR + TimeDelta::microseconds(1);
    append(&log, &checkout_at(later, 2, 1, event_id));
    assert_eq!(missing_before(&log, 1, taken_over).len(), 1);
}

/// Whoever takes over looks where the last owner may have left something undone, and has let go before it was found out, too.
#[tokio::test]
async fn what_is_missing_is_sent_by_whoever_takes_over() {
    for (released, unmended) in [(false, false), (true, true)] {
        let log = MemoryLog::new(&[CART_EVENTS, ORDER_EVENTS, OWNERSHIP_TOPIC], 1);
        let [fact, message] = checkout(1, 1, event_id);
        let claim = OwnershipRecord {
            service: Carts::SERVICE.to_owned(),
            partition: 0,
            generation: 1,
            instance: Uuid::nil(),
            member: None,
            committer: CommitterId::new(),
            address: "elsewhere".to_owned(),
            released,
            unmended,
        };
        append(&log, &[fact, claim.record()]);
        let store = EventStore::<Carts>::start(&log, &StoreConfig::default());
        let store = store.expect("the store starts");
        let deadline = Instant::now() + PATIENCE;
        while !missing_in(&log, 1).is_empty() {
            assert!(
                Instant::now() < deadline,
                "{:?}: {message:?} is not sent",
                store.status()
            );
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        assert!(store.stop(PATIENCE).await);
        let last = owner_of(&log, Carts::SERVICE, 0).expect("in reach");
        let last = last.expect("it was claimed");
        assert!(last.released && !last.unmended, "{last:?}");
    }
}

/// No more is looked through than an owner may have had under way.
#[test]
fn what_lies_far_back_is_left_alone() {
    let log = log(1);
    let [fact, _] = checkout(0, 1, event_id);
    append(&log, &[fact]);
    let end = || log.end_offset(CART_EVENTS, 0).expect("in reach");
    // A transaction is a record and what marks its end.
    let step = end();
    for cart in 1.. {
        if end() + step > LOOK_BACK {
            break;
        }
        append(&log, &checkout(cart, 1, event_id));
    }
    assert_eq!(missing_in(&log, 1).len(), 1);
    append(&log, &checkout(u128::MAX >> 8, 1, event_id));
    assert_eq!(missing_in(&log, 1).len(), 0);
}
