//! Which of the processes that are alive feeds what.
//!
//! Each shows a sign of life in Postgres, and finds its place among those that do. From the same list all draw the same conclusion,
//! so that nobody has to be asked; while lists differ, for a moment, two may feed the same, and the epochs of the checkpoints see to it
//! that only one does. A process that stands still loses its place, and nothing of what it does afterwards counts.
//!
//! For a projection only those count that make rows of the live version's shape, or partitions were dealt to somebody who does not
//! feed them.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use sqlx::{PgConnection, types::Json};
use tokio::sync::watch;
use uuid::Uuid;

use crate::{Database, ProjectionName, ProjectorError, registry};

/// Between two signs of life.
const HEARTBEAT: Duration = Duration::from_millis(500);
/// Without one for so long a process has no place any more.
const SILENCE_SECONDS: f64 = 3.0;
/// Rows of processes that never came back are cleared away after this.
const FORGOTTEN_SECONDS: f64 = 3_600.0;

/// Of a program that knew one shape, and did not say so.
const FIRST_SHAPE: i32 = 1;

/// A process's place among those that are alive, for each projection that it can feed. None before the first sign of life.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Shares(Option<BTreeMap<&'static str, Share>>);

impl Shares {
    /// Whether there has been a sign of life.
    pub(crate) fn is_known(&self) -> bool {
        self.0.is_some()
    }

    /// Those of a projection's so many partitions that are this process's to feed.
    pub(crate) fn partitions(&self, projection: ProjectionName, of: i32) -> Vec<i32> {
        let share = self.0.as_ref().and_then(|of| of.get(projection.as_str()));
        let held = |partition: &i32| share.is_some_and(|share| share.holds(projection, *partition));
        (0..of).filter(held).collect()
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Share {
    place: usize,
    /// At least one: this process.
    of: usize,
}

impl Share {
    /// Whether a partition of a projection is this process's to feed: dealt out in turn, so that each has as many, give or take
    /// one for each projection.
    fn holds(self, projection: ProjectionName, partition: i32) -> bool {
        let partition = usize::try_from(partition).unwrap_or_default();
        (projection as usize + partition) % self.of == self.place
    }
}

/// This process's.
#[derive(Debug)]
pub(crate) struct Membership {
    id: Uuid,
    /// What it can feed: the shape of the rows that it makes, by projection.
    shapes: BTreeMap<&'static str, i32>,
    share: watch::Sender<Shares>,
    /// Projections that newer processes feed, where that was said.
    superseded: Mutex<BTreeSet<&'static str>>,
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
    pub(crate) fn new(shapes: BTreeMap<&'static str, i32>) -> Self {
        let names = shapes.keys();
        Self {
            id: Uuid::now_v7(),
            share: watch::Sender::default(),
            superseded: Mutex::default(),
            applied: names.map(|name| (*name, AtomicU64::new(0))).collect(),
            shapes,
            counted: Mutex::new(Counted {
                at: Instant::now(),
                applied: BTreeMap::new(),
            }),
        }
    }

    pub(crate) fn share(&self) -> watch::Receiver<Shares> {
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
            let beat = database.answered(self.beat(database, &mut registry));
            if let Err(error) = beat.await {
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
            drop(database.answered(left.execute(&mut registry)).await);
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
        let others = sqlx::query_as!(
            Other,
            r#"with beat as (
                   insert into offset_zero.projectors (id, seen_at, rates, shapes) values ($1, now(), $2, $5)
                   on conflict (id) do update set seen_at = now(), rates = excluded.rates
               ), forgotten as (
                   delete from offset_zero.projectors where seen_at < now() - make_interval(secs => $4)
               )
               select id, shapes as "shapes: Json<BTreeMap<String, i32>>" from offset_zero.projectors
               where id <> $1 and seen_at > now() - make_interval(secs => $3)"#,
            self.id,
            Json(self.rates()) as _,
            SILENCE_SECONDS,
            FORGOTTEN_SECONDS,
            Json(&self.shapes) as _,
        )
        .fetch_all(&mut *connection)
        .await?;
        let live = registry::live_shapes(connection).await?;
        self.tell_what_is_superseded(&live);
        let shares = self.deal(&others, &live);
        self.share.send_if_modified(|known| {
            let has_changed = *known != shares;
            *known = shares;
            has_changed
        });
        Ok(())
    }

    /// Each projection to those that make rows of its live version's shape; before it has one, to all.
    fn deal(&self, others: &[Other], live: &BTreeMap<String, i32>) -> Shares {
        let shares = self.shapes.iter().filter_map(|(name, made)| {
            let feeds = |made: i32| live.get(*name).is_none_or(|shape| *shape == made);
            let others = others.iter().filter(|other| feeds(other.shape(name)));
            let (before, after): (Vec<_>, Vec<_>) = others.partition(|other| other.id < self.id);
            let share = Share {
                place: before.len(),
                of: before.len() + 1 + after.len(),
            };
            feeds(*made).then_some((*name, share))
        });
        Shares(Some(shares.collect()))
    }

    /// Once for each projection.
    fn tell_what_is_superseded(&self, live: &BTreeMap<String, i32>) {
        let told = self.superseded.lock();
        let mut told = told.unwrap_or_else(PoisonError::into_inner);
        for (name, made) in &self.shapes {
            let newer = live.get(*name).filter(|shape| *shape > made);
            if let Some(shape) = newer
                && told.insert(name)
            {
                tracing::warn!(
                    projection = name,
                    shape,
                    made,
                    "superseded by a newer projector: this process does not feed the projection any more"
                );
            }
        }
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

/// Another process that is alive.
struct Other {
    id: Uuid,
    shapes: Json<BTreeMap<String, i32>>,
}

impl Other {
    fn shape(&self, projection: &str) -> i32 {
        let shape = self.shapes.get(projection);
        shape.copied().unwrap_or(FIRST_SHAPE)
    }
}

#[cfg(test)]
mod tests {
    use super::{Share, Shares};
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
        assert!(
            Shares::default()
                .partitions(ProjectionName::Orders, 4)
                .is_empty()
        );
    }
}
