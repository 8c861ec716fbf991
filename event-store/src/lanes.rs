//! Appending on two lanes in turn.
//!
//! Kafka finishes a transaction after it has told of its commit; whoever begins the next one on the same producer meanwhile
//! is sent away for 20 ms. So the next one goes to the other producer. They are never at work at the same time: what is
//! committed on one lane is in the log before anything is begun on the other.

use crate::log::{AppendError, Appender, AppenderId, Lane, Log, OutgoingRecord, WriterId};

/// Both lanes of an owner.
pub(crate) struct Lanes<A> {
    lanes: [A; 2],
    /// Whose turn it is.
    next: usize,
}

impl<A: Appender> Lanes<A> {
    /// Fences every earlier owner on both lanes.
    ///
    /// That alone does not make an owner: two whose openings interleave may each hold a lane. [`claim`](Self::claim) finds
    /// that out.
    pub(crate) fn open<L: Log<Appender = A>>(
        log: &L,
        writer: &WriterId,
    ) -> Result<Self, AppendError> {
        let open = |lane| {
            log.appender(&AppenderId {
                writer: writer.clone(),
                lane,
            })
        };
        let [a, b] = Lane::BOTH;
        Ok(Self {
            lanes: [open(a)?, open(b)?],
            next: 0,
        })
    }

    /// Appends the record on one lane and then on the other. Only one of several owners who open at the same time can do
    /// both, after all of them have opened.
    pub(crate) fn claim(&mut self, record: &OutgoingRecord) -> Result<(), AppendError> {
        let records = std::slice::from_ref(record);
        self.lanes
            .iter_mut()
            .try_for_each(|lane| lane.append(records).map(drop))
    }

    /// As [`Appender::append`].
    pub(crate) fn append(&mut self, records: &[OutgoingRecord]) -> Result<Vec<i64>, AppendError> {
        let lane = &mut self.lanes[self.next];
        self.next = 1 - self.next;
        lane.append(records)
    }
}
