//! Reads beside projectors of another release, which make rows that this program does not know.

use std::time::{Duration, Instant};

use runtime::health::Readiness;

use crate::{
    swap::drop_version,
    world::{Answer, Order, World},
};

const PATIENCE: Duration = Duration::from_secs(30);

/// Has projectors of the next release take over, with columns of other names.
async fn next_release_goes_live(world: &World) {
    world.create_version(2, "ready").await;
    world
        .execute(
            "insert into orders_2.orders select * from orders_1.orders;
             alter table orders_2.orders rename column status to stage;
             alter table orders_2.orders rename column version to revision;
             update offset_zero.checkpoints set next_offset = 9 where version = 2;
             update offset_zero.projection_versions set shape = shape + 1 where version = 2",
        )
        .await;
    take_over(world).await;
}

/// As a swap does, from version 1 to 2.
async fn take_over(world: &World) {
    world
        .execute(
            "update offset_zero.projection_versions
             set state = case version when 2 then 'live' else 'retired' end;
             update offset_zero.projections set live_version = 2",
        )
        .await;
}

/// Of a process that looks at its database, until the test ends.
fn checked(world: &World, check: &'static str) -> Readiness {
    let readiness = Readiness::new([check]);
    let database = world.database.clone();
    tokio::spawn(database.keep_checking(readiness.clone()));
    readiness
}

fn assert_unavailable(answer: &Answer, because: &str) {
    let problem = answer.problem(503, "unavailable");
    let detail = problem["detail"].as_str().unwrap_or_default();
    assert!(detail.contains(because), "{problem}");
}

/// Waits until the check holds, or fails with a reason that says this.
async fn until(readiness: &Readiness, check: &str, wanted: Option<&str>) {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let failing = readiness.failing();
        let reason = failing.iter().find(|(name, _)| *name == check);
        match (reason, wanted) {
            (None, None) => return,
            (Some((_, reason)), Some(wanted)) if reason.contains(wanted) => return,
            _ => {}
        }
        assert!(Instant::now() < deadline, "{failing:?}, not {wanted:?}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test]
async fn rows_of_our_shape_are_read_on_when_another_goes_live() {
    let world = World::new().await;
    let order = Order::placed_at("2026-01-01T00:00:00Z");
    world.insert(&order).await;
    world
        .execute("update offset_zero.checkpoints set next_offset = 5")
        .await;
    let readiness = checked(&world, "projections");
    until(&readiness, "projections", None).await;

    next_release_goes_live(&world).await;
    until(
        &readiness,
        "projections",
        Some("start query-api of the projectors"),
    )
    .await;
    let found = format!("/v1/orders/{}", order.id);
    assert_eq!(world.get(&found).await.json()["version"], 1);
    let listed = world.get("/v1/orders").await.json();
    assert_eq!(listed["items"][0]["version"], 1, "{listed}");

    // What was visible before is, with its position; what came since is not to be waited for.
    let at = |position| [("x-min-position", position), ("prefer", "wait=30")];
    let known = world.send("GET", &found, &at("OrderEvents/0@4")).await;
    assert_eq!(known.json()["version"], 1);
    let unknown = world.send("GET", &found, &at("OrderEvents/0@5")).await;
    assert_unavailable(&unknown, "fed no more");

    // Until somebody drops them.
    drop_version(&world, 1).await;
    for uri in [&*found, "/v1/orders"] {
        assert_unavailable(&world.get(uri).await, "no projector of this release");
    }
}

/// Offsets of a log that was replaced say nothing of this one's, whatever has become of the version that was made of it.
#[tokio::test]
async fn what_was_of_another_log_has_reached_nothing_either() {
    let world = World::new().await;
    let order = Order::placed_at("2026-01-01T00:00:00Z");
    world.insert(&order).await;
    world
        .execute(
            "update offset_zero.checkpoints set next_offset = 5;
             update offset_zero.projection_versions set state = 'diverged', error = 'diverged: the test says so'",
        )
        .await;
    next_release_goes_live(&world).await;
    let found = format!("/v1/orders/{}", order.id);
    let headers = [("x-min-position", "OrderEvents/0@4"), ("prefer", "wait=0")];
    let answer = world.send("GET", &found, &headers).await;
    assert_unavailable(&answer, "fed no more");
    assert_eq!(world.get(&found).await.json()["version"], 1);
}

/// Versions are numbered as they are begun. Where one cannot be cleared away when the next is begun, a later rebuild goes on with it, and
/// it goes live after that.
#[tokio::test]
async fn of_our_shape_the_version_that_was_live_last_is_read() {
    let world = World::new().await;
    let order = Order::placed_at("2026-01-01T00:00:00Z");
    world.insert(&order).await;
    world.create_version(2, "retired").await;
    world.create_version(3, "live").await;
    world
        .execute(
            "update offset_zero.projection_versions set state = 'retired', updated_at = now() where version = 1;
             update offset_zero.projection_versions set shape = shape + 1 where version = 3;
             update offset_zero.projections set live_version = 3",
        )
        .await;
    assert_eq!(world.get("/v1/orders").await.ids(), [order.id]);
}

/// A new release's query API may be started before its projectors have taken over.
#[tokio::test]
async fn it_is_ready_when_projectors_of_its_release_have_taken_over() {
    let world = World::new().await;
    world
        .execute(
            "update offset_zero.projection_versions set shape = shape - 1 where name = 'orders'",
        )
        .await;
    let readiness = checked(&world, "projections");
    until(
        &readiness,
        "projections",
        Some("waits for projectors of its release"),
    )
    .await;
    world.get("/v1/orders").await.problem(503, "unavailable");

    world.create_version(2, "ready").await;
    take_over(&world).await;
    until(&readiness, "projections", None).await;
    assert_eq!(world.get("/v1/orders").await.status, 200);
}

#[tokio::test]
async fn it_says_that_a_migration_is_missing() {
    let world = World::new().await;
    world
        .execute("alter table offset_zero.projection_versions drop column shape")
        .await;
    let readiness = checked(&world, "postgres");
    until(&readiness, "postgres", Some("offset-zero migrate")).await;
    for headers in [&[][..], &[("x-min-position", "OrderEvents/0@4")]] {
        let answer = world.send("GET", "/v1/orders", headers).await;
        assert_unavailable(&answer, "offset-zero migrate");
    }

    world
        .execute("alter table offset_zero.projection_versions drop column phase")
        .await;
    let answer = world.get("/v1/projections").await;
    assert_unavailable(&answer, "offset-zero migrate");
}
