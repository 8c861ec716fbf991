//! The shipments' routes: which step may follow which, and that a repetition is not another step.

use axum::http::StatusCode;
use chrono::Utc;
use domain::{
    ids::ShipmentId,
    shipping::{CancelShipment, CreateShipment, DispatchShipment, PlanShipment, ShippingCommand},
    topics::SHIPPING_EVENTS,
};
use serde_json::json;
use uuid::Uuid;

use crate::{
    api::{Answer, Api, Key, example_order},
    steps::carry_out,
};

const ACTIONS: [&str; 3] = ["dispatch", "deliver", "fail"];

pub(crate) async fn post(api: &Api, id: ShipmentId, action: &str, key: Key<'_>) -> Answer {
    let path = format!("/v1/shipments/{id}/{action}");
    api.post(&path, key, &json!({})).await
}

async fn assert_done(api: &Api, id: ShipmentId, action: &str, status: &str) {
    let done = post(api, id, action, None).await;
    assert_eq!(done.status, StatusCode::OK, "{action}: {done:?}");
    assert_eq!(done.body["status"], status, "{action}");
}

async fn assert_done_once(api: &Api, id: ShipmentId, action: &str, key: &str) {
    let first = post(api, id, action, Some(key)).await;
    let again = post(api, id, action, Some(key)).await;
    for (answer, is_replayed) in [(&first, false), (&again, true)] {
        let told = (answer.status, answer.is_replayed());
        assert_eq!(told, (StatusCode::OK, is_replayed), "{action}: {answer:?}");
        assert_eq!(answer.body, first.body, "{action}");
    }
}

async fn assert_refused(api: &Api, id: ShipmentId, actions: &[&str], problem: (u16, &str)) {
    for action in actions {
        let refused = post(api, id, action, None).await;
        assert_eq!(refused.problem(), problem, "{action}");
    }
}

/// A shipment that can be packed.
pub(crate) async fn create(api: &Api) -> ShipmentId {
    let shipment_id = ShipmentId::from(Uuid::now_v7());
    let address = example_order()["shipping_address"].clone();
    let plan = PlanShipment {
        shipment_id,
        lines: vec![],
        shipping_address: serde_json::from_value(address).expect("an address"),
        planned_at: Utc::now(),
    };
    let create = CreateShipment {
        shipment_id,
        created_at: Utc::now(),
    };
    let plan = ShippingCommand::Plan(Box::new(plan));
    for command in [plan, ShippingCommand::Create(create)] {
        carry_out(&api.shipments, command).await;
    }
    shipment_id
}

/// Its order has let it leave, and its money was taken.
pub(crate) async fn leave(api: &Api, shipment_id: ShipmentId) {
    let dispatch = ShippingCommand::Dispatch(DispatchShipment {
        shipment_id,
        dispatched_at: Utc::now(),
    });
    carry_out(&api.shipments, dispatch).await;
}

#[tokio::test]
async fn a_shipment_leaves_before_it_arrives_and_does_both_once() {
    let api = Api::start().await;
    let id = create(&api).await;
    let not_yet = (409, "shipment-not-dispatched");
    assert_refused(&api, id, &["deliver", "fail"], not_yet).await;

    assert_done(&api, id, "dispatch", "dispatch_requested").await;
    let already = (409, "shipment-already-dispatched");
    assert_refused(&api, id, &["dispatch"], already).await;
    assert_refused(&api, id, &["deliver", "fail"], not_yet).await;

    leave(&api, id).await;
    assert_refused(&api, id, &["dispatch"], already).await;
    assert_done(&api, id, "deliver", "delivered").await;
    let arrived = (409, "shipment-already-delivered");
    assert_refused(&api, id, &ACTIONS, arrived).await;
}

#[tokio::test]
async fn a_shipment_that_was_called_off_neither_leaves_nor_arrives() {
    let api = Api::start().await;
    let shipment_id = create(&api).await;
    let cancel = ShippingCommand::Cancel(CancelShipment {
        shipment_id,
        cancelled_at: Utc::now(),
    });
    carry_out(&api.shipments, cancel).await;
    let cancelled = (409, "shipment-cancelled");
    assert_refused(&api, shipment_id, &ACTIONS, cancelled).await;
}

/// Whoever has heard no answer tries again, and would be told that somebody else was faster.
#[tokio::test]
async fn a_repetition_gets_the_first_answer() {
    let api = Api::start().await;
    let id = create(&api).await;
    assert_done_once(&api, id, "dispatch", "k").await;
    leave(&api, id).await;
    assert_done_once(&api, id, "fail", "k").await;
    assert_done_once(&api, id, "dispatch", "once-more").await;
    assert_done_once(&api, id, "deliver", "k").await;
    let names = [
        "ShipmentPlanned",
        "ShipmentCreated",
        "DispatchRequested",
        "ShipmentDispatched",
        "ShipmentFailed",
        "ShipmentDispatched",
        "ShipmentDelivered",
    ];
    assert_eq!(api.event_names_in(SHIPPING_EVENTS), names);
}

#[tokio::test]
async fn nothing_is_told_of_a_shipment_that_is_not_there() {
    let api = Api::start().await;
    let nobodys = ShipmentId::from(Uuid::nil());
    let not_found = (404, "shipment-not-found");
    assert_refused(&api, nobodys, &ACTIONS, not_found).await;
}
