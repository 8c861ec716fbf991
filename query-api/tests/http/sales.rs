//! `GET /v1/sales/daily`.

use chrono::{Datelike, NaiveDate};
use serde_json::{Value, json};

use crate::world::{SALES_DAILY, World, tampered};

/// What a partition adds to a day: orders, revenue, units.
type Sums = (i64, i64, i64);

/// Day, currency, and what each of their partitions adds.
const DAYS: [(&str, &str, &[Sums]); 5] = [
    ("2026-03-01", "EUR", &[(1, 100, 1)]),
    ("2026-03-01", "USD", &[(2, 200, 4), (3, 1, 5)]),
    (
        "2026-02-28",
        "EUR",
        &[(1, 9_007_199_254_740_991, 1), (1, 9_007_199_254_740_991, 1)],
    ),
    ("2026-02-27", "EUR", &[(1, 0, 1)]),
    ("1969-12-31", "EUR", &[(1, 7, 1)]),
];

async fn sell(world: &World) {
    for (day, currency, partitions) in DAYS.iter().rev() {
        for (partition, (orders, revenue, units)) in partitions.iter().enumerate() {
            world
                .execute(&format!(
                    "insert into sales_daily_1.sales_daily
                     values ('{day}', '{currency}', {partition}, {orders}, {revenue}, {units})"
                ))
                .await;
        }
    }
}

async fn days(world: &World, query: &str) -> (Vec<String>, Option<String>) {
    let page = world.get(&format!("/v1/sales/daily?{query}")).await.json();
    let items = page["items"].as_array().expect("items").iter();
    let text = |value: &Value| value.as_str().expect("text").to_owned();
    let days = items.map(|item| format!("{} {}", text(&item["day"]), text(&item["currency"])));
    (
        days.collect(),
        page["next_cursor"].as_str().map(str::to_owned),
    )
}

fn expected(from: usize, to: usize) -> Vec<String> {
    let days = DAYS[from..to].iter();
    days.map(|(day, currency, _)| format!("{day} {currency}"))
        .collect()
}

#[tokio::test]
async fn a_day_is_the_sum_of_its_partitions() {
    let world = World::with(&SALES_DAILY).await;
    assert_eq!(
        world.get("/v1/sales/daily").await.json(),
        json!({ "items": [], "next_cursor": null })
    );
    sell(&world).await;
    let page = world.get("/v1/sales/daily").await.json();
    let revenue = |amount: i64, currency| json!({ "amount": amount, "currency": currency });
    assert_eq!(
        page["items"][1],
        json!({ "day": "2026-03-01", "currency": "USD", "orders": 5, "revenue": revenue(201, "USD"), "units": 9 })
    );
    assert_eq!(
        page["items"][2]["revenue"],
        revenue(18_014_398_509_481_982, "EUR")
    );
}

/// As of a foreign producer.
#[tokio::test]
async fn sums_beyond_counting_are_as_high_as_can_be_counted() {
    let world = World::with(&SALES_DAILY).await;
    let most = i64::MAX;
    for partition in 0..2 {
        world
            .execute(&format!(
                "insert into sales_daily_1.sales_daily values ('2026-03-01', 'EUR', {partition}, 1, {most}, {most})"
            ))
            .await;
    }
    let page = world.get("/v1/sales/daily").await.json();
    assert_eq!(
        page["items"],
        json!([{
            "day": "2026-03-01", "currency": "EUR", "orders": 2, "revenue": { "amount": most, "currency": "EUR" }, "units": most
        }])
    );
}

#[tokio::test]
async fn pages_are_newest_day_first() {
    let world = World::with(&SALES_DAILY).await;
    sell(&world).await;
    for limit in [1, 2, 4, 5, 200] {
        let (mut all, mut cursor) = (Vec::new(), String::new());
        loop {
            let (page, next) = days(&world, &format!("limit={limit}{cursor}")).await;
            assert!(page.len() <= limit);
            all.extend(page);
            let Some(next) = next else {
                break;
            };
            cursor = format!("&cursor={next}");
        }
        assert_eq!(all, expected(0, 5), "{limit}");
    }
}

#[tokio::test]
async fn filters_by_day() {
    let world = World::with(&SALES_DAILY).await;
    sell(&world).await;
    for (query, from, to) in [
        ("from=2026-03-01", 0, 2),
        ("from=2026-02-28&to=2026-02-28", 2, 3),
        ("to=2026-02-27", 3, 5),
        ("from=2026-03-01&to=2026-02-28", 0, 0),
    ] {
        assert_eq!(days(&world, query).await.0, expected(from, to), "{query}");
    }
}

#[tokio::test]
async fn refuses_what_it_cannot_read() {
    let world = World::with(&SALES_DAILY).await;
    sell(&world).await;
    let (_, next) = days(&world, "limit=1").await;
    let next = next.expect("a cursor");
    let other_days = format!("from=2026-01-01&cursor={next}");
    let long_ago = NaiveDate::from_ymd_opt(-200_000, 1, 1).expect("a day");
    let long_ago = long_ago.num_days_from_ce().to_be_bytes();
    // Postgres knows neither such a day nor a text with NUL.
    let changed_day = format!("cursor={}", tampered(&next, 0, &long_ago));
    let changed_currency = format!("cursor={}", tampered(&next, 5, &[0]));
    for (query, status, code) in [
        ("from=yesterday", 400, "invalid-query"),
        ("to=2026-02-30", 400, "invalid-query"),
        ("to=2026-02-01T00:00:00Z", 400, "invalid-query"),
        ("currency=EUR", 400, "invalid-query"),
        ("cursor=nonsense", 400, "invalid-cursor"),
        (&*other_days, 400, "invalid-cursor"),
        (&*changed_day, 400, "invalid-cursor"),
        (&*changed_currency, 400, "invalid-cursor"),
        ("limit=0", 422, "validation-failed"),
        ("limit=99999999999999999999", 422, "validation-failed"),
        ("from=-0001-01-01", 422, "validation-failed"),
        ("to=%2B10000-01-01", 422, "validation-failed"),
    ] {
        let answer = world.get(&format!("/v1/sales/daily?{query}")).await;
        answer.problem(status, code);
    }
    let headers = [("x-min-position", "OrderEvents/0@0"), ("prefer", "wait=0")];
    let answer = world.send("GET", "/v1/sales/daily", &headers).await;
    answer.problem(503, "not-yet-visible");
}
