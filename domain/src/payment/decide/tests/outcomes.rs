//! What is definitely heard of a request that stands.

use super::after;
use crate::payment::{
    GatewayOutcome, Operation, PaymentCommand, PaymentEvent, StuckBy, testing::*,
};

#[test]
fn money_is_set_aside_or_not() {
    given(&authorising())
        .when(&of_authorisation(set_aside(total())))
        .then(&[authorised()]);
    given(&authorising())
        .when(&of_authorisation(no()))
        .then(&[declined(1, "no", "not today")]);
}

#[test]
fn another_amount_that_was_set_aside_is_let_go_of() {
    given(&authorising())
        .when(&of_authorisation(set_aside(euros(5_498))))
        .then(&[
            declined(1, "amount-mismatch", "the gateway set another amount aside"),
            void_requested(1, undo_of(authorisation())),
        ]);
}

#[test]
fn what_is_set_aside_after_a_cancel_is_let_go_of() {
    let cancelled = given(&after(authorising(), &[cancelled()]));
    cancelled
        .when(&of_authorisation(set_aside(total())))
        .then(&[authorised(), void_requested(1, undo_of(authorisation()))]);
    cancelled
        .when(&of_authorisation(no()))
        .then(&[declined(1, "no", "not today")]);
}

#[test]
fn money_is_taken_or_not() {
    given(&capturing())
        .when(&of_capture(taken(total())))
        .then(&[captured()]);
    given(&capturing())
        .when(&of_capture(no()))
        .then(&[capture_refused(3, "no", "not today")]);
}

#[test]
fn what_is_taken_after_a_cancel_goes_back() {
    given(&after(capturing(), &[cancelled()]))
        .when(&of_capture(taken(total())))
        .then(&[captured(), refund_requested(3, undo_of(taking()))]);
}

#[test]
fn what_cannot_be_taken_after_a_cancel_is_let_go_of() {
    given(&after(capturing(), &[cancelled()]))
        .when(&of_capture(no()))
        .then(&[
            capture_refused(3, "no", "not today"),
            void_requested(3, undo_of(taking())),
        ]);
}

#[test]
fn what_was_to_be_let_go_of_is_gone() {
    given(&voiding())
        .when(&of_void(undoing(), GatewayOutcome::Voided))
        .then(&[voided()]);
    given(&given_up())
        .when(&of_void(undo_of(authorisation()), GatewayOutcome::Voided))
        .then(&[voided()]);
}

#[test]
fn what_was_to_go_back_is_back() {
    given(&refunding())
        .when(&of_refund(undoing(), given_back(total())))
        .then(&[refunded()]);
}

#[test]
fn what_is_heard_twice_or_late_counts_once() {
    let [_, declined, voided, refunded] = ended();
    let of_undoing = undo_of(authorisation());
    let late: [(Vec<PaymentEvent>, Vec<PaymentCommand>); 8] = [
        (holding(), vec![of_authorisation(set_aside(total()))]),
        (declined, vec![of_authorisation(set_aside(total()))]),
        (capturing(), vec![of_authorisation(set_aside(total()))]),
        (sold(), vec![of_capture(taken(total())), of_capture(no())]),
        (refused(), vec![of_capture(no())]),
        (
            given_up(),
            vec![of_authorisation(set_aside(total())), of_authorisation(no())],
        ),
        (
            voided,
            vec![
                of_void(undoing(), GatewayOutcome::Voided),
                of_void(of_undoing, no()),
            ],
        ),
        (
            refunded,
            vec![
                of_refund(undoing(), given_back(total())),
                of_capture(taken(total())),
            ],
        ),
    ];
    for (history, commands) in late {
        for command in commands {
            given(&history).when(&command).then(&[]);
        }
    }
}

#[test]
fn an_outcome_that_is_none_of_what_was_asked_changes_nothing() {
    let ask = [
        (authorising(), authorisation(), Operation::Authorise),
        (capturing(), taking(), Operation::Capture),
        (voiding(), undoing(), Operation::Void),
        (refunding(), undoing(), Operation::Refund),
    ];
    let outcomes = [
        set_aside(total()),
        taken(total()),
        GatewayOutcome::Voided,
        given_back(total()),
    ];
    for (index, (history, request_id, operation)) in ask.iter().enumerate() {
        for (other, outcome) in outcomes.iter().enumerate() {
            if other != index {
                given(history)
                    .when(&heard(5, *request_id, *operation, outcome.clone()))
                    .then(&[]);
            }
        }
    }
}

#[test]
fn who_refuses_to_undo_needs_an_operator() {
    for (history, operation, again) in [
        (voiding(), Operation::Void, void_requested(6, retrying())),
        (
            refunding(),
            Operation::Refund,
            refund_requested(6, retrying()),
        ),
    ] {
        let stuck = stuck(5, operation, StuckBy::Refusal, "no: not today");
        given(&history)
            .when(&heard(5, undoing(), operation, no()))
            .then(std::slice::from_ref(&stuck));
        // It was not done, so it is asked for under another name; the old one counts no more.
        let history = after(history, &[stuck]);
        given(&history)
            .when(&retry())
            .then(std::slice::from_ref(&again));
        let retried = given(&after(history, &[again]));
        retried.when(&retry()).then(&[]);
        retried
            .when(&heard(5, undoing(), operation, no()))
            .then(&[]);
    }
}

/// It was done, though not as asked: under another name it would be done once more.
#[test]
fn who_takes_or_gives_back_another_amount_is_only_asked_what_was_done() {
    for (history, request_id, command, request, detail) in [
        (
            capturing(),
            taking(),
            heard(5, taking(), Operation::Capture, taken(euros(1))),
            capture_request(),
            "the gateway took another amount",
        ),
        (
            refunding(),
            undoing(),
            of_refund(undoing(), given_back(euros(1))),
            refund_request(),
            "the gateway gave another amount back",
        ),
    ] {
        let stuck = stuck(5, request.operation(), StuckBy::OtherAmount, detail);
        given(&history)
            .when(&command)
            .then(std::slice::from_ref(&stuck));
        given(&after(history, &[stuck]))
            .when(&retry())
            .then(&[reconciling(request_id, request, at(6))]);
    }
}
