//! How many orders need an operator: a metric, so that somebody is called.

use std::time::Duration;

use sqlx::{Error, PgConnection};

use super::PROJECTION;
use crate::{
    Database,
    min_position::MinPosition,
    snapshot::{self, Read},
};

/// Between two looks.
const EVERY: Duration = Duration::from_secs(5);
/// Where there are more, it says so many: what is counted is read.
const MOST: i64 = 10_000;

/// Tells it, for ever. Where it cannot be read, it keeps its last value, or has none yet; readiness says why.
pub(crate) async fn keep_telling(database: Database) {
    loop {
        match snapshot::read(&database, Count, &MinPosition::none()).await {
            // A metric is 0 from the moment on that it is named.
            Ok(count) => metrics::gauge!("offset_zero_orders_stuck").set(count as f64),
            Err(error) => tracing::debug!(?error, "cannot count stuck orders"),
        }
        tokio::time::sleep(EVERY).await;
    }
}

#[derive(Clone)]
struct Count;

impl Read for Count {
    type Answer = i64;

    const PROJECTION: &'static str = PROJECTION;

    async fn run(&self, connection: &mut PgConnection) -> Result<Self::Answer, Error> {
        sqlx::query_scalar!(
            r#"select count(*) as "count!" from (select from orders where stuck and placed_at is not null limit $1) stuck"#,
            MOST,
        )
        .fetch_one(connection)
        .await
    }
}
