//! `GET /v1/orders`.

use uuid::Uuid;

use crate::world::{LONG_AGO, Order, World, tampered};

/// Three customers, four statuses, some that are stuck, and times that several orders share. The newest first.
async fn orders(world: &World, count: usize) -> Vec<Order> {
    let mut orders: Vec<_> = (0..count)
        .map(|n| {
            let mut order = Order::placed_at(&format!("2026-01-01T00:00:{:02}Z", n / 5));
            order.customer_id = ["ada", "bob", "eve"][n % 3];
            order.status = ["placed", "paid", "shipped", "cancelled"][n % 4];
            order.stuck = n % 7 == 0;
            order
        })
        .collect();
    let script: String = orders.iter().map(|order| order.insert() + ";\n").collect();
    world
        .execute(&format!("set local search_path = orders_1; {script}"))
        .await;
    orders.sort_by_key(|order| std::cmp::Reverse((order.placed_at.clone(), order.id)));
    orders
}

fn ids(orders: &[Order], matches: impl Fn(&Order) -> bool) -> Vec<Uuid> {
    let matching = orders.iter().filter(|order| matches(order));
    matching.map(|order| order.id).collect()
}

/// Follows the cursors from the first page to the last.
async fn all_pages(world: &World, query: &str, limit: usize) -> Vec<Uuid> {
    let mut all = Vec::new();
    let mut cursor = String::new();
    loop {
        let page = world
            .get(&format!("/v1/orders?limit={limit}{query}{cursor}"))
            .await;
        let ids = page.ids();
        all.extend(&ids);
        let Some(next) = page.json()["next_cursor"].as_str().map(str::to_owned) else {
            assert!(ids.len() <= limit);
            return all;
        };
        assert_eq!(ids.len(), limit, "only the last page may be short");
        cursor = format!("&cursor={next}");
    }
}

#[tokio::test]
async fn filters_by_customer_status_trouble_and_time() {
    let world = World::new().await;
    let orders = orders(&world, 40).await;
    for (query, expected) in [
        ("", ids(&orders, |_| true)),
        ("customer_id=bob", ids(&orders, |o| o.customer_id == "bob")),
        ("status=shipped", ids(&orders, |o| o.status == "shipped")),
        (
            "customer_id=eve&status=paid",
            ids(&orders, |o| o.customer_id == "eve" && o.status == "paid"),
        ),
        ("stuck=true", ids(&orders, |o| o.stuck)),
        ("stuck=false", ids(&orders, |o| !o.stuck)),
        (
            "stuck=true&customer_id=ada&status=paid&placed_from=2026-01-01T00:00:01Z",
            ids(&orders, |o| {
                o.stuck
                    && o.customer_id == "ada"
                    && o.status == "paid"
                    && &*o.placed_at >= "2026-01-01T00:00:01Z"
            }),
        ),
        (
            "placed_from=2026-01-01T00:00:04Z",
            ids(&orders, |o| &*o.placed_at >= "2026-01-01T00:00:04Z"),
        ),
        (
            "placed_to=2026-01-01T00:00:04Z",
            ids(&orders, |o| &*o.placed_at < "2026-01-01T00:00:04Z"),
        ),
        (
            "placed_from=2026-01-01T02:00:02%2B02:00&placed_to=2026-01-01T00:00:03Z&customer_id=ada",
            ids(&orders, |o| {
                o.customer_id == "ada" && o.placed_at == "2026-01-01T00:00:02Z"
            }),
        ),
        ("customer_id=nobody", vec![]),
        (
            "placed_from=2026-01-01T00:00:04Z&placed_to=2026-01-01T00:00:04Z",
            vec![],
        ),
    ] {
        let page = world.get(&format!("/v1/orders?{query}")).await;
        assert_eq!(page.ids(), expected, "{query}");
        assert!(page.json()["next_cursor"].is_null());
    }
}

/// Rows hold microseconds.
#[tokio::test]
async fn a_time_may_be_between_two_microseconds() {
    let world = World::new().await;
    // Postgres counts from 2000 on.
    for second in ["1999-12-31T23:59:59", "2026-01-01T00:00:00"] {
        let order = Order::placed_at(&format!("{second}.000002Z"));
        world.insert(&order).await;
        for (fraction, is_from, is_to) in [
            ("000001999", true, false),
            ("000002", true, false),
            ("000002001", false, true),
            ("000002999", false, true),
            ("000003", false, true),
        ] {
            let has = async |query: String| {
                let page = world.get(&format!("/v1/orders?{query}")).await;
                page.ids().contains(&order.id)
            };
            let time = format!("{second}.{fraction}Z");
            assert_eq!(has(format!("placed_from={time}")).await, is_from, "{time}");
            assert_eq!(has(format!("placed_to={time}")).await, is_to, "{time}");
        }
    }
}

#[tokio::test]
async fn filters_by_any_status() {
    let world = World::new().await;
    for status in [
        "placed",
        "awaiting_payment",
        "payment_pending",
        "paid",
        "dispatching",
        "shipped",
        "delivered",
        "completed",
        "rejected",
        "cancelled",
        "expired",
    ] {
        let mut order = Order::placed_at("2026-01-01T00:00:00Z");
        order.status = status;
        world.insert(&order).await;
        let page = world.get(&format!("/v1/orders?status={status}")).await;
        assert_eq!(page.ids(), [order.id], "{status}");
    }
}

