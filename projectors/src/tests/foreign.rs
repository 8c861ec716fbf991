//! What a foreign producer may write and Postgres does not take, as a NUL: the event that has it is refused by itself, before Postgres
//! refuses all.

use domain::{
    Event, ReadEvent,
    topics::{NOTIFICATION_EVENTS, ORDER_EVENTS},
};
use event_store::{Recorded, log::OutgoingRecord};
use serde_json::{Value, json};
use sqlx::Connection;
use uuid::Uuid;

use super::{
    World, commands as ask, eventually,
    folding::{fold, origin},
    fulfilment::{self, Way},
    journeys::{decided, recorded, viewed},
    notices,
    parking::{self, ORDERS, append, cancelled, letters, record, records},
    running::Runner,
    shop::Shop,
};
use crate::{
    Carts, History, Notifications, Orders, Payments, Products, Projection, ProjectorError,
    SalesDaily, Shipments, chunk::Chunk, dead_letters, history::row::HistoryEvent,
    orders::view::OrderView, rebuild, rebuild::Options, registry::ensure_live,
};

const HOLDS_NUL: &str = "holds a NUL character, which no text column takes";
const IS_TOO_LONG: &str = "has more than 2000 bytes, which no index takes";
const IS_TOO_EARLY: &str = "is before 24 November 4714 BC, which no column of times takes";

/// A second before Postgres' first: chrono's year before 1 AD is 0.
const TOO_EARLY: &str = "-4713-11-23T23:59:59Z";

/// Text of so many bytes, which does not get shorter where Postgres compresses it.
pub(super) fn noise(bytes: usize) -> String {
    let hash = |number: u32| Uuid::new_v5(&Uuid::NAMESPACE_OID, &number.to_be_bytes());
    let noise = (0..).flat_map(|number| hash(number).into_bytes());
    let printable = noise.map(|byte| char::from(b'!' + byte % 64));
    printable.take(bytes).collect()
}

/// The event of that name, its member saying this.
fn with<V: ReadEvent, E: Event>(
    events: &[Recorded<E>],
    name: &str,
    member: &str,
    text: &str,
) -> Recorded<V> {
    let found = events.iter().find(|of| of.event.kind().name == name);
    let found = found.expect("it has happened");
    let mut payload = serde_json::to_value(&found.event).expect("JSON");
    payload[member] = text.into();
    Recorded {
        event: V::deserialize(name, found.event.kind().version, payload).expect("readable"),
        ..viewed(found)
    }
}

fn with_nul<V: ReadEvent, E: Event>(
    events: &[Recorded<E>],
    name: &str,
    member: &str,
) -> Recorded<V> {
    with(events, name, member, "a\0b")
}

/// Has the record's payload say this.
pub(super) fn alter(record: &mut OutgoingRecord, member: &str, text: &str) {
    let mut payload: Value = serde_json::from_slice(&record.payload).expect("JSON");
    payload[member] = text.into();
    record.payload = payload.to_string().into_bytes();
}

/// The last of these events is refused for that member.
async fn is_refused<P: Projection>(
    world: &World,
    events: &[Recorded<P::Event>],
    member: &str,
    why: &str,
) {
    let mut connection = world.connect().await;
    let mut tx = connection.begin().await.expect("begins");
    ensure_live::<P>(&mut tx, &origin()).await.expect("creates");
    let (last, before) = events.split_last().expect("events");
    let mut chunk = Chunk::<P>::default();
    let absorbed = chunk.absorb(&mut tx, before, None).await;
    absorbed.expect("what comes before is ours");
    let absorbed = chunk
        .absorb(&mut tx, std::slice::from_ref(last), None)
        .await;
    tx.rollback().await.expect("rolls back");
    let Err(ProjectorError::Unappliable { reason, .. }) = &absorbed else {
        panic!("{} takes that {member}: {absorbed:?}", P::NAME);
    };
    assert_eq!(*reason, format!("its {member} {why}"), "{}", P::NAME);
}

