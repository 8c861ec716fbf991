use chrono::{DateTime, Utc};
use serde_json::{Value, json};
use uuid::Uuid;

use super::*;
use crate::{ids::policy_command_id, order::testing::*};

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

fn placed_event() -> OrderPolicyEvent {
    let payload = serde_json::to_value(placed(&lines())).unwrap();
    read("OrderPlaced", 1, &payload).unwrap()
}

fn confirmed_event() -> OrderPolicyEvent {
    let lines = OrderLines::units(lines().as_slice());
    let payload = json!({"order_id": order_id(), "lines": lines});
    read("InventoryConfirmed", 1, &payload).unwrap()
}

fn rejected_event() -> OrderPolicyEvent {
    let payload = json!({"order_id": order_id(), "shortages": shortages(), "released": ["TEA"]});
    read("InventoryRejected", 1, &payload).unwrap()
}

/// Answers come at 3 hours, and the deadlines of `testing` follow from these.
fn policy() -> OrderPolicy {
    OrderPolicy {
        stock_within: TimeDelta::hours(4),
        payment_within: TimeDelta::hours(5),
    }
}

#[test]
fn each_event_gives_its_command() {
    for (event, now, label, command) in [
        (placed_event(), at(0), "request-inventory", request()),
        (confirmed_event(), at(3), "confirm", confirm()),
        (rejected_event(), at(3), "reject", reject()),
    ] {
        let expected = Reaction {
            command_id: policy_command_id(EVENT_ID, label, ""),
            command,
        };
        assert_eq!(policy().react(&event, cause(now)), [expected]);
    }
}

#[test]
fn a_second_delivery_gives_the_same_command_ids() {
    for event in [placed_event(), confirmed_event(), rejected_event()] {
        let first = policy().react(&event, cause(at(3)));
        let second = policy().react(&event, cause(at(7)));
        assert_eq!(first[0].command_id, second[0].command_id);
    }
}

#[test]
fn unless_told_otherwise_stock_has_a_minute_and_payment_half_an_hour() {
    let policy = OrderPolicy::default();
    assert_eq!(policy.stock_within, TimeDelta::seconds(60));
    assert_eq!(policy.payment_within, TimeDelta::minutes(30));
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
    for name in ["OrderPlaced", "InventoryConfirmed", "InventoryRejected"] {
        let newer = json!({"order_id": order_id()});
        assert!(read(name, 2, &newer).is_err(), "{name}");
        assert!(read(name, 1, &newer).is_err(), "{name}");
    }
}

#[test]
fn a_rejection_is_shown_to_an_operator() {
    let rejection = OrderRejection::OrderNotFound;
    for event in [placed_event(), confirmed_event(), rejected_event()] {
        let reaction = policy().rejected(&event, cause(at(5)), &rejection).unwrap();
        let id = policy_command_id(EVENT_ID, "mark-stuck", "");
        assert_eq!(reaction.command_id, id);
        let OrderCommand::MarkStuck(command) = reaction.command else {
            panic!("another command was given");
        };
        assert_eq!((command.order_id, command.stuck_at), (order_id(), at(5)));
        assert!(command.reason.as_str().contains("no such order"));
    }
    let other = policy().rejected(&OrderPolicyEvent::Other, cause(at(5)), &rejection);
    assert_eq!(other, None);
}
