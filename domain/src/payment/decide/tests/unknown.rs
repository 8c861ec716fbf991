//! No definite answer: it is asked again, and given up in time where nothing has been promised.

use chrono::{DateTime, Utc};
use uuid::Uuid;

use super::after;
use crate::{
    Context,
    payment::{
        GatewayOutcome, GatewayRequest, Operation, PaymentCommand, PaymentEvent, PaymentStatus,
        Payments, StuckBy, testing::*,
    },
};

fn unknown(seconds: i64, request_id: Uuid, operation: Operation) -> PaymentCommand {
    heard(seconds, request_id, operation, GatewayOutcome::Unknown)
}

/// What a request that is never answered goes through: each time that it is looked into, and what stopped it.
fn silence(
    mut history: Vec<PaymentEvent>,
    request_id: Uuid,
    operation: Operation,
) -> (Vec<i64>, Vec<PaymentEvent>) {
    let mut looked = Vec::new();
    let mut seconds = 0;
    for _ in 0..100 {
        let state = replay(&history);
        let events = Payments::decide(&state, &unknown(seconds, request_id, operation)).unwrap();
        history.extend(events.clone());
        let Some(due_at) = Payments::deadline(&replay(&history)) else {
            return (looked, events);
        };
        let command = Payments::expire(&stream(), due_at).unwrap();
        let events = Payments::decide(&replay(&history), &command).unwrap();
        assert!(matches!(events[..], [PaymentEvent::Reconciling(_)]));
        history.extend(events);
        seconds = (due_at - at(0)).num_seconds();
        looked.push(seconds);
    }
    panic!("nobody gives up");
}

fn looked_into(
    history: Vec<PaymentEvent>,
    request_id: Uuid,
    request: GatewayRequest,
    due_at: DateTime<Utc>,
) {
    let unresolved = unresolved(request.operation(), request_id, 1, due_at);
    given(&history)
        .when(&unknown(3, request_id, request.operation()))
        .then(std::slice::from_ref(&unresolved));
    let history = after(history, &[unresolved]);
    assert_eq!(Payments::deadline(&replay(&history)), Some(due_at));
    let payment = given(&history);
    payment.when(&reconcile(at(99))).then(&[]);
    let looking = reconciling(request_id, request, due_at);
    payment
        .when(&reconcile(due_at))
        .then(std::slice::from_ref(&looking));
    let history = after(history, &[looking]);
    assert_eq!(Payments::deadline(&replay(&history)), None);
    given(&history).when(&reconcile(due_at)).then(&[]);
}

#[test]
fn whatever_is_unknown_is_looked_into_after_a_second() {
    looked_into(authorising(), authorisation(), authorise_request(), at(4));
    looked_into(capturing(), taking(), capture_request(), at(4));
    looked_into(voiding(), undoing(), void_request(), at(4));
    looked_into(refunding(), undoing(), refund_request(), at(4));
}

#[test]
fn a_definite_answer_ends_the_looking() {
    let history = after(
        authorising(),
        &[unresolved(Operation::Authorise, authorisation(), 1, at(2))],
    );
    given(&history)
        .when(&of_authorisation(set_aside(total())))
        .then(&[authorised()]);
    let history = after(history, &[authorised()]);
    assert_eq!(Payments::deadline(&replay(&history)), None);
    given(&history).when(&reconcile(at(2))).then(&[]);
}

#[test]
fn what_is_not_set_aside_in_time_is_given_up_within_a_minute() {
    let (looked, end) = silence(authorising(), authorisation(), Operation::Authorise);
    assert_eq!(looked, [1, 3, 7, 15, 31, 45]);
    let detail = "the gateway did not answer in time; nothing will be charged";
    let void = void_requested(45, undo_of(authorisation()));
    assert_eq!(end, [declined(45, "gateway-unavailable", detail), void]);
}

