//! An event that cannot be applied is set aside with what follows for its key; nothing else waits for it.

use domain::{Event, order::OrderEvent, topics::ORDER_EVENTS};
use event_store::{
    encode,
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
    dead_letters::{self, ParkedKey},
    parking::MAX_CAUSES,
    rebuild,
    rebuild::Options,
};

const ORDERS: ProjectionName = ProjectionName::Orders;

async fn parked(world: &World) -> Vec<ParkedKey> {
    dead_letters::list(&world.database, Some(ORDERS))
        .await
        .expect("lists")
}

/// The records of an order that is placed and cancelled.
fn records(order: Uuid) -> Vec<OutgoingRecord> {
    let events = decided::<domain::order::Orders>(&[ask::place(order), ask::cancel(order)]);
    let record = |of: &event_store::Recorded<OrderEvent>| {
        encode(
            &of.event,
            OrderEvent::key(&of.event.stream()),
            &of.metadata,
            0,
        )
    };
    events.iter().map(record).collect()
}

fn append(shop: &Shop, records: &[OutgoingRecord]) {
    let id = AppenderId::Writer(WriterId {
        service: "made-up",
        partition: 0,
    });
    let mut appender = shop.log.appender(&id).expect("fences");
    appender.append(records).expect("appends");
}

async fn cancelled(world: &World, schema: &str) -> i64 {
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
    let letters = dead_letters::show(&world.database, ORDERS, &key)
        .await
        .expect("shows");
    assert_eq!(letters[0].position, format!("{ORDER_EVENTS}/0@1"));
    assert_eq!(letters[0].event_type.as_deref(), Some("OrderCancelled"));
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
