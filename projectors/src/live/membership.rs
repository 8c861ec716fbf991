//! Which of the processes that are alive feeds what.
//!
//! Each shows a sign of life in Postgres, and finds its place among those that do. From the same list all draw the same conclusion,
//! so that nobody has to be asked; while lists differ, for a moment, two may feed the same, and the epochs of the checkpoints see to it
//! that only one does. A process that stands still loses its place, and nothing of what it does afterwards counts.

use std::{
    collections::BTreeMap,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use sqlx::{PgConnection, types::Json};
use tokio::sync::watch;
use uuid::Uuid;

use crate::{Database, ProjectionName, ProjectorError};

/// Between two signs of life.
const HEARTBEAT: Duration = Duration::from_millis(500);
/// Without one for so long a process has no place any more.
const SILENCE_SECONDS: f64 = 3.0;
/// Rows of processes that never came back are cleared away after this.
const FORGOTTEN_SECONDS: f64 = 3_600.0;

/// A process's place among those that are alive.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Share {
    place: usize,
    /// None is alive before the first sign of life.
    of: usize,
}

impl Share {
    /// Whether there has been a sign of life.
    pub(crate) fn is_known(self) -> bool {
        self.of > 0
    }

    /// Whether a partition of a projection is this process's to feed: dealt out in turn, so that each has as many, give or take
    /// one for each projection.
    pub(crate) fn holds(self, projection: ProjectionName, partition: i32) -> bool {
        let partition = usize::try_from(partition).unwrap_or_default();
        self.is_known() && (projection as usize + partition) % self.of == self.place
    }
}

/// This process's.
#[derive(Debug)]
pub(crate) struct Membership {
    id: Uuid,
    share: watch::Sender<Share>,
    /// Events applied since the process began.
    applied: BTreeMap<&'static str, AtomicU64>,
    counted: Mutex<Counted>,
}

#[derive(Debug)]
struct Counted {
    at: Instant,
    applied: BTreeMap<&'static str, u64>,
}

impl Membership {
    pub(crate) fn new() -> Self {
        let names = ProjectionName::ALL.map(ProjectionName::as_str);
        Self {
            id: Uuid::now_v7(),
            share: watch::Sender::default(),
            applied: names.map(|name| (name, AtomicU64::new(0))).into(),
            counted: Mutex::new(Counted {
                at: Instant::now(),
                applied: BTreeMap::new(),
            }),
        }
    }

    pub(crate) fn share(&self) -> watch::Receiver<Share> {
        self.share.subscribe()
    }

    pub(crate) fn count(&self, name: &str, events: u64) {
        if let Some(applied) = self.applied.get(name) {
            applied.fetch_add(events, Ordering::Relaxed);
        }
    }

    /// Shows signs of life until told to stop, then takes leave, so that the others need not wait.
    pub(crate) async fn keep(&self, database: &Database, stop: &mut watch::Receiver<bool>) {
        let mut registry = None;
        loop {
            if let Err(error) = self.beat(database, &mut registry).await {
                // The feeds say what is wrong with Postgres.
                tracing::debug!(%error, "no sign of life");
                registry = None;
            }
            let stopped = stop.wait_for(|stop| *stop);
            if tokio::time::timeout(HEARTBEAT, stopped).await.is_ok() {
                break;
            }
        }
        if let Some(mut registry) = registry {
            let left = sqlx::query!("delete from offset_zero.projectors where id = $1", self.id);
            drop(left.execute(&mut registry).await);
        }
    }

    async fn beat(
        &self,
        database: &Database,
        registry: &mut Option<PgConnection>,
    ) -> Result<(), ProjectorError> {
        let connection = match registry {
            Some(connection) => connection,
            None => registry.insert(database.connect().await?),
        };
        let alive = sqlx::query_scalar!(
            r#"with beat as (
                   insert into offset_zero.projectors (id, seen_at, rates) values ($1, now(), $2)
                   on conflict (id) do update set seen_at = now(), rates = excluded.rates
               ), forgotten as (
                   delete from offset_zero.projectors where seen_at < now() - make_interval(secs => $4)
               )
               select id from offset_zero.projectors
               where id <> $1 and seen_at > now() - make_interval(secs => $3)"#,
            self.id,
            Json(self.rates()) as _,
            SILENCE_SECONDS,
            FORGOTTEN_SECONDS,
        )
        .fetch_all(connection)
        .await?;
        let share = Share {
            place: alive.iter().filter(|id| **id < self.id).count(),
            of: alive.len() + 1,
        };
        self.share.send_if_modified(|known| {
            let has_changed = *known != share;
            *known = share;
            has_changed
        });
        Ok(())
    }

    /// Of each projection, since the last time.
    fn rates(&self) -> BTreeMap<&'static str, f64> {
        let mut counted = self.counted.lock().unwrap_or_else(PoisonError::into_inner);
        let seconds = counted.at.elapsed().as_secs_f64().max(f64::EPSILON);
        counted.at = Instant::now();
        let applied = self.applied.iter();
        applied
            .map(|(name, applied)| {
                let now = applied.load(Ordering::Relaxed);
                let before = counted.applied.insert(name, now).unwrap_or_default();
                (*name, ((now - before) as f64 / seconds).round())
            })
            .filter(|(_, rate)| *rate > 0.0)
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::Share;
    use crate::ProjectionName;

    #[test]
    fn every_partition_is_somebodys_and_nobody_has_much_more() {
        for of in 1..=5 {
            let mut held = vec![0; of];
            for projection in ProjectionName::ALL {
                for partition in 0..4 {
                    let holds =
                        |place: &usize| Share { place: *place, of }.holds(projection, partition);
                    let holders: Vec<usize> = (0..of).filter(holds).collect();
                    assert_eq!(holders.len(), 1, "{projection}/{partition} of {of}");
                    held[holders[0]] += 1;
                }
            }
            let (most, least) = (held.iter().max(), held.iter().min());
            assert!(
                most.zip(least)
                    .is_some_and(|(most, least)| most - least <= 8),
                "{held:?}"
            );
        }
        assert!(!Share::default().holds(ProjectionName::Orders, 0));
    }
}
