//! An event that cannot be applied is set aside with what follows for its key; nothing else waits for it.

use domain::{Event, order::OrderEvent, topics::ORDER_EVENTS};
use event_store::{
    Position, Recorded, encode,
    log::{Appender, AppenderId, Log, OutgoingRecord, WriterId},
};
use uuid::Uuid;

use super::{
    World, commands as ask, eventually,
    journeys::decided,
    running::{Runner, rows_reach},
    shop::Shop,
};
use crate::{
    ProjectionName, ProjectorError,
    args::DeadLettersCommand,
    dead_letters::{self, ParkedKey},
    parking::{MAX_CAUSES, is_beyond_limit},
    rebuild,
    rebuild::Options,
};

pub(super) const ORDERS: ProjectionName = ProjectionName::Orders;

async fn parked(world: &World) -> Vec<ParkedKey> {
    dead_letters::list(&world.database, Some(ORDERS))
        .await
        .expect("lists")
}

/// An order that is placed and cancelled.
pub(super) fn events(order: Uuid) -> Vec<Recorded<OrderEvent>> {
    decided::<domain::order::Orders>(&[ask::place(order), ask::cancel(order)])
}

pub(super) fn record(of: &Recorded<OrderEvent>) -> OutgoingRecord {
    encode(
        &of.event,
        OrderEvent::key(&of.event.stream()),
        &of.metadata,
        0,
    )
}

/// The records of such an order.
pub(super) fn records(order: Uuid) -> Vec<OutgoingRecord> {
    events(order).iter().map(record).collect()
}

pub(super) fn append(shop: &Shop, records: &[OutgoingRecord]) {
    let id = AppenderId::Writer(WriterId {
        service: "made-up",
        partition: 0,
    });
    let mut appender = shop.log.appender(&id).expect("fences");
    appender.append(records).expect("appends");
}

pub(super) async fn cancelled(world: &World, schema: &str) -> i64 {
    let count = format!("select count(*) from {schema}.orders where status = 'cancelled'");
    world.number(&count).await
}

#[tokio::test]
async fn what_cannot_be_applied_is_parked_and_applied_when_it_can_be() {
    let (world, shop) = (World::new().await, Shop::open(1));
    let ids = shop.trade(2).await;
    let runner = Runner::start(&world, &shop);
    rows_reach(&world, "orders_1", 2).await;
    let key = ids[0].to_string();
    world
        .execute("create table saved as select * from orders_1.orders")
        .await;
    world
        .execute(&format!("delete from orders_1.orders where id = '{key}'"))
        .await;
    shop.cancel(ids[0]).await;
    shop.cancel(ids[1]).await;
    eventually("the other one is cancelled", async || {
        cancelled(&world, "orders_1").await == 1
    })
    .await;
    let found = parked(&world).await;
    assert_eq!(
        (found.len(), &*found[0].key, found[0].letters),
        (1, &*key, 1)
    );
    let error = dead_letters::retry(&shop.log, &world.database, ORDERS, &key)
        .await
        .expect("tries");
    assert_eq!(error.applied, 0);
    assert!(error.stopped_by.is_some());
    assert_eq!(parked(&world).await, found);

    world
        .execute(&format!(
            "insert into orders_1.orders select * from saved where id = '{key}'"
        ))
        .await;
    let retried = dead_letters::retry(&shop.log, &world.database, ORDERS, &key)
        .await
        .expect("tries");
    assert_eq!((retried.applied, retried.stopped_by), (1, None));
    assert_eq!(parked(&world).await, []);
    assert_eq!(cancelled(&world, "orders_1").await, 2);
    let nothing = dead_letters::retry(&shop.log, &world.database, ORDERS, &key).await;
    assert!(
        matches!(nothing, Err(ProjectorError::NotParked { .. })),
        "{nothing:?}"
    );
    let next = shop.trade(1).await;
    rows_reach(&world, "orders_1", 3).await;
    assert_eq!(next.len(), 1, "and goes on");
    runner.stop().await;
}

