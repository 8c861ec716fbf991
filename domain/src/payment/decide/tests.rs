mod outcomes;
mod unknown;

use super::{PaymentRejection::*, decide};
use crate::payment::{
    GatewayOutcome, Operation, PaymentAuthorised, PaymentEvent, PaymentStarted, PaymentStatus,
    testing::*,
};

fn after(history: Vec<PaymentEvent>, events: &[PaymentEvent]) -> Vec<PaymentEvent> {
    [history, events.to_vec()].concat()
}

/// A payment in every stage that has begun and not ended.
fn under_way() -> [Vec<PaymentEvent>; 8] {
    [
        authorising(),
        holding(),
        capturing(),
        refused(),
        sold(),
        voiding(),
        refunding(),
        given_up(),
    ]
}

#[test]
fn a_payment_begins_once() {
    given(&[]).when(&start()).then(&[started()]);
    for history in under_way().iter().chain(&ended()) {
        given(history).when(&start()).then(&[]);
    }
}

#[test]
fn a_payment_that_was_cancelled_before_it_began_never_does() {
    given(&[]).when(&cancel()).then(&[cancelled()]);
    let payment = given(&[cancelled()]);
    payment.when(&start()).then(&[]);
    payment.when(&cancel()).then(&[]);
    payment
        .when(&of_authorisation(set_aside(total())))
        .then(&[]);
}

/// Things may be free, and no gateway has heard of such a payment.
#[test]
fn of_no_money_at_all_nothing_has_to_be_undone() {
    let amount = euros(0);
    let for_nothing = |event| match event {
        PaymentEvent::Started(started) => {
            PaymentEvent::Started(PaymentStarted { amount, ..started })
        }
        PaymentEvent::Authorised(authorised) => PaymentEvent::Authorised(PaymentAuthorised {
            amount,
            ..authorised
        }),
        other => other,
    };
    let history: Vec<_> = holding().into_iter().map(for_nothing).collect();
    let decided = decide(&replay(&history), &cancel()).expect("it is a payment");
    let [PaymentEvent::Cancelled(_), PaymentEvent::Voided(voided)] = &decided[..] else {
        panic!("{decided:?}");
    };
    assert_eq!(voided.amount, amount);
}

#[test]
fn what_is_set_aside_is_taken() {
    given(&holding())
        .when(&capture(total(), taking()))
        .then(&[capture_requested(taking())]);
}

#[test]
fn what_was_refused_once_may_be_asked_for_under_another_name() {
    given(&refused())
        .when(&capture(total(), retrying()))
        .then(&[capture_requested(retrying())]);
}

#[test]
fn money_is_taken_once() {
    for history in [capturing(), sold()] {
        given(&history)
            .when(&capture(total(), retrying()))
            .then(&[]);
    }
}

#[test]
fn another_amount_than_is_set_aside_is_not_taken() {
    for history in [holding(), refused()] {
        given(&history)
            .when(&capture(euros(5_498), taking()))
            .then(&[capture_refused(
                2,
                "amount-mismatch",
                "another amount is set aside",
            )]);
    }
}

#[test]
fn what_is_not_set_aside_is_not_taken() {
    for history in [vec![], vec![cancelled()]] {
        given(&history)
            .when(&capture(total(), taking()))
            .then(&[capture_refused(
                2,
                "not-authorised",
                "there is no such payment",
            )]);
    }
    let [_, declined, voided, refunded] = ended();
    for history in [
        authorising(),
        voiding(),
        refunding(),
        given_up(),
        declined,
        voided,
        refunded,
    ] {
        given(&history)
            .when(&capture(total(), taking()))
            .then(&[capture_refused(2, "not-authorised", "nothing is set aside")]);
    }
}

#[test]
fn a_refusal_of_what_was_never_asked_leaves_the_payment_as_it_was() {
    let mismatch = capture_refused(2, "amount-mismatch", "another amount is set aside");
    given(&after(holding(), &[mismatch]))
        .when(&capture(total(), taking()))
        .then(&[capture_requested(taking())]);
    let too_early = capture_refused(2, "not-authorised", "nothing is set aside");
    for history in [authorising(), voiding(), refunding()] {
        let refused = after(history.clone(), std::slice::from_ref(&too_early));
        assert_eq!(replay(&refused), replay(&history));
    }
}

#[test]
fn what_is_set_aside_is_let_go_of_when_the_order_is_cancelled() {
    for history in [holding(), refused()] {
        given(&history)
            .when(&cancel())
            .then(&[cancelled(), void_requested(4, undoing())]);
    }
}

#[test]
fn what_was_taken_goes_back_when_the_order_is_cancelled() {
    given(&sold())
        .when(&cancel())
        .then(&[cancelled(), refund_requested(4, undoing())]);
}

#[test]
fn what_is_not_known_yet_is_undone_when_it_is() {
    for history in [authorising(), capturing()] {
        given(&history).when(&cancel()).then(&[cancelled()]);
        given(&after(history, &[cancelled()]))
            .when(&cancel())
            .then(&[]);
    }
}

#[test]
fn what_is_undone_or_came_to_nothing_is_not_undone_again() {
    let under_way = [voiding(), refunding(), given_up()];
    for history in under_way.iter().chain(&ended()) {
        given(history).when(&cancel()).then(&[]);
    }
}

#[test]
fn only_what_is_stuck_is_retried() {
    for history in under_way().iter().chain(&ended()).chain([&vec![]]) {
        given(history).when(&retry()).then(&[]);
    }
}

#[test]
fn an_answer_about_a_payment_that_does_not_exist_is_refused() {
    given(&[])
        .when(&of_authorisation(set_aside(total())))
        .then_rejected(PaymentNotFound);
    given(&[])
        .when(&of_authorisation(GatewayOutcome::Unknown))
        .then_rejected(PaymentNotFound);
}

#[test]
fn clients_are_told_how_far_it_has_come() {
    let [never, declined, voided, refunded] = ended();
    for (history, status) in [
        (vec![], None),
        (never, None),
        (authorising(), Some(PaymentStatus::Pending)),
        (holding(), Some(PaymentStatus::Authorised)),
        (capturing(), Some(PaymentStatus::Authorised)),
        (refused(), Some(PaymentStatus::Authorised)),
        (sold(), Some(PaymentStatus::Captured)),
        (refunding(), Some(PaymentStatus::Captured)),
        (voiding(), Some(PaymentStatus::Voiding)),
        (given_up(), Some(PaymentStatus::Voiding)),
        (declined, Some(PaymentStatus::Declined)),
        (voided, Some(PaymentStatus::Voided)),
        (refunded, Some(PaymentStatus::Refunded)),
    ] {
        assert_eq!(replay(&history).status(), status);
    }
}

/// An answer to another question, or to one under another name.
#[test]
fn answers_to_what_was_not_asked_change_nothing() {
    for history in under_way() {
        let payment = given(&history);
        for operation in [
            Operation::Authorise,
            Operation::Capture,
            Operation::Void,
            Operation::Refund,
        ] {
            for outcome in [
                set_aside(total()),
                taken(total()),
                GatewayOutcome::Voided,
                no(),
            ] {
                payment
                    .when(&heard(3, retrying(), operation, outcome))
                    .then(&[]);
            }
        }
    }
}
