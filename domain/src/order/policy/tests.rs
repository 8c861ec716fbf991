use chrono::{DateTime, Utc};
use serde_json::{Value, json};
use uuid::Uuid;

use super::*;
use crate::{
    ids::policy_command_id,
    order::{
        InventoryRequested, OrderEvent, OrderLine,
        testing::{self, *},
    },
    product::reservation::InventoryCheck,
    quantity::SkuUnits,
};

const EVENT_ID: Uuid = Uuid::from_u128(0xe1);

fn cause(now: DateTime<Utc>) -> Cause {
    Cause {
        event_id: EVENT_ID,
        now,
    }
}

fn read(name: &str, version: u16, payload: &Value) -> Result<OrderPolicyEvent, serde_json::Error> {
    OrderPolicyEvent::deserialize(name, version, payload)
}

fn event(name: &str, payload: Value) -> OrderPolicyEvent {
    let mut payload = payload;
    payload["order_id"] = json!(order_id());
    read(name, 1, &payload).unwrap()
}

fn placed_event() -> OrderPolicyEvent {
    let payload = serde_json::to_value(placed(&lines())).unwrap();
    event("OrderPlaced", payload)
}

fn dispatched_event() -> OrderPolicyEvent {
    let OrderEvent::Placed(placed) = placed(&lines()) else {
        panic!("another event was made");
    };
    let line = |line: &OrderLine| json!({"line_id": line.line_id, "sku": line.sku, "quantity": line.quantity, "location": "main"});
    let lines: Vec<_> = placed.lines.iter().map(line).collect();
    event(
        "ShipmentDispatched",
        json!({"shipment_id": order_id(), "lines": lines, "dispatched_at": at(12)}),
    )
}

fn stuck_event() -> OrderPolicyEvent {
    let payload = json!({
        "payment_id": payment_id(1),
        "operation": "void",
        "by": "refusal",
        "detail": "not today",
        "stuck_at": at(5),
    });
    event("PaymentStuck", payload)
}

/// Every event that the workflow cares about, when it comes, and the label and the command that follow.
fn steps() -> Vec<(OrderPolicyEvent, i64, &'static str, OrderCommand)> {
    let units = OrderLines::units(lines().as_slice());
    let payment = json!({"payment_id": payment_id(1), "attempt": 1, "amount": total(),
        "gateway_ref": "auth-1", "authorised_at": at(9)});
    let declined_payment = json!({"payment_id": payment_id(1), "attempt": 1, "code": "card-declined",
        "detail": "the card was declined", "declined_at": at(9)});
    let refused_payment = json!({"payment_id": payment_id(1), "code": "expired",
        "detail": "the authorisation has expired", "refused_at": at(11)});
    let rejection = json!({"shortages": shortages(), "released": ["TEA"]});
    let shipment = json!({"shipment_id": order_id(), "requested_at": at(10)});
    let arrival = json!({"shipment_id": order_id(), "delivered_at": at(13)});
    let stuck = OrderCommand::MarkStuck(MarkOrderStuck {
        order_id: order_id(),
        payment_id: Some(payment_id(1)),
        reason: "void: not today".parse().unwrap(),
        stuck_at: at(5),
    });
    vec![
        (placed_event(), 0, REQUEST_INVENTORY, request()),
        (
            event("InventoryConfirmed", json!({"lines": units})),
            3,
            CONFIRM,
            confirm(),
        ),
        (
            event("InventoryRejected", rejection),
            3,
            REJECT,
            testing::reject(),
        ),
        (
            event("PaymentAuthorised", payment),
            9,
            SETTLE,
            testing::authorised(1),
        ),
        (
            event("PaymentDeclined", declined_payment),
            9,
            SETTLE,
            testing::declined(1),
        ),
        (
            event("PaymentCaptureRefused", refused_payment),
            11,
            REFUSE_CAPTURE,
            testing::refuse_capture(1),
        ),
        (stuck_event(), 5, MARK_STUCK, stuck),
        (
            event("DispatchRequested", shipment),
            10,
            DECIDE_DISPATCH,
            dispatch(),
        ),
        (dispatched_event(), 12, SHIP, testing::ship()),
        (event("ShipmentDelivered", arrival), 13, DELIVER, deliver()),
    ]
}

/// Answers come at 3 hours and deliveries at 13, and the deadlines of `testing` follow from these.
fn policy() -> OrderPolicy {
    OrderPolicy {
        stock_within: TimeDelta::hours(4),
        payment_within: TimeDelta::hours(5),
        completed_after: TimeDelta::hours(1),
    }
}

