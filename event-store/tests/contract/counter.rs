//! A context small enough to see through: counters that may not go over their limit.

use std::fmt;

use domain::{Context, Event, EventKind, ReadEvent};
use serde::{Deserialize, Deserializer, Serialize};
use uuid::Uuid;

pub(crate) const COUNTER_EVENTS: &str = "CounterEvents";
pub(crate) const LIMIT: u32 = 10;

#[derive(Debug)]
pub(crate) struct Counters;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) struct CounterId(pub Uuid);

impl fmt::Display for CounterId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "counter-{}", self.0)
    }
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Add {
    pub counter: Uuid,
    pub amount: u32,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Added {
    pub counter: Uuid,
    pub amount: u32,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct OverLimit;

impl Event for Added {
    type StreamId = CounterId;

    fn kind(&self) -> EventKind {
        EventKind {
            name: "Added",
            version: 1,
        }
    }

    fn topic(&self) -> &'static str {
        COUNTER_EVENTS
    }

    fn stream(&self) -> CounterId {
        CounterId(self.counter)
    }

    fn key(stream: &CounterId) -> String {
        stream.0.to_string()
    }
}

impl ReadEvent for Added {
    fn deserialize<'de, D: Deserializer<'de>>(
        name: &str,
        version: u16,
        payload: D,
    ) -> Result<Self, D::Error> {
        match (name, version) {
            ("Added", 1) => Deserialize::deserialize(payload),
            _ => Err(serde::de::Error::custom("unknown event")),
        }
    }
}

impl Context for Counters {
    const SERVICE: &'static str = "counter";
    const TOPICS: &'static [&'static str] = &[COUNTER_EVENTS];
    const STATE_FORMAT: u32 = 1;

    type Command = Add;
    type Event = Added;
    type State = u32;
    type Rejection = OverLimit;
    type Status = u32;

    fn target(command: &Add) -> CounterId {
        CounterId(command.counter)
    }

    /// One event for each unit, so that decisions of several events are usual. Adding nothing is a no-op.
    fn decide(state: &u32, command: &Add) -> Result<Vec<Added>, OverLimit> {
        if state + command.amount > LIMIT {
            return Err(OverLimit);
        }
        let unit = Added {
            counter: command.counter,
            amount: 1,
        };
        Ok(vec![unit; command.amount as usize])
    }

    fn evolve(state: u32, event: &Added) -> u32 {
        state + event.amount
    }

    fn status(state: &u32) -> u32 {
        *state
    }
}

/// The same counters in a later version, whose states have another shape on disk.
#[derive(Debug)]
pub(crate) struct ReshapedCounters;

impl Context for ReshapedCounters {
    const SERVICE: &'static str = Counters::SERVICE;
    const TOPICS: &'static [&'static str] = Counters::TOPICS;
    const STATE_FORMAT: u32 = Counters::STATE_FORMAT + 1;

    type Command = Add;
    type Event = Added;
    type State = (u32, u32);
    type Rejection = OverLimit;
    type Status = u32;

    fn target(command: &Add) -> CounterId {
        Counters::target(command)
    }

    fn decide((state, _): &(u32, u32), command: &Add) -> Result<Vec<Added>, OverLimit> {
        Counters::decide(state, command)
    }

    fn evolve((state, events): (u32, u32), event: &Added) -> (u32, u32) {
        (Counters::evolve(state, event), events + 1)
    }

    fn status((state, _): &(u32, u32)) -> u32 {
        *state
    }
}
