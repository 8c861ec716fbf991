//! A rebuild that begins elsewhere than at offset zero makes anew what follows, and keeps what lies before.

use chrono::{TimeDelta, Utc};

use super::{World, eventually, shop::Shop, verifying::feed};
use crate::{
    History, Projection, ProjectionName, ProjectorError, Report,
    live::origin_of,
    rebuild,
    rebuild::{InvalidStart, Options, Start, Verification, candidate::Candidate, close},
};

/// No event says so.
const DAMAGE: &str = "update history_1.history set actor = 'wrong'";
const REPAIRED: &str = "select count(*) from history_2.history where actor <> 'wrong'";

async fn rebuild_from(
    world: &World,
    shop: &Shop,
    name: ProjectionName,
    start: &str,
) -> Result<Report, ProjectorError> {
    let options = Options {
        start: start.parse().expect("a start"),
        ..Options::default()
    };
    rebuild(name, &shop.log, &world.database, options).await
}

/// Half of OrderEvents/0.
async fn middle(world: &World) -> i64 {
    let end = "select next_offset from offset_zero.checkpoints
        where (name, version, topic, partition) = ('history', 1, 'OrderEvents', 0)";
    world.number(end).await / 2
}

fn differing(report: &Report) -> u64 {
    match &report.verification {
        Verification::Compared(found) => found.differing,
        Verification::Skipped(reason) => panic!("skipped: {reason}"),
    }
}

#[tokio::test]
async fn from_offsets_on_rows_are_made_anew() {
    let (world, shop) = (World::new().await, Shop::open(1));
    shop.fulfil(6).await;
    feed::<History>(&world, &shop).await;
    world.execute(DAMAGE).await;
    let middle = middle(&world).await;
    let later = format!("topic = 'OrderEvents' and position >= {middle}");
    let all = "select count(*) from history_1.history";
    let touched = world.number(&format!("{all} where {later}")).await;
    assert!(
        touched > 0 && touched < world.number(all).await,
        "{touched}"
    );

    let from = format!("OrderEvents/0@{middle}");
    let report = rebuild_from(&world, &shop, ProjectionName::History, &from)
        .await
        .expect("rebuilds");
    let touched = touched.unsigned_abs();
    assert_eq!((report.rows, differing(&report)), (touched, touched));
    let mistaken =
        format!("select count(*) from history_2.history where (actor <> 'wrong') <> ({later})");
    assert_eq!(world.number(&mistaken).await, 0);
    assert_eq!(
        world.rows("history_2").await.len(),
        world.rows("history_1").await.len()
    );

    // It goes on like any other, and the log is still known to be the same.
    shop.fulfil(3).await;
    feed::<History>(&world, &shop).await;
    let kept = world
        .number("select count(*) from history_2.history where actor = 'wrong'")
        .await;
    let report = rebuild_from(&world, &shop, ProjectionName::History, "ZERO")
        .await
        .expect("rebuilds");
    assert_eq!(differing(&report), kept.unsigned_abs());
}

#[tokio::test]
async fn from_a_time_on_rows_are_made_anew() {
    let (world, shop) = (World::new().await, Shop::open(2));
    shop.trade(6).await;
    let time = Utc::now() + TimeDelta::milliseconds(2);
    eventually("a later time", async || Utc::now() > time).await;
    let later = shop.trade(6).await;
    feed::<History>(&world, &shop).await;
    world.execute(DAMAGE).await;
    let from = Start::Time(time).to_string();
    let report = rebuild_from(&world, &shop, ProjectionName::History, &from)
        .await
        .expect("rebuilds");
    let orders: Vec<String> = later.iter().map(|id| format!("'{id}'")).collect();
    let of_later = format!(
        "select count(*) from history_1.history where order_id in ({})",
        orders.join(", ")
    );
    let of_later = world.number(&of_later).await;
    assert!(of_later > 0);
    assert_eq!(world.number(REPAIRED).await, of_later);
    assert_eq!(report.rows, of_later.unsigned_abs());
}

