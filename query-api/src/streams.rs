//! Answers that go on until their client leaves: how many there may be, and how they end with the process.

use std::{sync::Arc, time::Duration};

use runtime::problem::Problem;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};

/// Each costs its client's connection, and a short read when there may be something new for it.
const MAX_STREAMS: usize = 256;
/// Sooner than what lies between gives up on a silent connection.
const HEARTBEAT: Duration = Duration::from_secs(15);

/// The streams of this process.
#[derive(Debug, Clone)]
pub struct Streams {
    slots: Arc<Semaphore>,
    ended: watch::Sender<bool>,
    heartbeat: Duration,
}

/// One of them; it makes room for another when it is dropped.
pub(crate) struct Slot {
    _permit: OwnedSemaphorePermit,
    ended: watch::Receiver<bool>,
}

impl Default for Streams {
    fn default() -> Self {
        Self::new(MAX_STREAMS, HEARTBEAT)
    }
}

impl Streams {
    /// So many at once, each with a sign of life after so much silence.
    #[must_use]
    pub fn new(max_streams: usize, heartbeat: Duration) -> Self {
        Self {
            slots: Arc::new(Semaphore::new(max_streams)),
            ended: watch::Sender::new(false),
            heartbeat,
        }
    }

    /// Ends all, so that the server can stop. Their clients come back to another one.
    pub fn end(&self) {
        self.ended.send_replace(true);
    }

    pub(crate) fn heartbeat(&self) -> Duration {
        self.heartbeat
    }

    /// Room for one more.
    pub(crate) fn enter(&self) -> Result<Slot, Problem> {
        let permit = Arc::clone(&self.slots).try_acquire_owned();
        Ok(Slot {
            _permit: permit.map_err(|_| {
                Problem::unavailable().detail("this server follows as many orders as it can")
            })?,
            ended: self.ended.subscribe(),
        })
    }
}

impl Slot {
    /// Waits until the stream has to end.
    pub(crate) async fn ended(&mut self) {
        // Nobody is left to end it: then it does not have to.
        if self.ended.wait_for(|ended| *ended).await.is_err() {
            std::future::pending::<()>().await;
        }
    }

    pub(crate) fn has_ended(&self) -> bool {
        *self.ended.borrow()
    }
}
