//! Reads of the past where the projection that keeps it is behind the one that shows the order.

use futures::future::join_all;
use uuid::Uuid;

use crate::world::{Answer, Order, World};

const PATIENT: [(&str, &str); 1] = [("prefer", "wait=30")];
const AT_ONCE: [(&str, &str); 1] = [("prefer", "wait=0")];

/// The routes that read the past, but for the stream; its own are `/events`.
const PAST: [&str; 3] = ["/history", "?at_version=1", "?at_time=2100-01-01T00:00:00Z"];

impl World {
    /// Has `orders` show the order at this version, and have come further than `history` in all partitions.
    async fn show(&self, id: Uuid, version: i32) {
        self.insert(&Order {
            id,
            version,
            ..Order::placed_at("2026-01-01T00:00:00Z")
        })
        .await;
        self.execute(
            "update offset_zero.checkpoints set next_offset = 11, last_event_offset = 9
             where name = 'orders' and topic = 'OrderEvents'",
        )
        .await;
    }

    /// Has `history` have come as far; the end of a transaction after it has not been seen.
    async fn come_as_far(&self) {
        self.execute(
            "update offset_zero.checkpoints set next_offset = 10
             where name = 'history' and topic = 'OrderEvents'",
        )
        .await;
    }

    async fn read(&self, id: Uuid, rest: &str, headers: &[(&str, &str)]) -> Answer {
        let uri = format!("/v1/orders/{id}{rest}");
        self.send("GET", &uri, headers).await
    }
}

/// It comes in one partition, whatever is to come in another.
#[tokio::test]
async fn an_order_that_is_shown_is_waited_for() {
    let world = World::of_orders().await;
    let id = Uuid::now_v7();
    world.show(id, 1).await;
    let past = join_all(PAST.map(|rest| world.read(id, rest, &PATIENT)));
    let stream = async {
        let mut following = world.follow(id, &PATIENT).await;
        following.ids(1).await
    };
    let projected = async {
        world.until_somebody_waits().await;
        world.walk(id, 0, 1).await;
    };
    let (answers, ids, ()) = tokio::join!(past, stream, projected);
    for answer in answers {
        answer.json();
    }
    assert_eq!(ids, ["1"]);
}

#[tokio::test]
async fn a_version_that_is_shown_is_waited_for() {
    let world = World::of_orders().await;
    let id = Uuid::now_v7();
    world.walk(id, 0, 1).await;
    world.show(id, 2).await;
    let stream = async {
        let mut following = world.follow(id, &PATIENT).await;
        following.ids(1).await
    };
    let projected = async {
        world.until_somebody_waits().await;
        world.walk(id, 1, 2).await;
    };
    let version = world.read(id, "?at_version=2", &PATIENT);
    let (answer, ids, ()) = tokio::join!(version, stream, projected);
    assert_eq!(answer.json()["version"], 2);
    assert_eq!(ids, ["2"], "not what is older than what was shown");
}

#[tokio::test]
async fn what_does_not_come_is_not_yet_visible() {
    let world = World::of_orders().await;
    let id = Uuid::now_v7();
    world.show(id, 2).await;
    for rest in PAST.iter().chain(&["/events"]) {
        let answer = world.read(id, rest, &AT_ONCE).await;
        answer.problem(503, "not-yet-visible");
        assert_eq!(answer.headers["retry-after"], "1", "{rest}");
    }
    let beyond = world.read(id, "?at_version=3", &AT_ONCE).await;
    beyond.problem(404, "version-not-found");

    world.walk(id, 0, 1).await;
    let answer = world.read(id, "?at_version=2", &AT_ONCE).await;
    answer.problem(503, "not-yet-visible");
    // It comes in its turn.
    let mut following = world.follow(id, &AT_ONCE).await;
    assert_eq!(following.ids(1).await, ["1"]);
    for rest in PAST {
        world.read(id, rest, &AT_ONCE).await.json();
    }
    let beyond = world.read(id, "?at_version=3", &AT_ONCE).await;
    beyond.problem(404, "version-not-found");
}

