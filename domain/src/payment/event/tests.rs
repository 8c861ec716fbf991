use serde_json::{Value, json};

use super::*;
use crate::golden::{self, golden};
use crate::payment::{Operation, asks, testing::*};

/// One of each version ever released.
const GOLDEN: [(&str, u16, &str); 15] = [
    golden!("PaymentRequested"),
    golden!("PaymentStarted"),
    golden!("PaymentAuthorised"),
    golden!("PaymentDeclined"),
    golden!("PaymentCaptureRequested"),
    golden!("PaymentCaptured"),
    golden!("PaymentCaptureRefused"),
    golden!("PaymentCancelled"),
    golden!("PaymentVoidRequested"),
    golden!("PaymentVoided"),
    golden!("PaymentRefundRequested"),
    golden!("PaymentRefunded"),
    golden!("PaymentUnresolved"),
    golden!("PaymentReconciling"),
    golden!("PaymentStuck"),
];

fn events() -> [PaymentEvent; 15] {
    [
        PaymentEvent::Requested(request()),
        started(),
        authorised(),
        declined(1, "card-declined", "the card was declined"),
        capture_requested(taking()),
        captured(),
        capture_refused(3, "expired", "the authorisation has expired"),
        cancelled(),
        void_requested(4, undoing()),
        voided(),
        refund_requested(4, undoing()),
        refunded(),
        unresolved(Operation::Capture, taking(), 1, at(4)),
        reconciling(taking(), capture_request(), at(4)),
        stuck(5, Operation::Void, StuckBy::Refusal, "no: not today"),
    ]
}

fn read(name: &str, version: u16, payload: &Value) -> Result<PaymentEvent, serde_json::Error> {
    PaymentEvent::deserialize(name, version, payload)
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
        if payload.get("request").is_some() {
            payload["request"]["added_later"] = json!(1);
        }
        assert_eq!(read(name, version, &payload).unwrap(), event);
    }
}

#[test]
fn what_is_not_known_is_refused() {
    let payload = serde_json::to_value(captured()).unwrap();
    for (name, version) in [
        ("PaymentCaptured", 2),
        ("PaymentCaptured", 0),
        ("PaymentEaten", 1),
    ] {
        assert!(read(name, version, &payload).is_err(), "{name}/{version}");
    }
    let incomplete = json!({"order_id": order_id()});
    assert!(read("PaymentCaptured", 1, &incomplete).is_err());
}

#[test]
fn a_stream_is_named_after_its_payment_and_keyed_by_its_order() {
    let order = "00000000-0000-0000-0000-000000000de4";
    let payment = "00000000-0000-0000-0000-000000000001";
    for event in events() {
        assert_eq!(event.stream(), stream());
        assert_eq!(event.stream().to_string(), format!("payment-{payment}"));
        assert_eq!(PaymentEvent::key(&event.stream()), order);
        assert_eq!(event.topic(), "PaymentEvents");
        assert_eq!(event.journey(), Some(order_id().as_uuid()));
    }
}

/// The same request has the same name wherever it is told from, and nothing else asks the gateway anything.
#[test]
fn what_is_asked_is_told_in_full() {
    for (event, request_id, request) in [
        (started(), authorisation(), authorise_request()),
        (capture_requested(taking()), taking(), capture_request()),
        (void_requested(4, undoing()), undoing(), void_request()),
        (refund_requested(4, undoing()), undoing(), refund_request()),
        (
            reconciling(taking(), capture_request(), at(4)),
            taking(),
            capture_request(),
        ),
    ] {
        assert_eq!(asks(&event), Some((request_id, request)));
    }
    let asking = events()
        .iter()
        .filter(|event| asks(event).is_some())
        .count();
    assert_eq!(asking, 5);
}

#[test]
fn a_method_is_not_shown_even_where_it_is_sealed() {
    assert!(!format!("{:?}", started()).contains("4242"));
}
