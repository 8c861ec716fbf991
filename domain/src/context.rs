//! A bounded context as its writer sees it.

use std::fmt::Debug;

use chrono::{DateTime, Utc};
use serde::{Serialize, de::DeserializeOwned};

use crate::event::Event;

/// The pure core of a service: how commands become events, and events state.
///
/// A service with several aggregates has one `State` per stream all the same: an enum of them.
pub trait Context: Send + Sync + 'static {
    /// The service's name: prefix of its transactional ids, `ce_source` of its events.
    const SERVICE: &'static str;

    /// The topics that a writer of this service owns its partition of, and rehydrates from.
    const TOPICS: &'static [&'static str];

    /// The shape of `State` and `Status` as they are kept on disk. Raise it when that changes, or when `evolve` comes to
    /// another state from the same events, or other commands are remembered: what was kept before is then thrown away and
    /// built anew from the log.
    const STATE_FORMAT: u32;

    /// The topics of other services that its messages go to, see [`Context::message`].
    const SENDS_TO: &'static [&'static str] = &[];

    /// Whether other services open streams of this one, see [`Context::opens`].
    const OPENED_ELSEWHERE: bool = false;

    /// A request to change something; carries every id and time that its events need. Whoever receives one may have to hand
    /// it on to the process that can decide it, so it serialises, and so does what comes back.
    type Command: Clone + Debug + Serialize + DeserializeOwned + Send + Sync + 'static;
    /// What this service appends, and what it reads in its own topics.
    type Event: Event;
    /// One aggregate; the default is a stream in which nothing has happened yet.
    type State: Clone + Debug + Default + Serialize + DeserializeOwned + Send + Sync + 'static;
    /// Why a command was refused. Never stored.
    type Rejection: Clone + Debug + Serialize + DeserializeOwned + Send + Sync + 'static;
    /// What an answer says of the stream: its status after the command.
    type Status: Copy + Debug + PartialEq + Serialize + DeserializeOwned + Send + Sync + 'static;

    /// The stream that the command is decided against.
    fn target(command: &Self::Command) -> <Self::Event as Event>::StreamId;

    /// Validates a command against the state that the stream's events have built.
    ///
    /// # Errors
    /// The rejection, when the rules refuse the command.
    fn decide(
        state: &Self::State,
        command: &Self::Command,
    ) -> Result<Vec<Self::Event>, Self::Rejection>;

    /// The state after one more event. Never fails: an event is a fact.
    fn evolve(state: Self::State, event: &Self::Event) -> Self::State;

    /// The stream's status, for answers.
    fn status(state: &Self::State) -> Self::Status;

    /// Whether this event, appended to a topic of ours by another service, opens a stream of ours: its version 1. All
    /// other events of other services are messages, which policies react to and state does not.
    fn opens(_event: &Self::Event) -> bool {
        false
    }

    /// Whether the command's stream may have been opened by another service, so that a writer that does not know it
    /// has to read on in the log before it decides.
    fn may_be_opened_elsewhere(_command: &Self::Command) -> bool {
        false
    }

    /// The message to another service that comes right after a fact in its decision. It follows from the fact alone, so that it can
    /// be sent again where the log has the one and lacks the other.
    fn message(_fact: &Self::Event) -> Option<Self::Event> {
        None
    }

    /// When something has to happen if nothing else does before.
    fn deadline(_state: &Self::State) -> Option<DateTime<Utc>> {
        None
    }

    /// The command for a stream whose deadline has passed; legal only while that deadline stands.
    fn expire(
        _stream: &<Self::Event as Event>::StreamId,
        _due_at: DateTime<Utc>,
    ) -> Option<Self::Command> {
        None
    }

    /// Whether the command is decided by the state alone whenever it comes, and never answered from memory: one that undoes
    /// something must undo it again where that something was done again.
    fn is_decided_anew(_command: &Self::Command) -> bool {
        false
    }

    /// How many of its last commands a stream remembers, so as to answer them again. Bounded where a stream lives on for
    /// ever and takes commands without end.
    fn remembered(_stream: &<Self::Event as Event>::StreamId) -> usize {
        usize::MAX
    }

    /// Whether the command of this event is remembered beside those: one that opened the stream, and would be refused if it came
    /// again; or a client's, in a stream that takes policies' commands without end, which would have it forgotten before its
    /// client has tried again.
    fn outlasts(_event: &Self::Event) -> bool {
        false
    }
}
