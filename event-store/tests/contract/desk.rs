//! Two services: a desk sells tickets, which opens them in the topic of the service that keeps them.

use std::fmt;

use chrono::{DateTime, Utc};
use domain::{
    Context, Event, EventKind, Policy, ReadEvent,
    policy::{Cause, Reaction},
};
use serde::{Deserialize, Deserializer, Serialize, de::Error};
use uuid::Uuid;

pub(crate) const DESK_EVENTS: &str = "DeskEvents";
pub(crate) const TICKET_EVENTS: &str = "TicketEvents";
/// How many commands a ticket remembers.
pub(crate) const REMEMBERED: usize = 3;

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind")]
pub(crate) enum TicketEvent {
    /// The desk's own.
    Sold { ticket: Uuid },
    /// The ticket's first; the desk appends it.
    Opened {
        ticket: Uuid,
        due_at: Option<DateTime<Utc>>,
    },
    /// Somebody looked at it.
    Punched { ticket: Uuid },
    /// Its time has passed.
    Expired { ticket: Uuid },
    /// The ticket service's message to the desk.
    Reported { ticket: Uuid },
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) enum Name {
    Sale(Uuid),
    Ticket(Uuid),
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Sale(id) => write!(f, "sale-{id}"),
            Self::Ticket(id) => write!(f, "ticket-{id}"),
        }
    }
}

impl TicketEvent {
    pub(crate) fn ticket(&self) -> Uuid {
        match self {
            Self::Sold { ticket }
            | Self::Opened { ticket, .. }
            | Self::Punched { ticket }
            | Self::Expired { ticket }
            | Self::Reported { ticket } => *ticket,
        }
    }
}

impl ReadEvent for TicketEvent {
    fn deserialize<'de, D: Deserializer<'de>>(
        name: &str,
        version: u16,
        payload: D,
    ) -> Result<Self, D::Error> {
        match (name, version) {
            ("TicketEvent", 1) => Deserialize::deserialize(payload),
            _ => Err(D::Error::custom("unknown event")),
        }
    }
}

impl Event for TicketEvent {
    type StreamId = Name;

    fn kind(&self) -> EventKind {
        EventKind {
            name: "TicketEvent",
            version: 1,
        }
    }

    fn topic(&self) -> &'static str {
        match self {
            Self::Sold { .. } | Self::Reported { .. } => DESK_EVENTS,
            Self::Opened { .. } | Self::Punched { .. } | Self::Expired { .. } => TICKET_EVENTS,
        }
    }

    fn stream(&self) -> Name {
        match self {
            Self::Sold { ticket } => Name::Sale(*ticket),
            Self::Opened { ticket, .. }
            | Self::Punched { ticket }
            | Self::Expired { ticket }
            | Self::Reported { ticket } => Name::Ticket(*ticket),
        }
    }

    fn key(stream: &Name) -> String {
        match stream {
            Name::Sale(id) | Name::Ticket(id) => id.to_string(),
        }
    }

    fn journey(&self) -> Option<Uuid> {
        Some(self.ticket())
    }
}

/// Nothing is there to punch.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Unopened;

#[derive(Debug)]
pub(crate) struct Desk;

#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Sell {
    pub ticket: Uuid,
    pub due_at: Option<DateTime<Utc>>,
}

impl Context for Desk {
    const SERVICE: &'static str = "desk";
    const TOPICS: &'static [&'static str] = &[DESK_EVENTS];
    const STATE_FORMAT: u32 = 1;

    type Command = Sell;
    type Event = TicketEvent;
    type State = u32;
    type Rejection = Unopened;
    type Status = u32;

    fn target(command: &Sell) -> Name {
        Name::Sale(command.ticket)
    }

    fn decide(sold: &u32, command: &Sell) -> Result<Vec<TicketEvent>, Unopened> {
        let Sell { ticket, due_at } = *command;
        Ok(match sold {
            0 => vec![
                TicketEvent::Sold { ticket },
                TicketEvent::Opened { ticket, due_at },
            ],
            _ => Vec::new(),
        })
    }

    /// Counts whatever reaches it, so that a message that did would show.
    fn evolve(events: u32, _event: &TicketEvent) -> u32 {
        events + 1
    }

    fn status(events: &u32) -> u32 {
        *events
    }
}

