use crate::{
    Context,
    order::{Awaited, OrderEvent, OrderRejection::*, OrderStream, Orders, testing::*},
};

fn after(history: Vec<OrderEvent>, event: OrderEvent) -> Vec<OrderEvent> {
    [history, vec![event]].concat()
}

/// Orders that wait for nobody whose time is up some day.
fn without_deadline() -> Vec<Vec<OrderEvent>> {
    let [shipped, _, completed] = gone();
    let histories = [
        vec![],
        vec![placed(&lines())],
        paying(),
        sold(),
        dispatching(),
        refused(),
        shipped,
        completed,
    ];
    let ended = ended().into_iter().chain(called_off());
    histories.into_iter().chain(ended).collect()
}

/// Orders that wait for something until a deadline.
fn with_deadline() -> [(Vec<OrderEvent>, chrono::DateTime<chrono::Utc>, OrderEvent); 3] {
    let [_, delivered, _] = gone();
    [
        (
            checking(),
            stock_due_at(),
            expired(Awaited::Stock, stock_due_at()),
        ),
        (
            awaiting_payment(),
            payment_due_at(),
            expired(Awaited::Payment, payment_due_at()),
        ),
        (delivered, completes_at(), completed()),
    ]
}

#[test]
fn what_is_waited_for_ends_at_the_deadline_that_stands() {
    for (history, due_at, end) in with_deadline() {
        assert_eq!(Orders::deadline(&replay(&history)), Some(due_at));
        let command = Orders::expire(&OrderStream(order_id()), due_at);
        assert_eq!(command, Some(expire(due_at)));
        given(&history).when(&expire(due_at)).then(&[end]);
    }
}

#[test]
fn no_other_deadline_counts() {
    for (history, due_at, _) in with_deadline() {
        for other in [stock_due_at(), payment_due_at(), completes_at()] {
            if other != due_at {
                given(&history).when(&expire(other)).then(&[]);
            }
        }
    }
    for history in without_deadline() {
        assert_eq!(Orders::deadline(&replay(&history)), None);
        for due_at in [stock_due_at(), payment_due_at(), completes_at()] {
            given(&history).when(&expire(due_at)).then(&[]);
        }
    }
}

#[test]
fn after_a_payment_that_failed_the_deadline_is_the_old_one() {
    let order = replay(&after(paying(), failed(1)));
    assert_eq!(Orders::deadline(&order), Some(payment_due_at()));
}

#[test]
fn an_order_is_stuck_once() {
    given(&[]).when(&mark_stuck()).then(&[]);
    for history in without_deadline().into_iter().skip(1) {
        given(&history).when(&mark_stuck()).then(&[stuck()]);
        given(&after(history, stuck()))
            .when(&mark_stuck())
            .then(&[]);
    }
}

#[test]
fn a_stuck_order_waits_for_its_operator() {
    for (history, due_at, _) in with_deadline() {
        let stuck = after(history, stuck());
        assert_eq!(Orders::deadline(&replay(&stuck)), None);
        given(&stuck).when(&expire(due_at)).then(&[]);
    }
}

/// The gateway does not say what became of undoing it: the order waits for another payment no longer than any.
#[test]
fn a_stuck_payment_that_came_to_nothing_holds_nothing_up() {
    let [_, delivered, _] = gone();
    let failed = after(paying(), failed(1));
    let expired = expired(Awaited::Payment, payment_due_at());
    for (history, current, due_at, end) in [
        (failed, None, payment_due_at(), expired),
        (delivered, Some(1), completes_at(), completed()),
    ] {
        let undone = Some(if current.is_none() { 1 } else { 2 });
        let stuck = after(history, stuck_by(undone));
        assert_eq!(Orders::deadline(&replay(&stuck)), Some(due_at));
        given(&stuck)
            .when(&expire(due_at))
            .then(std::slice::from_ref(&end));
        let ended = given(&after(stuck.clone(), end));
        ended.when(&mark_stuck_by(undone)).then(&[]);
        let again = [current, undone].map(resumed_with);
        ended.when(&resume(at(9))).then(&again);

        let by_a_step = given(&stuck);
        by_a_step.when(&mark_stuck()).then(&[self::stuck()]);
        let stuck = after(stuck, self::stuck());
        assert_eq!(Orders::deadline(&replay(&stuck)), None);
    }
}

#[test]
fn what_comes_to_a_stuck_order_still_counts() {
    let checking = given(&after(checking(), stuck()));
    checking.when(&confirm()).then(&[confirmed()]);
    checking.when(&reject()).then(&[rejected()]);
    checking.when(&cancel()).then(&[cancelled()]);
    let paying = given(&after(paying(), stuck()));
    paying.when(&authorised(1)).then(&[paid(1, total())]);
    let dispatching = given(&after(dispatching(), stuck()));
    dispatching.when(&ship()).then(&[shipped()]);
    dispatching
        .when(&refuse_capture(1))
        .then(&[capture_refused()]);
}

