//! How far the topic has been handled, where events are handled side by side.

use std::collections::{BTreeSet, HashMap};

use super::records::Place;

/// What is under way, partition by partition.
#[derive(Debug, Default)]
pub(super) struct Progress {
    partitions: HashMap<i32, Partition>,
}

#[derive(Debug, Default)]
struct Partition {
    under_way: BTreeSet<i64>,
    /// After the last event that was begun.
    next: i64,
    committed: i64,
}

impl Progress {
    /// An event is being handled; events of a partition begin in order.
    pub(super) fn begin(&mut self, place: Place) {
        let partition = self.partitions.entry(place.partition).or_default();
        partition.under_way.insert(place.offset);
        partition.next = place.offset + 1;
    }

    /// An event has been handled; where everything before some place has been by now, that place may be committed.
    pub(super) fn end(&mut self, place: Place) -> Option<Place> {
        let partition = self.partitions.get_mut(&place.partition)?;
        partition.under_way.remove(&place.offset);
        let first = partition.under_way.first().copied();
        let handled_to = first.unwrap_or(partition.next);
        if handled_to <= partition.committed {
            return None;
        }
        partition.committed = handled_to;
        Some(Place {
            partition: place.partition,
            offset: handled_to,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(partition: i32, offset: i64) -> Place {
        Place { partition, offset }
    }

    #[test]
    fn is_committed_up_to_the_first_event_under_way() {
        let mut progress = Progress::default();
        // 6 is a transaction's marker, which nobody sees.
        for offset in [4, 5, 7] {
            progress.begin(at(0, offset));
        }
        progress.begin(at(1, 9));
        assert_eq!(progress.end(at(0, 5)), Some(at(0, 4)));
        assert_eq!(progress.end(at(1, 9)), Some(at(1, 10)));
        assert_eq!(progress.end(at(0, 4)), Some(at(0, 7)));
        assert_eq!(progress.end(at(0, 7)), Some(at(0, 8)));
    }

    #[test]
    fn nothing_is_committed_twice() {
        let mut progress = Progress::default();
        for offset in [1, 2, 3] {
            progress.begin(at(0, offset));
        }
        assert_eq!(progress.end(at(0, 1)), Some(at(0, 2)));
        assert_eq!(progress.end(at(0, 3)), None);
        assert_eq!(progress.end(at(0, 2)), Some(at(0, 4)));
    }
}