#[tokio::test]
async fn what_cannot_be_decoded_is_parked_with_what_follows_it() {
    let (world, shop) = (World::new().await, Shop::open(1));
    let (broken, whole) = (Uuid::now_v7(), Uuid::now_v7());
    let mut first = records(broken);
    first[1].payload = b"{".to_vec();
    append(&shop, &first);
    append(&shop, &records(whole));
    append(&shop, &records(broken)[1..]);
    let runner = Runner::start(&world, &shop);
    rows_reach(&world, "orders_1", 2).await;
    eventually("the whole one is cancelled", async || {
        cancelled(&world, "orders_1").await == 1
    })
    .await;
    eventually("what follows is parked", async || {
        parked(&world)
            .await
            .iter()
            .map(|of| of.letters)
            .sum::<i64>()
            == 2
    })
    .await;
    let key = broken.to_string();
    let mut letters = dead_letters::show(&world.database, ORDERS, &key)
        .await
        .expect("shows");
    assert_eq!(letters[0].position, format!("{ORDER_EVENTS}/0@1"));
    let named = dead_letters::name_types(&shop.log, &mut letters).await;
    named.expect("the log answers");
    for letter in &letters {
        assert_eq!(letter.event_type.as_deref(), Some("OrderCancelled"));
    }
    let mut many = vec![letters[1].clone(); dead_letters::NAMED_AT_MOST + 1];
    many.iter_mut().for_each(|of| of.event_type = None);
    let named = dead_letters::name_types(&shop.log, &mut many).await;
    named.expect("the log answers");
    let (last, others) = many.split_last().expect("there are many");
    assert!(last.event_type.is_none() && others.iter().all(|of| of.event_type.is_some()));
    assert!(
        letters[0].reason.is_some() && letters[1].reason.is_none(),
        "{letters:?}"
    );

    // What a rebuild cannot cure it parks as well; and it is told apart from what it has cured.
    let report = rebuild(ORDERS, &shop.log, &world.database, Options::default())
        .await
        .expect("rebuilds");
    assert!(report.verification.is_equal(), "{report}");
    let again = dead_letters::show(&world.database, ORDERS, &key)
        .await
        .expect("shows");
    let positions = |of: &[dead_letters::DeadLetter]| -> Vec<String> {
        of.iter().map(|letter| letter.position.clone()).collect()
    };
    assert_eq!(positions(&again), positions(&letters));
    assert_eq!(
        dead_letters::discard(&world.database, ORDERS, &key)
            .await
            .expect("discards"),
        2
    );
    assert_eq!(parked(&world).await, []);
    runner.stop().await;
}

#[tokio::test]
async fn too_many_are_no_accident() {
    let (world, shop) = (World::new().await, Shop::open(1));
    let runner = Runner::start(&world, &shop);
    for _ in 0..=MAX_CAUSES {
        let mut records = records(Uuid::now_v7());
        records[1].payload = b"{".to_vec();
        append(&shop, &records);
    }
    let failed = "select count(*) from offset_zero.projection_versions where state = 'failed' and name = 'orders'";
    eventually("failed", async || world.number(failed).await == 1).await;
    runner.stop().await;
}

/// Letters of all keys.
pub(super) async fn letters(world: &World) -> i64 {
    parked(world).await.iter().map(|of| of.letters).sum()
}

/// Rows that are not there any more refuse what follows: in one batch, and so behind one checkpoint.
#[tokio::test]
async fn several_that_are_refused_at_once_are_all_parked() {
    let (world, shop) = (World::new().await, Shop::open(1));
    let ids = shop.trade(4).await;
    let runner = Runner::start(&world, &shop);
    rows_reach(&world, "orders_1", 4).await;
    runner.stop().await;
    let rows = format!("('{}', '{}', '{}')", ids[0], ids[1], ids[3]);
    world
        .execute(&format!("delete from orders_1.orders where id in {rows}"))
        .await;
    for id in [0, 1, 3] {
        shop.cancel(ids[id]).await;
    }
    let runner = Runner::start(&world, &shop);
    eventually("all are parked", async || parked(&world).await.len() == 3).await;
    shop.trade(1).await;
    rows_reach(&world, "orders_1", 2).await;
    runner.stop().await;
}

