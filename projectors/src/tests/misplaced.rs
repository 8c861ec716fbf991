//! What lies where it does not belong, as of a foreign producer that reckons partitions otherwise or gives its records other keys, is
//! parked there: two feeds would make its row.

use std::iter;

use domain::topics::{ORDER_EVENTS, PAYMENT_EVENTS};
use event_store::{encode, log::OutgoingRecord, partition_for};
use uuid::Uuid;

use super::{
    World, commands as ask, eventually,
    foreign::{alter, noise, rebuilds_equal},
    fulfilment::{self, Way},
    journeys::decided,
    parking::{ORDERS, append, cancelled, letters, record, records},
    running::Runner,
    shop::Shop,
};
use crate::dead_letters;

const PARTITIONS: i32 = 2;

fn home(key: &str) -> i32 {
    partition_for(key.as_bytes(), PARTITIONS)
}

fn home_of(order: Uuid) -> i32 {
    home(&order.to_string())
}

/// An order that is placed and cancelled, in that partition.
fn lying_in(partition: i32, order: Uuid) -> Vec<OutgoingRecord> {
    let mut records = records(order);
    for record in &mut records {
        record.partition = partition;
    }
    records
}

fn why(key: &str) -> String {
    format!("it is of {key}, which belongs to partition {}", home(key))
}

/// Written by whoever reckons partitions otherwise.
#[tokio::test]
async fn what_lies_where_its_key_does_not_belong_is_parked_there() {
    let (world, shop) = (World::new().await, Shop::open(PARTITIONS));
    let id = Uuid::now_v7();
    let (key, home) = (id.to_string(), home_of(id));
    let ours = lying_in(home, id);
    append(&shop, &ours[..1]);
    append(&shop, &lying_in(1 - home, id));
    let runner = Runner::start(&world, &shop);
    eventually("both are parked", async || letters(&world).await == 2).await;
    append(&shop, &ours[1..]);
    eventually("nothing else waits for them", async || {
        cancelled(&world, "orders_1").await == 1
    })
    .await;
    let why = why(&key);
    let shown = dead_letters::show(&world.database, ORDERS, &key).await;
    for letter in shown.expect("shows") {
        assert_eq!(letter.reason.as_deref(), Some(&*why));
    }

    let retried = dead_letters::retry(&shop.log, &world.database, ORDERS, &key).await;
    let retried = retried.expect("tries");
    let first = format!("{ORDER_EVENTS}/{}@0: {why}", 1 - home);
    assert_eq!((retried.applied, retried.stopped_by), (0, Some(first)));
    // There each partition has a feed of its own.
    rebuilds_equal(&world, &shop).await;
    assert_eq!(letters(&world).await, 2);
    runner.stop().await;
}

/// Each lies where its record's key belongs, which is not the key that its order's events have.
#[tokio::test]
async fn what_it_is_about_says_where_an_event_belongs() {
    let (world, shop) = (World::new().await, Shop::open(PARTITIONS));
    let other = Uuid::now_v7();
    let keys: [&dyn Fn(Uuid) -> String; 4] = [
        &|id: Uuid| ask::payment_id(id, 1).to_string(),
        &|id: Uuid| id.to_string().to_uppercase(),
        // Of such a key only what was altered is left.
        &|id: Uuid| format!("{id}\0"),
        &|_: Uuid| other.to_string(),
    ];
    let mut ours = Vec::new();
    for key in keys {
        let mut ids = iter::repeat_with(Uuid::now_v7);
        let id = ids.find(|id| home(&key(*id)) != home_of(*id));
        let id = id.expect("every second one is such");
        let mut foreign = lying_in(1 - home_of(id), id);
        for record in &mut foreign {
            record.key = key(id);
        }
        let mut placed = lying_in(home_of(id), id);
        ours.extend(placed.pop());
        append(&shop, &placed);
        append(&shop, &foreign);
    }
    // It shares its key with some of them.
    append(&shop, &lying_in(home_of(other), other));
    let runner = Runner::start(&world, &shop);
    eventually("all of theirs are parked", async || {
        letters(&world).await == 8
    })
    .await;
    append(&shop, &ours);
    eventually("ours wait for none of them", async || {
        cancelled(&world, "orders_1").await == 5
    })
    .await;
    rebuilds_equal(&world, &shop).await;
    assert_eq!(cancelled(&world, "orders_2").await, 5);
    assert_eq!(letters(&world).await, 8);
    runner.stop().await;
}

