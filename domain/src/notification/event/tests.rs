use serde_json::{Value, json};

use super::*;
use crate::golden::{self, golden};
use crate::notification::{Template, testing::*};

/// One of each version ever released, as it lies in the log. Files are added, never edited.
const GOLDEN: [(&str, u16, &str); 7] = [
    golden!("ContactKept"),
    golden!("NotificationDeferred"),
    golden!("NotificationRequested"),
    golden!("NotificationSent"),
    golden!("NotificationFailed"),
    golden!("NotificationDue"),
    golden!("NotificationAbandoned"),
];

fn events() -> [NotificationEvent; 7] {
    [
        kept(Some(EMAIL)),
        deferred(2, Template::Refunded),
        requested(shipped(by_email()), at(1)),
        sent(by_email(), 1, 2),
        failed(by_webhook(), 1, 3),
        due(by_webhook(), 3),
        abandoned(by_webhook(), 10, 600),
    ]
}

fn read(name: &str, version: u16, payload: &Value) -> Result<NotificationEvent, serde_json::Error> {
    NotificationEvent::deserialize(name, version, payload)
}

#[test]
fn golden_files_are_read_and_written() {
    golden::are_read_and_written(GOLDEN, events());
}

#[test]
fn unknown_members_are_ignored() {
    for event in events() {
        let EventKind { name, version } = event.kind();
        let mut payload = serde_json::to_value(&event).unwrap();
        payload["added_later"] = json!({"by": "a newer writer"});
        assert_eq!(read(name, version, &payload).unwrap(), event);
    }
}

/// As the log holds them: read from bytes.
#[test]
fn events_are_read_back_as_they_were_written() {
    for event in events() {
        let EventKind { name, version } = event.kind();
        let payload = serde_json::to_vec(&event).unwrap();
        let mut reader = serde_json::Deserializer::from_slice(&payload);
        let read = NotificationEvent::deserialize(name, version, &mut reader).unwrap();
        assert_eq!(read, event);
    }
}

#[test]
fn a_customer_who_did_not_say_has_no_contact() {
    let payload = serde_json::to_value(kept(None)).unwrap();
    assert_eq!(payload["personal"]["data"], json!({}));
    assert_eq!(read("ContactKept", 1, &payload).unwrap(), kept(None));
}

#[test]
fn what_is_not_known_is_refused() {
    let payload = serde_json::to_value(kept(None)).unwrap();
    for (name, version) in [("ContactKept", 2), ("ContactKept", 0), ("ContactLost", 1)] {
        assert!(read(name, version, &payload).is_err(), "{name}/{version}");
    }
    assert!(read("ContactKept", 1, &json!({"order_id": order_id()})).is_err());
}

#[test]
fn personal_fields_are_in_one_member() {
    for event in events() {
        let mut payload = serde_json::to_value(&event).unwrap();
        payload.as_object_mut().unwrap().remove("personal");
        assert!(!payload.to_string().contains(EMAIL), "{payload}");
    }
}

#[test]
fn the_stream_is_named_after_the_order_and_keyed_by_it() {
    let id = "00000000-0000-0000-0000-000000000de4";
    for event in events() {
        assert_eq!(event.stream().to_string(), format!("notifications-{id}"));
        assert_eq!(NotificationEvent::key(&event.stream()), id);
        assert_eq!(event.topic(), topics::NOTIFICATION_EVENTS);
        assert_eq!(event.journey(), Some(order_id().as_uuid()));
    }
}

#[test]
fn what_asks_to_be_sent_says_all_that_it_takes() {
    let asking = events();
    let asking: Vec<_> = asking
        .iter()
        .filter_map(NotificationEvent::to_send)
        .collect();
    let expected = [shipped(by_email()), shipped(by_webhook())];
    let expected: Vec<_> = expected
        .iter()
        .map(|message| (message.id(), message))
        .collect();
    assert_eq!(asking, expected);
}
