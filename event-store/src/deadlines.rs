//! Which streams have something to do at a time, and which of them is next.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};

/// The streams that have a deadline, by when it is due. A stream without one takes no room here.
pub(crate) struct Deadlines<S> {
    due: BTreeMap<Alarm, S>,
    drawn: u64,
}

/// A stream's place in the index. The number tells apart what is due at the same time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Alarm {
    due_at: DateTime<Utc>,
    number: u64,
}

impl<S: Clone> Deadlines<S> {
    pub(crate) fn new() -> Self {
        Self {
            due: BTreeMap::new(),
            drawn: 0,
        }
    }

    /// Moves a stream's alarm to where its state says. One that has gone off does not go off again for the same time,
    /// or a command that changes nothing would be given for ever.
    pub(crate) fn set(
        &mut self,
        alarm: &mut Option<Alarm>,
        due_at: Option<DateTime<Utc>>,
        stream: &S,
    ) {
        if alarm.map(|alarm| alarm.due_at) == due_at {
            return;
        }
        if let Some(old) = alarm.take() {
            self.due.remove(&old);
        }
        let Some(due_at) = due_at else { return };
        self.drawn += 1;
        let new = Alarm {
            due_at,
            number: self.drawn,
        };
        self.due.insert(new, stream.clone());
        *alarm = Some(new);
    }

    /// When the next one is due.
    pub(crate) fn next(&self) -> Option<DateTime<Utc>> {
        self.due.keys().next().map(|alarm| alarm.due_at)
    }

    /// Takes out the next one if it is due by now.
    pub(crate) fn take_due(&mut self, now: DateTime<Utc>) -> Option<(S, DateTime<Utc>)> {
        let first = self.due.first_entry()?;
        let due_at = first.key().due_at;
        (due_at <= now).then(|| (first.remove(), due_at))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(second, 0).expect("a valid time")
    }

    #[test]
    fn the_earliest_goes_off_first_and_once() {
        let mut deadlines = Deadlines::new();
        let (mut tea, mut milk) = (None, None);
        deadlines.set(&mut tea, Some(at(2)), &"tea");
        deadlines.set(&mut milk, Some(at(1)), &"milk");
        assert_eq!(deadlines.next(), Some(at(1)));
        assert_eq!(deadlines.take_due(at(0)), None);
        assert_eq!(deadlines.take_due(at(2)), Some(("milk", at(1))));
        assert_eq!(deadlines.take_due(at(2)), Some(("tea", at(2))));
        deadlines.set(&mut milk, Some(at(1)), &"milk");
        assert_eq!(deadlines.next(), None, "the same deadline stands no longer");
    }

    #[test]
    fn one_that_moved_goes_off_where_it_is_now() {
        let mut deadlines = Deadlines::new();
        let mut tea = None;
        deadlines.set(&mut tea, Some(at(1)), &"tea");
        deadlines.set(&mut tea, Some(at(3)), &"tea");
        assert_eq!(deadlines.take_due(at(2)), None);
        assert_eq!(deadlines.take_due(at(3)), Some(("tea", at(3))));
        deadlines.set(&mut tea, Some(at(4)), &"tea");
        deadlines.set(&mut tea, None, &"tea");
        assert_eq!(deadlines.take_due(at(9)), None);
    }
}
