//! Reads that wait for a position.

use std::time::{Duration, Instant};

use futures::future::join_all;

use crate::world::{ALL, Order, World};

/// Moves a partition's checkpoint, as the transaction that writes the rows does.
fn advance(partition: i32, next_offset: i64) -> String {
    format!(
        "update offset_zero.checkpoints set next_offset = {next_offset}
         where version = 1 and partition = {partition};"
    )
}

#[tokio::test]
async fn reads_at_once_what_is_visible() {
    let world = World::new().await;
    world.execute(&advance(1, 1235)).await;
    for position in [
        "OrderEvents/1@1234",
        "OrderEvents/1@0",
        "OrderEvents/1@1234,OrderEvents/1@7",
        // Not read by the projection.
        "InventoryEvents/0@99",
        "OrderEvents/2@99",
        "OrderEvents/1@1, InventoryEvents/0@99",
    ] {
        let headers = [("x-min-position", position), ("prefer", "wait=0")];
        world.send("GET", "/v1/orders", &headers).await.json();
    }
}

#[tokio::test]
async fn gives_up_after_the_preferred_time() {
    let world = World::new().await;
    world.execute(&advance(1, 1234)).await;
    for (position, wait) in [
        ("OrderEvents/1@1234", "wait=0"),
        ("OrderEvents/1@9223372036854775807", "wait=1"),
        ("OrderEvents/1@1,OrderEvents/0@0", "wait=1, respond-async"),
    ] {
        let began = Instant::now();
        let headers = [("x-min-position", position), ("prefer", wait)];
        let answer = world.send("GET", "/v1/orders", &headers).await;
        answer.problem(503, "not-yet-visible");
        assert_eq!(answer.headers["retry-after"], "1");
        let waits = !wait.starts_with("wait=0");
        assert_eq!(
            began.elapsed() >= Duration::from_secs(1),
            waits,
            "{position}"
        );
    }
}

/// Offsets of a log that was replaced say nothing of this one's.
#[tokio::test]
async fn what_is_of_another_log_has_reached_nothing() {
    let world = World::new().await;
    world.execute(&advance(1, 1235)).await;
    world
        .execute("update offset_zero.projection_versions set state = 'diverged'")
        .await;
    let headers = [("x-min-position", "OrderEvents/1@3"), ("prefer", "wait=0")];
    let answer = world.send("GET", "/v1/orders", &headers).await;
    answer.problem(503, "not-yet-visible");
    world.get("/v1/orders").await.json();
}

/// Parks the order's event at offset 7 of a partition.
fn parked_in(partition: i32, id: &str) -> String {
    format!(
        r#"insert into offset_zero.dead_letters (name, version, topic, partition, "offset", key, stream, reason)
           values ('orders', 1, 'OrderEvents', {partition}, 7, '{id}', 'order-{id}', 'test')"#
    )
}

#[tokio::test]
async fn a_parked_row_is_not_what_its_writer_has_written() {
    let world = World::new().await;
    let id = "018f3c1e-0000-7000-8000-000000000001";
    world.execute(&advance(1, 1235)).await;
    world.execute(&parked_in(1, id)).await;
    let headers = [("x-min-position", "OrderEvents/1@7"), ("prefer", "wait=0")];
    let uri = format!("/v1/orders/{id}");
    let answer = world.send("GET", &uri, &headers).await;
    answer.problem(503, "projection-parked");
    assert_eq!(answer.headers["retry-after"], "1");
    // As it was before, it can be read: here not at all.
    world.get(&uri).await.problem(404, "order-not-found");
    let other = "/v1/orders/018f3c1e-0000-7000-8000-000000000002";
    world
        .send("GET", other, &headers)
        .await
        .problem(404, "order-not-found");
}

