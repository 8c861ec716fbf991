//! On an event that has been reshaped twice, as it would be done to one of ours.

use serde_json::{Value, json};

use super::*;
use crate::{ReadEvent, order::OrderEvent};

/// At first there was one name.
#[derive(Debug, Deserialize)]
struct Renamed1 {
    name: String,
}

/// Then it was taken apart.
#[derive(Debug, Deserialize)]
struct Renamed2 {
    first: String,
    last: Option<String>,
}

/// And then it was known in which order people say them.
#[derive(Debug, PartialEq, Eq, Deserialize)]
struct Renamed {
    first: String,
    last: Option<String>,
    last_comes_first: bool,
}

impl Shape for Renamed1 {
    const VERSION: u16 = 1;
    type Before = NoShape;

    fn lift(before: NoShape) -> Self {
        match before {}
    }
}

impl Shape for Renamed2 {
    const VERSION: u16 = 2;
    type Before = Renamed1;

    fn lift(before: Renamed1) -> Self {
        let (first, last) = match before.name.split_once(' ') {
            Some((first, last)) => (first.to_owned(), Some(last.to_owned())),
            None => (before.name, None),
        };
        Self { first, last }
    }
}

impl Shape for Renamed {
    const VERSION: u16 = 3;
    type Before = Renamed2;

    fn lift(before: Renamed2) -> Self {
        let Renamed2 { first, last } = before;
        Self {
            first,
            last,
            last_comes_first: false,
        }
    }
}

fn read(version: u16, payload: &Value) -> Result<Renamed, serde_json::Error> {
    newest(version, payload)
}

#[test]
fn each_version_is_lifted_to_the_newest() {
    let ada = Renamed {
        first: "Ada".to_owned(),
        last: Some("Lovelace".to_owned()),
        last_comes_first: false,
    };
    let first = json!({"name": "Ada Lovelace"});
    let second = json!({"first": "Ada", "last": "Lovelace"});
    let third = json!({"first": "Ada", "last": "Lovelace", "last_comes_first": false});
    for (version, payload) in [(1, first), (2, second), (3, third)] {
        assert_eq!(read(version, &payload).unwrap(), ada, "version {version}");
    }
}

#[test]
fn each_version_has_its_own_shape() {
    for version in [1, 3] {
        let of_the_second = json!({"first": "Ada", "last": null});
        assert!(read(version, &of_the_second).is_err(), "version {version}");
    }
}

#[test]
fn what_a_newer_build_has_written_is_refused() {
    for version in [0, 4] {
        let error = read(version, &json!({"name": "Ada"})).unwrap_err();
        assert!(!error.to_string().is_empty());
    }
    let error = read(4, &json!({})).unwrap_err().to_string();
    assert!(
        error.contains("version 4") && error.contains("up to 3"),
        "{error}"
    );
}

#[test]
fn an_event_of_a_known_name_and_an_unknown_version_is_refused() {
    let golden = include_str!("../../../docs/events/golden/OrderPaid.1.json");
    let payload: Value = serde_json::from_str(golden).unwrap();
    assert!(OrderEvent::deserialize("OrderPaid", 1, &payload).is_ok());
    let error = OrderEvent::deserialize("OrderPaid", 2, &payload).unwrap_err();
    assert!(error.to_string().contains("version 2"), "{error}");
}
