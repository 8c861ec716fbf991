use crate::{
    Context,
    order::{Awaited, OrderEvent, OrderPaid, OrderRejection::*, OrderStream, Orders, testing::*},
};

/// Orders that wait for no answer of the product service any more.
fn past_checking() -> Vec<Vec<OrderEvent>> {
    let mut histories = vec![
        awaiting_payment(),
        sold(),
        [checking(), vec![cancelled()]].concat(),
    ];
    histories.extend(ended());
    histories
}

#[test]
fn the_product_service_is_asked_once() {
    given(&[placed(&lines())])
        .when(&request())
        .then(&[requested(stock_due_at()), check()]);
    given(&checking()).when(&request()).then(&[]);
    for history in past_checking() {
        given(&history).when(&request()).then(&[]);
    }
}

#[test]
fn an_order_is_confirmed() {
    given(&checking()).when(&confirm()).then(&[confirmed()]);
}

#[test]
fn a_payment_that_was_kept_is_carried_out_on_confirmation() {
    let paid = OrderEvent::Paid(OrderPaid {
        order_id: order_id(),
        payment_id: payment_id(1),
        amount: total(),
        paid_at: at(3),
    });
    for history in [
        vec![
            placed(&lines()),
            kept(1),
            requested(stock_due_at()),
            check(),
        ],
        [checking(), vec![kept(1)]].concat(),
    ] {
        given(&history)
            .when(&confirm())
            .then(&[confirmed(), paid.clone()]);
    }
}

#[test]
fn an_order_is_rejected_whether_or_not_a_payment_was_kept() {
    for history in [checking(), [checking(), vec![kept(1)]].concat()] {
        given(&history).when(&reject()).then(&[rejected()]);
    }
}

#[test]
fn answers_that_come_late_or_unasked_change_nothing() {
    for history in past_checking().iter().chain([&vec![placed(&lines())]]) {
        let order = given(history);
        order.when(&confirm()).then(&[]);
        order.when(&reject()).then(&[]);
    }
}

#[test]
fn an_order_expires_at_the_deadline_that_stands() {
    given(&checking())
        .when(&expire(stock_due_at()))
        .then(&[expired(Awaited::Stock, stock_due_at())]);
    given(&awaiting_payment())
        .when(&expire(payment_due_at()))
        .then(&[expired(Awaited::Payment, payment_due_at())]);
}

#[test]
fn no_other_deadline_counts() {
    given(&checking()).when(&expire(payment_due_at())).then(&[]);
    given(&awaiting_payment())
        .when(&expire(stock_due_at()))
        .then(&[]);
    let mut others = past_checking();
    others.remove(0);
    others.extend([vec![], vec![placed(&lines())]]);
    for history in others {
        for due_at in [stock_due_at(), payment_due_at()] {
            given(&history).when(&expire(due_at)).then(&[]);
        }
    }
}

#[test]
fn an_order_that_was_not_placed_has_no_workflow() {
    let nothing = given(&[]);
    for command in [request(), confirm(), reject(), resume(at(9))] {
        nothing.when(&command).then_rejected(OrderNotFound);
    }
    nothing.when(&mark_stuck()).then(&[]);
}

#[test]
fn an_open_order_is_stuck_once() {
    for history in [vec![placed(&lines())], checking(), awaiting_payment()] {
        given(&history).when(&mark_stuck()).then(&[stuck()]);
        given(&[history, vec![stuck()]].concat())
            .when(&mark_stuck())
            .then(&[]);
    }
    let mut closed = past_checking();
    closed.remove(0);
    for history in closed {
        given(&history).when(&mark_stuck()).then(&[]);
    }
}

#[test]
fn a_stuck_order_waits_for_its_operator() {
    for (history, due_at) in [
        (checking(), stock_due_at()),
        (awaiting_payment(), payment_due_at()),
    ] {
        let stuck = [history, vec![stuck()]].concat();
        assert_eq!(Orders::deadline(&replay(&stuck)), None);
        given(&stuck).when(&expire(due_at)).then(&[]);
    }
}

#[test]
fn what_comes_to_a_stuck_order_still_counts() {
    let stuck = [checking(), vec![stuck()]].concat();
    given(&stuck).when(&confirm()).then(&[confirmed()]);
    given(&stuck).when(&reject()).then(&[rejected()]);
    given(&stuck).when(&cancel()).then(&[cancelled()]);
}

#[test]
fn an_order_that_is_resumed_asks_for_its_stock_again() {
    let stuck = [checking(), vec![stuck()]].concat();
    let again = [resumed(), requested(at(9)), check()];
    given(&stuck).when(&resume(at(9))).then(&again);
    let order = given(&[stuck, again.to_vec()].concat());
    order.when(&expire(stock_due_at())).then(&[]);
    order
        .when(&expire(at(9)))
        .then(&[expired(Awaited::Stock, at(9))]);
}

#[test]
fn an_order_past_its_stock_is_only_resumed() {
    let stuck = [awaiting_payment(), vec![stuck()]].concat();
    given(&stuck).when(&resume(at(9))).then(&[resumed()]);
    let resumed = replay(&[stuck, vec![resumed()]].concat());
    assert_eq!(resumed, replay(&awaiting_payment()));
}

#[test]
fn what_is_not_stuck_cannot_be_resumed() {
    for history in past_checking().iter().chain([&checking()]) {
        given(history)
            .when(&resume(at(9)))
            .then_rejected(OrderNotStuck);
    }
}

#[test]
fn a_deadline_names_the_command_that_ends_the_order() {
    for (history, due_at) in [
        (checking(), stock_due_at()),
        (awaiting_payment(), payment_due_at()),
    ] {
        assert_eq!(Orders::deadline(&replay(&history)), Some(due_at));
        let command = Orders::expire(&OrderStream(order_id()), due_at);
        assert_eq!(command, Some(expire(due_at)));
    }
    for history in [vec![], vec![placed(&lines())], sold()] {
        assert_eq!(Orders::deadline(&replay(&history)), None);
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
