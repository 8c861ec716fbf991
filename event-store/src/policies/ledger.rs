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

/// Commits beside the work, one at a time, so that no reaction waits for it.
pub(super) struct Ledger<L: Log> {
    log: L,
    group: &'static str,
    done: Vec<Checkpoint>,
    witness: Checkpoint,
    /// Whether something was done since the last commit.
    ahead: bool,
    next_commit: Instant,
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
            next_commit: Instant::now() + EVERY,
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
        if self.ahead || self.running.is_some() {
            tokio::time::sleep_until(self.next_commit).await;
        } else {
            std::future::pending::<()>().await;
        }
    }

    /// Begins a commit when it is time to.
    pub(super) async fn commit_if_due(&mut self) {
        if Instant::now() < self.next_commit {
            return;
        }
        self.next_commit = Instant::now() + EVERY;
        if self
            .running
            .as_ref()
            .is_some_and(|running| !running.is_finished())
        {
            return;
        }
        self.heed_running().await;
        if self.ahead {
            self.begin();
        }
    }

    /// Commits what is left.
    pub(super) async fn finish(mut self) {
        self.heed_running().await;
        if self.ahead {
            self.begin();
            self.heed_running().await;
        }
    }

    fn begin(&mut self) {
        let (log, group) = (self.log.clone(), self.group);
        // Together, so that the brokers do not forget one of them before the others.
        let done = [&self.done[..], std::slice::from_ref(&self.witness)].concat();
        self.ahead = false;
        self.running = Some(spawn_blocking(move || log.commit(group, &done)));
    }

    /// What became of the running commit. One that failed is made up for by the next.
    async fn heed_running(&mut self) {
        let Some(running) = self.running.take() else {
            return;
        };
        if let Ok(Err(error)) = running.await {
            warn!(group = self.group, %error, "cannot note how far a policy has come");
            self.ahead = true;
        }
    }
}
