use super::ShippingRejection::*;
use crate::shipping::{ShipmentStatus, ShippingEvent, testing::*};

/// A shipment in every stage of which something was planned.
fn begun() -> Vec<Vec<ShippingEvent>> {
    let open = [
        vec![planned()],
        packing(),
        waiting(),
        gone(),
        lost(),
        arrived(),
    ];
    open.into_iter().chain(called_off()).collect()
}

#[test]
fn what_would_be_sent_is_noted_once() {
    given(&[]).when(&plan()).then(&[planned()]);
    for history in begun() {
        given(&history).when(&plan()).then(&[]);
    }
}

#[test]
fn what_is_planned_can_be_packed_when_it_is_paid() {
    given(&[planned()]).when(&create()).then(&[created()]);
    let others = begun().into_iter().skip(1).chain([vec![]]);
    for history in others {
        given(&history).when(&create()).then(&[]);
    }
}

#[test]
fn what_is_packed_asks_whether_it_may_leave() {
    for number in [None, Some("RM-1")] {
        given(&packing())
            .when(&request_dispatch(number))
            .then(&[dispatch_requested(number)]);
    }
}

#[test]
fn what_is_not_paid_does_not_ask() {
    for history in [vec![], vec![planned()]] {
        given(&history)
            .when(&request_dispatch(None))
            .then_rejected(ShipmentNotFound);
    }
}

#[test]
fn it_asks_once() {
    for history in [waiting(), gone()] {
        given(&history)
            .when(&request_dispatch(None))
            .then_rejected(ShipmentAlreadyDispatched);
    }
    given(&arrived())
        .when(&request_dispatch(None))
        .then_rejected(ShipmentAlreadyDelivered);
    for history in called_off() {
        given(&history)
            .when(&request_dispatch(None))
            .then_rejected(ShipmentCancelled);
    }
}

#[test]
fn it_leaves_as_it_asked_to_when_its_money_was_taken() {
    given(&waiting())
        .when(&dispatch())
        .then(&[dispatched(3, Some("RM-1"))]);
    let unnamed = [packing(), vec![dispatch_requested(None)]].concat();
    given(&unnamed)
        .when(&dispatch())
        .then(&[dispatched(3, None)]);
}

#[test]
fn nothing_leaves_that_did_not_ask_and_nothing_twice() {
    let unasked = [
        vec![],
        vec![planned()],
        packing(),
        gone(),
        lost(),
        arrived(),
    ];
    for history in unasked.iter().chain(&called_off()) {
        given(history).when(&dispatch()).then(&[]);
    }
}

/// The order has allowed it and the money was taken: nobody is asked again.
#[test]
fn what_did_not_arrive_leaves_once_more() {
    given(&lost())
        .when(&request_dispatch(Some("RM-2")))
        .then(&[dispatched(2, Some("RM-2"))]);
    let again = [lost(), vec![dispatched(2, Some("RM-2"))]].concat();
    given(&again).when(&deliver()).then(&[delivered()]);
    given(&again).when(&fail()).then(&[failed()]);
}

#[test]
fn what_has_left_arrives_or_does_not() {
    given(&gone()).when(&deliver()).then(&[delivered()]);
    given(&gone()).when(&fail()).then(&[failed()]);
}

/// A carrier that tells of another parcel has mixed them up.
#[test]
fn what_is_told_has_to_be_of_the_goods_that_left() {
    let unnamed = [
        packing(),
        vec![dispatch_requested(None), dispatched(3, None)],
    ]
    .concat();
    let somebody = (Some("Royal Mail"), Some("RM-1"));
    for said in [(None, None), (None, Some("RM-1")), somebody] {
        given(&gone())
            .when(&delivered_by(said))
            .then(&[delivered()]);
        given(&gone()).when(&failed_by(said)).then(&[failed()]);
        given(&unnamed)
            .when(&delivered_by(said))
            .then(&[delivered()]);
    }
    for said in [
        (Some("Post"), Some("RM-1")),
        (Some("Royal Mail"), Some("RM-2")),
    ] {
        for command in [delivered_by(said), failed_by(said)] {
            given(&gone())
                .when(&command)
                .then_rejected(CarriageMismatch);
        }
    }
}

#[test]
fn what_has_not_left_neither_arrives_nor_fails_to() {
    for command in [deliver(), fail()] {
        for history in [vec![], vec![planned()]] {
            given(&history)
                .when(&command)
                .then_rejected(ShipmentNotFound);
        }
        for history in [packing(), waiting(), lost()] {
            given(&history)
                .when(&command)
                .then_rejected(ShipmentNotDispatched);
        }
        given(&arrived())
            .when(&command)
            .then_rejected(ShipmentAlreadyDelivered);
        for history in called_off() {
            given(&history)
                .when(&command)
                .then_rejected(ShipmentCancelled);
        }
    }
}

#[test]
fn what_has_not_left_is_called_off() {
    for history in [vec![], vec![planned()], packing(), waiting()] {
        given(&history).when(&cancel()).then(&[cancelled()]);
    }
}

#[test]
fn what_was_called_off_before_it_was_planned_stays_so() {
    let shipment = given(&[cancelled()]);
    shipment.when(&plan()).then(&[]);
    shipment.when(&create()).then(&[]);
    shipment.when(&dispatch()).then(&[]);
}

#[test]
fn what_has_left_or_was_called_off_is_not_called_off() {
    let others = [gone(), lost(), arrived()];
    for history in others.iter().chain(&called_off()) {
        given(history).when(&cancel()).then(&[]);
    }
}

#[test]
fn clients_are_told_how_far_it_has_come() {
    let [cancelled, ..] = called_off();
    for (history, status) in [
        (vec![], None),
        (vec![planned()], None),
        (packing(), Some(ShipmentStatus::Created)),
        (waiting(), Some(ShipmentStatus::DispatchRequested)),
        (gone(), Some(ShipmentStatus::Dispatched)),
        (lost(), Some(ShipmentStatus::Failed)),
        (arrived(), Some(ShipmentStatus::Delivered)),
        (cancelled, Some(ShipmentStatus::Cancelled)),
    ] {
        assert_eq!(replay(&history).status(), status);
    }
}
