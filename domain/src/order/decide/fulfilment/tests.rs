use crate::order::{Order, OrderCommand, OrderEvent, OrderRejection::*, OrderStatus, testing::*};

/// Orders that are not, or not any more, about to be sent.
fn not_dispatching() -> Vec<Vec<OrderEvent>> {
    let open = [
        vec![placed(&lines())],
        checking(),
        awaiting_payment(),
        paying(),
        sold(),
    ];
    let histories = open.into_iter().chain(gone()).chain(called_off());
    histories.chain(ended()).collect()
}

#[test]
fn money_that_is_set_aside_pays_the_order() {
    given(&paying())
        .when(&authorised(1))
        .then(&[paid(1, total())]);
}

#[test]
fn money_that_is_not_has_the_order_wait_for_another_payment() {
    given(&paying()).when(&declined(1)).then(&[failed(1)]);
    let again = [paying(), vec![failed(1)], asked(2, 2, 1).to_vec()].concat();
    given(&again).when(&authorised(2)).then(&[paid(2, total())]);
    given(&again).when(&declined(2)).then(&[failed(2)]);
}

#[test]
fn only_the_payment_that_is_under_way_is_settled() {
    let again = [paying(), vec![failed(1)], asked(2, 2, 1).to_vec()].concat();
    let mut histories = vec![vec![placed(&lines())], checking(), again];
    histories.extend(past_checking().into_iter().filter(|past| *past != paying()));
    for history in histories {
        given(&history).when(&authorised(1)).then(&[]);
        given(&history).when(&declined(1)).then(&[]);
    }
}

#[test]
fn a_paid_order_lets_its_goods_leave() {
    given(&sold()).when(&dispatch()).then(&[approved(10)]);
}

#[test]
fn what_was_let_go_is_not_answered_twice() {
    for history in [dispatching(), refused()].iter().chain(&gone()) {
        given(history).when(&dispatch()).then(&[]);
    }
}

#[test]
fn an_order_that_is_not_paid_or_has_ended_keeps_its_goods() {
    let open = [
        vec![placed(&lines())],
        checking(),
        awaiting_payment(),
        paying(),
    ];
    for history in open.iter().chain(&called_off()).chain(&ended()) {
        given(history).when(&dispatch()).then(&[dispatch_refused()]);
        let refused = [history.clone(), vec![dispatch_refused()]].concat();
        assert_eq!(replay(&refused), replay(history));
    }
}

/// Whichever comes first wins, and the other is told.
#[test]
fn a_cancel_and_a_dispatch_never_both_win() {
    given(&[sold(), vec![approved(10)]].concat())
        .when(&cancel())
        .then_rejected(OrderAlreadyShipped);
    given(&[sold(), vec![cancelled_with(Some(1))]].concat())
        .when(&dispatch())
        .then(&[dispatch_refused()]);
}

#[test]
fn an_order_whose_money_could_not_be_taken_is_stuck() {
    given(&dispatching())
        .when(&refuse_capture(1))
        .then(&[capture_refused(), stuck_by_capture()]);
    let stuck = [dispatching(), vec![stuck()]].concat();
    given(&stuck)
        .when(&refuse_capture(1))
        .then(&[capture_refused()]);
}

#[test]
fn a_refusal_that_is_not_of_what_is_asked_for_changes_nothing() {
    given(&dispatching()).when(&refuse_capture(2)).then(&[]);
    for history in not_dispatching().iter().chain([&refused()]) {
        given(history).when(&refuse_capture(1)).then(&[]);
    }
}

#[test]
fn goods_leave_once_that_was_allowed() {
    for history in [dispatching(), refused()] {
        given(&history).when(&ship()).then(&[shipped()]);
    }
    for history in not_dispatching() {
        given(&history).when(&ship()).then(&[]);
    }
}

#[test]
fn goods_arrive_after_they_have_left() {
    let [shipped, delivered_, completed] = gone();
    given(&shipped).when(&deliver()).then(&[delivered()]);
    let others = [sold(), dispatching(), refused(), delivered_, completed];
    for history in others.iter().chain(&called_off()).chain(&ended()) {
        given(history).when(&deliver()).then(&[]);
    }
}

#[test]
fn an_order_that_was_not_placed_goes_nowhere() {
    let commands: [OrderCommand; 6] = [
        authorised(1),
        declined(1),
        dispatch(),
        refuse_capture(1),
        ship(),
        deliver(),
    ];
    for command in commands {
        given(&[]).when(&command).then_rejected(OrderNotFound);
    }
}

#[test]
fn clients_are_told_how_far_it_has_come() {
    let [shipped, delivered, completed] = gone();
    for (history, status) in [
        (awaiting_payment(), OrderStatus::AwaitingPayment),
        (paying(), OrderStatus::PaymentPending),
        (sold(), OrderStatus::Paid),
        (dispatching(), OrderStatus::Dispatching),
        (refused(), OrderStatus::Dispatching),
        (shipped, OrderStatus::Shipped),
        (delivered, OrderStatus::Delivered),
        (completed, OrderStatus::Completed),
    ] {
        assert_eq!(Order::status(&replay(&history)), Some(status));
    }
}