#[test]
fn an_order_that_is_resumed_asks_for_its_stock_again() {
    let stuck = after(checking(), stuck());
    let again = [resumed(), requested(at(9)), check()];
    given(&stuck).when(&resume(at(9))).then(&again);
    let order = given(&[stuck, again.to_vec()].concat());
    order.when(&expire(stock_due_at())).then(&[]);
    order
        .when(&expire(at(9)))
        .then(&[expired(Awaited::Stock, at(9))]);
}

#[test]
fn a_payment_that_was_kept_is_kept_while_the_stock_is_asked_for_again() {
    let stuck = [checking(), vec![kept(1), stuck()]].concat();
    let again = [resumed(), requested(at(9)), check()];
    given(&stuck).when(&resume(at(9))).then(&again);
    let [pending, request] = asked(1, 1, 3);
    given(&[stuck, again.to_vec()].concat())
        .when(&confirm())
        .then(&[confirmed(), pending, request]);
}

#[test]
fn an_order_whose_money_could_not_be_taken_has_it_asked_for_again() {
    let again = [resumed_with(Some(1)), approved(6)];
    given(&refused()).when(&resume(at(9))).then(&again);
    given(&[refused(), again.to_vec()].concat())
        .when(&refuse_capture(1))
        .then(&[capture_refused(), stuck_by_capture()]);
}

#[test]
fn other_orders_are_only_resumed_and_their_payments_with_them() {
    let [shipped, delivered, _] = gone();
    let [unpaid, paying_off, paid_off] = called_off();
    for (history, payment) in [
        (awaiting_payment(), None),
        (paying(), Some(1)),
        (sold(), Some(1)),
        (dispatching(), Some(1)),
        (shipped, Some(1)),
        (delivered, Some(1)),
        (unpaid, None),
        (paying_off, Some(1)),
        (paid_off, Some(1)),
    ] {
        let stuck = after(history.clone(), stuck());
        given(&stuck)
            .when(&resume(at(9)))
            .then(&[resumed_with(payment)]);
        let resumed = after(stuck, resumed_with(payment));
        assert_eq!(replay(&resumed), replay(&history));
    }
}

#[test]
fn an_order_is_stuck_by_each_of_its_payments_once() {
    let once = after(awaiting_payment(), stuck_by(Some(1)));
    given(&once).when(&mark_stuck_by(Some(1))).then(&[]);
    given(&once).when(&mark_stuck()).then(&[stuck()]);
    given(&once)
        .when(&mark_stuck_by(Some(2)))
        .then(&[stuck_by(Some(2))]);
}

/// A payment that came to nothing may still have money to let go of.
#[test]
fn payments_before_the_last_are_tried_again_as_well() {
    let failed_once = [after(paying(), failed(1)), asked(2, 2, 1).to_vec()].concat();
    let stuck = after(failed_once, stuck_by(Some(1)));
    let again = [resumed_with(Some(2)), resumed_with(Some(1))];
    given(&stuck).when(&resume(at(9))).then(&again);
    let both = after(stuck.clone(), stuck_by(Some(2)));
    given(&both).when(&resume(at(9))).then(&again);
    let resumed_once = given(&[stuck, again.to_vec()].concat());
    resumed_once
        .when(&resume(at(9)))
        .then_rejected(OrderNotStuck);
    let unpaid = after(after(paying(), failed(1)), stuck_by(Some(1)));
    given(&unpaid)
        .when(&resume(at(9)))
        .then(&[resumed_with(None), resumed_with(Some(1))]);
}

#[test]
fn what_is_not_stuck_cannot_be_resumed() {
    given(&[]).when(&resume(at(9))).then_rejected(OrderNotFound);
    let histories = without_deadline().into_iter().skip(1);
    for history in histories.filter(|history| *history != refused()) {
        given(&history)
            .when(&resume(at(9)))
            .then_rejected(OrderNotStuck);
    }
}

#[test]
fn others_may_open_an_order_and_nothing_else() {
    let place = place(lines());
    assert!(!Orders::may_be_opened_elsewhere(&place));
    for command in [pay(1, None), cancel(), request(), resume(at(9))] {
        assert!(Orders::may_be_opened_elsewhere(&command));
    }
    assert!(Orders::opens(&placed(&lines())));
    for event in sold().iter().skip(1) {
        assert!(!Orders::opens(event));
    }
}