#[derive(Debug)]
pub(crate) struct Tickets;

#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) enum TicketCommand {
    Punch(Uuid),
    /// Punches, however often it is delivered.
    Stamp(Uuid),
    Expire(Uuid),
}

#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(crate) struct Ticket {
    opened: bool,
    punched: u32,
    due_at: Option<DateTime<Utc>>,
}

impl Context for Tickets {
    const SERVICE: &'static str = "ticket";
    const TOPICS: &'static [&'static str] = &[TICKET_EVENTS];
    const STATE_FORMAT: u32 = 1;
    const OPENED_ELSEWHERE: bool = true;

    type Command = TicketCommand;
    type Event = TicketEvent;
    type State = Ticket;
    type Rejection = Unopened;
    type Status = u32;

    fn target(command: &TicketCommand) -> Name {
        let (TicketCommand::Punch(ticket)
        | TicketCommand::Stamp(ticket)
        | TicketCommand::Expire(ticket)) = command;
        Name::Ticket(*ticket)
    }

    fn decide(state: &Ticket, command: &TicketCommand) -> Result<Vec<TicketEvent>, Unopened> {
        if !state.opened {
            return Err(Unopened);
        }
        Ok(match *command {
            TicketCommand::Punch(ticket) => vec![
                TicketEvent::Punched { ticket },
                TicketEvent::Reported { ticket },
            ],
            TicketCommand::Stamp(ticket) => vec![TicketEvent::Punched { ticket }],
            TicketCommand::Expire(ticket) => match state.due_at {
                Some(_) => vec![TicketEvent::Expired { ticket }],
                None => Vec::new(),
            },
        })
    }

    fn evolve(mut state: Ticket, event: &TicketEvent) -> Ticket {
        match event {
            TicketEvent::Opened { due_at, .. } => {
                state.opened = true;
                state.due_at = *due_at;
            }
            TicketEvent::Punched { .. } => state.punched += 1,
            TicketEvent::Expired { .. } => state.due_at = None,
            TicketEvent::Sold { .. } | TicketEvent::Reported { .. } => {}
        }
        state
    }

    fn status(state: &Ticket) -> u32 {
        state.punched
    }

    fn opens(event: &TicketEvent) -> bool {
        matches!(event, TicketEvent::Opened { .. })
    }

    fn may_be_opened_elsewhere(command: &TicketCommand) -> bool {
        matches!(command, TicketCommand::Punch(_))
    }

    fn deadline(state: &Ticket) -> Option<DateTime<Utc>> {
        state.due_at
    }

    fn expire(stream: &Name, _due_at: DateTime<Utc>) -> Option<TicketCommand> {
        match stream {
            Name::Ticket(ticket) => Some(TicketCommand::Expire(*ticket)),
            Name::Sale(_) => None,
        }
    }

    fn is_decided_anew(command: &TicketCommand) -> bool {
        matches!(command, TicketCommand::Stamp(_))
    }

    fn remembered(_stream: &Name) -> usize {
        REMEMBERED
    }
}

/// Punches every ticket that is sold.
#[derive(Debug)]
pub(crate) struct PunchSold;

impl Policy for PunchSold {
    type Context = Tickets;
    type Event = TicketEvent;

    const NAME: &'static str = "punch-sold";
    const TOPICS: &'static [&'static str] = &[DESK_EVENTS];

    fn react(&self, event: &TicketEvent, cause: Cause) -> Vec<Reaction<TicketCommand>> {
        match event {
            TicketEvent::Sold { ticket } => {
                vec![cause.command("punch", "", TicketCommand::Punch(*ticket))]
            }
            TicketEvent::Opened { .. }
            | TicketEvent::Punched { .. }
            | TicketEvent::Expired { .. }
            | TicketEvent::Reported { .. } => Vec::new(),
        }
    }
}