#[tokio::test]
async fn a_nul_in_a_payload_is_refused_where_it_becomes_a_text() {
    let (world, id) = (World::new().await, Uuid::now_v7());

    let events = decided::<domain::order::Orders>(&[ask::place(id)]);
    let event = with_nul(&events, "OrderPlaced", "customer_id");
    is_refused::<Orders>(&world, &[event], "customer_id", HOLDS_NUL).await;

    let events = decided::<domain::product::Products>(&[ask::create(&ask::sku(1))]);
    for member in ["sku", "name"] {
        let event = with_nul(&events, "ProductCreated", member);
        is_refused::<Products>(&world, &[event], member, HOLDS_NUL).await;
    }

    let commands = [
        ask::open(id.into()),
        ask::set(id.into(), 1),
        ask::check_out(id.into()),
    ];
    let events = decided::<domain::cart::Carts>(&commands);
    let opened = with_nul(&events, "CartOpened", "customer_id");
    is_refused::<Carts>(&world, &[opened], "customer_id", HOLDS_NUL).await;
    let checked_out = with_nul(&events, "CartCheckedOut", "customer_id");
    is_refused::<Carts>(
        &world,
        &[viewed(&events[0]), checked_out],
        "customer_id",
        HOLDS_NUL,
    )
    .await;

    let commands = fulfilment::shipment(id, Way::Delivered);
    let events = decided::<domain::shipping::Shipments>(&commands);
    for member in ["carrier", "tracking_number"] {
        let (planned, created) = (viewed(&events[0]), viewed(&events[1]));
        let requested = with_nul(&events, "DispatchRequested", member);
        is_refused::<Shipments>(&world, &[planned, created, requested], member, HOLDS_NUL).await;
    }

    let told = notices::of(id).into_iter();
    let told = told.map(|event| recorded(event, NOTIFICATION_EVENTS, "notifications", 1, 0));
    let events: Vec<_> = told.collect();
    for (name, member) in [
        ("NotificationRequested", "channel"),
        ("NotificationRequested", "template"),
        ("NotificationFailed", "reason"),
        ("NotificationAbandoned", "reason"),
    ] {
        let event = with_nul(&events, name, member);
        is_refused::<Notifications>(&world, &[event], member, HOLDS_NUL).await;
    }
}

#[tokio::test]
async fn a_nul_in_a_header_is_refused_where_it_becomes_a_text() {
    let (world, id) = (World::new().await, Uuid::nil());
    let stream = format!("order-{id}");
    let payload = json!({ "order_id": id });

    let told = |name: &str| {
        let event = HistoryEvent::deserialize(name, 1, &payload).expect("readable");
        recorded(event, ORDER_EVENTS, &stream, 1, 0)
    };
    is_refused::<History>(&world, &[told("Unheard\0")], "ce_type", HOLDS_NUL).await;
    let (mut by_actor, mut of_stream) = (told("Unheard"), told("Unheard"));
    by_actor.metadata.actor = "\0".into();
    is_refused::<History>(&world, &[by_actor], "ce_actor", HOLDS_NUL).await;
    of_stream.metadata.stream.push('\0');
    is_refused::<History>(&world, &[of_stream], "ce_subject", HOLDS_NUL).await;
}

#[tokio::test]
async fn a_text_that_is_too_long_is_refused_where_an_index_covers_it() {
    let (world, id) = (World::new().await, Uuid::now_v7());
    let (longest, too_long) = (noise(2_000), noise(2_001));

    let events = decided::<domain::order::Orders>(&[ask::place(id)]);
    let event = with(&events, "OrderPlaced", "customer_id", &too_long);
    is_refused::<Orders>(&world, &[event], "customer_id", IS_TOO_LONG).await;
    let event = with(&events, "OrderPlaced", "customer_id", &longest);
    assert_eq!(fold::<Orders>(&world, &[event], &[1]).await.len(), 1);

    let events = decided::<domain::product::Products>(&[ask::create(&ask::sku(1))]);
    let event = with(&events, "ProductCreated", "sku", &too_long);
    is_refused::<Products>(&world, &[event], "sku", IS_TOO_LONG).await;
    let event = with(&events, "ProductCreated", "sku", &longest);
    assert_eq!(fold::<Products>(&world, &[event], &[1]).await.len(), 1);

    let events = decided::<domain::cart::Carts>(&[ask::open(id.into())]);
    let event = with(&events, "CartOpened", "customer_id", &too_long);
    assert_eq!(fold::<Carts>(&world, &[event], &[1]).await.len(), 1);
}

#[tokio::test]
async fn a_time_before_all_of_postgres_is_refused_where_it_becomes_a_column() {
    let (world, id) = (World::new().await, Uuid::now_v7());

    let orders = fulfilment::order(id, Way::Delivered);
    let orders = decided::<domain::order::Orders>(&orders);
    let event = with(&orders, "OrderPlaced", "placed_at", TOO_EARLY);
    is_refused::<Orders>(&world, &[event], "placed_at", IS_TOO_EARLY).await;
    let event = with(&orders, "OrderShipped", "shipped_at", TOO_EARLY);
    is_refused::<SalesDaily>(&world, &[event], "shipped_at", IS_TOO_EARLY).await;

    let events = fulfilment::payments(id, Way::Delivered);
    let events = decided::<domain::payment::Payments>(&events);
    let event = with(&events, "PaymentStarted", "started_at", TOO_EARLY);
    is_refused::<Payments>(&world, &[event], "started_at", IS_TOO_EARLY).await;

    let events = fulfilment::shipment(id, Way::Delivered);
    let events = decided::<domain::shipping::Shipments>(&events);
    let event = with(&events, "ShipmentCreated", "created_at", TOO_EARLY);
    is_refused::<Shipments>(&world, &[event], "created_at", IS_TOO_EARLY).await;

    let told = notices::of(id).into_iter();
    let told = told.map(|event| recorded(event, NOTIFICATION_EVENTS, "notifications", 1, 0));
    let events: Vec<_> = told.collect();
    let event = with(&events, "NotificationRequested", "requested_at", TOO_EARLY);
    is_refused::<Notifications>(&world, &[event], "requested_at", IS_TOO_EARLY).await;

    // From the very first to the last that chrono has.
    for time in ["-4713-11-24T00:00:00Z", "+262142-12-31T23:59:59.999999Z"] {
        let placed = with(&orders, "OrderPlaced", "placed_at", time);
        assert_eq!(fold::<Orders>(&world, &[placed], &[1]).await.len(), 1);
        let shipped = with(&orders, "OrderShipped", "shipped_at", time);
        assert_eq!(fold::<SalesDaily>(&world, &[shipped], &[1]).await.len(), 1);
    }
}