/// The last record of the log is no event, so that the checkpoint lies beyond the last event that was applied.
async fn with_a_broken_end() -> (World, Shop, Uuid) {
    let (world, shop) = (World::new().await, Shop::open(1));
    let broken = Uuid::now_v7();
    let mut records = records(broken);
    // Why not is told in its own words, which have a NUL.
    records[1].payload = br#"{"order_id":"\u0000"}"#.to_vec();
    append(&shop, &records);
    (world, shop, broken)
}

#[tokio::test]
async fn what_is_parked_is_not_parked_again_by_whoever_goes_on() {
    let (world, shop, _) = with_a_broken_end().await;
    let runner = Runner::start(&world, &shop);
    eventually("parked", async || letters(&world).await == 1).await;
    runner.stop().await;
    let runner = Runner::start(&world, &shop);
    append(&shop, &records(Uuid::now_v7()));
    rows_reach(&world, "orders_1", 2).await;
    assert_eq!(letters(&world).await, 1);
    runner.stop().await;
}

/// It may have followed another, which needs no reason of its own.
#[tokio::test]
async fn what_stops_a_retry_is_shown_with_its_reason() {
    let (world, shop, broken) = with_a_broken_end().await;
    let runner = Runner::start(&world, &shop);
    eventually("parked", async || letters(&world).await == 1).await;
    runner.stop().await;
    world
        .execute("update offset_zero.dead_letters set reason = null")
        .await;
    let retried =
        dead_letters::retry(&shop.log, &world.database, ORDERS, &broken.to_string()).await;
    let stopped_by = retried.expect("tries").stopped_by.expect("still broken");
    let [found] = &*parked(&world).await else {
        panic!("one key");
    };
    let reason = found.reason.as_deref().expect("a reason");
    assert!(reason.contains('\u{fffd}'), "{reason}");
    assert_eq!(stopped_by, format!("{}: {reason}", found.position));
}

