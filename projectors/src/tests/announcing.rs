//! What projectors tell those who listen.

use std::{collections::BTreeMap, time::Duration};

use event_store::log::Log;
use sqlx::postgres::PgListener;

use super::{World, rebuilding::rebuild_orders, running::Runner, shop::Shop};
use crate::{Orders, Projection};

const PARTITIONS: i32 = 2;
const PATIENCE: Duration = Duration::from_secs(30);

async fn listen(world: &World, channel: &str) -> PgListener {
    let mut listener = PgListener::connect(&world.url).await.expect("connects");
    listener.listen(channel).await.expect("listens");
    listener
}

async fn next(listener: &mut PgListener) -> String {
    let told = tokio::time::timeout(PATIENCE, listener.recv()).await;
    let told = told.expect("something is told").expect("connected");
    told.payload().to_owned()
}

#[tokio::test]
async fn what_is_committed_is_told_and_no_sooner() {
    let (world, shop) = (World::new().await, Shop::open(PARTITIONS));
    let mut listener = listen(&world, "offset_zero_positions").await;
    let runner = Runner::start(&world, &shop);
    shop.trade(12).await;
    let topic = Orders::TOPICS[0];
    // Of a partition that happens to have no order, nothing is told.
    let ends: BTreeMap<i32, i64> = (0..PARTITIONS)
        .filter_map(|partition| {
            let end = shop.log.end_offset(topic, partition).expect("answers");
            (end > 0).then_some((partition, end - 1))
        })
        .collect();
    let mut told: BTreeMap<i32, i64> = BTreeMap::new();
    while told != ends {
        let payload = next(&mut listener).await;
        let Some(position) = payload.strip_prefix(&format!("orders {topic}/")) else {
            continue;
        };
        let (partition, position) = position.split_once('@').expect("a position");
        let (partition, position) = (
            partition.parse().expect("a partition"),
            position.parse().expect("an offset"),
        );
        let reached = format!(
            "select next_offset - 1 from offset_zero.checkpoints
             where name = 'orders' and topic = '{topic}' and partition = {partition}"
        );
        assert!(world.number(&reached).await >= position, "{payload}");
        told.insert(partition, position);
    }
    runner.stop().await;
}

#[tokio::test]
async fn what_goes_live_is_told() {
    let (world, shop) = (World::new().await, Shop::open(PARTITIONS));
    let mut listener = listen(&world, "offset_zero_live").await;
    let runner = Runner::start(&world, &shop);
    shop.trade(3).await;
    while next(&mut listener).await != Orders::NAME {}
    let live = "select live_version::bigint from offset_zero.projections where name = 'orders'";
    assert_eq!(world.number(live).await, 1);
    rebuild_orders(&world, &shop).await.expect("rebuilds");
    while next(&mut listener).await != Orders::NAME {}
    assert_eq!(world.number(live).await, 2);
    runner.stop().await;
}
