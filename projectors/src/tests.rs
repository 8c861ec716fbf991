//! Against real Postgres, with events from the in-memory twin of the log.

mod altered;
mod announcing;
mod beside;
mod claiming;
mod commands;
mod copying;
mod delivering;
mod dropping;
mod dry_running;
mod every;
mod feeding;
mod folding;
mod foreign;
mod fulfilment;
mod journeys;
mod locking;
mod merging;
mod misplaced;
mod notices;
mod parking;
mod past;
mod rebuilding;
mod reporting;
mod returning;
mod running;
mod shapes;
mod shop;
mod standing;
mod starting;
mod verifying;
mod versions;
mod waiting;

use std::{
    sync::OnceLock,
    time::{Duration, Instant},
};

use dev::stack::{Stack, StackOptions};
use domain::topics;
use event_store::kafka::{Durability, KafkaConfig, KafkaLog, TopicSpec};
use sqlx::{AssertSqlSafe, Connection, PgConnection};
use uuid::Uuid;

use crate::{Database, migrate};

const PATIENCE: Duration = Duration::from_secs(90);
const UNDEFINED_TABLE: &str = "42P01";
const POLL: Duration = Duration::from_millis(10);

/// A database of the test's own, migrated.
struct World {
    url: String,
    database: Database,
}

impl World {
    async fn new() -> Self {
        let url = Self::unmigrated().await;
        migrate(&url).await.expect("migrates");
        Self {
            database: Database::new(&url).expect("a URL"),
            url,
        }
    }

    async fn unmigrated() -> String {
        on_stack(|stack| {
            let name = format!("projectors_{}", Uuid::now_v7().simple());
            stack.database_url(&name).expect("a database")
        })
        .await
    }

    /// Topics of the test's own in a real Kafka.
    async fn kafka(&self, partitions: i32) -> KafkaLog {
        let mut config = KafkaConfig::new(on_stack(Stack::brokers).await);
        config.namespace = format!("{}.", Uuid::now_v7().simple());
        let log = KafkaLog::connect(&config).expect("the client is configured");
        let durability = Durability::DEVELOPMENT;
        let events = topics::ALL.map(|topic| TopicSpec::events(topic, partitions, durability));
        let mut topics = vec![TopicSpec::ownership(partitions, durability)];
        topics.extend(events);
        log.ensure_topics(&topics).await.expect("creates topics");
        log
    }

    async fn connect(&self) -> PgConnection {
        PgConnection::connect(&self.url).await.expect("connects")
    }

    /// What the query says, a sum of nothing being nothing; less than nothing while its table does not exist.
    async fn number(&self, sql: &str) -> i64 {
        let query = sqlx::query_scalar::<_, Option<i64>>(AssertSqlSafe(sql.to_owned()));
        match query.fetch_one(&mut self.connect().await).await {
            Err(sqlx::Error::Database(error))
                if error.code().as_deref() == Some(UNDEFINED_TABLE) =>
            {
                -1
            }
            number => number.expect("a number").unwrap_or(0),
        }
    }

    async fn execute(&self, sql: &str) {
        let query = sqlx::raw_sql(AssertSqlSafe(sql.to_owned()));
        query
            .execute(&mut self.connect().await)
            .await
            .expect("executes");
    }

    /// The rows of a version, as text.
    async fn rows(&self, schema: &str) -> Vec<String> {
        let (table, _) = schema.rsplit_once('_').expect("a version's schema");
        self.texts(&format!(
            "select t::text from {schema}.{table} t order by 1"
        ))
        .await
    }

    /// What the query says, each a text.
    async fn texts(&self, sql: &str) -> Vec<String> {
        let query = sqlx::query_scalar(AssertSqlSafe(sql.to_owned()));
        query
            .fetch_all(&mut self.connect().await)
            .await
            .expect("rows")
    }
}

/// Asks the stack that all tests share; it ends with the process.
async fn on_stack<T: Send + 'static>(ask: impl FnOnce(&Stack) -> T + Send + 'static) -> T {
    static STACK: OnceLock<Stack> = OnceLock::new();
    let asked = tokio::task::spawn_blocking(|| {
        ask(STACK.get_or_init(|| Stack::start(StackOptions::fresh()).expect("the stack starts")))
    });
    asked.await.expect("does not panic")
}

/// Polls until it holds.
async fn eventually(what: &str, mut holds: impl AsyncFnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !holds().await {
        assert!(Instant::now() < deadline, "in vain waited for: {what}");
        tokio::time::sleep(POLL).await;
    }
}
