use serde_json::{Value, json};
use uuid::Uuid;

use super::*;
use crate::{
    Event, EventKind,
    ids::policy_command_id,
    product::{ProductEvent, testing},
};

const EVENT_ID: Uuid = Uuid::from_u128(0xe1);

fn read(
    name: &str,
    version: u16,
    payload: &Value,
) -> Result<InventoryPolicyEvent, serde_json::Error> {
    InventoryPolicyEvent::deserialize(name, version, payload)
}

/// The view of an event of ours, through its payload.
fn view(event: &ProductEvent) -> InventoryPolicyEvent {
    let EventKind { name, version } = event.kind();
    read(name, version, &serde_json::to_value(event).unwrap()).unwrap()
}

/// What an event leads to: each command, and the label and the subject that its id follows from.
#[track_caller]
fn leads_to(event: &InventoryPolicyEvent, expected: &[(&str, &str, ProductCommand)]) {
    let cause = Cause {
        event_id: EVENT_ID,
        now: testing::at(0),
    };
    let expected: Vec<_> = expected
        .iter()
        .map(|(label, about, command)| Reaction {
            command_id: policy_command_id(EVENT_ID, label, about),
            command: command.clone(),
        })
        .collect();
    assert_eq!(InventoryPolicy.react(event, cause), expected);
}

fn of_tea(quantity: i64) -> SkuUnits {
    testing::line("TEA-EARL-GREY", quantity)
}

fn ended(name: &str) -> InventoryPolicyEvent {
    let payload = json!({"order_id": testing::order(1), "reason": "changed my mind"});
    read(name, 1, &payload).unwrap()
}

#[test]
fn a_check_opens_a_reservation() {
    let lines = [of_tea(2)];
    leads_to(
        &view(&testing::check(&lines)),
        &[("open-reservation", "", testing::open(&lines))],
    );
}

#[test]
fn a_line_is_asked_of_its_stock() {
    leads_to(
        &view(&testing::requested(of_tea(2))),
        &[("reserve-stock", "", testing::reserve(1, 2))],
    );
}

#[test]
fn the_answer_of_a_stock_goes_to_the_reservation() {
    leads_to(
        &view(&testing::reserved(1, 2)),
        &[(
            "answer-reservation",
            "",
            testing::answer_reserved("TEA-EARL-GREY"),
        )],
    );
    leads_to(
        &view(&testing::denied(1, 2, 1)),
        &[(
            "answer-reservation",
            "",
            testing::answer_denied("TEA-EARL-GREY", 1),
        )],
    );
}

#[test]
fn what_is_confirmed_is_allocated() {
    leads_to(
        &view(&testing::confirmed(&[of_tea(2)])),
        &[("allocate-stock", "TEA-EARL-GREY", testing::allocate(1))],
    );
}

#[test]
fn every_line_has_a_command_of_its_own() {
    let cause = Cause {
        event_id: EVENT_ID,
        now: testing::at(0),
    };
    let lines = [testing::line("A", 1), testing::line("B", 1)];
    for event in [
        testing::confirmed(&lines),
        testing::cancelled(&["A", "B"]),
        testing::reservation_committed(&lines),
    ] {
        let reactions = InventoryPolicy.react(&view(&event), cause);
        let [first, second] = &reactions[..] else {
            panic!("{} commands were given", reactions.len());
        };
        assert_ne!(first.command_id, second.command_id);
    }
}

#[test]
fn what_a_reservation_gives_up_is_released() {
    let tea = "TEA-EARL-GREY";
    for event in [
        testing::rejected(testing::line("X", 1), 0, &[tea]),
        testing::cancelled(&[tea]),
        testing::returned(tea),
    ] {
        leads_to(
            &view(&event),
            &[("release-stock", tea, testing::release(1))],
        );
    }
}

#[test]
fn an_order_that_has_ended_needs_nothing_any_more() {
    for name in ["OrderCancelled", "OrderExpired"] {
        leads_to(
            &ended(name),
            &[("cancel-reservation", "", testing::cancel())],
        );
    }
}

#[test]
fn what_an_order_holds_leaves_with_its_shipment() {
    let payload = json!({"order_id": testing::order(1), "carrier": "DHL"});
    leads_to(
        &read("ShipmentDispatched", 1, &payload).unwrap(),
        &[("commit-reservation", "", testing::fulfil())],
    );
    leads_to(
        &view(&testing::reservation_committed(&[of_tea(2)])),
        &[("commit-stock", "TEA-EARL-GREY", testing::commit(1))],
    );
}

#[test]
fn what_nobody_cares_about_leads_to_nothing() {
    for event in [testing::awaited(1, 2), testing::received(2)] {
        leads_to(&view(&event), &[]);
    }
    let other = read("OrderEaten", 7, &json!({})).unwrap();
    assert_eq!(other, InventoryPolicyEvent::Other);
}

#[test]
fn a_newer_version_of_what_matters_is_not_passed_over() {
    for name in [
        "InventoryCheck",
        "ReservationLineRequested",
        "StockReserved",
        "StockDenied",
        "InventoryConfirmed",
        "InventoryRejected",
        "ReservationCancelled",
        "ReservationLineReturned",
        "OrderCancelled",
        "OrderExpired",
        "ShipmentDispatched",
        "ReservationCommitted",
    ] {
        assert!(read(name, 2, &json!({"order_id": testing::order(1)})).is_err());
    }
}