/// Somebody else's, who reckons partitions otherwise: the row is whole without it.
#[tokio::test]
async fn what_is_parked_elsewhere_is_not_what_the_reader_has_written() {
    let world = World::new().await;
    let id = "018f3c1e-0000-7000-8000-000000000001";
    world.execute(&advance(1, 1235)).await;
    world.execute(&parked_in(0, id)).await;
    let uri = format!("/v1/orders/{id}");
    let send = async |position: &'static str| {
        let headers = [("x-min-position", position), ("prefer", "wait=0")];
        world.send("GET", &uri, &headers).await
    };
    let at_home = send("OrderEvents/1@7").await;
    at_home.problem(404, "order-not-found");
    world.execute(&advance(0, 1235)).await;
    let of_both = send("OrderEvents/1@7,OrderEvents/0@3").await;
    of_both.problem(503, "projection-parked");
}

/// Of what is made of many rows only the event itself says whether it is in there.
#[tokio::test]
async fn a_list_is_not_what_a_parked_event_has_made_of_it() {
    let world = World::with_all(&ALL).await;
    world.execute(&advance(1, 1235)).await;
    let history = format!("/v1/orders/{}/history", uuid::Uuid::nil());
    for (projection, topic, uri) in [
        ("orders", "PaymentEvents", "/v1/orders"),
        ("products", "InventoryEvents", "/v1/products"),
        ("sales_daily", "OrderEvents", "/v1/sales/daily"),
        ("history", "CartEvents", &*history),
    ] {
        let park = format!(
            r#"insert into offset_zero.dead_letters (name, version, topic, partition, "offset", key, reason)
               values ('{projection}', 1, '{topic}', 1, 7, 'a key', 'test')"#
        );
        world.execute(&park).await;
        let send = async |offset: i64| {
            let position = format!("OrderEvents/1@3,{topic}/1@{offset}");
            let headers = [("x-min-position", &*position), ("prefer", "wait=0")];
            world.send("GET", uri, &headers).await
        };
        send(7).await.problem(503, "projection-parked");
        for other in [6, 8] {
            assert_ne!(send(other).await.status, 503, "{uri}");
        }
        assert_ne!(world.get(uri).await.status, 503, "{uri}");
    }
}

#[tokio::test]
async fn refuses_what_is_no_position() {
    let world = World::new().await;
    for position in [
        "",
        "1234",
        "OrderEvents/1",
        "OrderEvents/1@-1",
        "OrderEvents/1@1;",
    ] {
        let order = format!("/v1/orders/{}", uuid::Uuid::nil());
        for uri in [&*order, "/v1/projections"] {
            let answer = world
                .send("GET", uri, &[("x-min-position", position)])
                .await;
            answer.problem(400, "invalid-position");
        }
    }
}

#[tokio::test]
async fn what_is_read_has_come_as_far_as_was_asked() {
    let world = World::new().await;
    let order = Order::placed_at("2026-01-01T00:00:00Z");
    world.insert(&order).await;
    let uri = format!("/v1/orders/{}", order.id);
    for version in 1..50 {
        let position = format!("OrderEvents/1@{version}");
        let headers = [("x-min-position", &*position), ("prefer", "wait=20")];
        // More readers than connections: none of them may hold one while it waits.
        let readers = join_all((0..8).map(|_| world.send("GET", &uri, &headers)));
        let write = format!(
            "update orders_1.orders set version = {version};{}",
            advance(1, version + 1)
        );
        let (answers, ()) = tokio::join!(readers, world.execute(&write));
        for answer in answers {
            assert_eq!(answer.json()["version"], version);
        }
    }
}

#[tokio::test]
async fn waiting_reads_leave_the_connections_to_others() {
    let world = World::new().await;
    let headers = [("x-min-position", "OrderEvents/0@0"), ("prefer", "wait=20")];
    let waiting = join_all((0..20).map(|_| world.send("GET", "/v1/orders", &headers)));
    let others = async {
        for _ in 0..50 {
            world.get("/v1/orders").await.json();
        }
        world.execute(&advance(0, 1)).await;
    };
    let (answers, ()) = tokio::join!(waiting, others);
    for answer in answers {
        answer.json();
    }
}
