use serde_json::{Value, json};

use super::*;
use crate::golden::{self, golden};
use crate::order::testing::*;

/// One of each version ever released.
const GOLDEN: [(&str, u16, &str); 18] = [
    golden!("OrderPlaced"),
    golden!("OrderPaymentPending"),
    golden!("OrderPaid"),
    golden!("OrderPaymentFailed"),
    golden!("OrderCancelled"),
    golden!("DispatchApproved"),
    golden!("DispatchRefused"),
    golden!("OrderCaptureRefused"),
    golden!("OrderShipped"),
    golden!("OrderDelivered"),
    golden!("OrderCompleted"),
    golden!("InventoryRequested"),
    golden!("PaymentKept"),
    golden!("OrderConfirmed"),
    golden!("OrderRejected"),
    golden!("OrderExpired"),
    golden!("OrderStuck"),
    golden!("OrderResumed"),
];

fn events() -> [OrderEvent; 18] {
    [
        placed(&lines()),
        pending(1, 1, 1),
        paid(1, total()),
        failed(1),
        cancelled_with(Some(1)),
        approved(10),
        dispatch_refused(),
        capture_refused(),
        shipped(),
        delivered(),
        completed(),
        requested(stock_due_at()),
        kept(1),
        confirmed(),
        rejected(),
        expired(Awaited::Payment, payment_due_at()),
        stuck_by(Some(1)),
        resumed_with(Some(1)),
    ]
}

fn read(name: &str, version: u16, payload: &Value) -> Result<OrderEvent, serde_json::Error> {
    OrderEvent::deserialize(name, version, payload)
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
        if payload.get("personal").is_some() {
            payload["personal"]["data"]["shipping_address"]["door"] = json!(7);
            payload["lines"][0]["weight_g"] = json!(250);
        }
        assert_eq!(read(name, version, &payload).unwrap(), event);
    }
}

#[test]
fn optional_members_may_be_missing() {
    let payload = json!({"order_id": order_id(), "cancelled_at": at(2)});
    let OrderEvent::Cancelled(event) = read("OrderCancelled", 1, &payload).unwrap() else {
        panic!("another event was read");
    };
    assert_eq!((event.reason, event.payment_id), (None, None));
    let payload = json!({"order_id": order_id(), "resumed_at": at(6)});
    assert_eq!(read("OrderResumed", 1, &payload).unwrap(), resumed());
    let payload = json!({"order_id": order_id(), "reason": "nobody answers", "stuck_at": at(5)});
    assert_eq!(read("OrderStuck", 1, &payload).unwrap(), stuck());
}

#[test]
fn what_is_not_known_is_refused() {
    let payload = serde_json::to_value(paid(1, total())).unwrap();
    for (name, version) in [("OrderPaid", 2), ("OrderPaid", 0), ("OrderEaten", 1)] {
        assert!(read(name, version, &payload).is_err(), "{name}/{version}");
    }
    assert!(read("OrderPaid", 1, &json!({"order_id": order_id()})).is_err());
}

#[test]
fn what_is_personal_sits_in_one_member() {
    let mut payload = serde_json::to_value(placed(&lines())).unwrap();
    let personal = payload.as_object_mut().unwrap().remove("personal").unwrap();
    assert_eq!(
        (&personal["v"], &personal["kid"]),
        (&json!(1), &Value::Null)
    );
    let rest = payload.to_string();
    for fact in ["Lovelace", "London", "example.com"] {
        assert!(personal["data"].to_string().contains(fact));
        assert!(!rest.contains(fact));
    }
}

#[test]
fn a_stream_is_named_after_its_order_and_keyed_by_it() {
    let stream = paid(1, total()).stream();
    let id = "00000000-0000-0000-0000-000000000de4";
    assert_eq!(stream.to_string(), format!("order-{id}"));
    assert_eq!(OrderEvent::key(&stream), id);
}

#[test]
fn what_is_awaited_is_spelled_in_lower_case() {
    for (awaited, spelled) in [(Awaited::Stock, "stock"), (Awaited::Payment, "payment")] {
        assert_eq!(serde_json::to_value(awaited).unwrap(), spelled);
    }
}

#[test]
fn questions_are_messages_in_the_topics_of_those_who_answer() {
    for (question, topic) in [
        (check(), topics::INVENTORY_EVENTS),
        (payment_requested(1, 1, 1), topics::PAYMENT_EVENTS),
    ] {
        assert_eq!(question.topic(), topic);
        assert_eq!(question.stream(), OrderStream(order_id()));
        let EventKind { name, version } = question.kind();
        let payload = serde_json::to_value(&question).unwrap();
        assert_eq!(read(name, version, &payload).unwrap(), question);
    }
    for event in events() {
        assert_eq!(event.topic(), topics::ORDER_EVENTS);
        assert_eq!(event.journey(), Some(order_id().as_uuid()));
    }
}
