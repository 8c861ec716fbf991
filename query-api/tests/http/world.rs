//! A database for each test, filled as projectors would fill it, and the router in front of it.

mod projections;
mod rows;

use std::{
    env,
    sync::OnceLock,
    time::{Duration, Instant},
};

use axum::{
    Router,
    body::Body,
    http::{HeaderMap, Request, StatusCode},
};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use dev::{
    dirs::Scratch,
    postgres::{Postgres, PostgresOptions},
    stack::{Stack, StackOptions},
};
use http_body_util::BodyExt;
use query_api::{Database, Streams};
use runtime::{health::Readiness, http, telemetry::Metrics};
use serde_json::Value;
use sqlx::{AssertSqlSafe, PgPool, migrate::Migrator};
use tower::ServiceExt;
use uuid::Uuid;

pub(crate) use self::{
    projections::{
        ALL, CARTS, HISTORY, NOTIFICATIONS, ORDERS, PAYMENTS, PRODUCTS, Projection, SALES_DAILY,
        SHIPMENTS,
    },
    rows::{Order, address, lines, money},
};

static MIGRATOR: Migrator = sqlx::migrate!("../migrations");

/// Fewer than there are concurrent requests in any test, so that one that held a connection for long would show.
const MAX_CONNECTIONS: u32 = 2;
/// More than there are connections to Postgres: a stream that waits holds none.
pub(crate) const MAX_STREAMS: usize = 4;
const HEARTBEAT: Duration = Duration::from_millis(20);
const PATIENCE: Duration = Duration::from_secs(30);

/// One test's database and router.
pub(crate) struct World {
    /// For writing, as a projector would.
    pub(crate) pool: PgPool,
    pub(crate) url: String,
    pub(crate) database: Database,
    pub(crate) router: Router,
    pub(crate) streams: Streams,
}

/// A Postgres and the folder of its data.
pub(crate) struct NativePostgres {
    pub(crate) postgres: Postgres,
    _scratch: Scratch,
}

impl NativePostgres {
    pub(crate) fn start() -> Self {
        let scratch = Scratch::new().expect("a scratch folder");
        let options = PostgresOptions {
            data_dir: scratch.path().join("postgres"),
            port: None,
            durable: false,
        };
        Self {
            postgres: Postgres::start(options).expect("postgres starts"),
            _scratch: scratch,
        }
    }
}

enum Shared {
    Native(NativePostgres),
    Chosen(Stack),
}

/// The server that all tests share; the whole stack only where the environment chooses one, since no test needs Kafka.
fn shared_url(database: &str) -> String {
    static SHARED: OnceLock<Shared> = OnceLock::new();
    let shared = SHARED.get_or_init(|| {
        if env::var_os("DATABASE_URL").is_some() || env::var_os("OFFSET_ZERO_STACK").is_some() {
            Shared::Chosen(Stack::start(StackOptions::fresh()).expect("the stack starts"))
        } else {
            Shared::Native(NativePostgres::start())
        }
    });
    match shared {
        Shared::Chosen(stack) => stack.database_url(database).expect("a database"),
        Shared::Native(native) => {
            let created = native.postgres.create_database(database);
            created.expect("a database");
            native.postgres.url(database)
        }
    }
}

impl World {
    /// An empty database, not even migrated.
    pub(crate) async fn empty() -> Self {
        // A server that others use too keeps what runs before this one have left.
        let name = format!("query_api_{}", Uuid::now_v7().simple());
        let url = tokio::task::spawn_blocking(move || shared_url(&name)).await;
        Self::at(&url.expect("a database")).await
    }

    pub(crate) async fn at(url: &str) -> Self {
        let database = Database::new(url, MAX_CONNECTIONS).expect("a valid URL");
        let streams = Streams::new(MAX_STREAMS, HEARTBEAT);
        let api = query_api::router(database.clone(), streams.clone());
        Self {
            database,
            pool: PgPool::connect(url).await.expect("connected"),
            url: url.to_owned(),
            router: http::app(api, Readiness::new([]), Metrics::default()),
            streams,
        }
    }

    /// A database that a projector has registered `orders` in, version 1, two partitions, nothing read yet.
    pub(crate) async fn new() -> Self {
        Self::with(&ORDERS).await
    }

    /// As [`new`](Self::new), with another projection.
    pub(crate) async fn with(projection: &Projection) -> Self {
        Self::with_all(&[projection]).await
    }

    pub(crate) async fn with_all(projections: &[&Projection]) -> Self {
        let world = Self::empty().await;
        world.register_all(projections).await;
        world
    }

    pub(crate) async fn register(&self) {
        self.register_all(&[&ORDERS]).await;
    }

    async fn register_all(&self, projections: &[&Projection]) {
        MIGRATOR.run(&self.pool).await.expect("migrated");
        for projection in projections {
            self.execute(&format!(
                "insert into offset_zero.projections (name) values ('{}')",
                projection.name
            ))
            .await;
            self.create_version_of(projection, 1, "live").await;
        }
        self.execute("update offset_zero.projections set live_version = 1")
            .await;
    }

