//! Golden files: an event of each version ever released, as it lies in the log. Files are added, never edited.

use std::fmt::Debug;

use serde_json::Value;

use crate::{Event, EventKind, topics};

/// Name, version and text of an event's first golden file.
macro_rules! golden {
    ($name:literal) => {
        (
            $name,
            1,
            include_str!(concat!(
                env!("CARGO_MANIFEST_DIR"),
                "/../docs/events/golden/",
                $name,
                ".1.json"
            )),
        )
    };
}

pub(crate) use golden;

/// Each is read as its event, and written as it was; and it lies where those who look for an order's events look.
#[track_caller]
pub(crate) fn are_read_and_written<E>(
    golden: impl IntoIterator<Item = (&'static str, u16, &'static str)>,
    events: impl IntoIterator<Item = E>,
) where
    E: Event + Debug + PartialEq,
{
    for ((name, version, text), event) in golden.into_iter().zip(events) {
        let golden: Value = serde_json::from_str(text).unwrap();
        assert_eq!(
            E::deserialize(name, version, &golden).unwrap(),
            event,
            "{name}"
        );
        assert_eq!(serde_json::to_value(&event).unwrap(), golden, "{name}");
        assert_eq!(event.kind(), EventKind { name, version });
        if topics::KEYED_BY_ORDER.contains(&event.topic()) {
            let order_id = event.journey().map(|id| id.to_string());
            assert_eq!(Some(E::key(&event.stream())), order_id, "{name}");
        }
    }
}
