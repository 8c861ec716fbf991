//! How Postgres carries out what the routes ask of big tables: every route, with every combination of filters, first pages
//! and later ones. The plans are those of the very statements that were run (`auto_explain`).

mod filled;

use std::{
    fmt,
    sync::{Arc, Mutex, PoisonError},
};

use serde_json::Value;
use tracing::field::{Field, Visit};
use tracing_subscriber::{Layer, layer::Context, layer::SubscriberExt, registry::Registry};

use self::filled::{CUSTOMER, FILL, ROWS, first_id};
use crate::world::{ALL, World};

/// A page has 51 rows at most, and one customer or order has some hundreds.
const MAX_ROWS_READ: f64 = 1_000.0;
/// Postgres considers a plan for any parameters from the sixth time on.
const TIMES: usize = 7;

/// Asks how far the projection has come, too.
const AT_A_POSITION: [(&str, &str); 1] = [("x-min-position", "Elsewhere/0@0")];

/// What Postgres has sent beside its answers: the plan of each statement.
#[derive(Clone, Default)]
struct Plans(Arc<Mutex<Vec<Value>>>);

impl<S: tracing::Subscriber> Layer<S> for Plans {
    fn on_event(&self, event: &tracing::Event<'_>, _: Context<'_, S>) {
        if event.metadata().target() == "sqlx::postgres::notice" {
            event.record(&mut Notice(self));
        }
    }
}

struct Notice<'a>(&'a Plans);

impl Visit for Notice<'_> {
    fn record_str(&mut self, _: &Field, text: &str) {
        if let Some((_, plan)) = text.split_once("plan:\n") {
            let plan = serde_json::from_str(plan).expect("JSON");
            self.0.lock().push(plan);
        }
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.record_str(field, &format!("{value:?}"));
    }
}

impl Plans {
    fn lock(&self) -> std::sync::MutexGuard<'_, Vec<Value>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn take(&self) -> Vec<Value> {
        std::mem::take(&mut *self.lock())
    }
}

#[tokio::test]
async fn no_read_scans_a_big_table() {
    let world = World::with_all(&ALL).await;
    world.execute(FILL).await;
    for setting in [
        "session_preload_libraries = 'auto_explain'",
        "auto_explain.log_min_duration = 0",
        "auto_explain.log_format = 'json'",
        "auto_explain.log_analyze = on",
        "client_min_messages = 'log'",
    ] {
        let set = format!(
            "do $$ begin execute format('alter database %I set {}', current_database()); end $$",
            setting.replace('\'', "''")
        );
        world.execute(&set).await;
    }
    let plans = Plans::default();
    let _catching = tracing::subscriber::set_default(Registry::default().with(plans.clone()));

    let described = world.get("/openapi.json").await.json();
    let paths = described["paths"].as_object().expect("paths");
    assert!(!paths.is_empty());
    let mut planned = 0;
    for path in paths.keys() {
        for uri in uris(&world, path).await {
            plans.take();
            for _ in 0..TIMES {
                world.send("GET", &uri, &AT_A_POSITION).await.json();
            }
            let plans = plans.take();
            assert!(plans.len() >= TIMES, "{uri}: {} plans", plans.len());
            planned += plans.len();
            for plan in plans {
                let complaints = complaints(&plan["Plan"]);
                assert!(complaints.is_empty(), "{uri}: {complaints:?} in {plan:#}");
            }
        }
    }
    assert!(planned > 500, "{planned} plans");
}

/// The ways in which a route can be asked. A new route has to be added here.
async fn uris(world: &World, path: &str) -> Vec<String> {
    let one = |id: &str| vec![path.replace("{id}", id).replace("{sku}", id)];
    match path {
        "/v1/orders/{id}" => {
            let now = one(&first_id());
            let then = ["at_version=1", "at_time=2026-03-01T00:00:00Z"];
            let then = then.map(|then| format!("{}?{then}", now[0]));
            now.into_iter().chain(then).collect()
        }
        // It never ends, and asks what the past of an order is read by, and beside that for one row by its key.
        "/v1/orders/{id}/events" => Vec::new(),
        "/v1/carts/{id}" | "/v1/payments/{id}" | "/v1/shipments/{id}" => one(&first_id()),
        "/v1/products/{sku}" => one("sku-7"),
        "/v1/projections" => one(""),
        "/v1/orders" => {
            let filters = [
                format!("customer_id={CUSTOMER}"),
                "status=placed".to_owned(),
                "placed_from=2026-01-02T00:00:00Z".to_owned(),
                "placed_to=2026-01-12T00:00:00Z".to_owned(),
            ];
            let mut uris = Vec::new();
            for stuck in ["", "stuck=true", "stuck=false"] {
                uris.extend(pages(world, path, stuck, &filters).await);
            }
            uris
        }
        "/v1/products" => pages(world, path, "", &[]).await,
        "/v1/sales/daily" => {
            let filters = ["from=2021-01-01".to_owned(), "to=2022-01-01".to_owned()];
            pages(world, path, "", &filters).await
        }
        "/v1/orders/{id}/history" => pages(world, &one(&first_id())[0], "", &[]).await,
        "/v1/notifications" => pages(world, path, &format!("order_id={}", first_id()), &[]).await,
        _ => panic!("{path} is not looked at yet: say here how it is asked"),
    }
}

/// With every set of these filters beside what is needed anyway: the first page, and one after it.
async fn pages(world: &World, path: &str, needed: &str, filters: &[String]) -> Vec<String> {
    let mut uris = Vec::new();
    for set in 0..1_u32 << filters.len() {
        let chosen = (0..).zip(filters);
        let chosen = chosen.filter(|(number, _)| set >> number & 1 == 1);
        let mut query = needed.to_owned();
        for (_, filter) in chosen {
            query += &format!("&{filter}");
        }
        let query = query.trim_start_matches('&');
        let first = world.get(&format!("{path}?limit=1&{query}")).await.json();
        let cursor = first["next_cursor"].as_str();
        let cursor = cursor.unwrap_or_else(|| panic!("{path}?{query} has no second page"));
        uris.push(format!("{path}?{query}"));
        uris.push(format!("{path}?{query}&cursor={cursor}"));
    }
    uris
}

/// What is wrong with a plan.
fn complaints(node: &Value) -> Vec<String> {
    let kind = node["Node Type"].as_str().expect("a node");
    let relation = node["Relation Name"].as_str().unwrap_or_default();
    let number = |name: &str| node[name].as_f64().unwrap_or_default();
    let read = (number("Actual Rows") + number("Rows Removed by Filter"))
        * number("Actual Loops").max(1.0);
    let mut complaints = Vec::new();
    if kind == "Seq Scan" && ALL.iter().any(|projection| projection.name() == relation) {
        complaints.push(format!("the whole of {relation} is read"));
    }
    if read > MAX_ROWS_READ {
        complaints.push(format!(
            "{kind} {relation} goes through {read} of {ROWS} rows"
        ));
    }
    let inner = node["Plans"].as_array();
    complaints.extend(inner.into_iter().flatten().flat_map(self::complaints));
    complaints
}