/// It misses nothing: what is shown comes in its turn.
#[tokio::test]
async fn a_stream_that_is_resumed_does_not_wait_for_what_is_shown() {
    let world = World::of_orders().await;
    let id = Uuid::now_v7();
    world.walk(id, 0, 1).await;
    world.show(id, 2).await;
    let headers = [("last-event-id", "1"), AT_ONCE[0]];
    let mut following = world.follow(id, &headers).await;
    world.walk(id, 1, 2).await;
    assert_eq!(following.ids(1).await, ["2"]);
}

#[tokio::test]
async fn nobody_waits_for_an_order_that_nobody_knows() {
    let world = World::of_orders().await;
    world.show(Uuid::now_v7(), 1).await;
    let unknown = Uuid::now_v7();
    for rest in PAST.iter().chain(&["/events"]) {
        let answer = world.read(unknown, rest, &PATIENT).await;
        answer.problem(404, "order-not-found");
    }
    assert!(!world.has_asked_for_a_position().await);
}

/// As where an operator has discarded the event.
#[tokio::test]
async fn nobody_waits_for_what_will_not_come() {
    let world = World::of_orders().await;
    let id = Uuid::now_v7();
    world.show(id, 2).await;
    world.come_as_far().await;
    for rest in PAST.iter().chain(&["/events"]) {
        let answer = world.read(id, rest, &AT_ONCE).await;
        answer.problem(404, "order-not-found");
    }
    world.walk(id, 0, 1).await;
    let answer = world.read(id, "?at_version=2", &AT_ONCE).await;
    answer.problem(404, "version-not-found");
    let mut following = world.follow(id, &AT_ONCE).await;
    assert_eq!(following.ids(1).await, ["1"]);
}

#[tokio::test]
async fn what_is_parked_waits_for_an_operator() {
    let world = World::of_orders().await;
    let id = Uuid::now_v7();
    world.walk(id, 0, 1).await;
    world.show(id, 2).await;
    world.come_as_far().await;
    let park = format!(
        r#"insert into offset_zero.dead_letters (name, version, topic, partition, "offset", key, reason)
           values ('history', 1, 'OrderEvents', 1, 9, '{id}', 'test')"#
    );
    world.execute(&park).await;
    let answer = world.read(id, "?at_version=2", &PATIENT).await;
    let problem = answer.problem(503, "projection-parked");
    let detail = problem["detail"].as_str().expect("a detail");
    assert!(!detail.contains("x-min-position"), "{detail}");
    assert_eq!(answer.headers["retry-after"], "1");
    let mut following = world.follow(id, &PATIENT).await;
    assert_eq!(following.ids(1).await, ["1"]);
    world.read(id, "?at_version=1", &PATIENT).await.json();
}

/// Then it has shown nobody anything.
#[tokio::test]
async fn nobody_waits_for_orders_that_cannot_be_read() {
    let world = World::of_orders().await;
    let id = Uuid::now_v7();
    world.walk(id, 0, 1).await;
    world
        .execute("update offset_zero.projections set live_version = null where name = 'orders'")
        .await;
    let mut following = world.follow(id, &PATIENT).await;
    assert_eq!(following.ids(1).await, ["1"]);
    let beyond = world.read(id, "?at_version=2", &PATIENT).await;
    beyond.problem(404, "version-not-found");
}

/// The stream is of what `history` keeps, and comes in its turn.
#[tokio::test]
async fn a_stream_begins_all_the_same_where_orders_do_not_answer() {
    let world = World::of_orders().await;
    let id = Uuid::now_v7();
    world.walk(id, 0, 1).await;
    world
        .execute("alter table orders_1.orders rename to away")
        .await;
    let mut following = world.follow(id, &PATIENT).await;
    assert_eq!(following.ids(1).await, ["1"]);
}
