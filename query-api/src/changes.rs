//! What projectors tell by NOTIFY once rows are committed, for those who wait for it.
//!
//! It is told once and may be lost, and nobody may rely on it: whoever waits looks again after a while by itself.

use std::{
    collections::BTreeMap,
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use tokio::sync::broadcast::{self, error::RecvError};

use crate::min_position::Position;

/// The payload is a projection and the last position that its rows hold: `orders OrderEvents/3@1234`.
pub(crate) const POSITIONS_CHANNEL: &str = "offset_zero_positions";
/// The payload is a projection that another version of has gone live.
pub(crate) const LIVE_CHANNEL: &str = "offset_zero_live";

/// Whoever is behind by more looks again, and has missed nothing.
const MAX_UNHEARD: usize = 256;

/// How often to look again while nothing is told, where somebody listens.
const FALLBACK: Duration = Duration::from_millis(250);
/// And where nobody does: this often at first, then ever more slowly.
const FIRST_PAUSE: Duration = Duration::from_millis(5);
const MAX_PAUSE: Duration = Duration::from_millis(50);

/// What is told of each projection that somebody has asked for.
#[derive(Debug, Default)]
pub(crate) struct Changes {
    of_projection: Mutex<BTreeMap<&'static str, Told>>,
    is_listening: AtomicBool,
    have_ended: AtomicBool,
}

/// Of one projection.
#[derive(Debug)]
struct Told {
    changes: broadcast::Sender<Change>,
    /// The last position told of each topic and partition, since somebody listens: of a few.
    reached: Vec<Position>,
}

impl Default for Told {
    fn default() -> Self {
        Self {
            changes: broadcast::Sender::new(MAX_UNHEARD),
            reached: Vec::new(),
        }
    }
}

#[derive(Debug, Clone)]
enum Change {
    /// The rows hold everything up to this position.
    Reached(Position),
    /// Something was not heard, and may have been anything.
    Unknown,
}

impl Changes {
    /// Hears of all that is told from now on.
    pub(crate) fn follow(&self, projection: &'static str) -> Following<'_> {
        let mut of_projection = self.of_projection();
        let told = of_projection.entry(projection).or_default();
        Following {
            changes: self,
            projection,
            told: told.changes.subscribe(),
            pause: FIRST_PAUSE,
        }
    }

    /// Passes on a payload of [`POSITIONS_CHANNEL`].
    pub(crate) fn tell(&self, payload: &str) {
        let told = payload.split_once(' ');
        let told = told.and_then(|(name, position)| {
            let position: Position = position.parse().ok()?;
            Some((name, position))
        });
        let Some((name, position)) = told else {
            tracing::debug!(payload, "not understood");
            return;
        };
        if let Some(told) = self.of_projection().get_mut(name) {
            let mut reached = told.reached.iter_mut();
            match reached.find(|reached| reached.place() == position.place()) {
                Some(reached) => reached.offset = position.offset,
                None => told.reached.push(position.clone()),
            }
            // Perhaps nobody waits.
            drop(told.changes.send(Change::Reached(position)));
        }
    }

    /// Has everybody look again, since what was told meanwhile was not heard.
    pub(crate) fn set_listening(&self, is_listening: bool) {
        self.is_listening.store(is_listening, Ordering::Release);
        self.have_everybody_look();
    }

    /// Has everybody look once more, and wait no longer.
    pub(crate) fn end(&self) {
        self.have_ended.store(true, Ordering::Release);
        self.have_everybody_look();
    }

    fn have_everybody_look(&self) {
        for told in self.of_projection().values_mut() {
            told.reached.clear();
            drop(told.changes.send(Change::Unknown));
        }
    }

    fn of_projection(&self) -> MutexGuard<'_, BTreeMap<&'static str, Told>> {
        self.of_projection
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

/// Hears what is told of one projection. Look only after it has begun, and what comes in between is heard.
#[derive(Debug)]
pub(crate) struct Following<'a> {
    changes: &'a Changes,
    projection: &'static str,
    told: broadcast::Receiver<Change>,
    pause: Duration,
}

impl Following<'_> {
    /// Whether one of these positions is beyond what was told last: looking now would find nothing. Where nothing was told, who
    /// knows.
    pub(crate) fn is_beyond(&self, positions: &[Position]) -> bool {
        let of_projection = self.changes.of_projection();
        let Some(told) = of_projection.get(self.projection) else {
            return false;
        };
        positions.iter().any(|position| {
            let mut reached = told.reached.iter();
            reached.any(|reached| {
                reached.place() == position.place() && reached.offset < position.offset
            })
        })
    }

    /// Whether nobody is to wait any more.
    pub(crate) fn have_ended(&self) -> bool {
        self.changes.have_ended.load(Ordering::Acquire)
    }

    /// Waits until one of these positions is told to be in the rows, and takes out which that are; or until it is time to look again
    /// anyway; at most so long.
    pub(crate) async fn reached(&mut self, awaited: &mut Vec<Position>, at_most: Duration) {
        let is_in = |told: &Position| {
            let before = awaited.len();
            awaited.retain(|position| {
                position.place() != told.place() || position.offset > told.offset
            });
            awaited.len() < before
        };
        self.told(is_in, at_most).await;
    }

    /// Waits until anything is told, or it is time to look again anyway.
    pub(crate) async fn moved(&mut self) {
        self.told(|_| true, Duration::MAX).await;
        // What else was told until now the next look will find.
        self.told = self.told.resubscribe();
    }

    async fn told(&mut self, mut is_it: impl FnMut(&Position) -> bool, at_most: Duration) {
        let fallback = match self.changes.is_listening.load(Ordering::Acquire) {
            true => FALLBACK,
            false => self.pause,
        };
        self.pause = MAX_PAUSE.min(self.pause * 2);
        let told = async {
            loop {
                match self.told.recv().await {
                    Ok(Change::Reached(position)) => {
                        if is_it(&position) {
                            return;
                        }
                    }
                    Ok(Change::Unknown) | Err(RecvError::Lagged(_)) => return,
                    // The sender lives as long as what it is borrowed from.
                    Err(RecvError::Closed) => std::future::pending().await,
                }
            }
        };
        // Either way the caller looks again.
        let _elapsed = tokio::time::timeout(fallback.min(at_most), told).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn position(offset: i64) -> [Position; 1] {
        [Position {
            topic: "OrderEvents".to_owned(),
            partition: 1,
            offset,
        }]
    }

    #[test]
    fn what_is_beyond_is_known_while_somebody_listens() {
        let changes = Changes::default();
        let orders = changes.follow("orders");
        changes.set_listening(true);
        assert!(!orders.is_beyond(&position(6)), "nothing was told");
        changes.tell("orders OrderEvents/1@5");
        changes.tell("orders OrderEvents/0@4");
        changes.tell("payments OrderEvents/1@4");
        assert!(orders.is_beyond(&position(6)));
        assert!(!orders.is_beyond(&position(5)));
        changes.set_listening(false);
        assert!(
            !orders.is_beyond(&position(6)),
            "what comes now is not heard"
        );
    }

    /// Each of them wakes once, or a busy partition would wake whoever waits for another one.
    #[tokio::test]
    async fn what_was_told_is_not_awaited_any_more() {
        const LONG: Duration = Duration::from_secs(30);
        let changes = Changes::default();
        changes.set_listening(true);
        let mut orders = changes.follow("orders");
        let mut awaited = [position(6), position(8)].concat();
        awaited[1].partition = 2;
        let other = awaited[1].clone();
        for told in ["1@5", "2@7", "1@7"] {
            changes.tell(&format!("orders OrderEvents/{told}"));
        }
        orders.reached(&mut awaited, LONG).await;
        assert_eq!(awaited, [other]);
        for told in ["1@9", "2@8"] {
            changes.tell(&format!("orders OrderEvents/{told}"));
        }
        orders.reached(&mut awaited, LONG).await;
        assert!(awaited.is_empty(), "{awaited:?}");
    }
}
