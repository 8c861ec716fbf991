//! How far a policy has come in a partition, noted in its consumer group now and then.

use std::{sync::Arc, time::Duration};

use tokio::{
    task::{JoinHandle, spawn_blocking},
    time::Instant,
};
use tracing::warn;

use crate::{
    checkpoint::{Checkpoint, LastEvent},
    log::{Log, LogError},
    subscription::Progress,
};

/// Between two commits. What was done since the last is done again after a crash, to no effect.
const EVERY: Duration = Duration::from_millis(500);
/// What stands is noted again so often, though nothing was done: brokers forget what nobody has noted for a week
/// (`offsets.retention.minutes`), and whoever finds no place begins at offset zero.
pub const NOTED_AGAIN_EVERY: Duration = Duration::from_secs(6 * 60 * 60);

/// Commits beside the work, one at a time, so that no reaction waits for it.
pub(super) struct Ledger<L: Log> {
    log: L,
    group: &'static str,
    done: Vec<Checkpoint>,
    witness: Checkpoint,
    /// Whether something was done since the last commit.
    ahead: bool,
    every: Duration,
    again_every: Duration,
    next_commit: Instant,
    /// When there is something to commit though nothing was done; that is so at each start.
    note_again: Instant,
    running: Option<JoinHandle<Result<(), LogError>>>,
}

impl<L: Log> Ledger<L> {
    pub(super) fn new(
        log: L,
        group: &'static str,
        from: Vec<Checkpoint>,
        witness: Checkpoint,
    ) -> Self {
        Self {
            log,
            group,
            done: from,
            witness,
            ahead: false,
            every: EVERY,
            again_every: NOTED_AGAIN_EVERY,
            next_commit: Instant::now() + EVERY,
            note_again: Instant::now(),
            running: None,
        }
    }

    /// Everything up to here is done; these were the last events of their topics.
    pub(super) fn note(&mut self, progress: &[Progress], lasts: &[(Arc<str>, LastEvent)]) {
        for Progress {
            topic, next_offset, ..
        } in progress
        {
            let last = lasts.iter().find(|(of, _)| of == topic);
            for place in &mut self.done {
                if place.topic == *topic {
                    place.advance(*next_offset, last.map(|(_, last)| *last));
                    self.ahead = true;
                }
            }
        }
    }

    /// How far everything is done, noted in the group or not yet.
    pub(super) fn done(&self) -> &[Checkpoint] {
        &self.done
    }

    /// Waits until there is something to commit, or a commit to look after, and it is time to.
    pub(super) async fn is_due(&self) {
        let due = match self.ahead || self.running.is_some() {
            true => self.next_commit,
            false => self.next_commit.max(self.note_again),
        };
        tokio::time::sleep_until(due).await;
    }

    /// Begins a commit when it is time to.
    pub(super) async fn commit_if_due(&mut self) {
        if Instant::now() < self.next_commit {
            return;
        }
        self.next_commit = Instant::now() + self.every;
        if self
            .running
            .as_ref()
            .is_some_and(|running| !running.is_finished())
        {
            return;
        }
        self.heed_running().await;
        if self.is_to_note() {
            self.begin();
        }
    }

    /// Commits what is left.
    pub(super) async fn finish(mut self) {
        self.heed_running().await;
        if self.is_to_note() {
            self.begin();
            self.heed_running().await;
        }
    }

    fn is_to_note(&self) -> bool {
        self.ahead || Instant::now() >= self.note_again
    }

    fn begin(&mut self) {
        let (log, group) = (self.log.clone(), self.group);
        // Together, so that the brokers do not forget one of them before the others.
        let done = [&self.done[..], std::slice::from_ref(&self.witness)].concat();
        let is_news = std::mem::take(&mut self.ahead);
        self.note_again = Instant::now() + self.again_every;
        self.running = Some(spawn_blocking(move || match is_news {
            true => log.commit(group, &done),
            false => commit_again(&log, group, &done),
        }));
    }

    /// What became of the running commit. One that failed, or panicked, is made up for by the next.
    pub(super) async fn heed_running(&mut self) {
        let Some(running) = self.running.take() else {
            return;
        };
        let error = match running.await {
            Ok(Ok(())) => return,
            Ok(Err(error)) => error.to_string(),
            Err(lost) => lost.to_string(),
        };
        warn!(
            group = self.group,
            error, "cannot note how far a policy has come"
        );
        self.note_again = Instant::now();
    }
}