#[tokio::test]
async fn what_is_parked_before_stays_parked_with_what_follows() {
    let (world, shop) = (World::new().await, Shop::open(1));
    shop.trade(6).await;
    feed::<History>(&world, &shop).await;
    let middle = middle(&world).await;
    let key = "select order_id::text from history_1.history where topic = 'OrderEvents' order by position desc limit 1";
    world
        .execute(&format!(
            "insert into offset_zero.dead_letters (name, version, topic, partition, \"offset\", key, reason)
             select 'history', 1, 'OrderEvents', 0, 0, ({key}), 'test'"
        ))
        .await;
    let from = format!("OrderEvents/0@{middle}");
    rebuild_from(&world, &shop, ProjectionName::History, &from)
        .await
        .expect("rebuilds");
    let letters = "select count(*) from offset_zero.dead_letters where version = 2";
    let following = format!("{letters} and reason is null and \"offset\" >= {middle}");
    assert!(world.number(&following).await > 0);
    assert_eq!(
        world
            .number(&format!("{letters} and reason = 'test'"))
            .await,
        1
    );
    let applied = format!(
        "select count(*) from history_2.history where order_id::text = ({key}) and topic = 'OrderEvents' and position >= {middle}"
    );
    assert_eq!(world.number(&applied).await, 0);
}

#[tokio::test]
async fn where_it_cannot_begin_it_says_why_and_leaves_nothing() {
    let (world, shop) = (World::new().await, Shop::open(1));
    shop.trade(3).await;
    feed::<History>(&world, &shop).await;
    for (name, start, reason) in [
        (
            ProjectionName::Orders,
            "OrderEvents/0@0",
            "rebuild it from ZERO",
        ),
        (
            ProjectionName::History,
            "OrderEvents/0@1000000",
            "lies beyond",
        ),
        (ProjectionName::History, "OrderEvents/7@0", "does not read"),
        (
            ProjectionName::History,
            "ProductEvents/0@0",
            "does not read",
        ),
        (
            ProjectionName::History,
            "2126-11-28T12:00:00Z",
            "appended at 2126-11-28T12:00:00Z or later",
        ),
    ] {
        let error = rebuild_from(&world, &shop, name, start)
            .await
            .expect_err(start);
        assert!(
            matches!(error, ProjectorError::NotStarted { .. })
                && error.to_string().contains(reason),
            "{error}"
        );
    }
    world
        .execute("update offset_zero.projection_versions set state = 'failed', error = 'test'")
        .await;
    let error = rebuild_from(&world, &shop, ProjectionName::History, "OrderEvents/0@0")
        .await
        .expect_err("failed");
    assert!(error.to_string().contains("has failed"), "{error}");
    let versions = "select count(*) from offset_zero.projection_versions";
    assert_eq!(world.number(versions).await, 1);
}

#[tokio::test]
async fn an_unfinished_one_is_resumed_only_from_where_it_began() {
    let (world, shop) = (World::new().await, Shop::open(1));
    shop.trade(6).await;
    feed::<History>(&world, &shop).await;
    world.execute(DAMAGE).await;
    let origin = origin_of::<History, _>(&shop.log).await.expect("answers");
    let (here, there) = (format!("OrderEvents/0@{}", middle(&world).await), "ZERO");
    for (start, resumed) in [(&*here, true), (there, false)] {
        let begun = here.parse().expect("a start");
        let mut registry = world.database.connect().await.expect("connects");
        let prepared = Candidate::prepare::<History, _>(&mut registry, &shop.log, &origin, &begun);
        prepared.await.expect("prepares");
        close(registry).await;
        let report = rebuild_from(&world, &shop, ProjectionName::History, start)
            .await
            .expect("rebuilds");
        assert_eq!(report.resumed, resumed, "{start}");
    }
    // The second one has begun with nothing, so nothing is left of the damage.
    let wrong = "select count(*) from history_3.history where actor = 'wrong'";
    assert_eq!(world.number(wrong).await, 0);
    assert_eq!(
        world.rows(&format!("{}_3", History::NAME)).await.len(),
        world.rows("history_1").await.len()
    );
}

#[test]
fn a_start_is_spelled_in_one_way() {
    let spelled = |text: &str| text.parse::<Start>().map(|start| start.to_string());
    for (text, start) in [
        ("ZERO", "ZERO"),
        ("B/1@2,A/0@17", "A/0@17,B/1@2"),
        ("2026-11-28T13:00:00+01:00", "2026-11-28T12:00:00Z"),
    ] {
        assert_eq!(spelled(text).as_deref(), Ok(start));
    }
    for text in ["", "zero", "A/0", "A/0@1,A/0@2", "2026-11-28", "A/0@-1"] {
        assert_eq!(spelled(text), Err(InvalidStart), "{text}");
    }
}
