use serde_json::{Value, json};
use uuid::Uuid;

use super::*;
use crate::{
    ids::policy_command_id,
    shipping::testing::{self, at, order_id, shipping_address},
};

const EVENT_ID: Uuid = Uuid::from_u128(0xe1);

fn cause(hours: i64) -> Cause {
    Cause {
        event_id: EVENT_ID,
        now: at(hours),
    }
}

fn read(
    name: &str,
    version: u16,
    payload: &Value,
) -> Result<ShippingPolicyEvent, serde_json::Error> {
    ShippingPolicyEvent::deserialize(name, version, payload)
}

fn placed() -> ShippingPolicyEvent {
    let line = |line: ShipmentLine| {
        let price = json!({"amount": 1_999, "currency": "EUR"});
        json!({"line_id": line.line_id, "sku": line.sku, "quantity": line.quantity, "unit_price": price})
    };
    let total = json!({"amount": 5_997, "currency": "EUR"});
    let payload = json!({
        "order_id": order_id(),
        "customer_id": "ada",
        "lines": testing::lines().into_iter().map(line).collect::<Vec<_>>(),
        "totals": {"items": total, "total": total},
        "personal": {"v": 1, "kid": null, "data": {"shipping_address": shipping_address()}},
        "placed_at": at(0),
    });
    read("OrderPlaced", 1, &payload).unwrap()
}

fn of_order(name: &str) -> ShippingPolicyEvent {
    read(name, 1, &json!({"order_id": order_id(), "amount": 1})).unwrap()
}

/// Every event that matters, when it comes, the label of its command, and the command.
fn steps() -> [(ShippingPolicyEvent, i64, &'static str, ShippingCommand); 7] {
    let cancel = || testing::cancel();
    [
        (placed(), 0, "plan-shipment", testing::plan()),
        (
            of_order("OrderPaid"),
            1,
            "create-shipment",
            testing::create(),
        ),
        (
            of_order("PaymentCaptured"),
            3,
            "dispatch-shipment",
            testing::dispatch(),
        ),
        (of_order("OrderCancelled"), 5, "cancel-shipment", cancel()),
        (of_order("OrderRejected"), 5, "cancel-shipment", cancel()),
        (of_order("OrderExpired"), 5, "cancel-shipment", cancel()),
        (of_order("DispatchRefused"), 5, "cancel-shipment", cancel()),
    ]
}

#[test]
fn each_event_gives_its_command() {
    for (event, hours, label, command) in steps() {
        let expected = Reaction {
            command_id: policy_command_id(EVENT_ID, label, ""),
            command,
        };
        assert_eq!(ShippingPolicy.react(&event, cause(hours)), [expected]);
    }
}

#[test]
fn a_second_delivery_gives_the_same_command_ids() {
    for (event, _, _, _) in steps() {
        let first = ShippingPolicy.react(&event, cause(3));
        let second = ShippingPolicy.react(&event, cause(7));
        assert_eq!(first[0].command_id, second[0].command_id);
    }
}

#[test]
fn what_it_does_not_care_about_is_passed_over() {
    for (name, version) in [
        ("OrderConfirmed", 1),
        ("PaymentVoided", 2),
        ("AddedLater", 1),
    ] {
        let event = read(name, version, &json!({})).unwrap();
        assert_eq!(event, ShippingPolicyEvent::Other, "{name}");
        assert_eq!(ShippingPolicy.react(&event, cause(0)), []);
    }
}

#[test]
fn what_it_cares_about_is_never_passed_over() {
    for name in [
        "OrderPlaced",
        "OrderPaid",
        "OrderCancelled",
        "OrderRejected",
        "OrderExpired",
        "DispatchRefused",
        "PaymentCaptured",
    ] {
        assert!(read(name, 2, &json!({"order_id": order_id()})).is_err());
        assert!(read(name, 1, &json!({})).is_err(), "{name}");
    }
}
