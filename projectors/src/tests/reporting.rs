//! What a rebuild of several projections prints of each, whatever became of it.

use serde_json::{Value, json};

use super::{
    World,
    shop::Shop,
    verifying::{WrongOrders, cancelled, feed},
};
use crate::{ProjectorError, args::RebuildArgs};

fn of(names: &[&str]) -> RebuildArgs {
    RebuildArgs {
        names: names.iter().map(ToString::to_string).collect(),
        ..RebuildArgs::default()
    }
}

/// What it prints as JSON, and how it ends.
async fn run(
    world: &World,
    shop: &Shop,
    wanted: &RebuildArgs,
) -> (Value, Result<bool, ProjectorError>) {
    let mut printed = Vec::new();
    let ran = wanted.run(&shop.log, &world.database, true, |text| {
        printed.push(text.to_owned());
    });
    let ran = ran.await;
    let [printed] = &*printed else {
        panic!("one array: {printed:?}");
    };
    (serde_json::from_str(printed).expect("JSON"), ran)
}

#[tokio::test]
async fn where_one_fails_the_others_are_rebuilt_all_the_same() {
    let (world, shop) = (World::new().await, Shop::open(1));
    let mut other = world.connect().await;
    let rebuilding =
        "select pg_advisory_lock(hashtext('offset_zero.rebuild'), hashtext('payments'))";
    let rebuilding = sqlx::raw_sql(rebuilding).execute(&mut other).await;
    rebuilding.expect("as a rebuild elsewhere does");
    let (reports, ran) = run(&world, &shop, &of(&["orders", "payments", "carts"])).await;
    let error = ran.expect_err("payments are being rebuilt").to_string();
    for told in [
        "2 of 3",
        "orders: done",
        "payments: payments is being",
        "carts: done",
    ] {
        assert!(error.contains(told), "{told} is not in: {error}");
    }
    assert_eq!(reports.as_array().map(Vec::len), Some(3), "{reports:#}");
    for (number, name) in [(0, "orders"), (2, "carts")] {
        assert_eq!(reports[number]["projection"], name);
        assert_eq!(reports[number]["version"], 2);
        assert_eq!(reports[number]["error"], Value::Null);
    }
    assert_eq!(reports[1]["projection"], "payments");
    assert_eq!(reports[1]["attempted"], true);
    let error = reports[1]["error"].as_str().expect("a text");
    assert!(error.contains("is being rebuilt already"), "{error}");
}

#[tokio::test]
async fn nothing_is_begun_where_one_is_refused() {
    let (world, shop) = (World::new().await, Shop::open(1));
    let versions = "select count(*) from offset_zero.projection_versions";
    let (reports, ran) = run(&world, &shop, &of(&["orders", "order"])).await;
    let error = ran.expect_err("there is no such projection");
    let ProjectorError::UnknownProjection { .. } = &error else {
        panic!("{error}");
    };
    let expected = json!([
        {"projection": "orders", "attempted": false},
        {"projection": "order", "attempted": false, "error": error.to_string()},
    ]);
    assert_eq!(reports, expected);

    for (names, start) in [
        (vec!["history", "orders"], "2026-11-28T12:00:00Z"),
        (vec!["history"], "Ownership/0@0"),
    ] {
        let wanted = RebuildArgs {
            from: start.parse().expect("a start"),
            ..of(&names)
        };
        let (reports, ran) = run(&world, &shop, &wanted).await;
        assert!(
            matches!(ran, Err(ProjectorError::NotStarted { .. })),
            "{ran:?}"
        );
        assert_eq!(reports[0]["attempted"], false, "{reports:#}");
    }
    assert_eq!(world.number(versions).await, 0);
}

#[tokio::test]
async fn what_was_refused_for_its_differences_lists_them() {
    let (world, shop) = (World::new().await, Shop::open(2));
    let ids = shop.trade(6).await;
    feed::<WrongOrders>(&world, &shop).await;
    let wanted = RebuildArgs {
        verify: true,
        ..of(&["orders"])
    };
    let (reports, ran) = run(&world, &shop, &wanted).await;
    assert!(
        matches!(ran, Err(ProjectorError::Differs { .. })),
        "the only one: {ran:?}"
    );
    assert_eq!(reports[0]["version"], 2);
    let differences = &reports[0]["verification"]["compared"]["differences"];
    assert_eq!(*differences, json!(cancelled(&ids)));
}

#[tokio::test]
async fn where_the_log_is_out_of_reach_the_others_are_not_attempted() {
    let (world, shop) = (World::new().await, Shop::open(1));
    shop.log.set_reachable(false);
    let (reports, ran) = run(&world, &shop, &of(&["orders", "carts"])).await;
    let error = ran.expect_err("it is out of reach").to_string();
    assert!(error.contains("carts: not attempted"), "{error}");
    assert_eq!(reports[0]["attempted"], true);
    let why = reports[0]["error"].as_str().expect("a text");
    assert!(why.contains("the log is unavailable"), "{why}");
    assert_eq!(
        reports[1],
        json!({"projection": "carts", "attempted": false})
    );
}
