//! Messages to other services follow from the facts that they come with, so that they can be sent again by what the log has.

use std::fmt::Debug;

use crate::{Context, Event};

/// In a decision each message stands right after the fact that it follows from, and none is left out.
#[track_caller]
pub(crate) fn follow_their_facts<C>(decision: &[C::Event])
where
    C: Context<Event: PartialEq + Debug>,
{
    let mut expected = None;
    for event in decision {
        let is_message = !C::TOPICS.contains(&event.topic());
        assert_eq!(expected.is_some(), is_message, "{decision:?}");
        match expected.take() {
            Some(message) => {
                assert_eq!(*event, message);
                assert!(C::SENDS_TO.contains(&message.topic()), "{message:?}");
            }
            None => expected = C::message(event),
        }
    }
    assert_eq!(expected, None, "{decision:?}");
}