    pub(crate) async fn create_version(&self, version: i32, state: &str) {
        self.create_version_of(&ORDERS, version, state).await;
    }

    async fn create_version_of(&self, projection: &Projection, version: i32, state: &str) {
        let Projection {
            name,
            topics,
            tables,
            indexes,
        } = projection;
        let topics = topics.join(",");
        let shape = query_api::SHAPES.into_iter().find(|(of, _)| of == name);
        let (_, shape) = shape.expect("it is read");
        self.execute(&format!(
            "insert into offset_zero.projection_versions (name, version, shape, schema_name, state)
             values ('{name}', {version}, {shape}, '{name}_{version}', '{state}');
             insert into offset_zero.checkpoints (name, version, topic, partition, next_offset, end_offset, cluster_id)
             select '{name}', {version}, topic, partition, 0, 0, 'c'
             from unnest(string_to_array('{topics}', ',')) topic, generate_series(0, 1) partition;
             create schema {name}_{version};
             set local search_path = {name}_{version};
             {tables}
             {indexes}"
        ))
        .await;
    }

    /// Runs a script in one transaction.
    pub(crate) async fn execute(&self, script: &str) {
        let mut transaction = self.pool.begin().await.expect("begun");
        sqlx::raw_sql(AssertSqlSafe(script.to_owned()))
            .execute(&mut *transaction)
            .await
            .unwrap_or_else(|error| panic!("{error}: {script}"));
        transaction.commit().await.expect("committed");
    }

    /// Adds an order to version 1.
    pub(crate) async fn insert(&self, order: &Order) {
        self.execute(&format!(
            "set local search_path = orders_1; {}",
            order.insert()
        ))
        .await;
    }

    /// Whether a read has asked how far a projection has come: of several connections, the last statement of one.
    pub(crate) async fn has_asked_for_a_position(&self) -> bool {
        let has_asked = r#"select exists (select from pg_stat_activity
             where datname = current_database() and application_name = 'query-api' and query like '%"is_live!"%')"#;
        let has_asked = sqlx::query_scalar(has_asked).fetch_one(&self.pool).await;
        has_asked.expect("asked")
    }

    pub(crate) async fn until_somebody_waits(&self) {
        let deadline = Instant::now() + PATIENCE;
        while !self.has_asked_for_a_position().await {
            assert!(Instant::now() < deadline, "nobody waits");
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    }

    pub(crate) async fn get(&self, uri: &str) -> Answer {
        self.send("GET", uri, &[]).await
    }

    pub(crate) async fn send(&self, method: &str, uri: &str, headers: &[(&str, &str)]) -> Answer {
        send(self.router.clone(), method, uri, headers).await
    }
}

pub(crate) async fn send(
    router: Router,
    method: &str,
    uri: &str,
    headers: &[(&str, &str)],
) -> Answer {
    let mut request = Request::builder().method(method).uri(uri);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let request = request.body(Body::empty()).expect("a request");
    let (parts, body) = router
        .oneshot(request)
        .await
        .expect("infallible")
        .into_parts();
    let body = body.collect().await.expect("a body").to_bytes();
    Answer {
        status: parts.status,
        headers: parts.headers,
        text: String::from_utf8(body.to_vec()).expect("UTF-8"),
    }
}

/// A response, read to its end.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) text: String,
}

impl Answer {
    /// The body of a success.
    pub(crate) fn json(&self) -> Value {
        assert_eq!(self.status, StatusCode::OK, "{self:?}");
        serde_json::from_str(&self.text).expect("JSON")
    }

    /// The body of a problem, which has to have this status and code.
    pub(crate) fn problem(&self, status: u16, code: &str) -> Value {
        assert_eq!(self.status, status, "{self:?}");
        assert_eq!(self.headers["content-type"], "application/problem+json");
        assert!(self.headers.contains_key("x-request-id"));
        let problem: Value = serde_json::from_str(&self.text).expect("JSON");
        assert_eq!(problem["code"], code, "{problem}");
        problem
    }

    /// The ids of a list's items.
    pub(crate) fn ids(&self) -> Vec<Uuid> {
        let page = self.json();
        let items = page["items"].as_array().expect("items");
        let ids = items
            .iter()
            .map(|item| item["id"].as_str().and_then(|id| id.parse().ok()));
        ids.collect::<Option<_>>().expect("ids")
    }
}

/// A time before all that Postgres knows: some 200,000 years BC, in microseconds.
pub(crate) const LONG_AGO: [u8; 8] = (-6_373_000_000_000_000_000_i64).to_be_bytes();

/// The cursor with other bytes from there on; the first ones are those of its key.
pub(crate) fn tampered(cursor: &str, from: usize, bytes: &[u8]) -> String {
    let mut changed = URL_SAFE_NO_PAD.decode(cursor).expect("it is base64");
    changed[from..from + bytes.len()].copy_from_slice(bytes);
    let changed = URL_SAFE_NO_PAD.encode(changed);
    assert_ne!(changed, cursor);
    changed
}
