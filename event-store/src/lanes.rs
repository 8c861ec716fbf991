//! Appending on two lanes in turn.
//!
//! Kafka finishes a transaction after it has told of its commit; whoever begins the next one on the same producer meanwhile
//! is sent away for 20 ms. So the next one goes to the other producer. They are never at work at the same time: what is
//! committed on one lane is in the log before anything is begun on the other.

use crate::log::{AppendError, Appender, AppenderId, CommitterId, Lane, Log, OutgoingRecord};

/// Both lanes of a committer.
pub(crate) struct Lanes<A> {
    lanes: [A; 2],
    /// Whose turn it is.
    next: usize,
}

impl<A: Appender> Lanes<A> {
    /// Opens both. Where somebody has had lanes under that id before, he can commit on neither any more.
    pub(crate) fn open<L: Log<Appender = A>>(
        log: &L,
        id: CommitterId,
    ) -> Result<Self, AppendError> {
        let open = |lane| log.appender(&AppenderId::Committer(id, lane));
        let [a, b] = Lane::BOTH;
        Ok(Self {
            lanes: [open(a)?, open(b)?],
            next: 0,
        })
    }

    /// As [`Appender::append`].
    pub(crate) fn append(&mut self, records: &[OutgoingRecord]) -> Result<Vec<i64>, AppendError> {
        let lane = &mut self.lanes[self.next];
        self.next = 1 - self.next;
        lane.append(records)
    }
}
