//! A context that tells a wrong answer from a right one: seats of shows, sold and returned, so that what was impossible
//! becomes possible again. A sale writes to two topics, so that half of it could be seen.

use std::fmt;

use domain::{Context, Event, EventKind, ReadEvent};
use serde::{Deserialize, Deserializer, Serialize, de::Error};
use uuid::Uuid;

pub(crate) const SEAT_EVENTS: &str = "SeatEvents";
/// Another service's topic.
pub(crate) const NOTICE_EVENTS: &str = "NoticeEvents";
/// Seats of a show: few, so that many commands are rejected.
const SEATS: u32 = 5;

#[derive(Debug)]
pub(crate) struct Seats;

#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) struct Show(pub(crate) Uuid);

impl fmt::Display for Show {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "show-{}", self.0)
    }
}

#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub(crate) enum SeatCommand {
    /// Selling no seat changes nothing.
    Sell {
        show: Uuid,
        seats: u32,
    },
    Return {
        show: Uuid,
        seats: u32,
    },
}

impl SeatCommand {
    pub(crate) fn show(&self) -> Uuid {
        let (Self::Sell { show, .. } | Self::Return { show, .. }) = self;
        *show
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind")]
pub(crate) enum SeatEvent {
    /// One seat; the last one of a sale is noticed.
    Sold { show: Uuid, is_last: bool },
    /// One seat.
    Returned { show: Uuid },
    /// The message: a sale was made.
    Noticed { show: Uuid },
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum SeatRejection {
    SoldOut,
    NotSold,
}

impl ReadEvent for SeatEvent {
    fn deserialize<'de, D: Deserializer<'de>>(
        name: &str,
        version: u16,
        payload: D,
    ) -> Result<Self, D::Error> {
        match (name, version) {
            ("SeatEvent", 1) => Deserialize::deserialize(payload),
            _ => Err(D::Error::custom("unknown event")),
        }
    }
}

impl Event for SeatEvent {
    type StreamId = Show;

    fn kind(&self) -> EventKind {
        EventKind {
            name: "SeatEvent",
            version: 1,
        }
    }

    fn topic(&self) -> &'static str {
        match self {
            Self::Sold { .. } | Self::Returned { .. } => SEAT_EVENTS,
            Self::Noticed { .. } => NOTICE_EVENTS,
        }
    }

    fn stream(&self) -> Show {
        let (Self::Sold { show, .. } | Self::Returned { show } | Self::Noticed { show }) = self;
        Show(*show)
    }

    fn key(stream: &Show) -> String {
        stream.0.to_string()
    }
}

impl Context for Seats {
    const SERVICE: &'static str = "seats";
    const TOPICS: &'static [&'static str] = &[SEAT_EVENTS];
    const SENDS_TO: &'static [&'static str] = &[NOTICE_EVENTS];
    const STATE_FORMAT: u32 = 1;

    type Command = SeatCommand;
    type Event = SeatEvent;
    type State = u32;
    type Rejection = SeatRejection;
    type Status = u32;

    fn target(command: &SeatCommand) -> Show {
        Show(command.show())
    }

    fn decide(sold: &u32, command: &SeatCommand) -> Result<Vec<SeatEvent>, SeatRejection> {
        match *command {
            SeatCommand::Sell { seats: 0, .. } => Ok(Vec::new()),
            SeatCommand::Sell { show, seats } if sold + seats <= SEATS => {
                let sold = |seat| SeatEvent::Sold {
                    show,
                    is_last: seat == seats,
                };
                let mut events: Vec<_> = (1..=seats).map(sold).collect();
                events.push(SeatEvent::Noticed { show });
                Ok(events)
            }
            SeatCommand::Sell { .. } => Err(SeatRejection::SoldOut),
            SeatCommand::Return { show, seats } if seats <= *sold => {
                Ok(vec![SeatEvent::Returned { show }; seats as usize])
            }
            SeatCommand::Return { .. } => Err(SeatRejection::NotSold),
        }
    }

    fn evolve(sold: u32, event: &SeatEvent) -> u32 {
        match event {
            SeatEvent::Sold { .. } => sold + 1,
            SeatEvent::Returned { .. } => sold - 1,
            SeatEvent::Noticed { .. } => sold,
        }
    }

    fn status(sold: &u32) -> u32 {
        *sold
    }

    fn message(fact: &SeatEvent) -> Option<SeatEvent> {
        match *fact {
            SeatEvent::Sold {
                show,
                is_last: true,
            } => Some(SeatEvent::Noticed { show }),
            SeatEvent::Sold { .. } | SeatEvent::Returned { .. } | SeatEvent::Noticed { .. } => None,
        }
    }
}
