//! The moment at which the new version becomes the live one: reads neither fail nor go back.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use event_store::log::Log;
use sqlx::{Connection, PgConnection};
use tokio::task::JoinSet;

use super::fill::Filling;
use crate::{
    Projection, ProjectorError,
    registry::{self, Positions},
};

/// So many records behind the live version the candidate is near: it comes up to it in a moment.
const NEAR: i64 = 200;
/// How long it may take to come near, before the live version is held still all the same.
const PATIENCE: Duration = Duration::from_secs(5);
/// How long the live version may be held still while the candidate comes up to it.
const HOLD: Duration = Duration::from_secs(1);
const POLL: Duration = Duration::from_millis(5);
/// Between two tries, while the candidate comes closer.
const PAUSE: Duration = Duration::from_millis(500);
/// Some five minutes of tries.
const MAX_TRIES: u32 = 50;

/// What the swap has changed.
pub(super) struct Swapped {
    pub(super) replaced: i32,
    /// How many versions that were live once are kept.
    pub(super) retired: i64,
    /// The offset after the last one applied, by `Topic/partition`.
    pub(super) positions: BTreeMap<String, i64>,
}

/// Tries until the candidate has come up to the live version; `followers` keep feeding it meanwhile.
pub(super) async fn swap<P: Projection, S: Log>(
    registry: &mut PgConnection,
    filling: &Filling<S>,
    followers: &mut JoinSet<ProjectorError>,
) -> Result<Swapped, ProjectorError> {
    let mut held_up = None;
    for _ in 0..MAX_TRIES {
        if let Some(ended) = followers.try_join_next() {
            return Err(ended?);
        }
        let lost = come_near::<P, S>(registry, filling).await?;
        held_up = match attempt::<P>(registry, filling.version.number, &lost).await {
            Ok(Some(swapped)) => return Ok(swapped),
            Ok(None) => None,
            Err(locked @ ProjectorError::Locked(_)) => Some(locked),
            Err(error) => return Err(error),
        };
        tokio::time::sleep(PAUSE).await;
    }
    Err(held_up.unwrap_or(ProjectorError::NotCaughtUp {
        projection: P::NAME,
    }))
}

/// Waits until the candidate is near the live version, for a while. Nobody is held still for that. Answers what the log has lost of what
/// the live version is made of.
async fn come_near<P: Projection, S: Log>(
    registry: &mut PgConnection,
    filling: &Filling<S>,
) -> Result<Lost, ProjectorError> {
    let Some(live) = registry::live(registry, P::NAME).await? else {
        return Ok(Lost::default());
    };
    let deadline = Instant::now() + PATIENCE;
    loop {
        let goal = registry::positions(registry, P::NAME, live.number).await?;
        let lost = Lost::between(&goal, &filling.ends::<P>().await?);
        let goal = lost.without(goal);
        let candidate = filling.version.number;
        let reached = registry::positions(registry, P::NAME, candidate).await?;
        if registry::distance(&reached, &goal) <= NEAR || Instant::now() >= deadline {
            return Ok(lost);
        }
        tokio::time::sleep(POLL).await;
    }
}

/// Where a log that was cut back ends now, of the partitions of which the live version holds more: nobody can come up to that.
#[derive(Debug, Default)]
struct Lost(Positions);

impl Lost {
    /// The ends have to be asked for after the positions, or a log that goes on looks as if it had been cut back.
    fn between(live: &Positions, ends: &Positions) -> Self {
        let end_of = |place| ends.get(place).copied().unwrap_or(0);
        let beyond = live.iter().filter(|(place, next)| **next > end_of(place));
        Self(
            beyond
                .map(|(place, _)| (place.clone(), end_of(place)))
                .collect(),
        )
    }

    /// What is left of a goal.
    fn without(&self, mut goal: Positions) -> Positions {
        for (place, end) in &self.0 {
            if let Some(next) = goal.get_mut(place) {
                *next = (*next).min(*end);
            }
        }
        goal
    }
}

/// One transaction: holds the live version still, waits a moment for the candidate, and swaps; none where the candidate is
/// not there in time. Asks nobody but Postgres meanwhile.
async fn attempt<P: Projection>(
    registry: &mut PgConnection,
    candidate: i32,
    lost: &Lost,
) -> Result<Option<Swapped>, ProjectorError> {
    let mut tx = registry.begin().await?;
    sqlx::raw_sql("set local lock_timeout = '2s'")
        .execute(&mut *tx)
        .await?;
    registry::never_stand_still(&mut tx).await?;
    let live = registry::hold_live(&mut tx, P::NAME).await?;
    // A newer program may have taken over since this one began.
    if let Some(live) = registry::live(&mut tx, P::NAME).await? {
        live.require_no_newer_shape::<P>()?;
    }
    let goal = lost.without(registry::lock_positions(&mut tx, P::NAME, live).await?);
    let deadline = Instant::now() + HOLD;
    while !registry::has_reached(
        &registry::positions(&mut tx, P::NAME, candidate).await?,
        &goal,
    ) {
        if Instant::now() >= deadline {
            tx.rollback().await?;
            return Ok(None);
        }
        tokio::time::sleep(POLL).await;
    }
    let reached = registry::lock_positions(&mut tx, P::NAME, candidate).await?;
    if let Some(error) = registry::error_of(&mut tx, P::NAME, candidate).await? {
        return Err(ProjectorError::Failed(error));
    }
    registry::make_live(&mut tx, P::NAME, live, candidate).await?;
    let retired = registry::retired(&mut tx, P::NAME).await?;
    tx.commit().await?;
    let positions = reached
        .into_iter()
        .map(|((topic, partition), next)| (format!("{topic}/{partition}"), next));
    Ok(Some(Swapped {
        replaced: live,
        retired,
        positions: positions.collect(),
    }))
}
