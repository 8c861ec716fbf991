//! From offset zero to the end, all partitions at once; then along with the log until the swap.

use std::sync::{Arc, atomic::Ordering};

use event_store::BatchLimits;
use tokio::task::JoinSet;

use super::meter::Meter;
use crate::{
    Database, Projection, ProjectorError,
    feed::Feed,
    registry::{self, Version},
    source::{Source, ask},
};

const LIMITS: BatchLimits = BatchLimits {
    max_events: 10_000,
    max_bytes: 16 << 20,
    max_wait_ms: 100,
};
/// Rows that each partition holds in memory before it writes them: some 25 MiB of orders.
const MAX_HELD_ROWS: usize = 40_000;

/// What the tasks of a rebuild share.
#[derive(Clone)]
pub(super) struct Filling<S> {
    pub(super) source: S,
    pub(super) database: Database,
    pub(super) version: Version,
    pub(super) meter: Arc<Meter>,
}

impl<S: Source> Filling<S> {
    /// Reads every partition to where it ends now.
    pub(super) async fn fill<P: Projection>(
        &self,
        partitions: i32,
    ) -> Result<Vec<Feed<P>>, ProjectorError> {
        let mut tasks = JoinSet::new();
        for partition in 0..partitions {
            tasks.spawn(self.clone().fill_partition::<P>(partition));
        }
        let mut feeds = Vec::new();
        // The first failure drops the others: their connections end, and with them what they had not committed.
        while let Some(feed) = tasks.join_next().await {
            feeds.push(feed??);
        }
        Ok(feeds)
    }

    async fn fill_partition<P: Projection>(
        self,
        partition: i32,
    ) -> Result<Feed<P>, ProjectorError> {
        let number = self.version.number;
        let mut connection = self.database.connect_to_fill(&self.version.schema).await?;
        let checkpoints =
            registry::checkpoints(&mut connection, P::NAME, number, partition).await?;
        let ends = self.ends::<P>(partition).await?;
        let opened = Feed::open(
            &self.source,
            connection,
            &self.version,
            partition,
            checkpoints.clone(),
            LIMITS,
        )
        .await;
        let mut feed = match opened {
            Err(error) if error.is_final() => {
                let mut registry = self.database.connect().await?;
                return Err(registry::fail::<P>(
                    &mut registry,
                    number,
                    partition,
                    &checkpoints,
                    &error,
                )
                .await?);
            }
            opened => opened?,
        };
        self.meter.expect(feed.remaining(&ends));
        match self.read_to(&mut feed, &ends).await {
            Err(error) if error.is_final() => Err(feed.fail(&error).await?),
            Err(error) => Err(error),
            Ok(()) => Ok(feed),
        }
    }

    async fn read_to<P: Projection>(
        &self,
        feed: &mut Feed<P>,
        ends: &[(Arc<str>, i64)],
    ) -> Result<(), ProjectorError> {
        let mut remaining = feed.remaining(ends);
        while remaining > 0 {
            let batch = feed.next().await?;
            feed.absorb(&batch).await?;
            let before = std::mem::replace(&mut remaining, feed.remaining(ends));
            self.meter.passed(before - remaining, batch.events.len());
            if feed.held() >= MAX_HELD_ROWS || remaining == 0 {
                let new_rows = feed.flush().await?;
                self.meter.rows.fetch_add(new_rows, Ordering::Relaxed);
            }
        }
        Ok(())
    }

    async fn ends<P: Projection>(
        &self,
        partition: i32,
    ) -> Result<Vec<(Arc<str>, i64)>, ProjectorError> {
        ask(&self.source, move |source| {
            let end = |topic: &&str| Ok((Arc::from(*topic), source.end_offset(topic, partition)?));
            P::TOPICS.iter().map(end).collect()
        })
        .await
    }

    /// Applies what comes as it comes; each task ends with [`ProjectorError::Superseded`] when the swap has moved the epoch.
    pub(super) fn follow<P: Projection>(&self, feeds: Vec<Feed<P>>) -> JoinSet<ProjectorError> {
        let mut tasks = JoinSet::new();
        for feed in feeds {
            tasks.spawn(self.clone().follow_partition(feed));
        }
        tasks
    }

    async fn follow_partition<P: Projection>(self, mut feed: Feed<P>) -> ProjectorError {
        loop {
            let error = match self.step(&mut feed).await {
                Ok(()) => continue,
                Err(error) => error,
            };
            if !error.is_final() {
                return error;
            }
            return match feed.fail(&error).await {
                Ok(verdict) => verdict,
                Err(error) => error,
            };
        }
    }

    async fn step<P: Projection>(&self, feed: &mut Feed<P>) -> Result<(), ProjectorError> {
        let batch = feed.next().await?;
        feed.absorb(&batch).await?;
        let new_rows = feed.flush().await?;
        self.meter.passed(0, batch.events.len());
        self.meter.rows.fetch_add(new_rows, Ordering::Relaxed);
        Ok(())
    }
}