#[test]
fn each_event_gives_its_command() {
    for (event, hours, label, command) in steps() {
        let expected = Reaction {
            command_id: policy_command_id(EVENT_ID, label, ""),
            command,
        };
        assert_eq!(policy().react(&event, cause(at(hours))), [expected]);
    }
}

/// An order reserves a SKU once: a line that was left out would be sold, and not be there.
#[test]
fn a_sku_of_several_lines_is_asked_for_once_and_in_full() {
    let price = money(1_000, "EUR");
    let lines = OrderLines::new(vec![
        line(0, "TEA", 2, price),
        line(1, "MUG", 1, price),
        line(2, "TEA", 3, price),
    ]);
    let history = [placed(&lines.unwrap())];
    let payload = serde_json::to_value(&history[0]).unwrap();
    let reactions = policy().react(&event("OrderPlaced", payload), cause(at(0)));

    let units = |sku: &str, quantity: i64| SkuUnits {
        sku: sku.parse().unwrap(),
        quantity: quantity.try_into().unwrap(),
    };
    let summed = vec![units("MUG", 1), units("TEA", 5)];
    given(&history).when(&reactions[0].command).then(&[
        OrderEvent::InventoryRequested(InventoryRequested {
            order_id: order_id(),
            lines: summed.clone(),
            stock_due_at: stock_due_at(),
        }),
        OrderEvent::InventoryCheck(InventoryCheck {
            order_id: order_id(),
            lines: summed,
        }),
    ]);
}

/// Whoever changes one of these does again what is in the log.
#[test]
fn labels_are_the_same_for_ever() {
    let labels: Vec<_> = steps().into_iter().map(|(_, _, label, _)| label).collect();
    let expected = [
        "request-inventory",
        "confirm",
        "reject",
        "settle-payment",
        "settle-payment",
        "refuse-capture",
        "mark-stuck",
        "decide-dispatch",
        "ship",
        "deliver",
    ];
    assert_eq!(labels, expected);
}

#[test]
fn a_second_delivery_gives_the_same_command_ids() {
    for (event, _, _, _) in steps() {
        let first = policy().react(&event, cause(at(3)));
        let second = policy().react(&event, cause(at(7)));
        assert_eq!(first[0].command_id, second[0].command_id);
    }
}

#[test]
fn unless_told_otherwise_stock_has_a_minute_payment_half_an_hour_and_complaint_ten_seconds() {
    let policy = OrderPolicy::default();
    assert_eq!(policy.stock_within, TimeDelta::seconds(60));
    assert_eq!(policy.payment_within, TimeDelta::minutes(30));
    assert_eq!(policy.completed_after, TimeDelta::seconds(10));
}

#[test]
fn what_it_does_not_care_about_is_passed_over() {
    for (name, version) in [("StockReserved", 1), ("OrderPaid", 2), ("AddedLater", 1)] {
        let event = read(name, version, &json!({})).unwrap();
        assert_eq!(event, OrderPolicyEvent::Other, "{name}");
        assert!(policy().react(&event, cause(at(0))).is_empty());
    }
}

#[test]
fn what_it_cares_about_is_never_passed_over() {
    let needed = [
        "OrderPlaced",
        "InventoryConfirmed",
        "InventoryRejected",
        "PaymentAuthorised",
        "PaymentDeclined",
        "PaymentCaptureRefused",
        "PaymentStuck",
        "DispatchRequested",
        "ShipmentDispatched",
        "ShipmentDelivered",
    ];
    for name in needed {
        let newer = json!({"order_id": order_id()});
        assert!(read(name, 2, &newer).is_err(), "{name}");
        assert!(read(name, 1, &newer).is_err(), "{name}");
    }
}

#[test]
fn a_rejection_is_shown_to_an_operator() {
    let rejection = OrderRejection::OrderNotFound;
    for (event, _, _, _) in steps() {
        let reaction = policy().rejected(&event, cause(at(5)), &rejection).unwrap();
        let id = policy_command_id(EVENT_ID, "mark-stuck", "");
        assert_eq!(reaction.command_id, id);
        let OrderCommand::MarkStuck(command) = reaction.command else {
            panic!("another command was given");
        };
        assert_eq!((command.order_id, command.stuck_at), (order_id(), at(5)));
        assert_eq!(command.payment_id, None);
        assert!(command.reason.as_str().contains("no such order"));
    }
    let other = policy().rejected(&OrderPolicyEvent::Other, cause(at(5)), &rejection);
    assert_eq!(other, None);
}
