use serde_json::{Value, json};

use super::*;
use crate::golden::{self, golden};
use crate::shipping::testing::*;

/// One of each version ever released.
const GOLDEN: [(&str, u16, &str); 7] = [
    golden!("ShipmentPlanned"),
    golden!("ShipmentCreated"),
    golden!("DispatchRequested"),
    golden!("ShipmentDispatched"),
    golden!("ShipmentDelivered"),
    golden!("ShipmentFailed"),
    golden!("ShipmentCancelled"),
];

fn events() -> [ShippingEvent; 7] {
    [
        planned(),
        created(),
        dispatch_requested(Some("RM-1")),
        dispatched(3, Some("RM-1")),
        delivered(),
        failed(),
        cancelled(),
    ]
}

fn read(name: &str, version: u16, payload: &Value) -> Result<ShippingEvent, serde_json::Error> {
    ShippingEvent::deserialize(name, version, payload)
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
        if payload.get("lines").is_some() {
            payload["lines"][0]["weight_g"] = json!(250);
        }
        assert_eq!(read(name, version, &payload).unwrap(), event);
    }
}

#[test]
fn optional_members_may_be_missing() {
    for event in [dispatch_requested(None), dispatched(3, None)] {
        let EventKind { name, version } = event.kind();
        let payload = serde_json::to_value(&event).unwrap();
        assert_eq!(payload.get("carrier"), None);
        assert_eq!(read(name, version, &payload).unwrap(), event);
    }
}

#[test]
fn what_is_not_known_is_refused() {
    let payload = serde_json::to_value(delivered()).unwrap();
    for (name, version) in [
        ("ShipmentDelivered", 2),
        ("ShipmentDelivered", 0),
        ("ShipmentEaten", 1),
    ] {
        assert!(read(name, version, &payload).is_err(), "{name}/{version}");
    }
    let incomplete = json!({"order_id": order_id()});
    assert!(read("ShipmentDelivered", 1, &incomplete).is_err());
}

#[test]
fn a_stream_is_named_after_its_shipment_and_keyed_by_its_order() {
    let id = "00000000-0000-0000-0000-000000000de4";
    for event in events() {
        assert_eq!(event.stream().to_string(), format!("shipment-{id}"));
        assert_eq!(ShippingEvent::key(&event.stream()), id);
        assert_eq!(event.topic(), "ShippingEvents");
        assert_eq!(event.journey(), Some(order_id().as_uuid()));
    }
}

#[test]
fn what_is_personal_sits_in_one_member() {
    let mut payload = serde_json::to_value(planned()).unwrap();
    let personal = payload.as_object_mut().unwrap().remove("personal").unwrap();
    assert!(personal["data"].to_string().contains("Lovelace"));
    assert!(!payload.to_string().contains("Lovelace"));
}
