//! Which streams have something to do at a time, and which of them is next.

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};

/// The streams that have a deadline, by when it is due. A stream without one takes no room here.
pub(crate) struct Deadlines<S>(BTreeSet<(DateTime<Utc>, S)>);

impl<S: Clone + Ord> Deadlines<S> {
    pub(crate) fn new() -> Self {
        Self(BTreeSet::new())
    }

    /// Takes on a deadline that is known from before.
    pub(crate) fn restore(&mut self, due_at: DateTime<Utc>, stream: S) {
        self.0.insert((due_at, stream));
    }

    /// Moves a stream's alarm to where its state says. One that has gone off does not go off again for the same time,
    /// or a command that changes nothing would be given for ever.
    pub(crate) fn set(
        &mut self,
        alarm: &mut Option<DateTime<Utc>>,
        due_at: Option<DateTime<Utc>>,
        stream: &S,
    ) {
        if *alarm == due_at {
            return;
        }
        if let Some(old) = std::mem::replace(alarm, due_at) {
            self.0.remove(&(old, stream.clone()));
        }
        if let Some(due_at) = due_at {
            self.0.insert((due_at, stream.clone()));
        }
    }

    /// When the next one is due.
    pub(crate) fn next(&self) -> Option<DateTime<Utc>> {
        self.0.first().map(|(due_at, _)| *due_at)
    }

    /// Takes out the next one if it is due by now.
    pub(crate) fn take_due(&mut self, now: DateTime<Utc>) -> Option<(S, DateTime<Utc>)> {
        self.next().filter(|due_at| *due_at <= now)?;
        self.0.pop_first().map(|(due_at, stream)| (stream, due_at))
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