/// Notes what was noted before, or may have been. Whoever has slept meanwhile, or was cut off, may not know yet that the partition
/// is another's by now: what that one has noted is not taken back.
fn commit_again<L: Log>(log: &L, group: &str, places: &[Checkpoint]) -> Result<(), LogError> {
    for place in places {
        let noted = log.committed(group, &place.topic, place.partition)?;
        if noted.is_some_and(|noted| noted.next_offset > place.next_offset) {
            return Ok(());
        }
    }
    log.commit(group, places)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{memory::MemoryLog, ownership::OWNERSHIP_TOPIC};

    const GROUP: &str = "punch-sold";
    const TOPIC: &str = "DeskEvents";
    const PATIENCE: Duration = Duration::from_secs(20);

    /// Notes again every few milliseconds.
    fn ledger(log: &MemoryLog, next_offset: i64) -> Ledger<MemoryLog> {
        let witness = Checkpoint::witness(0, &[TOPIC], "a cluster".into());
        Ledger {
            every: Duration::from_millis(1),
            again_every: Duration::from_millis(5),
            next_commit: Instant::now(),
            ..Ledger::new(log.clone(), GROUP, vec![place(next_offset)], witness)
        }
    }

    fn place(next_offset: i64) -> Checkpoint {
        Checkpoint {
            next_offset,
            ..Checkpoint::zero(TOPIC, 0)
        }
    }

    fn noted(log: &MemoryLog, topic: &str) -> Option<i64> {
        let noted = log.committed(GROUP, topic, 0).expect("the log answers");
        noted.map(|noted| noted.next_offset)
    }

    #[tokio::test]
    async fn what_was_noted_is_noted_again_though_nothing_is_done() {
        let log = MemoryLog::new(&[TOPIC], 1);
        let mut ledger = ledger(&log, 7);
        for _ in 0..3 {
            let looked_after = async {
                while noted(&log, TOPIC).is_none() {
                    ledger.is_due().await;
                    ledger.commit_if_due().await;
                }
            };
            let in_time = tokio::time::timeout(PATIENCE, looked_after).await;
            in_time.expect("it is noted in time");
            // The witness stands beside the place: brokers forget both at a time.
            assert_eq!(noted(&log, TOPIC), Some(7));
            assert_eq!(noted(&log, OWNERSHIP_TOPIC), Some(0));
            ledger.heed_running().await;
            for forgotten in [TOPIC, OWNERSHIP_TOPIC] {
                log.create_anew(forgotten);
            }
        }
    }

    #[tokio::test]
    async fn who_stops_at_once_has_noted_it_again() {
        let log = MemoryLog::new(&[TOPIC], 1);
        ledger(&log, 7).finish().await;
        assert_eq!(noted(&log, TOPIC), Some(7));
    }

    #[tokio::test]
    async fn what_a_commit_that_panicked_was_to_note_is_noted_by_the_next() {
        let log = MemoryLog::new(&[TOPIC], 1);
        let mut ledger = ledger(&log, 7);
        ledger.note_again = Instant::now() + NOTED_AGAIN_EVERY;
        ledger.running = Some(spawn_blocking(|| panic!("as a client may")));
        ledger.finish().await;
        assert_eq!(noted(&log, TOPIC), Some(7));
    }

    #[tokio::test]
    async fn what_another_has_noted_since_is_not_taken_back() {
        let log = MemoryLog::new(&[TOPIC], 1);
        let mut ledger = ledger(&log, 7);
        log.commit(GROUP, &[place(9)]).expect("the log answers");
        ledger.is_due().await;
        ledger.commit_if_due().await;
        ledger.heed_running().await;
        assert_eq!(noted(&log, TOPIC), Some(9));
        // Nor by who is not sure whether his own was noted.
        log.set_reachable(false);
        ledger.note(&progress(8), &[]);
        ledger.begin();
        ledger.heed_running().await;
        log.set_reachable(true);
        ledger.finish().await;
        assert_eq!(noted(&log, TOPIC), Some(9));
    }

    fn progress(next_offset: i64) -> [Progress; 1] {
        [Progress {
            topic: TOPIC.into(),
            partition: 0,
            next_offset,
        }]
    }
}