/// In several transactions, so that none holds feeds still for long.
#[tokio::test]
async fn many_are_tried_again_in_their_order() {
    let (world, shop) = (World::new().await, Shop::open(1));
    let ids = shop.trade(1).await;
    shop.cancel(ids[0]).await;
    let runner = Runner::start(&world, &shop);
    eventually("it is cancelled", async || {
        cancelled(&world, "orders_1").await == 1
    })
    .await;
    let of_order =
        format!("from history_1.history where topic = '{ORDER_EVENTS}' and type ^@ 'Order'");
    let count = format!("select count(*) {of_order} and type = 'OrderCancelled'");
    eventually("it is told", async || world.number(&count).await == 1).await;
    runner.stop().await;
    let before = world.rows("orders_1").await;
    let key = ids[0].to_string();
    world
        .execute(&format!(
            "delete from orders_1.orders;
             insert into offset_zero.dead_letters (name, version, topic, partition, \"offset\", key)
             select 'orders', 1, topic, partition, position, '{key}' {of_order} order by position"
        ))
        .await;
    let parked = letters(&world).await;
    assert!(parked > 1, "{parked} are one transaction's");
    let retried = dead_letters::retry(&shop.log, &world.database, ORDERS, &key).await;
    let retried = retried.expect("tries");
    assert_eq!(retried.stopped_by, None);
    assert_eq!(retried.applied, parked.unsigned_abs());
    assert_eq!(world.rows("orders_1").await, before);
}

#[tokio::test]
async fn what_was_given_up_does_not_come_again() {
    let (world, shop, broken) = with_a_broken_end().await;
    let runner = Runner::start(&world, &shop);
    eventually("parked", async || letters(&world).await == 1).await;
    let discarded = dead_letters::discard(&world.database, ORDERS, &broken.to_string()).await;
    assert_eq!(discarded.expect("discards"), 1);
    append(&shop, &records(Uuid::now_v7()));
    rows_reach(&world, "orders_1", 2).await;
    assert_eq!(letters(&world).await, 0);
    runner.stop().await;
}

#[tokio::test]
async fn what_a_newer_program_has_applied_is_the_same_log_all_the_same() {
    let (world, shop) = (World::new().await, Shop::open(1));
    let mut records = records(Uuid::now_v7());
    append(&shop, &records[..1]);
    let runner = Runner::start(&world, &shop);
    rows_reach(&world, "orders_1", 1).await;
    runner.stop().await;
    records[1].payload = b"{".to_vec();
    let of_newer = records.remove(1);
    let (_, id) = of_newer
        .headers
        .iter()
        .find(|(name, _)| &**name == "ce_id")
        .expect("an id");
    let id = id.to_owned();
    append(&shop, &[of_newer]);
    world
        .execute(&format!(
            "update offset_zero.checkpoints set next_offset = 3, last_event_offset = 2, last_event_id = '{id}'
             where name = 'orders' and topic = '{ORDER_EVENTS}'"
        ))
        .await;
    let runner = Runner::start(&world, &shop);
    append(&shop, &self::records(Uuid::now_v7()));
    rows_reach(&world, "orders_1", 2).await;
    assert_eq!(letters(&world).await, 0);
    runner.stop().await;
}

#[tokio::test]
async fn a_foreign_record_is_parked_whatever_its_key() {
    let (world, shop) = (World::new().await, Shop::open(1));
    for key in ["", "\0\0\0\u{7}", &"\0".repeat(5_000), &"ü".repeat(5_000)] {
        let mut records = records(Uuid::now_v7());
        key.clone_into(&mut records[0].key);
        records[0].payload = b"\0".to_vec();
        append(&shop, &records[..1]);
    }
    let runner = Runner::start(&world, &shop);
    append(&shop, &records(Uuid::now_v7()));
    rows_reach(&world, "orders_1", 1).await;
    assert_eq!(parked(&world).await.len(), 4, "keys are told apart");
    let list = DeadLettersCommand::List { name: Some(ORDERS) };
    let listed = list.run(&shop.log, &world.database, false).await;
    let listed = listed.expect("lists");
    for told in ["orders \"\": 1 parked", r"\u{7}"] {
        assert!(listed.contains(told), "{told} is not in: {listed}");
    }
    assert!(!listed.contains('\u{7}'), "{listed}");
    runner.stop().await;
}

#[tokio::test]
async fn many_are_no_accident_however_far_behind_they_lie() {
    let (world, shop) = (World::new().await, Shop::open(1));
    let runner = Runner::start(&world, &shop);
    shop.trade(1).await;
    rows_reach(&world, "orders_1", 1).await;
    runner.stop().await;
    let first = Position {
        topic: ORDER_EVENTS.into(),
        partition: 0,
        offset: 0,
    };
    let mut connection = world.connect().await;
    let many = i64::try_from(MAX_CAUSES).expect("few");
    for (offset, expected) in [(0..many, false), (many..many + 1, true)] {
        let (from, to) = (offset.start, offset.end - 1);
        world
            .execute(&format!(
                "insert into offset_zero.dead_letters (name, version, topic, partition, \"offset\", key, reason)
                 select 'orders', 1, '{ORDER_EVENTS}', 0, 19 * n, n::text, 'a test' from generate_series({from}, {to}) n
                 union all select 'orders', 1, '{ORDER_EVENTS}', 0, 100000 + {to}, 'alone', 'a test'"
            ))
            .await;
        let is_beyond = is_beyond_limit(&mut connection, "orders", 1, &first).await;
        assert_eq!(is_beyond.expect("counts"), expected, "{to}");
    }
}
