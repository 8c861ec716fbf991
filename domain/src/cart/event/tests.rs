use serde_json::{Value, json};

use super::*;
use crate::cart::testing::*;
use crate::golden::{self, golden};

/// One of each version ever released, as it lies in the log. Files are added, never edited.
const GOLDEN: [(&str, u16, &str); 4] = [
    golden!("CartOpened"),
    golden!("CartItemSet"),
    golden!("CartItemRemoved"),
    golden!("CartCheckedOut"),
];

fn events() -> [CartEvent; 4] {
    [
        opened(Some("ada")),
        item_set("TEA-EARL-GREY", 2, money(1_999, "EUR")),
        item_removed("TEA-EARL-GREY"),
        checked_out("ada", &[("TEA-EARL-GREY", 2, money(1_999, "EUR"))]),
    ]
}

fn read(name: &str, version: u16, payload: &Value) -> Result<CartEvent, serde_json::Error> {
    CartEvent::deserialize(name, version, payload)
}

#[test]
fn golden_files_are_read_and_written() {
    golden::are_read_and_written(GOLDEN, events());
}

#[test]
fn unknown_members_are_ignored() {
    for event in events().into_iter().chain(sold()) {
        let EventKind { name, version } = event.kind();
        let mut payload = serde_json::to_value(&event).unwrap();
        payload["added_later"] = json!({"by": "a newer writer"});
        assert_eq!(read(name, version, &payload).unwrap(), event);
    }
}

#[test]
fn a_guest_has_no_name() {
    let payload = serde_json::to_value(opened(None)).unwrap();
    assert_eq!(payload.get("customer_id"), None);
    assert_eq!(read("CartOpened", 1, &payload).unwrap(), opened(None));
}

#[test]
fn what_is_not_known_is_refused() {
    let payload = serde_json::to_value(opened(None)).unwrap();
    for (name, version) in [("CartOpened", 2), ("CartOpened", 0), ("CartStolen", 1)] {
        assert!(read(name, version, &payload).is_err(), "{name}/{version}");
    }
    assert!(read("CartOpened", 1, &json!({"cart_id": cart_id()})).is_err());
}

/// The order service reads it as its own.
#[test]
fn the_order_is_what_the_order_service_knows() {
    let [_, order] = sold();
    let EventKind { name, version } = order.kind();
    let payload = serde_json::to_value(&order).unwrap();
    let read = crate::order::OrderEvent::deserialize(name, version, &payload).unwrap();
    assert_eq!(serde_json::to_value(&read).unwrap(), payload);
    assert_eq!(read.kind(), order.kind());
    assert_eq!(read.topic(), order.topic());
    assert_eq!(read.stream().to_string(), order.stream().to_string());
    assert_eq!(
        crate::order::OrderEvent::key(&read.stream()),
        CartEvent::key(&order.stream())
    );
}

#[test]
fn streams_are_named_after_carts_and_orders_and_keyed_by_them() {
    let [closing, order] = sold();
    let id = "00000000-0000-0000-0000-00000000ca47";
    assert_eq!(closing.stream().to_string(), format!("cart-{id}"));
    assert_eq!(CartEvent::key(&closing.stream()), id);
    let id = order_id().to_string();
    assert_eq!(order.stream().to_string(), format!("order-{id}"));
    assert_eq!(CartEvent::key(&order.stream()), id);
}

#[test]
fn a_journey_begins_at_checkout() {
    for event in filled() {
        assert_eq!(event.journey(), None);
    }
    for event in sold() {
        assert_eq!(event.journey(), Some(order_id().as_uuid()));
    }
}
