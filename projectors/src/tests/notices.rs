//! The notification service's events, and nothing of what makes them.

use std::fmt;

use domain::{Context, Event, EventKind, ReadEvent, topics::NOTIFICATION_EVENTS};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::{Value, json};
use uuid::Uuid;

use super::commands::now;

const NAMES: [&str; 5] = [
    "NotificationRequested",
    "NotificationSent",
    "NotificationFailed",
    "NotificationAbandoned",
    "ContactKept",
];

/// Decides whatever it is asked.
#[derive(Debug)]
pub(super) struct Notices;

/// An event.
#[derive(Debug, Clone)]
pub(super) struct Notice {
    pub(super) name: &'static str,
    pub(super) payload: Value,
}

/// Whose it is: a notification of an order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct NoticeStream {
    id: Uuid,
    order_id: Uuid,
}

impl fmt::Display for NoticeStream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "notification-{}", self.id)
    }
}

impl Notice {
    fn new(name: &'static str, id: Uuid, order_id: Uuid, mut payload: Value) -> Self {
        payload["notification_id"] = json!(id);
        payload["order_id"] = json!(order_id);
        Self { name, payload }
    }

    fn id(&self, member: &str) -> Uuid {
        let id = self.payload[member].as_str().expect("an id");
        id.parse().expect("an id")
    }

    /// Sent at once; sent at the second try; abandoned; only requested. Each by e-mail or webhook.
    pub(super) fn all_of(order_id: Uuid) -> Vec<Self> {
        let id = |number: u8| Uuid::new_v5(&order_id, &[number]);
        let requested = |number: u8, template: &str| {
            let channel = if number % 2 == 1 { "email" } else { "webhook" };
            let payload = json!({
                "channel": channel, "template": template, "event_id": id(99), "requested_at": now(),
                "personal": { "v": 1, "kid": null, "data": { "to": "zoe@example.com" } },
            });
            Self::new(NAMES[0], id(number), order_id, payload)
        };
        let sent = |number, tries: u32| {
            let payload = json!({ "tries": tries, "sent_at": now() });
            Self::new(NAMES[1], id(number), order_id, payload)
        };
        let failed = |number, tries: u32| {
            let payload = json!({ "tries": tries, "reason": "\"busy\" \\N", "retry_at": now() });
            Self::new(NAMES[2], id(number), order_id, payload)
        };
        let abandoned = |number, tries: u32| {
            let payload =
                json!({ "tries": tries, "reason": "no such mailbox", "abandoned_at": now() });
            Self::new(NAMES[3], id(number), order_id, payload)
        };
        let kept = Self::new(NAMES[4], id(0), order_id, json!({ "personal": null }));
        vec![
            kept,
            requested(1, "order_confirmation"),
            sent(1, 1),
            requested(2, "payment"),
            failed(2, 1),
            requested(3, "shipped"),
            sent(2, 2),
            failed(3, 1),
            abandoned(3, 2),
            requested(4, "delivered"),
        ]
    }
}

impl Serialize for Notice {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.payload.serialize(serializer)
    }
}

impl ReadEvent for Notice {
    fn deserialize<'de, D: Deserializer<'de>>(
        name: &str,
        _: u16,
        payload: D,
    ) -> Result<Self, D::Error> {
        let known = NAMES.into_iter().find(|known| *known == name);
        Ok(Self {
            name: known.expect("one of ours"),
            payload: Value::deserialize(payload)?,
        })
    }
}

impl Event for Notice {
    type StreamId = NoticeStream;

    fn kind(&self) -> EventKind {
        EventKind {
            name: self.name,
            version: 1,
        }
    }

    fn topic(&self) -> &'static str {
        NOTIFICATION_EVENTS
    }

    fn stream(&self) -> NoticeStream {
        NoticeStream {
            id: self.id("notification_id"),
            order_id: self.id("order_id"),
        }
    }

    fn key(stream: &NoticeStream) -> String {
        stream.order_id.to_string()
    }

    fn journey(&self) -> Option<Uuid> {
        Some(self.stream().order_id)
    }
}

impl Context for Notices {
    const SERVICE: &'static str = "notification";
    const TOPICS: &'static [&'static str] = &[NOTIFICATION_EVENTS];

    type Command = Notice;
    type Event = Notice;
    type State = ();
    type Rejection = ();
    type Status = ();

    fn target(command: &Notice) -> NoticeStream {
        command.stream()
    }

    fn decide((): &(), command: &Notice) -> Result<Vec<Notice>, ()> {
        Ok(vec![command.clone()])
    }

    fn evolve((): (), _: &Notice) {}

    fn status((): &()) {}
}
