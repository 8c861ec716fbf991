//! A foreign producer's NUL, which no `text` column takes: the event that has it is refused by itself, before Postgres refuses all.

use domain::{
    Event, ReadEvent,
    topics::{NOTIFICATION_EVENTS, ORDER_EVENTS},
};
use event_store::Recorded;
use serde_json::{Value, json};
use sqlx::Connection;
use uuid::Uuid;

use super::{
    World, commands as ask, eventually,
    folding::origin,
    fulfilment::{self, Way},
    journeys::{decided, recorded, viewed},
    notices,
    parking::{self, ORDERS, append, cancelled, letters, record, records},
    running::Runner,
    shop::Shop,
};
use crate::{
    Carts, History, Notifications, OrderVersions, Orders, Products, Projection, ProjectorError,
    Shipments, chunk::Chunk, dead_letters, history::row::HistoryEvent,
    order_versions::row::NamedView, rebuild, rebuild::Options, registry::ensure_live,
};

/// The event of that name, the member's text with a NUL in it.
fn with_nul<V: ReadEvent, E: Event>(
    events: &[Recorded<E>],
    name: &str,
    member: &str,
) -> Recorded<V> {
    let found = events.iter().find(|of| of.event.kind().name == name);
    let found = found.expect("it has happened");
    let mut payload = serde_json::to_value(&found.event).expect("JSON");
    payload[member] = "a\0b".into();
    Recorded {
        event: V::deserialize(name, found.event.kind().version, payload).expect("readable"),
        ..viewed(found)
    }
}

/// The last of these events is refused for that member.
async fn is_refused<P: Projection>(world: &World, events: &[Recorded<P::Event>], member: &str) {
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
        panic!("{} takes a NUL in {member}: {absorbed:?}", P::NAME);
    };
    let expected = format!("its {member} holds a NUL character, which no text column takes");
    assert_eq!(*reason, expected, "{}", P::NAME);
}

#[tokio::test]
async fn a_nul_in_a_payload_is_refused_where_it_becomes_a_text() {
    let (world, id) = (World::new().await, Uuid::now_v7());

    let events = decided::<domain::order::Orders>(&[ask::place(id)]);
    let event = with_nul(&events, "OrderPlaced", "customer_id");
    is_refused::<Orders>(&world, &[event], "customer_id").await;

    let events = decided::<domain::product::Products>(&[ask::create(&ask::sku(1))]);
    for member in ["sku", "name"] {
        let event = with_nul(&events, "ProductCreated", member);
        is_refused::<Products>(&world, &[event], member).await;
    }

    let commands = [
        ask::open(id.into()),
        ask::set(id.into(), 1),
        ask::check_out(id.into()),
    ];
    let events = decided::<domain::cart::Carts>(&commands);
    let opened = with_nul(&events, "CartOpened", "customer_id");
    is_refused::<Carts>(&world, &[opened], "customer_id").await;
    let checked_out = with_nul(&events, "CartCheckedOut", "customer_id");
    is_refused::<Carts>(&world, &[viewed(&events[0]), checked_out], "customer_id").await;

    let commands = fulfilment::shipment(id, Way::Delivered);
    let events = decided::<domain::shipping::Shipments>(&commands);
    for member in ["carrier", "tracking_number"] {
        let (planned, created) = (viewed(&events[0]), viewed(&events[1]));
        let requested = with_nul(&events, "DispatchRequested", member);
        is_refused::<Shipments>(&world, &[planned, created, requested], member).await;
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
        is_refused::<Notifications>(&world, &[event], member).await;
    }
}

#[tokio::test]
async fn a_nul_in_a_header_is_refused_where_it_becomes_a_text() {
    let (world, id) = (World::new().await, Uuid::nil());
    let stream = format!("order-{id}");
    let payload = json!({ "order_id": id });

    let unheard = NamedView::deserialize("Unheard\0", 1, &payload).expect("readable");
    let unheard = recorded(unheard, ORDER_EVENTS, &stream, 1, 0);
    is_refused::<OrderVersions>(&world, &[unheard], "ce_type").await;

    let told = |name: &str| {
        let event = HistoryEvent::deserialize(name, 1, &payload).expect("readable");
        recorded(event, ORDER_EVENTS, &stream, 1, 0)
    };
    is_refused::<History>(&world, &[told("Unheard\0")], "ce_type").await;
    let (mut by_actor, mut of_stream) = (told("Unheard"), told("Unheard"));
    by_actor.metadata.actor = "\0".into();
    is_refused::<History>(&world, &[by_actor], "ce_actor").await;
    of_stream.metadata.stream.push('\0');
    is_refused::<History>(&world, &[of_stream], "ce_subject").await;
}

/// Postgres refuses all that is written together with it, and would for ever.
#[tokio::test]
async fn a_nul_of_a_foreign_producer_is_parked_with_what_follows_it() {
    let (world, shop) = (World::new().await, Shop::open(1));
    let (broken, whole) = (Uuid::now_v7(), Uuid::now_v7());
    let mut events = parking::events(broken);
    events[1].metadata.stream.push('\0');
    let mut first: Vec<_> = events.iter().map(record).collect();
    let mut payload: Value = serde_json::from_slice(&first[0].payload).expect("JSON");
    payload["customer_id"] = "a\0b".into();
    first[0].payload = payload.to_string().into_bytes();
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
    let report = rebuild(ORDERS, &shop.log, &world.database, Options::default()).await;
    let report = report.expect("rebuilds");
    assert!(report.verification.is_equal(), "{report}");
    runner.stop().await;
}