#[tokio::test]
async fn a_sku_that_a_row_can_have_says_so_too() {
    let (world, shop) = (World::new().await, Shop::open(PARTITIONS));
    let (sku, too_long) = (ask::sku(1), noise(2_001));
    let created = decided::<domain::product::Products>(&[ask::create(&sku)]);
    for sku in [sku.as_str(), &too_long] {
        let (created, key) = (&created[0], "by-name".to_owned());
        let mut record = encode(&created.event, key, &created.metadata, 1 - home(sku));
        alter(&mut record, "sku", sku);
        append(&shop, &[record]);
    }
    let runner = Runner::start(&world, &shop);
    let reasons = "select reason from offset_zero.dead_letters where name = 'products' order by 1";
    eventually("both are parked", async || {
        world.texts(reasons).await.len() == 2
    })
    .await;
    let no_row = "its sku has more than 2000 bytes, which no index takes";
    assert_eq!(world.texts(reasons).await, [&*why(sku.as_str()), no_row]);
    runner.stop().await;
}

/// Its past and the day's sales would have what the order itself has not, and twice once somebody has mended it.
#[tokio::test]
async fn what_an_order_lacks_is_in_no_past_and_no_sum() {
    let (world, shop) = (World::new().await, Shop::open(PARTITIONS));
    for by in [1, 0] {
        let id = Uuid::now_v7();
        let commands = fulfilment::order(id, Way::Delivered);
        let events = decided::<domain::order::Orders>(&commands);
        let mut records: Vec<_> = events.iter().map(record).collect();
        for record in &mut records {
            record.partition = (home_of(id) + by) % PARTITIONS;
        }
        append(&shop, &records);
    }
    let runner = Runner::start(&world, &shop);
    for (projection, rows) in [
        ("history", "count(distinct order_id)"),
        ("sales_daily", "sum(orders)::bigint"),
    ] {
        let rows = format!("select {rows} from {projection}_1.{projection}");
        eventually("one is there", async || world.number(&rows).await == 1).await;
        let parked = format!(
            "select count(*) from offset_zero.dead_letters where name = '{projection}' and reason like 'it is of %'"
        );
        eventually("the other is parked", async || {
            world.number(&parked).await > 0
        })
        .await;
        assert_eq!(world.number(&rows).await, 1, "{projection}");
    }
    runner.stop().await;
}

/// Of a type that a projection does not know, as there may be many.
#[tokio::test]
async fn what_makes_no_row_may_lie_anywhere() {
    let (world, shop) = (World::new().await, Shop::open(PARTITIONS));
    let id = Uuid::now_v7();
    let mut of_no_payment = lying_in(1 - home_of(id), id);
    for record in &mut of_no_payment {
        record.topic = PAYMENT_EVENTS;
    }
    append(&shop, &of_no_payment);
    let runner = Runner::start(&world, &shop);
    let passed =
        "select sum(next_offset)::bigint from offset_zero.checkpoints where name = 'payments'";
    eventually("payments pass them over", async || {
        world.number(passed).await >= 2
    })
    .await;
    eventually("of orders they make a row", async || {
        letters(&world).await == 2
    })
    .await;
    let of_payments = "select count(*) from offset_zero.dead_letters where name = 'payments'";
    assert_eq!(world.number(of_payments).await, 0);
    runner.stop().await;
}

/// It will never be applied, and is the first that is parked under its key.
#[tokio::test]
async fn what_lies_elsewhere_holds_up_no_retry_of_what_does_not() {
    let (world, shop) = (World::new().await, Shop::open(PARTITIONS));
    let id = Uuid::now_v7();
    let home = home_of(id);
    append(&shop, &lying_in(1 - home, id));
    let runner = Runner::start(&world, &shop);
    eventually("both are parked", async || letters(&world).await == 2).await;
    runner.stop().await;
    append(&shop, &lying_in(home, id));
    // As by a projector that did not understand them.
    let passed = format!(
        r#"insert into offset_zero.dead_letters (name, version, topic, partition, "offset", key, reason)
           select 'orders', 1, '{ORDER_EVENTS}', {home}, n, '{id}', 'a test' from generate_series(0, 1) n;
           update offset_zero.checkpoints set next_offset = 2
           where name = 'orders' and topic = '{ORDER_EVENTS}' and partition = {home}"#
    );
    world.execute(&passed).await;
    let retried = dead_letters::retry(&shop.log, &world.database, ORDERS, &id.to_string()).await;
    let retried = retried.expect("tries");
    let stopped_by = retried
        .stopped_by
        .expect("what lies elsewhere does so still");
    let first = format!("{ORDER_EVENTS}/{}@0: ", 1 - home);
    assert!(stopped_by.starts_with(&first), "{stopped_by}");
    assert_eq!(retried.applied, 2);
    assert_eq!(cancelled(&world, "orders_1").await, 1);
    assert_eq!(letters(&world).await, 2);
}