/// A deadline's command is named by its time, and carried out once: the same time again would never come.
#[test]
fn a_clock_that_goes_back_does_not_keep_it_from_being_given_up() {
    let (mut history, mut due) = (authorising(), Vec::new());
    for _ in 0..4 {
        let unknown = unknown(44, authorisation(), Operation::Authorise);
        history.extend(Payments::decide(&replay(&history), &unknown).unwrap());
        let due_at = Payments::deadline(&replay(&history)).expect("it is looked into");
        history.extend(Payments::decide(&replay(&history), &reconcile(due_at)).unwrap());
        due.push(due_at);
    }
    let mut times = due.clone();
    times.dedup();
    assert_eq!(times, due);
    let end = unknown(46, authorisation(), Operation::Authorise);
    let end = Payments::decide(&replay(&history), &end).unwrap();
    assert!(matches!(end[..], [PaymentEvent::Declined(_), _]));
}

#[test]
fn an_authorisation_that_comes_after_that_is_let_go_of() {
    let payment = given(&given_up());
    payment
        .when(&heard(
            50,
            authorisation(),
            Operation::Authorise,
            set_aside(total()),
        ))
        .then(&[]);
    payment
        .when(&of_void(undo_of(authorisation()), GatewayOutcome::Voided))
        .then(&[voided()]);
}

#[test]
fn what_is_promised_or_owed_is_asked_ten_times_and_then_shown_to_an_operator() {
    for (history, request_id, operation) in [
        (capturing(), taking(), Operation::Capture),
        (voiding(), undoing(), Operation::Void),
        (refunding(), undoing(), Operation::Refund),
    ] {
        let (looked, end) = silence(history, request_id, operation);
        assert_eq!(looked, [1, 3, 7, 15, 31, 61, 91, 121, 151, 181]);
        let detail = "the gateway does not answer";
        assert_eq!(end, [stuck(181, operation, StuckBy::Silence, detail)]);
    }
}

/// It may have been done: only the very same request may be told again.
#[test]
fn what_is_stuck_by_silence_is_asked_again_under_its_own_name() {
    for (history, request_id, request) in [
        (capturing(), taking(), capture_request()),
        (voiding(), undoing(), void_request()),
        (refunding(), undoing(), refund_request()),
    ] {
        let stuck = stuck(5, request.operation(), StuckBy::Silence, "silence");
        let history = after(history, &[stuck]);
        assert_eq!(Payments::deadline(&replay(&history)), None);
        let again = reconciling(request_id, request, at(6));
        given(&history)
            .when(&retry())
            .then(std::slice::from_ref(&again));
        given(&after(history, &[again])).when(&retry()).then(&[]);
    }
}

/// Else the operator who has it tried again would have to after every silence.
#[test]
fn what_is_tried_again_is_asked_as_often_as_at_first() {
    for (history, request_id, request) in [
        (capturing(), taking(), capture_request()),
        (voiding(), undoing(), void_request()),
        (refunding(), undoing(), refund_request()),
    ] {
        let operation = request.operation();
        let history = after(
            history,
            &[
                unresolved(operation, request_id, 10, at(4)),
                reconciling(request_id, request.clone(), at(4)),
                stuck(5, operation, StuckBy::Silence, "silence"),
                reconciling(request_id, request, at(6)),
            ],
        );
        given(&history)
            .when(&unknown(7, request_id, operation))
            .then(&[unresolved(operation, request_id, 1, at(8))]);
    }
}

#[test]
fn an_answer_that_comes_to_what_is_stuck_still_counts() {
    let stuck = stuck(5, Operation::Capture, StuckBy::Silence, "silence");
    let history = after(capturing(), &[stuck]);
    given(&history)
        .when(&of_capture(taken(total())))
        .then(&[captured()]);
    let taken = replay(&after(history, &[captured()]));
    assert_eq!(taken.status(), Some(PaymentStatus::Captured));
}

#[test]
fn a_cancel_does_not_wait_for_what_is_unknown_nor_forget_it() {
    let unknown = unresolved(Operation::Authorise, authorisation(), 1, at(2));
    let history = after(authorising(), &[unknown]);
    given(&history).when(&cancel()).then(&[cancelled()]);
    let history = after(history, &[cancelled()]);
    assert_eq!(Payments::deadline(&replay(&history)), Some(at(2)));
}