/// It is copied where the order comes first, and else written by an update.
#[tokio::test]
async fn a_time_between_two_microseconds_is_rounded_down_whatever_writes_it() {
    let (world, id) = (World::new().await, Uuid::now_v7());
    let orders = decided::<domain::order::Orders>(&[ask::place(id)]);
    let payments = fulfilment::payments(id, Way::Delivered);
    let payments = decided::<domain::payment::Payments>(&payments);
    let between = "1999-12-31T23:59:59.9999985Z";
    let placed = with::<OrderView, _>(&orders, "OrderPlaced", "placed_at", between);
    let events = [viewed(&payments[0]), placed];
    let copied = fold::<Orders>(&world, &events, &[2]).await;
    assert!(copied[0].contains(":59.999998"), "{copied:?}");
    assert_eq!(fold::<Orders>(&world, &events, &[1]).await, copied);
}

/// Postgres refuses all that is written together with it, and would for ever.
#[tokio::test]
async fn a_nul_of_a_foreign_producer_is_parked_with_what_follows_it() {
    let (world, shop) = (World::new().await, Shop::open(1));
    let (broken, whole) = (Uuid::now_v7(), Uuid::now_v7());
    let mut events = parking::events(broken);
    events[1].metadata.stream.push('\0');
    let mut first: Vec<_> = events.iter().map(record).collect();
    alter(&mut first[0], "customer_id", "a\0b");
    append(&shop, &first);
    append(&shop, &records(whole));
    let runner = Runner::start(&world, &shop);
    eventually("the whole one is cancelled", async || {
        cancelled(&world, "orders_1").await == 1
    })
    .await;
    eventually("both are parked", async || letters(&world).await == 2).await;
    let key = broken.to_string();
    let shown = dead_letters::show(&world.database, ORDERS, &key).await;
    let [cause, follower] = &*shown.expect("shows") else {
        panic!("two letters");
    };
    let reason = cause.reason.as_deref().expect("a reason");
    assert!(
        reason.contains("customer_id holds a NUL character"),
        "{reason}"
    );
    assert_eq!(follower.reason, None);
    assert_eq!(follower.stream, Some(format!("order-{broken}\u{fffd}")));

    // Where it is part of a JSON column it is taken.
    let placed = "select count(*) from history_1.history where type = 'OrderPlaced'";
    eventually("both are told", async || world.number(placed).await == 2).await;
    let of_history = "select count(*) from offset_zero.dead_letters where name = 'history' and reason like '%ce_subject%'";
    eventually("what has one in its stream is not", async || {
        world.number(of_history).await == 1
    })
    .await;

    let retried = dead_letters::retry(&shop.log, &world.database, ORDERS, &key).await;
    let stopped_by = retried.expect("tries").stopped_by;
    assert_eq!(stopped_by, Some(format!("{ORDER_EVENTS}/0@0: {reason}")));
    rebuilds_equal(&world, &shop).await;
    runner.stop().await;
}

#[tokio::test]
async fn what_postgres_has_no_room_for_is_parked_and_the_rest_goes_on() {
    let (world, shop) = (World::new().await, Shop::open(1));
    let too_long = noise(10_000);
    for (member, text) in [("placed_at", TOO_EARLY), ("customer_id", too_long.as_str())] {
        let mut records = records(Uuid::now_v7());
        alter(&mut records[0], member, text);
        append(&shop, &records);
    }
    // Of a header that is no RFC 3339: it is no event at all.
    let mut events = parking::events(Uuid::now_v7());
    events[0].metadata.time = TOO_EARLY.parse().expect("a time");
    let untimely: Vec<_> = events.iter().map(record).collect();
    append(&shop, &untimely);
    append(&shop, &records(Uuid::now_v7()));
    let runner = Runner::start(&world, &shop);
    eventually("the whole one is cancelled", async || {
        cancelled(&world, "orders_1").await == 1
    })
    .await;
    eventually("the others are parked", async || letters(&world).await == 6).await;

    rebuilds_equal(&world, &shop).await;
    assert_eq!(cancelled(&world, "orders_2").await, 1);
    assert_eq!(letters(&world).await, 6);
    runner.stop().await;
}

/// A rebuild parks the same, and makes the same rows.
pub(super) async fn rebuilds_equal(world: &World, shop: &Shop) {
    let report = rebuild(ORDERS, &shop.log, &world.database, Options::default()).await;
    let report = report.expect("rebuilds");
    assert!(report.verification.is_equal(), "{report}");
}
