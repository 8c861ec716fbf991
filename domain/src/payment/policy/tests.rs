use serde_json::{Value, json};
use uuid::Uuid;

use super::*;
use crate::{
    ids::policy_command_id,
    payment::{PaymentEvent, PaymentStream, testing::*},
};

const EVENT_ID: Uuid = Uuid::from_u128(0xe1);

fn cause(seconds: i64) -> Cause {
    Cause {
        event_id: EVENT_ID,
        now: at(seconds),
    }
}

fn read(
    name: &str,
    version: u16,
    payload: &Value,
) -> Result<PaymentPolicyEvent, serde_json::Error> {
    PaymentPolicyEvent::deserialize(name, version, payload)
}

fn event(name: &str, payload: &Value) -> PaymentPolicyEvent {
    read(name, 1, payload).unwrap()
}

fn requested() -> PaymentPolicyEvent {
    let payload = serde_json::to_value(PaymentEvent::Requested(request())).unwrap();
    event("PaymentRequested", &payload)
}

fn paid_order(name: &str) -> PaymentPolicyEvent {
    event(
        name,
        &json!({"order_id": order_id(), "payment_id": payment_id(), "reason": "changed my mind"}),
    )
}

fn approved() -> PaymentPolicyEvent {
    event(
        "DispatchApproved",
        &json!({"order_id": order_id(), "payment_id": payment_id(), "amount": total()}),
    )
}

fn request_id(operation: &str) -> Uuid {
    gateway_request_id(EVENT_ID, operation)
}

/// Every event that matters, the label of its command, and the command.
fn steps() -> [(PaymentPolicyEvent, &'static str, PaymentCommand); 4] {
    let PaymentStream {
        payment_id,
        order_id,
    } = stream();
    let start = PaymentCommand::Start(StartPayment {
        requested: request(),
        request_id: request_id("authorise"),
        give_up_at: at(47),
        started_at: at(2),
    });
    let cancel = PaymentCommand::Cancel(CancelPayment {
        payment_id,
        order_id,
        request_id: request_id("undo"),
        cancelled_at: at(2),
    });
    let retry = PaymentCommand::Retry(RetryPayment {
        payment_id,
        order_id,
        request_id: request_id("retry"),
        retried_at: at(2),
    });
    [
        (requested(), "start-payment", start),
        (
            approved(),
            "capture-payment",
            capture(total(), request_id("capture")),
        ),
        (paid_order("OrderCancelled"), "cancel-payment", cancel),
        (paid_order("OrderResumed"), "retry-payment", retry),
    ]
}

#[test]
fn each_event_gives_its_command() {
    for (event, label, command) in steps() {
        let expected = Reaction {
            command_id: policy_command_id(EVENT_ID, label, ""),
            command,
        };
        let policy = PaymentPolicy::default();
        assert_eq!(policy.react(&event, cause(2)), [expected]);
    }
}

#[test]
fn a_second_delivery_gives_the_same_command_ids() {
    for (event, _, _) in steps() {
        let policy = PaymentPolicy::default();
        let first = policy.react(&event, cause(2));
        let second = policy.react(&event, cause(7));
        assert_eq!(first[0].command_id, second[0].command_id);
    }
}

#[test]
fn unless_told_otherwise_it_gives_up_early_enough_to_be_done_within_a_minute() {
    let policy = PaymentPolicy::default();
    assert_eq!(policy.reconciled_within, TimeDelta::seconds(45));
}

#[test]
fn an_order_without_a_payment_leads_to_nothing() {
    for name in ["OrderCancelled", "OrderResumed"] {
        let event = event(name, &json!({"order_id": order_id()}));
        assert_eq!(PaymentPolicy::default().react(&event, cause(2)), []);
    }
}

#[test]
fn what_it_does_not_care_about_is_passed_over() {
    for (name, version) in [("PaymentCaptured", 1), ("OrderPaid", 2), ("AddedLater", 1)] {
        let event = read(name, version, &json!({})).unwrap();
        assert_eq!(event, PaymentPolicyEvent::Other, "{name}");
        assert_eq!(PaymentPolicy::default().react(&event, cause(2)), []);
    }
}

#[test]
fn what_it_cares_about_is_never_passed_over() {
    for name in [
        "PaymentRequested",
        "DispatchApproved",
        "OrderCancelled",
        "OrderResumed",
    ] {
        assert!(read(name, 2, &json!({"order_id": order_id()})).is_err());
        assert!(read(name, 1, &json!({})).is_err(), "{name}");
    }
}