#[tokio::test]
async fn pages_have_no_gaps_and_no_repeats() {
    let world = World::new().await;
    let orders = orders(&world, 60).await;
    let everything = ids(&orders, |_| true);
    for limit in [1, 7, 20, 59, 60, 61, 200] {
        assert_eq!(all_pages(&world, "", limit).await, everything, "{limit}");
    }
    let paid_by_bob = ids(&orders, |o| o.customer_id == "bob" && o.status == "paid");
    assert_eq!(
        all_pages(&world, "&customer_id=bob&status=paid", 2).await,
        paid_by_bob
    );
    let stuck = ids(&orders, |o| o.stuck);
    assert_eq!(all_pages(&world, "&stuck=true", 2).await, stuck);
    // Fifty, where nothing is asked for.
    assert_eq!(world.get("/v1/orders").await.ids(), everything[..50]);
}

#[tokio::test]
async fn orders_placed_meanwhile_do_not_shift_the_pages() {
    let world = World::new().await;
    let orders = orders(&world, 10).await;
    let first = world.get("/v1/orders?limit=4").await;
    world
        .insert(&Order::placed_at("2026-01-02T00:00:00Z"))
        .await;
    let next = first.json()["next_cursor"]
        .as_str()
        .expect("a cursor")
        .to_owned();
    let second = world
        .get(&format!("/v1/orders?limit=200&cursor={next}"))
        .await;
    let seen = [first.ids(), second.ids()].concat();
    assert_eq!(seen, ids(&orders, |_| true));
}

/// Such as one in the hands of a client, given when there were fewer filters.
#[tokio::test]
async fn a_cursor_stays_good() {
    const CURSOR: &str = "AAZHXGP3oAAAAAAAAABwAIAAAAAAAAABRyM2cVAqXas";
    let world = World::new().await;
    let mut newer = Order::placed_at("2026-01-02T00:00:00Z");
    newer.id = Uuid::from_u128(0x7000_8000_0000_0000_0001);
    let older = Order::placed_at("2026-01-01T00:00:00Z");
    for order in [&newer, &older] {
        world.insert(order).await;
    }
    let first = world.get("/v1/orders?customer_id=ada&limit=1").await;
    assert_eq!(first.ids(), [newer.id]);
    assert_eq!(first.json()["next_cursor"], CURSOR);
    let second = world
        .get(&format!("/v1/orders?customer_id=ada&cursor={CURSOR}"))
        .await;
    assert_eq!(second.ids(), [older.id]);
}

#[tokio::test]
async fn refuses_what_it_cannot_read() {
    let world = World::new().await;
    orders(&world, 2).await;
    for query in [
        "limit=many",
        "limit=1.5",
        "limit=-",
        "limit=99999999999999999999x",
        "limit=",
        "placed_from=yesterday",
        "placed_to=2026-01-01",
        "stuck=",
        "stuck=maybe",
        "customer=ada",
        "limit=1&limit=2",
    ] {
        world
            .get(&format!("/v1/orders?{query}"))
            .await
            .problem(400, "invalid-query");
    }
    let next = world.get("/v1/orders?limit=1").await.json()["next_cursor"].clone();
    let next = next.as_str().expect("a cursor");
    for query in [
        "cursor=".to_owned(),
        "cursor=nonsense".to_owned(),
        format!("cursor={}", &next[2..]),
        format!("cursor={}", tampered(next, 0, &LONG_AGO)),
        format!("cursor={next}&customer_id=ada"),
        format!("cursor={next}&stuck=false"),
        format!("cursor={next}&placed_to=2027-01-01T00:00:00Z"),
    ] {
        world
            .get(&format!("/v1/orders?{query}"))
            .await
            .problem(400, "invalid-cursor");
    }
}

#[tokio::test]
async fn refuses_what_it_can_read_but_is_invalid() {
    let world = World::new().await;
    let too_long = format!("customer_id={}", "x".repeat(129));
    for (query, pointer) in [
        ("limit=0", "/limit"),
        ("limit=201", "/limit"),
        ("limit=-1", "/limit"),
        ("limit=9223372036854775807", "/limit"),
        ("limit=9223372036854775808", "/limit"),
        ("limit=-99999999999999999999", "/limit"),
        ("status=lost", "/status"),
        ("customer_id=", "/customer_id"),
        ("customer_id=a%00b", "/customer_id"),
        (&*too_long, "/customer_id"),
        ("placed_from=-4713-01-01T00:00:00Z", "/placed_from"),
        ("placed_to=%2B200000-01-01T00:00:00Z", "/placed_to"),
    ] {
        let problem = world.get(&format!("/v1/orders?{query}")).await;
        let problem = problem.problem(422, "validation-failed");
        assert_eq!(problem["errors"][0]["pointer"], pointer, "{query}");
    }
    let problem = world
        .get("/v1/orders?limit=0&status=lost")
        .await
        .problem(422, "validation-failed");
    assert_eq!(problem["errors"].as_array().map(Vec::len), Some(2));
}
