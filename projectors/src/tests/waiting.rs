//! A rebuild's statements take as long as they take, and yet it waits for nothing for ever.

use std::time::Duration;

use dev::postgres::Relay;
use sqlx::{AssertSqlSafe, Connection, PgConnection};

use super::{PATIENCE, World, eventually, shop::Shop, verifying::feed};
use crate::{
    Database, History, Orders, Projection, ProjectionName, ProjectorError, Report, operate,
    rebuild, rebuild::Options,
};

/// For a lock, whoever it is.
pub(super) const WAITING: &str = "select count(*) from pg_stat_activity
    where datname = current_database() and wait_event_type = 'Lock'";

/// Somebody's session keeps a table that a rebuild reads.
async fn kept<P: Projection>() -> (World, Shop, PgConnection) {
    let (world, shop) = (World::new().await, Shop::open(1));
    shop.trade(3).await;
    feed::<P>(&world, &shop).await;
    let mut keeper = world.connect().await;
    let lock = format!("begin; lock table {0}_1.{0}", P::NAME);
    sqlx::raw_sql(AssertSqlSafe(lock))
        .execute(&mut keeper)
        .await
        .expect("locks");
    (world, shop, keeper)
}

async fn rebuilt(shop: &Shop, database: &Database) -> Result<Report, ProjectorError> {
    let rebuilding = rebuild(
        ProjectionName::Orders,
        &shop.log,
        database,
        Options::default(),
    );
    let rebuilt = tokio::time::timeout(PATIENCE, rebuilding).await;
    rebuilt.expect("it does not wait for ever")
}

#[tokio::test]
async fn a_lock_that_is_kept_is_told_and_the_rebuild_resumes() {
    let (world, shop, keeper) = kept::<Orders>().await;
    let impatient = world.database.clone().locking_within("100ms");
    let error = rebuilt(&shop, &impatient).await.expect_err("it is kept");
    assert!(matches!(error, ProjectorError::Locked(_)), "{error:?}");
    keeper.close().await.expect("lets go");
    let report = rebuilt(&shop, &world.database).await.expect("rebuilds");
    assert!(report.resumed && report.verification.is_equal(), "{report}");
}

/// One that keeps rows has begun the next version, which nobody sees before they are copied.
#[tokio::test]
async fn a_reset_says_which_rebuild_it_waits_for() {
    const HISTORY: ProjectionName = ProjectionName::History;
    // It copies for as long as this is kept from it.
    let (world, shop, keeper) = kept::<History>().await;
    let options = Options {
        start: "OrderEvents/0@1".parse().expect("a start"),
        ..Options::default()
    };
    let rebuilding = rebuild(HISTORY, &shop.log, &world.database, options);
    let resetting = async {
        eventually("it copies", async || world.number(WAITING).await > 0).await;
        let impatient = world.database.clone().locking_within("100ms");
        let reset = operate::reset(&shop.log, &impatient, HISTORY).await;
        keeper.close().await.expect("lets go");
        reset.expect_err("it is held up")
    };
    let (rebuilt, error) = tokio::join!(rebuilding, resetting);
    rebuilt.expect("rebuilds");
    let ProjectorError::HeldUp { session, .. } = &error else {
        panic!("{error:?}");
    };
    let end_it = format!("pg_terminate_backend({session})");
    assert!(error.to_string().contains(&end_it), "{error}");
    let reset = operate::reset(&shop.log, &world.database, HISTORY).await;
    assert_eq!(reset.expect("resets"), 3);
}

/// No connection is closed, and the statement that it waits for is never answered.
#[tokio::test]
async fn a_postgres_that_vanishes_ends_the_rebuild() {
    let (world, shop, _keeper) = kept::<Orders>().await;
    let relay = Relay::to(&world.url).await;
    let relayed = Database::new(&relay.url).expect("a URL");
    let relayed = relayed.answering_within(Duration::from_secs(2));
    let vanishing = async {
        eventually("it waits", async || world.number(WAITING).await > 0).await;
        relay.lose();
    };
    let (rebuilt, ()) = tokio::join!(rebuilt(&shop, &relayed), vanishing);
    let error = rebuilt.expect_err("nothing is answered");
    assert!(
        matches!(error, ProjectorError::Unanswered { .. }),
        "{error:?}"
    );
    let told = error.to_string();
    assert!(told.contains("has not answered within 2 s;"), "{told}");
}
