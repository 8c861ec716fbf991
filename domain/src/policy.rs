//! What a service does when it learns that something has happened.

use std::fmt::Debug;

use chrono::{DateTime, Utc};
use serde::Deserialize;
use uuid::Uuid;

use crate::{
    Context,
    event::ReadEvent,
    ids::{OrderId, policy_command_id},
};

/// Events to commands, purely: the same event always gives the same commands, whose ids follow from it. So an event that is
/// delivered twice has its effect once.
pub trait Policy: Send + Sync + 'static {
    /// The service that it is part of, and whose commands it gives.
    type Context: Context;
    /// What it reads: a view, which gives what it does not care about one variant.
    type Event: ReadEvent + Debug + Sync;

    /// Names its place in the log for ever; part of the consumer group's name.
    const NAME: &'static str;
    /// The topics that it reads.
    const TOPICS: &'static [&'static str];

    /// What to do about an event.
    fn react(
        &self,
        event: &Self::Event,
        cause: Cause,
    ) -> Vec<Reaction<<Self::Context as Context>::Command>>;

    /// What to do where a command of ours was rejected, which is a bug somewhere: tell an operator, by a command that cannot
    /// be. None where there is nobody to tell but the log.
    fn rejected(
        &self,
        _event: &Self::Event,
        _cause: Cause,
        _rejection: &<Self::Context as Context>::Rejection,
    ) -> Option<Reaction<<Self::Context as Context>::Command>> {
        None
    }
}

/// What a view reads of an event that is of an order, where nothing else of it matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
pub struct OfOrder {
    /// Which.
    pub order_id: OrderId,
}

/// What is known of an event beside its payload.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cause {
    /// The event's id, which the commands' ids follow from.
    pub event_id: Uuid,
    /// When it is reacted to. A second delivery has another time, but its commands are known by then.
    pub now: DateTime<Utc>,
}

/// A command that follows from an event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reaction<C> {
    /// The same for every delivery of the event.
    pub command_id: Uuid,
    /// The command.
    pub command: C,
}

impl Cause {
    /// The command, under the id that follows from the event, the label, and what the command is about (a SKU; or nothing,
    /// where the label says enough). Labels are never renamed: what is in the log was named by them.
    pub fn command<C>(self, label: &str, about: &str, command: C) -> Reaction<C> {
        Reaction {
            command_id: policy_command_id(self.event_id, label, about),
            command,
        }
    }
}
