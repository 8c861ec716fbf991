//! A rebuild gives way: where the live version falls behind, it stands still between two pieces of its work.
//!
//! All that a rebuild does takes processors and disks from what is live, above all from the feed of the very version that it is
//! to replace. How far that feed is behind is measured as its readers feel it, in time: how long ago the log reached a place that the
//! live rows have not.

use std::{
    collections::VecDeque,
    convert::Infallible,
    time::{Duration, Instant},
};

use event_store::log::Log;
use tokio::sync::watch;

use super::{Aside, fill::Filling};
use crate::{
    Projection, ProjectorError,
    registry::{self, Positions},
};

/// Between two looks.
const LOOK_EVERY: Duration = Duration::from_millis(25);
/// What is later than this is behind.
const LATE: Duration = Duration::from_millis(50);
/// What has not moved for so long nobody feeds.
const STANDSTILL: Duration = Duration::from_secs(5);
/// After a look that has failed.
const PAUSE: Duration = Duration::from_secs(1);
/// So many looks are remembered: those of ten seconds.
const MAX_LOOKS: usize = 400;
/// Of its time a rebuild stands still for four parts of five at most: it is to end, on the busiest of machines too.
const MAX_STANDING: f64 = 0.8;

/// Where a rebuild passes between two pieces of its work. Says whether it is closed; open where nobody watches.
#[derive(Debug, Clone)]
pub(super) struct Gate(watch::Receiver<bool>);

impl Default for Gate {
    fn default() -> Self {
        let (_, is_closed) = watch::channel(false);
        Self(is_closed)
    }
}

impl Gate {
    /// Waits while it is closed.
    pub(super) async fn pass(&self) {
        // Whoever watched may have ended and left it as it was.
        drop(self.0.clone().wait_for(|is_closed| !is_closed).await);
    }
}

/// A gate that is closed while this version is behind, and what watches that.
pub(super) fn watch<P: Projection, S: Log>(filling: Filling<S>, live: i32) -> (Gate, Aside) {
    let (sender, is_closed) = watch::channel(false);
    let task = tokio::spawn(async move {
        let mut standing = Standing::default();
        loop {
            // The rebuild itself says what is wrong, where it goes on to be.
            let Err(error) = follow::<P, S>(&filling, live, &sender, &mut standing).await;
            tracing::debug!(%error, "cannot see whether the live version is behind");
            sender.send_replace(false);
            tokio::time::sleep(PAUSE).await;
        }
    });
    (Gate(is_closed), Aside(task))
}

async fn follow<P: Projection, S: Log>(
    filling: &Filling<S>,
    live: i32,
    is_closed: &watch::Sender<bool>,
    standing: &mut Standing,
) -> Result<Infallible, ProjectorError> {
    let mut registry = filling.database.connect().await?;
    let mut delay = Delay::default();
    let mut last = Instant::now();
    loop {
        tokio::time::sleep(LOOK_EVERY).await;
        let ends = filling.ends::<P>().await?;
        let reached = registry::positions(&mut registry, P::NAME, live).await?;
        let now = Instant::now();
        if *is_closed.borrow() {
            standing.time += now - last;
            filling.meter.gave_way(standing.time);
        }
        last = now;
        let is_behind = delay.of(&ends, &reached, now) >= LATE;
        is_closed.send_replace(is_behind && standing.may_go_on());
    }
}

/// How long a rebuild has stood still, of all its time.
#[derive(Debug)]
struct Standing {
    begun: Instant,
    time: Duration,
}

impl Default for Standing {
    fn default() -> Self {
        Self {
            begun: Instant::now(),
            time: Duration::ZERO,
        }
    }
}

impl Standing {
    fn may_go_on(&self) -> bool {
        self.time < self.begun.elapsed().mul_f64(MAX_STANDING)
    }
}

/// How late rows are, seen from outside.
#[derive(Debug, Default)]
struct Delay {
    /// When the log had come so far, of what the rows have not; all places together.
    unreached: VecDeque<(Instant, i64)>,
    /// To where the rows had come at the last look.
    reached: Option<i64>,
    /// When they were last seen to come further.
    moved: Option<Instant>,
}

impl Delay {
    /// Zero where nobody feeds them.
    fn of(&mut self, ends: &Positions, reached: &Positions, now: Instant) -> Duration {
        // A feed may leave the record that ends a transaction until something follows it: one in each place.
        let unpassed = i64::try_from(ends.len()).expect("few");
        let end: i64 = ends.values().sum();
        let reached: i64 = reached.values().sum();
        let before = self.reached.replace(reached);
        if before.is_some_and(|before| reached > before) {
            self.moved = Some(now);
        }
        if self.unreached.len() < MAX_LOOKS {
            self.unreached.push_back((now, end));
        }
        let is_reached = |(_, end): &mut (Instant, i64)| *end - reached <= unpassed;
        while self.unreached.pop_front_if(is_reached).is_some() {}
        let Some((since, _)) = self.unreached.front() else {
            return Duration::ZERO;
        };
        let is_fed = self.moved.is_some_and(|moved| now - moved < STANDSTILL);
        match is_fed {
            true => now - *since,
            false => Duration::ZERO,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TICK: Duration = Duration::from_millis(50);

    fn at(offset: i64) -> Positions {
        [(("OrderEvents".to_owned(), 0), offset)].into()
    }

    /// The delay after looks at where the log and the rows are, one tick apart.
    fn delay(looks: impl IntoIterator<Item = (i64, i64)>) -> Duration {
        let (mut delay, mut now) = (Delay::default(), Instant::now());
        let mut last = Duration::ZERO;
        for (end, reached) in looks {
            last = delay.of(&at(end), &at(reached), now);
            now += TICK;
        }
        last
    }

    #[tokio::test]
    async fn a_closed_gate_that_nobody_watches_any_more_is_passed() {
        let (sender, is_closed) = watch::channel(true);
        let gate = Gate(is_closed);
        let mut passing = std::pin::pin!(gate.pass());
        assert!(futures::poll!(&mut passing).is_pending());
        drop(sender);
        passing.await;
    }

    #[test]
    fn rows_that_keep_up_are_not_late() {
        assert_eq!(delay([(10, 10), (20, 20), (30, 30)]), Duration::ZERO);
        assert_eq!(delay((0..500).map(|_| (11, 10))), Duration::ZERO);
    }

    #[test]
    fn rows_are_as_late_as_what_they_have_not_reached() {
        assert_eq!(delay([(9, 9), (10, 10), (20, 10), (30, 10)]), TICK);
        let always_two_behind = (0..100).map(|look| (100 * look, 100 * (look - 2)));
        assert_eq!(delay(always_two_behind), TICK);
        assert_eq!(delay([(10, 0), (20, 1), (20, 20)]), Duration::ZERO);
    }

    #[test]
    fn rows_that_nobody_feeds_are_not_waited_for() {
        assert_eq!(delay((0..50).map(|look| (100 * look, 0))), Duration::ZERO);
        let moved_once = |looks| (0..looks).map(|look| (100 * look, look.min(1)));
        let standstill = i64::try_from(STANDSTILL.as_millis() / TICK.as_millis()).expect("few");
        assert!(delay(moved_once(standstill)) >= LATE);
        assert_eq!(delay(moved_once(standstill + 2)), Duration::ZERO);
    }
}
