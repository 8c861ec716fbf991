//! Tells whoever listens how far the rows have come, by NOTIFY.
//!
//! After their transaction, not in it: Postgres commits those that notify one after the other, all of them together. What is not
//! told, since Postgres or this process went away in between, is found by looking.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use event_store::Progress;
use sqlx::PgConnection;
use tokio::sync::Notify;

use crate::{Database, ProjectorError};

/// The payload is a projection and the last position that its rows hold: `orders OrderEvents/3@1234`. The query API listens.
const POSITIONS_CHANNEL: &str = "offset_zero_positions";
/// The payload is a projection that another version of has gone live.
const LIVE_CHANNEL: &str = "offset_zero_live";

/// Between two tries, where Postgres is away.
const PAUSE: Duration = Duration::from_secs(1);

/// What has been committed and not told yet: of each partition the last position only, however long the telling takes.
#[derive(Debug, Default)]
pub(crate) struct Announcements {
    untold: Mutex<BTreeMap<Place, i64>>,
    added: Notify,
}

/// A projection, and a topic and partition that it reads.
type Place = (&'static str, Arc<str>, i32);

impl Announcements {
    /// Has it told that the rows hold this much.
    pub(crate) fn add(&self, projection: &'static str, progress: &[Progress]) {
        let mut untold = self.untold.lock().unwrap_or_else(PoisonError::into_inner);
        for reached in progress {
            let place = (projection, Arc::clone(&reached.topic), reached.partition);
            untold.insert(place, reached.next_offset - 1);
        }
        self.added.notify_one();
    }

    /// Tells, for ever; what is added while a statement is under way, the next one tells.
    pub(crate) async fn keep_announcing(self: Arc<Self>, database: Database) {
        let mut connection = None;
        loop {
            self.added.notified().await;
            let announced = database.answered(self.announce(&database, &mut connection));
            if let Err(error) = announced.await {
                // The feeds say what is wrong with Postgres.
                tracing::debug!(%error, "cannot tell how far the rows have come");
                connection = None;
                tokio::time::sleep(PAUSE).await;
            }
        }
    }

    async fn announce(
        &self,
        database: &Database,
        connection: &mut Option<PgConnection>,
    ) -> Result<(), ProjectorError> {
        let connection = match connection {
            Some(connection) => connection,
            None => connection.insert(database.connect_to_announce().await?),
        };
        let payloads: Vec<String> = self
            .take()
            .into_iter()
            .map(|((projection, topic, partition), position)| {
                format!("{projection} {topic}/{partition}@{position}")
            })
            .collect();
        sqlx::query!(
            "select pg_notify($1, payload) from unnest($2::text[]) payload",
            POSITIONS_CHANNEL,
            &payloads,
        )
        .execute(connection)
        .await?;
        Ok(())
    }

    fn take(&self) -> BTreeMap<Place, i64> {
        std::mem::take(&mut self.untold.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// Tells that another version is live, once the caller's transaction has committed: swaps are rare.
pub(crate) async fn announce_live(
    connection: &mut PgConnection,
    projection: &str,
) -> sqlx::Result<()> {
    sqlx::query!("select pg_notify($1, $2)", LIVE_CHANNEL, projection)
        .execute(connection)
        .await?;
    Ok(())
}
