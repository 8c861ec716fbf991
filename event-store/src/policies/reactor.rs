//! What reacts to events: policies, which only think, and effects, which call the outside world and tell what they heard.

use std::{fmt::Debug, pin::Pin};

use domain::{
    Context, Policy, ReadEvent,
    policy::{Cause, Reaction},
};

use crate::envelope::Recorded;

/// Reads topics and gives commands. Its events come at least once, and in order for each journey at each key, so what it does
/// outside has to be done under a name that follows from the event.
pub trait Reactor: Send + Sync + 'static {
    /// The service that it is part of, and whose commands it gives.
    type Context: Context;
    /// What it reads.
    type Event: ReadEvent + Debug + Sync;

    /// Names its place in the log for ever; part of the consumer group's name.
    const NAME: &'static str;
    /// The topics that it reads.
    const TOPICS: &'static [&'static str];

    /// What to do about an event.
    fn react(
        &self,
        event: &Recorded<Self::Event>,
        cause: Cause,
    ) -> Doing<<Self::Context as Context>::Command>;

    /// What to do where a command of ours was rejected; see [`Policy::rejected`].
    fn rejected(
        &self,
        _event: &Self::Event,
        _cause: Cause,
        _rejection: &<Self::Context as Context>::Rejection,
    ) -> Option<Reaction<<Self::Context as Context>::Command>> {
        None
    }
}

/// What a reactor does about an event.
pub enum Doing<C> {
    /// It gives these commands, or none.
    Commands(Vec<Reaction<C>>),
    /// It asks somebody outside first, who knows by the request's name whether that was asked before.
    Effect(Effect<C>),
    /// It asks somebody outside who does not: only where what followed from it is not recorded yet.
    Once {
        /// Under the id of a command that the effect ends in, one that changes nothing.
        inquiry: Reaction<C>,
        /// As above.
        effect: Effect<C>,
    },
}

/// Ends in what was heard. Has to end by itself: what follows for the partition waits for it.
pub type Effect<C> = Pin<Box<dyn Future<Output = Vec<Reaction<C>>> + Send>>;

impl<C> Doing<C> {
    /// Nothing follows from the event.
    #[must_use]
    pub const fn nothing() -> Self {
        Self::Commands(Vec::new())
    }

    pub(super) fn is_nothing(&self) -> bool {
        matches!(self, Self::Commands(commands) if commands.is_empty())
    }
}

impl<P: Policy> Reactor for P {
    type Context = P::Context;
    type Event = P::Event;

    const NAME: &'static str = P::NAME;
    const TOPICS: &'static [&'static str] = P::TOPICS;

    fn react(
        &self,
        event: &Recorded<P::Event>,
        cause: Cause,
    ) -> Doing<<P::Context as Context>::Command> {
        Doing::Commands(Policy::react(self, &event.event, cause))
    }

    fn rejected(
        &self,
        event: &P::Event,
        cause: Cause,
        rejection: &<P::Context as Context>::Rejection,
    ) -> Option<Reaction<<P::Context as Context>::Command>> {
        Policy::rejected(self, event, cause, rejection)
    }
}
