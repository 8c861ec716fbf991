use super::MAX_TRIES;
use crate::notification::{DeliveryOutcome, Template::*, testing::*};

#[test]
fn a_contact_is_kept_once() {
    given(&[])
        .when(&keep(Some(EMAIL)))
        .then(&[kept(Some(EMAIL))]);
    given(&[]).when(&keep(None)).then(&[kept(None)]);
    for history in [kept(Some(EMAIL)), kept(None)] {
        let again = keep(Some("eve@example.com"));
        given(&[history]).when(&again).then(&[]);
    }
}

#[test]
fn the_customer_is_told_by_email_and_systems_by_webhook() {
    let other = "http://localhost:9000/";
    let told = given(&[kept(Some(EMAIL))]);
    let to_other = crate::notification::Channel::Webhook {
        target: other.parse().unwrap(),
    };
    told.when(&notify(1, Shipped, &[HOOK, other, HOOK])).then(&[
        requested(shipped(by_email()), at(1)),
        requested(shipped(by_webhook()), at(1)),
        requested(shipped(to_other), at(1)),
    ]);
    told.when(&notify(1, Shipped, &[]))
        .then(&[requested(shipped(by_email()), at(1))]);
}

#[test]
fn a_customer_without_an_address_is_not_told() {
    let silent = given(&[kept(None)]);
    silent.when(&notify(1, Shipped, &[])).then(&[]);
    silent
        .when(&notify(1, Shipped, &[HOOK]))
        .then(&[requested(shipped(by_webhook()), at(1))]);
}

#[test]
fn nobody_is_told_twice() {
    let history = [
        kept(Some(EMAIL)),
        requested(shipped(by_email()), at(1)),
        requested(shipped(by_webhook()), at(1)),
    ];
    for ended in [
        vec![],
        vec![sent(by_email(), 1, 2), abandoned(by_webhook(), 1, 2)],
        vec![failed(by_email(), 1, 3), failed(by_webhook(), 1, 3)],
    ] {
        let history = [history.to_vec(), ended].concat();
        given(&history).when(&notify(1, Shipped, &[HOOK])).then(&[]);
    }
    let other = message(2, Delivered, by_email());
    given(&history)
        .when(&notify(2, Delivered, &[]))
        .then(&[requested(other, at(1))]);
}

/// A refund may be read before the order.
#[test]
fn what_comes_before_the_contact_is_told_when_that_is_known() {
    given(&[]).when(&notify(1, Shipped, &[HOOK])).then(&[
        deferred(1, Shipped),
        requested(shipped(by_webhook()), at(1)),
    ]);
    let history = [deferred(1, Shipped), deferred(2, Refunded)];
    given(&history).when(&notify(1, Shipped, &[])).then(&[]);
    given(&history).when(&keep(Some(EMAIL))).then(&[
        kept(Some(EMAIL)),
        requested(shipped(by_email()), at(0)),
        requested(message(2, Refunded, by_email()), at(0)),
    ]);
    given(&history).when(&keep(None)).then(&[kept(None)]);
}

#[test]
fn what_has_arrived_is_recorded_once() {
    let sending = [requested(shipped(by_email()), at(1))];
    let arrived = record(by_email(), DeliveryOutcome::Sent, 2);
    given(&sending)
        .when(&arrived)
        .then(&[sent(by_email(), 1, 2)]);
    let ended = [sending.to_vec(), vec![sent(by_email(), 1, 2)]].concat();
    for outcome in [DeliveryOutcome::Sent, failure(), undeliverable()] {
        given(&ended)
            .when(&record(by_email(), outcome, 3))
            .then(&[]);
    }
}

#[test]
fn what_has_not_arrived_is_sent_again_later_and_later() {
    let mut history = vec![requested(shipped(by_webhook()), at(0))];
    let mut now = 0;
    for (tries, pause) in (1..).zip([1, 2, 4, 8, 16, 32, 64, 128, 256]) {
        let not_yet = failed(by_webhook(), tries, now + pause);
        given(&history)
            .when(&record(by_webhook(), failure(), now))
            .then(std::slice::from_ref(&not_yet));
        history.push(not_yet);
        now += pause;
        assert_eq!(given(&history).deadline(), Some(at(now)));
        let again = due(by_webhook(), now);
        given(&history)
            .when(&retry(at(now)))
            .then(std::slice::from_ref(&again));
        history.push(again);
        assert_eq!(given(&history).deadline(), None);
    }
    given(&history)
        .when(&record(by_webhook(), DeliveryOutcome::Sent, now))
        .then(&[sent(by_webhook(), MAX_TRIES, now)]);
    let last = abandoned(by_webhook(), MAX_TRIES, now);
    given(&history)
        .when(&record(by_webhook(), failure(), now))
        .then(std::slice::from_ref(&last));
    history.push(last);
    given(&history)
        .when(&record(by_webhook(), failure(), now))
        .then(&[]);
    assert_eq!(given(&history).deadline(), None);
}

#[test]
fn what_can_never_arrive_is_given_up_at_once() {
    let sending = [requested(shipped(by_email()), at(1))];
    given(&sending)
        .when(&record(by_email(), undeliverable(), 2))
        .then(&[abandoned(by_email(), 1, 2)]);
}

#[test]
fn only_what_is_due_is_sent_again() {
    let history = [
        requested(shipped(by_email()), at(1)),
        requested(shipped(by_webhook()), at(1)),
        failed(by_email(), 1, 5),
        failed(by_webhook(), 1, 4),
    ];
    let waiting = given(&history);
    assert_eq!(waiting.deadline(), Some(at(4)));
    waiting.when(&retry(at(4))).then(&[due(by_webhook(), 4)]);
    waiting.when(&retry(at(3))).then(&[]);
    let sent_again = [history.to_vec(), vec![due(by_webhook(), 4)]].concat();
    given(&sent_again).when(&retry(at(4))).then(&[]);
    assert_eq!(given(&sent_again).deadline(), Some(at(5)));
}

#[test]
fn a_late_answer_counts_only_where_it_has_arrived() {
    let waiting = given(&[
        requested(shipped(by_email()), at(1)),
        failed(by_email(), 1, 5),
    ]);
    waiting.when(&record(by_email(), failure(), 2)).then(&[]);
    waiting
        .when(&record(by_email(), undeliverable(), 2))
        .then(&[]);
    waiting
        .when(&record(by_email(), DeliveryOutcome::Sent, 2))
        .then(&[sent(by_email(), 1, 2)]);
}

#[test]
fn what_was_not_requested_is_not_recorded() {
    given(&[kept(Some(EMAIL))])
        .when(&record(by_email(), DeliveryOutcome::Sent, 2))
        .then(&[]);
}
