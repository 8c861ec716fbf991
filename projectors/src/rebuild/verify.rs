//! Whether the new version holds the same rows as the live one: compared at the very same positions, before it goes live.
//!
//! The new version is filled to where the live one is and no further. Then a snapshot of the live one is taken, with its
//! positions; the new one goes on to exactly these and stands still while both are compared. The live one goes on all the
//! time.

use std::{
    fmt,
    time::{Duration, Instant},
};

use event_store::log::Log;
use serde::Serialize;
use sqlx::{Connection, PgConnection};

use super::{
    compare::{Comparison, Scope, Side, compare},
    fill::{Filling, Goal},
    meter::Phase,
};
use crate::{
    Projection, ProjectorError,
    feed::Feed,
    registry::{self, Version},
};

/// How near the new version comes before the snapshot is taken, which Postgres has to keep until the comparison ends.
const NEAR: i64 = 20_000;
/// A live version that moves faster than the new one comes near is not waited for for ever.
const MAX_ROUNDS: u32 = 8;
/// How long a live version that is behind a resumed one may take to come up to it.
const PATIENCE: Duration = Duration::from_secs(10);
const POLL: Duration = Duration::from_millis(50);
/// Why there is nothing to compare with.
pub(super) const LIVE_HAS_FAILED: &str = "the live version has failed";
/// So many differences are printed; all that were listed are in the JSON report.
const MAX_PRINTED: usize = 20;

/// What became of comparing the new version with the live one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Verification {
    /// Both were compared at the same positions.
    Compared(Comparison),
    /// There was nothing to compare with; says why.
    Skipped(String),
}

impl Verification {
    /// Whether the new version is proven equal to the live one: of what was not compared nobody knows.
    #[must_use]
    pub fn is_equal(&self) -> bool {
        matches!(self, Self::Compared(comparison) if comparison.differing == 0 && comparison.not_compared.is_empty())
    }
}

impl fmt::Display for Verification {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let comparison = match self {
            Self::Skipped(reason) => return write!(f, "not compared: {reason}"),
            Self::Compared(comparison) => comparison,
        };
        let Comparison {
            rows,
            differing,
            differences,
            not_compared,
        } = comparison;
        match differing {
            0 if not_compared.is_empty() => write!(
                f,
                "verified: {rows} rows equal the live ones at the same positions"
            )?,
            0 => write!(
                f,
                "not proven equal: {rows} rows equal the live ones at the same positions in what both have, but"
            )?,
            _ => write!(
                f,
                "{differing} keys differ from the live version at the same positions:"
            )?,
        }
        for difference in differences.iter().take(MAX_PRINTED) {
            write!(f, "\n    {difference}")?;
        }
        let unprinted = differing.saturating_sub(differences.len().min(MAX_PRINTED) as u64);
        if unprinted > 0 {
            write!(f, "\n    and {unprinted} more")?;
        }
        for name in not_compared {
            write!(
                f,
                "\n    {name} is not the same column or table in both, and was not compared"
            )?;
        }
        Ok(())
    }
}

/// Compares, if there is something to compare with; the feeds are then at the positions where that was done.
pub(super) async fn verify<P: Projection, S: Log>(
    filling: &Filling<S>,
    mut feeds: Vec<Feed<P>>,
) -> Result<(Vec<Feed<P>>, Verification), ProjectorError> {
    let mut registry = filling.database.connect().await?;
    let live = match comparable::<P, S>(&mut registry, filling).await? {
        Ok(live) => live,
        Err(reason) => return Ok((feeds, Verification::Skipped(reason))),
    };
    for _ in 0..MAX_ROUNDS {
        let goal = registry::positions(&mut registry, P::NAME, live.number).await?;
        let distance: i64 = feeds.iter().map(|feed| feed.remaining(&goal)).sum();
        if distance <= NEAR {
            break;
        }
        feeds = filling.read_to(feeds, Goal::Exactly(goal)).await?;
    }
    let mut snapshot = registry
        .begin_with("begin isolation level repeatable read read only")
        .await?;
    let goal = registry::positions(&mut snapshot, P::NAME, live.number).await?;
    feeds = filling.read_to(feeds, Goal::Exactly(goal)).await?;
    filling.meter.enter(Phase::Verifying);
    let mut candidate = filling.database.connect().await?;
    let compared = compare(
        &mut Side {
            connection: &mut snapshot,
            schema: &live.schema,
        },
        &mut Side {
            connection: &mut candidate,
            schema: &filling.version.schema,
        },
        Scope::AllRows,
        &filling.gate,
        &filling.meter,
    )
    .await?;
    snapshot.rollback().await?;
    Ok((feeds, Verification::Compared(compared)))
}

/// The live version, if there is a point in the log at which both can be; else why not.
async fn comparable<P: Projection, S: Log>(
    registry: &mut PgConnection,
    filling: &Filling<S>,
) -> Result<Result<Version, String>, ProjectorError> {
    let Some(live) = registry::live(registry, P::NAME).await? else {
        return Ok(Err("no version is live".to_owned()));
    };
    if live.error.is_some() {
        return Ok(Err(LIVE_HAS_FAILED.to_owned()));
    }
    let ends = filling.ends::<P>().await?;
    let deadline = Instant::now() + PATIENCE;
    loop {
        let reached = registry::positions(registry, P::NAME, live.number).await?;
        if !reached.keys().eq(ends.keys()) {
            return Ok(Err("the live version is made of other topics".to_owned()));
        }
        if !registry::has_reached(&filling.ends::<P>().await?, &reached) {
            return Ok(Err(
                "the live version holds more than the log does".to_owned()
            ));
        }
        let candidate = registry::positions(registry, P::NAME, filling.version.number).await?;
        if registry::has_reached(&reached, &candidate) {
            return Ok(Ok(live));
        }
        if Instant::now() >= deadline {
            return Ok(Err(
                "the live version is behind the new one and does not move".to_owned(),
            ));
        }
        tokio::time::sleep(POLL).await;
    }
}
